"""Uniform label noise."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from corruptlab._draws import Draws
from corruptlab.corruptions._arrays import (
    ArrayT,
    check_probability,
    checked_ids,
    checked_labels,
    like,
)
from corruptlab.corruptions._spec import short_repr


@dataclass(frozen=True, kw_only=True)
class UniformLabels:
    """Replace each label, with probability ``p``, by a uniformly drawn class.

    The draw may return the true class, so the expected share of labels that really
    change is ``p * (1 - 1 / num_classes)``: 18, 45, and 72% for ten classes and p = 0.2, 0.5, and
    0.8. For one seed, a smaller ``p`` redraws a subset of what a larger ``p`` redraws, to
    the same classes, and ``p=1`` is `RandomLabels`.

    Args:
        p: Probability that a label is redrawn, in ``[0, 1]``.

    Raises:
        ValueError: If ``p`` is outside ``[0, 1]`` or not a number.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> noise = cl.UniformLabels(p=0.5)
        >>> noise.labels(np.zeros(8, int), num_classes=10, draws=cl.Draws(seed=0))
        array([0, 0, 5, 1, 0, 3, 0, 4])

    Source: Zhang et al. 2017, §2.1, "partially corrupted labels".
    """

    p: float
    stream: ClassVar[str] = "uniform_labels"
    __repr__ = short_repr

    def __post_init__(self) -> None:
        check_probability("p", self.p)

    def labels(
        self, clean: ArrayT, *, num_classes: int, draws: Draws, ids: ArrayLike | None = None
    ) -> ArrayT:
        """Return the noisy labels.

        Args:
            clean: Labels in ``0 .. num_classes - 1``, shape ``(n,)``, array or tensor of integers.
            num_classes: Number of classes to draw from.
            draws: Where the randomness comes from.
            ids: Example numbers, shape ``(n,)``; ``0 .. n - 1`` if not given.

        Returns:
            Labels of the kind, type, and shape of ``clean``.

        Raises:
            TypeError: If ``clean`` is not one integer for each example.
            ValueError: If a label is out of range, or ``ids`` do not fit.
        """
        y = checked_labels(clean, num_classes)
        ids = checked_ids(ids, len(y))
        redrawn = draws.uniform("uniform_labels/redraw", ids) < self.p
        classes = draws.integers("uniform_labels/class", ids, high=num_classes)
        return like(clean, np.where(redrawn, classes, y))
