"""Asymmetric label noise: some classes are mistaken for certain others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from corruptlab._checks import natural, one_of, probability
from corruptlab._draws import Draws
from corruptlab._types import Ids, Labels
from corruptlab.corruptions._noise import Drawing, LabelNoise, checked_drawing, hits, put

MapName: TypeAlias = Literal[
    "cifar10", "mnist", "cifar100_superclass", "cifar100_block", "cifar100_pair"
]
"""Maps known by name; `AsymmetricLabels` says what each one is."""

Pairs: TypeAlias = Mapping[int, int] | tuple[tuple[int, int], ...]
"""A map of your own: class to class, as a dictionary or as pairs."""

_CIFAR10 = {9: 1, 2: 0, 4: 7, 3: 5, 5: 3}
_MNIST = {7: 1, 2: 7, 3: 8, 5: 6, 6: 5}

# The superclass of each fine class of CIFAR-100, both in alphabetical order (Krizhevsky 2009).
_SUPERCLASS = np.array(
    [
        [4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11],
        [6, 11, 5, 10, 7, 6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5],
        [5, 19, 8, 8, 15, 13, 14, 17, 18, 10, 16, 4, 17, 4, 2, 0, 17, 4, 18, 17],
        [10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16, 12, 9, 13, 15, 13],
        [16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13],
    ]
).reshape(100)

_NUM_CLASSES: Mapping[MapName, int] = {
    "cifar10": 10,
    "mnist": 10,
    "cifar100_superclass": 100,
    "cifar100_block": 100,
    "cifar100_pair": 100,
}


@dataclass(frozen=True, kw_only=True, repr=False)
class AsymmetricLabels(LabelNoise):
    """Move each label, with probability ``rate``, to the class it is easily mistaken for.

    The new label always depends on the original label, so cat -> dog and dog -> cat do not undo
    each other. Classes that are not in the map never change: with ``"cifar10"``, half of the
    classes move, and a share of ``rate / 2`` of a balanced data set changes. Asymmetric noise on
    CIFAR-100 has three definitions in the literature, each with its own name here.

    Args:
        classes: Target of each class. ``"cifar10"``: truck -> automobile, bird -> airplane, deer ->
            horse, cat <-> dog. ``"mnist"``: 7 -> 1, 2 -> 7, 3 -> 8, 5 <-> 6.
            ``"cifar100_superclass"``: to the next class of the same superclass, in a circle, as
            papers describe it. ``"cifar100_block"``: in a circle inside the index
            blocks 5i .. 5i + 4, as much public code does, though fine labels are
            alphabetical and only 6 of these 100 moves stay in the superclass.
            ``"cifar100_pair"``: two random classes of each superclass are exchanged; the pairs
            depend on the seed. Or a mapping such as ``{3: 5, 5: 3}`` from a class to another
            class; classes that are not in it do not move. It is stored as a sorted tuple of pairs.
        rate: Probability that a label of a moving class moves, in ``[0, 1]``.
        drawing: ``"independent"`` decides for each label independently (default), ``"exact"``
            moves exactly the expected number of labels, rounded, ``"exact_per_class"`` exactly
            ``round(rate * n_c)`` in each class that moves.

    Raises:
        TypeError: If a class of a map is not an integer.
        ValueError: If ``rate`` is outside ``[0, 1]`` or not a number, a name is unknown, or a map
            is empty, has a negative class, moves a class to itself, or moves one twice.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> noise = cl.AsymmetricLabels(classes="cifar10", rate=1.0)
        >>> noise.labels(np.arange(10), num_classes=10, draws=cl.Draws(seed=0))
        array([0, 1, 0, 5, 7, 3, 6, 7, 8, 1])
        >>> cl.AsymmetricLabels(classes={2: 0, 1: 2}, rate=0.5)
        AsymmetricLabels(classes=((1, 2), (2, 0)), rate=0.5)

    Source: Patrini et al. 2017, §6 (CIFAR-10, CIFAR-100 superclasses).
    """

    classes: MapName | Pairs
    rate: float
    drawing: Drawing = "independent"
    stream: ClassVar[str] = "asymmetric_labels"

    def __post_init__(self) -> None:
        put(
            self,
            classes=_checked_classes(self.classes),
            rate=probability("rate", self.rate),
            drawing=checked_drawing(self.drawing),
        )

    def _noisy(self, clean: Labels, num_classes: int, ids: Ids, draws: Draws) -> Labels:
        target = self._target(num_classes, draws)
        rate = np.where(target != np.arange(num_classes), self.rate, 0.0)[clean]
        flipped = hits(draws.uniform("asymmetric_labels/flip", ids), rate, clean, self.drawing)
        return np.where(flipped, target[clean], clean)

    def matrix(self, num_classes: int, draws: Draws | None = None) -> NDArray[np.float64]:
        """Return the matrix with ``rate`` at the target of a class, and the rest on the diagonal.

        Args:
            num_classes: Number of classes, which is checked against the map.
            draws: Random numbers for the pairs of ``"cifar100_pair"``; seed 0 by default.

        Returns:
            ``float64`` of shape ``(K, K)``; row: true class, column: new class.
        """
        target = self._target(num_classes, draws or Draws(0))
        stay = np.eye(num_classes)
        return (1 - self.rate) * stay + self.rate * stay[target]

    def _target(self, num_classes: int, draws: Draws) -> Labels:
        if not isinstance(self.classes, str):
            return _own_map(dict(self.classes), num_classes)
        expected = _NUM_CLASSES[self.classes]
        if num_classes != expected:
            raise ValueError(
                f"`num_classes` must be {expected} for classes={self.classes!r}, got {num_classes}."
            )
        return _class_map(self.classes, draws)


def _checked_classes(classes: object) -> MapName | Pairs:
    """Return a known name, or the pairs of a map in order."""
    if isinstance(classes, str) or not isinstance(classes, Mapping | tuple | list):
        name: MapName = one_of("classes", classes, get_args(MapName))
        return name
    pairs = list(classes.items()) if isinstance(classes, Mapping) else list(classes)
    if not pairs or not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
        raise ValueError(
            f"`classes` must be a known name or map classes to classes, got {classes!r}."
        )
    moves = [(natural("classes", old), natural("classes", new)) for old, new in pairs]
    for old, new in moves:
        if old == new:
            raise ValueError(f"`classes` must move each class to another, got {old} to itself.")
    olds = [old for old, _ in moves]
    if twice := [old for old in olds if olds.count(old) > 1]:
        raise ValueError(f"`classes` must move each class once, got {twice[0]} twice.")
    return tuple(sorted(moves))


def _own_map(moves: Mapping[int, int], num_classes: int) -> Labels:
    largest = max(*moves, *moves.values())
    if largest >= num_classes:
        raise ValueError(
            f"`num_classes` must be above the largest class in `classes`, {largest}, "
            f"got {num_classes}."
        )
    return _from_pairs(num_classes, moves)


def _class_map(name: MapName, draws: Draws) -> Labels:
    """Return where each class goes, itself if it stays; pairs are drawn."""
    if name == "cifar10":
        return _from_pairs(10, _CIFAR10)
    if name == "mnist":
        return _from_pairs(10, _MNIST)
    if name == "cifar100_block":
        classes = np.arange(100)
        return classes // 5 * 5 + (classes + 1) % 5
    target = np.arange(100)
    for superclass in range(20):
        members = np.flatnonzero(superclass == _SUPERCLASS)
        if name == "cifar100_pair":
            order = draws.permutations("asymmetric_labels/pair", [superclass], 5)[0]
            members = members[order[:2]]
        target[members] = np.roll(members, -1)
    return target


def _from_pairs(num_classes: int, pairs: Mapping[int, int]) -> Labels:
    target = np.arange(num_classes)
    target[list(pairs)] = list(pairs.values())
    return target
