"""Asymmetric label noise: some classes are mistaken for certain others."""

from dataclasses import dataclass
from typing import ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from corruptlab._checks import check_probability
from corruptlab._draws import Draws
from corruptlab._types import Ids, Labels
from corruptlab.corruptions._class_maps import NUM_CLASSES, MapName, class_map
from corruptlab.corruptions._flips import Drawing, check_drawing, hits
from corruptlab.corruptions._label_noise import LabelNoise


@dataclass(frozen=True, kw_only=True, repr=False)
class AsymmetricLabels(LabelNoise):
    """Move each label, with probability ``rate``, to the class it is easily mistaken for.

    Always drawn from the label that came in, so cat -> dog and dog -> cat do not undo each other.
    Classes that the map leaves where they are never change: with ``"cifar10"``, half of the
    classes move and ``rate / 2`` of a balanced set changes. What is
    called asymmetric noise on CIFAR-100 has three meanings; they are three names here.

    Args:
        classes: Where the classes go. ``"cifar10"``: truck -> automobile, bird -> airplane, deer ->
            horse, cat <-> dog. ``"mnist"``: 7 -> 1, 2 -> 7, 3 -> 8, 5 <-> 6.
            ``"cifar100_superclass"``: to the next class of the same superclass, in a circle, as
            papers describe it. ``"cifar100_block"``: in a circle inside the index
            blocks 5i .. 5i + 4, as much public code does, though fine labels are
            alphabetical and only 6 of these 100 moves stay in the superclass.
            ``"cifar100_pair"``: two random classes of each superclass are exchanged; the pairs
            depend on the seed.
        rate: Probability that a label of a class that moves does move, in ``[0, 1]``.
        drawing: ``"independent"`` decides for each label by itself (default), ``"exact"``
            moves exactly the expected number of labels, rounded, ``"exact_per_class"`` exactly
            ``round(rate * n_c)`` in each class that moves.

    Raises:
        ValueError: If ``rate`` is outside ``[0, 1]`` or not a number, or a name is unknown.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> noise = cl.AsymmetricLabels(classes="cifar10", rate=1.0)
        >>> noise.labels(np.arange(10), num_classes=10, draws=cl.Draws(seed=0))
        array([0, 1, 0, 5, 7, 3, 6, 7, 8, 1])

    Source: Patrini et al. 2017, §6 (CIFAR-10, CIFAR-100 superclasses).
    """

    classes: MapName
    rate: float
    drawing: Drawing = "independent"
    stream: ClassVar[str] = "asymmetric_labels"

    def __post_init__(self) -> None:
        if self.classes not in get_args(MapName):
            known = ", ".join(map(repr, get_args(MapName)))
            raise ValueError(f"`classes` must be one of {known}, got {self.classes!r}.")
        check_probability("rate", self.rate)
        check_drawing(self.drawing)

    def _noisy(self, clean: Labels, num_classes: int, ids: Ids, draws: Draws) -> Labels:
        target = self._target(num_classes, draws)
        rates = np.where(target != np.arange(num_classes), self.rate, 0.0)
        flipped = hits(draws.uniform("asymmetric_labels/flip", ids), rates, clean, self.drawing)
        return np.where(flipped, target[clean], clean)

    def matrix(self, num_classes: int, draws: Draws | None = None) -> NDArray[np.float64]:
        """Return ``1 - rate`` on the diagonal and ``rate`` where a class goes.

        Args:
            num_classes: Number of classes, to be checked against the map.
            draws: Where ``"cifar100_pair"`` takes its pairs from; seed 0 if not given.

        Returns:
            ``float64`` of shape ``(K, K)``; row: true class, column: new class.
        """
        target = self._target(num_classes, draws or Draws(0))
        stay = np.eye(num_classes)
        return (1 - self.rate) * stay + self.rate * stay[target]

    def _target(self, num_classes: int, draws: Draws) -> Labels:
        expected = NUM_CLASSES[self.classes]
        if num_classes != expected:
            raise ValueError(
                f"`num_classes` must be {expected} for classes={self.classes!r}, got {num_classes}."
            )
        return class_map(self.classes, draws)
