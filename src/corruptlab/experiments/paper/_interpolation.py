"""The trial of Theorem 1: a network through all training images, with random labels."""

import time
from typing import Any

import torch
from torch import Tensor

from corruptlab._by_name import loaded
from corruptlab.capacity import interpolate
from corruptlab.corruptions import RandomLabels, corrupt
from corruptlab.datasets import Images
from corruptlab.experiments.paper._exhibit import Work
from corruptlab.experiments.paper._machine import machine
from corruptlab.experiments.paper._training import percent

_AT_ONCE = 4_000
_TIMED = 2_500


def interpolate_labels(
    *, data: str, depth: int = 2, seed: int = 0, device: str = "auto"
) -> dict[str, Any]:
    """Build the network of Theorem 1, or of Corollary 1, for random labels, and ask it for them.

    Labels are one output, the number of the class, so that 2n + d weights suffice.

    Args:
        data: Data set, as for `corruptlab.datasets.load`.
        depth: Layers of weights.
        seed: Seed of labels and directions.
        device: Not heeded but for its name: the construction works where the images are.

    Returns:
        Weights, width, the share of labels that come out, in percent, and the largest error.
    """
    train, _ = loaded(data)
    labels = _random_labels(train, seed)
    net = interpolate(
        train.images,
        labels,
        num_classes=len(train.classes),
        encoding="index",
        depth=depth,
        seed=seed,
    )
    parts = (torch.split(each, _AT_ONCE) for each in (train.images, labels))
    right = sum(int((net.classify(x) == wanted).sum()) for x, wanted in zip(*parts, strict=True))
    assert net.report is not None
    return {
        "sample": f"{train.name}, {len(train):,} images, random labels",
        "machine": machine(),
        "measured": {
            "weights": net.num_weights,
            "width": net.width,
            "right": percent(right / len(train)),
            "error": net.report.residual,
            "condition_number": net.report.condition_number,
        },
        "curves": {},
    }


def seconds_to_interpolate_labels(
    *, data: str, depth: int = 2, seed: int = 0, **others: Any
) -> float:
    """Return how long `interpolate_labels` takes, from some of the images.

    Args:
        data: As for `interpolate_labels`, and so on.
        depth: Layers of weights.
        seed: Seed.
        others: What does not matter for it.

    Returns:
        Seconds.
    """
    train, _ = loaded(data)
    few = min(_TIMED, len(train))
    start = time.perf_counter()
    interpolate(
        train.images[:few],
        _random_labels(train, seed)[:few],
        num_classes=len(train.classes),
        encoding="index",
        depth=depth,
        seed=seed,
    )
    return (time.perf_counter() - start) * len(train) / few


INTERPOLATION = Work(interpolate_labels, seconds_to_interpolate_labels)


def _random_labels(train: Images, seed: int) -> Tensor:
    return torch.tensor(corrupt(train, RandomLabels(), seed=seed).targets)
