"""Where asymmetric noise sends each class: the maps in use, by name."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np

from corruptlab._draws import Draws
from corruptlab._types import Labels

MapName: TypeAlias = Literal[
    "cifar10", "mnist", "cifar100_superclass", "cifar100_block", "cifar100_pair"
]
"""Maps known by name; `AsymmetricLabels` says what each one is."""

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

NUM_CLASSES: Mapping[MapName, int] = {
    "cifar10": 10,
    "mnist": 10,
    "cifar100_superclass": 100,
    "cifar100_block": 100,
    "cifar100_pair": 100,
}


def class_map(name: MapName, draws: Draws) -> Labels:
    """Return where each class goes; itself if it stays.

    Args:
        name: Name of the map.
        draws: Where ``"cifar100_pair"`` takes its pairs from; the others are fixed.

    Returns:
        ``int64`` of shape ``(num_classes,)``.
    """
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
