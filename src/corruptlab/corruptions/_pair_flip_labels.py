"""Pair flip label noise."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from corruptlab._checks import probability
from corruptlab._draws import Draws
from corruptlab._types import Ids, Labels
from corruptlab.corruptions._noise import Drawing, LabelNoise, checked_drawing, hits, identity, put


@dataclass(frozen=True, kw_only=True, repr=False)
class PairFlipLabels(LabelNoise):
    """Move each label, with probability ``rate``, to the next class: ``i`` to ``(i + 1) mod K``.

    For a given seed, a smaller rate moves a subset of the labels that a larger rate moves.

    Args:
        rate: Probability that a label moves, in ``[0, 1]``; 0.45 is customary.
        drawing: ``"independent"`` decides for each label independently (default), ``"exact"``
            moves exactly ``round(rate * n)`` labels, ``"exact_per_class"`` exactly
            ``round(rate * n_c)`` in each class.

    Raises:
        ValueError: If ``rate`` is outside ``[0, 1]`` or not a number, or ``drawing`` is unknown.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> noise = cl.PairFlipLabels(rate=0.45)
        >>> noise.labels(np.array([0, 0, 0, 2, 2, 2]), num_classes=3, draws=cl.Draws(seed=0))
        array([0, 0, 0, 2, 0, 0])

    Source: Han et al. 2018, "Co-teaching", §4.
    """

    rate: float
    drawing: Drawing = "independent"
    stream: ClassVar[str] = "pair_flip_labels"

    def __post_init__(self) -> None:
        put(self, rate=probability("rate", self.rate), drawing=checked_drawing(self.drawing))

    def _noisy(self, clean: Labels, num_classes: int, ids: Ids, draws: Draws) -> Labels:
        u = draws.uniform("pair_flip_labels/flip", ids)
        flipped = hits(u, self.rate, clean, self.drawing)
        return np.where(flipped, (clean + 1) % num_classes, clean)

    @property
    def _is_cut(self) -> bool:
        return self.drawing == "independent"

    def matrix(self, num_classes: int, draws: Draws | None = None) -> NDArray[np.float64]:
        """Return ``1 - rate`` on the diagonal and ``rate`` right of it, for ``num_classes``."""
        stay = identity(num_classes)
        return (1 - self.rate) * stay + self.rate * np.roll(stay, 1, axis=1)
