"""Label noise by a transition matrix."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corruptlab._checks import reals
from corruptlab._draws import Draws
from corruptlab._types import Ids, Labels
from corruptlab.corruptions import _noise

_SUM_TOLERANCE = 1e-6  # rows typed with a few digits, or computed in float32
_UNIT = 1 << 30  # a label, cut so fine that sums are integers and rounding errors vanish


@dataclass(frozen=True, init=False, repr=False)
class TransitionLabels(_noise.LabelNoise):
    """Draw each label from the row of a transition matrix that belongs to its true class.

    A label of class ``i`` leaves with probability ``1 - T[i, i]`` and then goes to class ``j``
    with probability ``T[i, j] / (1 - T[i, i])``. It is always drawn from the original label, never
    class by class, so cat -> dog and dog -> cat do not undo each other.

    Args:
        transition: Matrix ``T``, shape ``(K, K)``; row: true class, column: new class; entries
            in ``[0, 1]``, rows sum to 1 (within 1e-6).
        drawing: ``"independent"`` decides for each label independently (default). ``"exact"``
            moves ``n_i T[i, j]`` of the ``n_i`` labels of class ``i`` to class ``j``, rounded down
            or up at random, so that this number is the expectation. The total number of moved
            labels, and that of each class, is its expectation rounded down or up as well.
            ``"exact_per_class"`` flips exactly ``round(n_i (1 - T[i, i]))`` labels of each class,
            and draws the new class of each independently.

    Raises:
        ValueError: If ``transition`` is not square, an entry is not a probability, a row does not
            sum to 1, or ``drawing`` is unknown.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> noise = cl.TransitionLabels([[0.5, 0.5], [0.0, 1.0]])
        >>> noise.labels(np.array([0, 0, 0, 0, 1, 1]), num_classes=2, draws=cl.Draws(seed=0))
        array([0, 1, 1, 1, 1, 1])

    Source: Patrini et al. 2017, "Making deep neural networks robust to label noise", the matrix T.
    """

    transition: tuple[tuple[float, ...], ...]
    drawing: _noise.Drawing = "independent"
    stream: ClassVar[str] = "transition_labels"

    def __init__(self, transition: ArrayLike, *, drawing: _noise.Drawing = "independent") -> None:
        matrix = _checked_matrix(transition)
        _noise.put(
            self,
            transition=tuple(map(tuple, matrix.tolist())),
            drawing=_noise.checked_drawing(drawing),
        )

    def _noisy(self, clean: Labels, num_classes: int, ids: Ids, draws: Draws) -> Labels:
        matrix = self.matrix(num_classes)
        u = draws.uniform("transition_labels/flip", ids)
        if self.drawing == "exact":
            start = float(draws.uniform("transition_labels/start", [0])[0])
            return _exact_labels(matrix, clean, u, start)
        flipped = _noise.hits(u, 1 - np.diag(matrix)[clean], clean, self.drawing)
        noisy = clean.copy()
        noisy[flipped] = _other_classes(
            matrix, clean[flipped], draws.uniform("transition_labels/class", ids[flipped])
        )
        return noisy

    def matrix(self, num_classes: int, draws: Draws | None = None) -> NDArray[np.float64]:
        """Return the transition matrix, which must have ``num_classes`` rows."""
        if len(self.transition) != num_classes:
            raise ValueError(
                f"`transition` must have {num_classes} rows, one for each class, "
                f"got {len(self.transition)}."
            )
        return np.array(self.transition)


def _checked_matrix(transition: ArrayLike) -> NDArray[np.float64]:
    matrix = reals("transition", transition)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise ValueError(f"`transition` must be a square matrix, got shape {matrix.shape}.")
    wrong = np.argwhere(~((matrix >= 0) & (matrix <= 1)))
    if len(wrong):
        i, j = wrong[0]
        raise ValueError(
            f"`transition` must hold probabilities in [0, 1], got {matrix[i, j]} at ({i}, {j})."
        )
    sums = matrix.sum(axis=1)
    row = int(np.argmax(np.abs(sums - 1)))
    if abs(sums[row] - 1) > _SUM_TOLERANCE:
        raise ValueError(
            f"`transition` must have rows that sum to 1, got {sums[row]:.6g} for row {row}."
        )
    return matrix


def _other_classes(matrix: NDArray[np.float64], y: Labels, u: NDArray[np.float64]) -> Labels:
    """Return where labels go that leave: by inversion of each row without its diagonal."""
    new = np.empty_like(y)
    for c in np.unique(y):
        row = matrix[c].copy()
        row[c] = 0
        steps = np.cumsum(row)
        # `u < 1` and the last step that rises is at the top, so no class of probability 0 is met.
        new[y == c] = np.searchsorted(steps, u[y == c] * steps[-1], side="right")
    return new


def _exact_labels(
    matrix: NDArray[np.float64], clean: Labels, u: NDArray[np.float64], start: float
) -> Labels:
    """Return labels of which ``n_i T[i, j]``, up to one, go from each class to each other one."""
    # Systematic sampling. The cells (i, j) with j != i, as long as the labels they are to get, lie
    # side by side on a line, class after class, and at each point `start`, `start + 1`, ... one
    # label goes into the cell that lies there. `start` is uniform, so a stretch of length L holds
    # L points in expectation, and never fewer than floor(L) or more than ceil(L): that is true of
    # each cell, of all cells of a class, and of all cells. What is left of a class stays.
    noisy = clean.copy()
    before, offset = 0, int(start * _UNIT)
    for members in _noise.members_by_class(clean):
        i = int(clean[members[0]])
        ends = before + np.cumsum([0, *_cell_sizes(matrix[i], i, len(members))])
        counts = np.diff(-((offset - ends) // _UNIT))  # of points below each end
        before = int(ends[-1])
        moved = np.repeat(np.arange(len(counts)), counts)
        order = members[np.argsort(u[members], kind="stable")]
        noisy[order[: len(moved)]] = moved
    return noisy


def _cell_sizes(row: NDArray[np.float64], i: int, n: int) -> NDArray[np.int64]:
    """Return how many of ``n`` labels of class ``i`` go to each other one, in units."""
    lengths: NDArray[np.int64] = np.rint(row / row.sum() * n * _UNIT).astype(np.int64)
    lengths[i] = 0
    surplus = int(lengths.sum()) - n * _UNIT
    if surplus > 0 or row[i] == 0:  # rounded: no more than n go, and all where none can stay
        lengths[np.argmax(lengths)] -= surplus
    return lengths
