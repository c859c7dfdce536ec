"""All tables and figures, by name."""

from types import MappingProxyType

from corruptlab.experiments.paper._exhibit import Exhibit
from corruptlab.experiments.paper._fig1a import FIG_1A
from corruptlab.experiments.paper._fig1bc import FIG_1B, FIG_1C
from corruptlab.experiments.paper._fig2 import FIG_2
from corruptlab.experiments.paper._table1 import TABLE_1
from corruptlab.experiments.paper._table2 import TABLE_2
from corruptlab.experiments.paper._table3 import TABLE_3
from corruptlab.experiments.paper._table4 import TABLE_4
from corruptlab.experiments.paper._theorem1 import THEOREM_1

_ALL = (TABLE_1, TABLE_2, TABLE_3, TABLE_4, FIG_1A, FIG_1B, FIG_1C, FIG_2, THEOREM_1)

EXHIBITS = MappingProxyType({each.name: each for each in _ALL})
"""Name to table or figure."""


def exhibit(what: str | Exhibit) -> Exhibit:
    """Return a table or figure of the paper.

    Args:
        what: ``"table1"``, ``"table2"``, ``"table3"``, ``"table4"``, ``"fig1a"``, ``"fig1b"``,
            ``"fig1c"``, ``"fig2"``, or ``"theorem1"``; or the thing itself.

    Returns:
        Its rows and columns.

    Raises:
        TypeError: If it is neither a name nor an `Exhibit`.
        ValueError: If there is none of that name.

    Example:
        >>> from corruptlab.experiments import paper
        >>> paper.exhibit("table1")["small-inception crop"].published
        {'train': 100.0, 'test': 89.31}
    """
    if isinstance(what, Exhibit):
        return what
    if not isinstance(what, str):
        raise TypeError(f"`what` must be a name or an Exhibit, got {what!r}.")
    if what not in EXHIBITS:
        raise ValueError(f"`what` must be one of {', '.join(EXHIBITS)}, got {what!r}.")
    return EXHIBITS[what]
