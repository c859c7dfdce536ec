"""Which labels are hit: by chance, or an exact number of them."""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from corruptlab._types import Labels

Drawing: TypeAlias = Literal["independent", "exact", "exact_per_class"]
"""How labels are picked: each by itself, exactly so many, or exactly so many in each class."""


def check_drawing(drawing: str) -> None:
    """Refuse an unknown `Drawing`."""
    if drawing not in ("independent", "exact", "exact_per_class"):
        raise ValueError(
            f"`drawing` must be 'independent', 'exact', or 'exact_per_class', got {drawing!r}."
        )


def hits(
    u: NDArray[np.float64], rates: NDArray[np.float64], clean: Labels, drawing: Drawing
) -> NDArray[np.bool_]:
    """Return which labels are hit; a label of class ``c`` with rate ``rates[c]``.

    Independent: a label is hit if its ``u < rate``. Exact: with ``m`` the sum of all rates, rounded
    (halves to even), the ``m`` labels of least ``u / rate`` are hit, which for one rate is a simple
    random sample of size ``m``; per class likewise within each class. In all three, labels hit at
    some rate are hit at twice the rate too.

    Args:
        u: A uniform number for each example, shape ``(n,)``.
        rates: Probability for each class, shape ``(num_classes,)``.
        clean: Labels, shape ``(n,)``.
        drawing: How labels are picked.

    Returns:
        ``bool`` of shape ``(n,)``.
    """
    rate = rates[clean]
    if drawing == "independent":
        return np.less(u, rate, dtype=np.bool_)
    # Relative to the largest rate, so that equal rates rank by `u` itself, however small they are.
    relative = rate / max(rate.max(initial=0), np.finfo(np.float64).tiny)
    # A class of rate 0 is never hit: infinity sorts it last.
    with np.errstate(over="ignore"):
        order = np.divide(u, relative, out=np.full(len(u), np.inf), where=relative > 0)
    hit = np.zeros(len(u), np.bool_)
    for members in _groups(clean, drawing):
        m = round(float(rate[members].sum()))
        hit[members[np.argsort(order[members], kind="stable")[:m]]] = True
    return hit


def _groups(clean: Labels, drawing: Drawing) -> list[Labels]:
    """Return the positions among which an exact number is hit."""
    if drawing == "exact":
        return [np.arange(len(clean))]
    return [np.flatnonzero(clean == c) for c in np.unique(clean)]
