"""Symmetric label noise."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from corruptlab._checks import probability
from corruptlab._draws import Draws
from corruptlab._types import Ids, Labels
from corruptlab.corruptions._noise import Drawing, LabelNoise, checked_drawing, hits, identity, put


@dataclass(frozen=True, kw_only=True, repr=False)
class SymmetricLabels(LabelNoise):
    """Replace each label, with probability ``rate``, by one of the *other* classes.

    The true class is excluded, so ``rate`` is the expected share of changed labels. The
    distribution equals that of ``UniformLabels(p=rate * K / (K - 1))``. For a given seed, a smaller
    rate changes a subset of the labels that a larger rate changes, to the same classes.

    Args:
        rate: Probability that a label changes, in ``[0, 1]``.
        drawing: ``"independent"`` decides for each label independently (default), ``"exact"``
            changes exactly ``round(rate * n)`` labels, ``"exact_per_class"`` exactly
            ``round(rate * n_c)`` in each class.

    Raises:
        ValueError: If ``rate`` is outside ``[0, 1]`` or not a number, or ``drawing`` is unknown.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> noise = cl.SymmetricLabels(rate=0.5, drawing="exact")
        >>> noise.labels(np.zeros(8, int), num_classes=10, draws=cl.Draws(seed=0))
        array([0, 4, 5, 0, 3, 1, 0, 0])

    Source: van Rooyen et al. 2015, "Learning with symmetric label noise"; the rate excludes the
    true class as in Patrini et al. 2017.
    """

    rate: float
    drawing: Drawing = "independent"
    stream: ClassVar[str] = "symmetric_labels"

    def __post_init__(self) -> None:
        put(self, rate=probability("rate", self.rate), drawing=checked_drawing(self.drawing))

    def _noisy(self, clean: Labels, num_classes: int, ids: Ids, draws: Draws) -> Labels:
        _check_two_classes(num_classes)
        u = draws.uniform("symmetric_labels/flip", ids)
        flipped = hits(u, self.rate, clean, self.drawing)
        step = 1 + draws.integers("symmetric_labels/step", ids, num_classes - 1)
        return np.where(flipped, (clean + step) % num_classes, clean)

    @property
    def _is_cut(self) -> bool:
        return self.drawing == "independent"

    def matrix(self, num_classes: int, draws: Draws | None = None) -> NDArray[np.float64]:
        """Return ``1 - rate`` on the diagonal and ``rate / (K - 1)`` elsewhere."""
        _check_two_classes(num_classes)
        away = self.rate / (num_classes - 1)
        return away + (1 - self.rate - away) * identity(num_classes)


def _check_two_classes(num_classes: int) -> None:
    if num_classes < 2:
        raise ValueError(f"`num_classes` must be at least 2 for another class, got {num_classes}.")
