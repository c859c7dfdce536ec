"""Random label heads: how much of the single example a layer still shows, while it is trained."""

from corruptlab.heads._heads import RandomLabelHeads
from corruptlab.heads._report import HeadsReport
from corruptlab.heads._with_ids import WithIds, with_ids

__all__ = ["HeadsReport", "RandomLabelHeads", "WithIds", "with_ids"]
