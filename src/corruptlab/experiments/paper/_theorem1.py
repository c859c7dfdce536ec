"""Theorem 1 and Corollary 1: constructed networks that fit random labels of CIFAR-10."""

import time
from typing import Any

import torch
from torch import Tensor

from corruptlab._by_name import loaded_images
from corruptlab.capacity import interpolate
from corruptlab.corruptions import RandomLabels, corrupt
from corruptlab.datasets import Images
from corruptlab.experiments.paper._exhibit import Exhibit, Published, Quantity, Row, TrialKind
from corruptlab.experiments.paper._training import machine, percent

_AT_ONCE = 4_000
_TIMED = 2_500
_N, _D = 50_000, 3 * 32 * 32
_TWO: dict[str, Published] = {"weights": 2 * _N + _D, "width": _N, "right": 100.0}
_DEEP: dict[str, Published] = {"weights": "O(n + d)", "width": "O(n / depth)", "right": 100.0}


def interpolate_labels(
    *, data: str, depth: int = 2, seed: int = 0, device: str = "auto"
) -> dict[str, Any]:
    """Build the network of Theorem 1, or Corollary 1, for random labels, and evaluate it."""
    # Labels are one output, the number of the class, so that 2n + d weights suffice. The
    # construction works where the images are, whatever the device.
    train, _ = loaded_images(data)
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
    """Return how long `interpolate_labels` takes, from some of the images."""
    train, _ = loaded_images(data)
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


INTERPOLATION = TrialKind(interpolate_labels, seconds_to_interpolate_labels)


def _random_labels(train: Images, seed: int) -> Tensor:
    return torch.tensor(corrupt(train, RandomLabels(), seed=seed).targets)


THEOREM_1 = Exhibit(
    name="theorem1",
    title="CIFAR-10, random labels, constructed networks",
    source="Zhang et al. 2017, §4, Theorem 1 and Corollary 1",
    quantities=(
        Quantity("weights", "weights", "{:,.0f}"),
        Quantity("width", "width", "{:,.0f}"),
        Quantity("right", "labels reproduced, %", "{:.3f}"),
        Quantity("error", "largest error", "{:.1e}"),
    ),
    rows=tuple(
        Row(
            name=f"depth {depth}",
            published=_TWO if depth == 2 else _DEEP,
            parameters={"depth": depth},
            work=INTERPOLATION,
        )
        for depth in (2, 3, 11, 101)
    ),
    remarks=(
        "Labels are encoded as one output, the index of the class. The published values are those "
        "of the theorem for n = 50,000 images of dimension d = 3,072: 2n + d weights at depth 2.",
    ),
)
