"""Random labels."""

from dataclasses import dataclass
from typing import ClassVar

from numpy.typing import ArrayLike

from corruptlab._draws import Draws
from corruptlab.corruptions._arrays import ArrayT
from corruptlab.corruptions._spec import short_repr
from corruptlab.corruptions._uniform_labels import UniformLabels


@dataclass(frozen=True)
class RandomLabels:
    """Replace every label by a uniformly drawn class.

    The end point of `UniformLabels`: for one seed, the same labels as ``UniformLabels(p=1)``.
    About one label in ``num_classes`` stays what it was, by chance. To keep
    the class counts instead, exchange the labels among the examples.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> noise = cl.RandomLabels()
        >>> noise.labels(np.zeros(8, int), num_classes=10, draws=cl.Draws(seed=0))
        array([0, 7, 5, 1, 0, 3, 5, 4])

    Source: Zhang et al. 2017, §2.1, "random labels".
    """

    stream: ClassVar[str] = UniformLabels.stream
    __repr__ = short_repr

    def labels(
        self, clean: ArrayT, *, num_classes: int, draws: Draws, ids: ArrayLike | None = None
    ) -> ArrayT:
        """Return the random labels.

        Args:
            clean: Labels in ``0 .. num_classes - 1``, shape ``(n,)``, array or tensor of integers.
            num_classes: Number of classes to draw from.
            draws: Where the randomness comes from.
            ids: Example numbers, shape ``(n,)``; ``0 .. n - 1`` if not given.

        Returns:
            Labels of the kind, type, and shape of ``clean``.
        """
        return UniformLabels(p=1.0).labels(clean, num_classes=num_classes, draws=draws, ids=ids)
