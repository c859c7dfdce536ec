"""Uniform label noise, and random labels, where it ends."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from corruptlab._checks import probability
from corruptlab._draws import Draws
from corruptlab._types import Ids, Labels
from corruptlab.corruptions._noise import Drawing, LabelNoise, checked_drawing, hits, identity, put


@dataclass(frozen=True, kw_only=True, repr=False)
class UniformLabels(LabelNoise):
    """Replace each label, with probability ``p``, by a uniformly drawn class.

    The draw may return the true class, so the expected share of changed labels is
    ``p * (1 - 1 / num_classes)``: 18, 45, and 72% for ten classes and p = 0.2, 0.5, and 0.8. For a
    given seed, a smaller ``p`` redraws a subset of the labels that a larger ``p`` redraws, to the
    same classes, and ``p=1`` is `RandomLabels`. To exclude the true class, use `SymmetricLabels`.

    Args:
        p: Probability that a label is redrawn, in ``[0, 1]``.
        drawing: ``"independent"`` decides for each label independently (default, as in the
            paper), ``"exact"`` redraws exactly ``round(p * n)`` labels, ``"exact_per_class"``
            exactly ``round(p * n_c)`` in each class. Exact drawings depend on all examples of the
            data set, so they do not commute with ``Subset``.

    Raises:
        ValueError: If ``p`` is outside ``[0, 1]`` or not a number, or ``drawing`` is unknown.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> noise = cl.UniformLabels(p=0.5)
        >>> noise.labels(np.zeros(8, int), num_classes=10, draws=cl.Draws(seed=0))
        array([0, 0, 5, 1, 0, 3, 0, 4])

    Source: Zhang et al. 2017, §2.1, "partially corrupted labels".
    """

    p: float
    drawing: Drawing = "independent"
    stream: ClassVar[str] = "uniform_labels"

    def __post_init__(self) -> None:
        put(self, p=probability("p", self.p), drawing=checked_drawing(self.drawing))

    def _noisy(self, clean: Labels, num_classes: int, ids: Ids, draws: Draws) -> Labels:
        u = draws.uniform("uniform_labels/redraw", ids)
        redrawn = hits(u, self.p, clean, self.drawing)
        return np.where(redrawn, draws.integers("uniform_labels/class", ids, num_classes), clean)

    @property
    def _is_cut(self) -> bool:
        return self.drawing == "independent"

    def matrix(self, num_classes: int, draws: Draws | None = None) -> NDArray[np.float64]:
        """Return ``(1 - p) I + (p / K) 1 1^T`` for ``num_classes`` classes."""
        return (1 - self.p) * identity(num_classes) + self.p / num_classes


@dataclass(frozen=True, repr=False)
class RandomLabels(LabelNoise):
    """Replace every label by a uniformly drawn class.

    For a given seed, the labels are those of ``UniformLabels(p=1)``. About one label in
    ``num_classes`` is the true one by chance. To preserve the class counts, use `ExchangedLabels`.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> noise = cl.RandomLabels()
        >>> noise.labels(np.zeros(8, int), num_classes=10, draws=cl.Draws(seed=0))
        array([0, 7, 5, 1, 0, 3, 5, 4])

    Source: Zhang et al. 2017, §2.1, "random labels".
    """

    stream: ClassVar[str] = UniformLabels.stream

    def _noisy(self, clean: Labels, num_classes: int, ids: Ids, draws: Draws) -> Labels:
        return UniformLabels(p=1.0).labels(clean, num_classes=num_classes, draws=draws, ids=ids)

    def matrix(self, num_classes: int, draws: Draws | None = None) -> NDArray[np.float64]:
        """Return ``1 / K`` everywhere, for ``num_classes`` classes."""
        return UniformLabels(p=1.0).matrix(num_classes)
