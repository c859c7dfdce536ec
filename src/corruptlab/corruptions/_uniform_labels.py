"""Uniform label noise."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from corruptlab._checks import check_probability
from corruptlab._draws import Draws
from corruptlab._types import Ids, Labels
from corruptlab.corruptions._flips import Drawing, check_drawing, hits
from corruptlab.corruptions._label_noise import LabelNoise


@dataclass(frozen=True, kw_only=True, repr=False)
class UniformLabels(LabelNoise):
    """Replace each label, with probability ``p``, by a uniformly drawn class.

    The draw may return the true class, so the expected share of labels that really
    change is ``p * (1 - 1 / num_classes)``: 18, 45, and 72% for ten classes and p = 0.2, 0.5, and
    0.8. For one seed, a smaller ``p`` redraws a subset of what a larger ``p`` redraws, to
    the same classes, and ``p=1`` is `RandomLabels`. To leave the true class out of the draw, use
    `SymmetricLabels`.

    Args:
        p: Probability that a label is redrawn, in ``[0, 1]``.
        drawing: ``"independent"`` redraws each label by itself (default, the paper's), ``"exact"``
            exactly ``round(p * n)`` labels, ``"exact_per_class"`` exactly so many in each class.
            The exact ones depend on which examples are there, so they do not commute with
            ``Subset``.

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
        check_probability("p", self.p)
        check_drawing(self.drawing)

    def _noisy(self, clean: Labels, num_classes: int, ids: Ids, draws: Draws) -> Labels:
        u = draws.uniform("uniform_labels/redraw", ids)
        redrawn = hits(u, np.full(num_classes, self.p), clean, self.drawing)
        return np.where(redrawn, draws.integers("uniform_labels/class", ids, num_classes), clean)

    def matrix(self, num_classes: int, draws: Draws | None = None) -> NDArray[np.float64]:
        """Return ``(1 - p) I + (p / K) 1 1^T`` for ``num_classes`` classes."""
        return (1 - self.p) * np.eye(num_classes) + self.p / num_classes
