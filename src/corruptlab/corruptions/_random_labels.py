"""Random labels."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from corruptlab._draws import Draws
from corruptlab._types import Ids, Labels
from corruptlab.corruptions._label_noise import LabelNoise
from corruptlab.corruptions._uniform_labels import UniformLabels


@dataclass(frozen=True, repr=False)
class RandomLabels(LabelNoise):
    """Replace every label by a uniformly drawn class.

    The end point of `UniformLabels`: for one seed, the same labels as ``UniformLabels(p=1)``.
    About one label in ``num_classes`` stays what it was, by chance. To keep
    the class counts instead, use `ExchangedLabels`.

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
