"""Random label heads: how well examples can be identified from the layers of a network."""

from corruptlab.heads._heads import RandomLabelHeads
from corruptlab.heads._report import HeadsReport
from corruptlab.heads._with_ids import WithIds, with_ids

__all__ = ["HeadsReport", "RandomLabelHeads", "WithIds", "with_ids"]
