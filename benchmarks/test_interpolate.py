"""Theorem 1 against the dense system it comes from, with ``--full`` at the size of ImageNet.

Real images are read from the folder that the environment variable CIFAR10 names, which holds
``cifar-10-batches-bin``; without it, the embedded ones take their place.
"""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from torch import Tensor

import corruptlab as cl
from benchmarks._comparing import Compare
from benchmarks._limits import Rates
from benchmarks.conftest import Scale
from corruptlab.capacity.interpolation import InterpolationReport

pytestmark = pytest.mark.usefixtures("cpu_only")

IMAGENET = 1_281_167
PIXELS = 3 * 32 * 32
CLASSES = 10


@pytest.fixture(scope="module")
def images(scale: Scale) -> Tensor:
    if "CIFAR10" in os.environ:
        whole = cl.datasets.cifar10(os.environ["CIFAR10"], split="train").images
        return whole[: scale(4_000, len(whole))]
    return cl.datasets.fashion_mnist_mini("train").images


@pytest.mark.parametrize("solver", ["`numpy.linalg.solve`", "SciPy's `solve_triangular`"])
def test_closed_form(compare: Compare, scale: Scale, solver: str) -> None:
    """All of `interpolate` for points on a line, report included, against the solve alone."""
    n, generator = scale(2000, 5000), np.random.default_rng(0)
    # Apart by a tenth of their mean gap at least: where two are closer, the solvers lose digits
    # (numpy's solution for normal numbers misses the targets by 2.5e-6).
    z = np.linspace(-1, 1, n) + generator.uniform(0, 0.9 * 2 / (n - 1), n)
    y = generator.choice([-1.0, 1.0], n)
    net = cl.interpolate(z[:, None], y)
    b = net.b.numpy()
    A = np.maximum(z[:, None] - b, 0)

    def theirs() -> NDArray[np.float64]:
        if solver == "`numpy.linalg.solve`":
            return np.linalg.solve(A, y)
        return np.asarray(solve_triangular(A, y, lower=True))

    found = compare(
        f"`interpolate`, n = {n:,} points on a line",
        lambda: cl.interpolate(z[:, None], y),
        theirs,
        than=f"{solver} alone",
        rounds=3,
    )
    w = theirs()
    places = np.linspace(z[0] - 0.1, z[-1] + 0.1, 2000)
    by_solver = np.maximum(places[:, None] - b, 0) @ w
    difference = np.abs(net(torch.from_numpy(places[:, None])).numpy() - by_solver).max()
    assert difference < 1e-6
    assert sum(p.numel() for p in net.parameters()) == 2 * n + 1
    found.note(f"the functions differ by {difference:.1e} at most")


def test_projections_of_imagenet(compare: Compare, scale: Scale) -> None:
    """Everything after the projections, which are the points here, against sorting them alone."""
    n, generator = scale(200_000, IMAGENET), np.random.default_rng(0)
    z, y = generator.standard_normal(n), generator.choice([-1.0, 1.0], n)
    reports = []
    found = compare(
        f"`interpolate`, n = {n:,} projections",
        lambda: reports.append(cl.interpolate(z[:, None], y).report),
        lambda: np.argsort(z),
        than="sorting them",
        part=True,
        rounds=3,
    )
    found.note(told(reports[-1]))


class Blocks:
    """Random bytes in the shape of images, ready in memory, a block at a time.

    Args:
        n: How many images.
    """

    def __init__(self, n: int) -> None:
        generator = np.random.default_rng(0)
        self.x = generator.integers(0, 256, (n, PIXELS), dtype=np.uint8)
        self.y = generator.choice([-1.0, 1.0], n)

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float64]]]:
        for first in range(0, len(self.x), 8192):
            block = slice(first, first + 8192)
            yield self.x[block], self.y[block]


@pytest.mark.parametrize("direction", ["auto", "random"])
def test_imagenet_in_blocks(compare: Compare, rates: Rates, scale: Scale, direction: str) -> None:
    """From bytes to the network, against one product with as many directions as are tried."""
    blocks = Blocks(scale(20_000, IMAGENET))
    n = len(blocks.x)
    reports: list[Any] = []
    first = cl.interpolate(iter([next(iter(blocks))]), direction=direction).report
    assert first is not None
    a = np.random.default_rng(1).standard_normal((PIXELS, first.directions_tried))

    def theirs() -> None:
        for x, _ in blocks:
            x.astype(np.float64) @ a

    found = compare(
        f"`interpolate`, {n:,} points of {PIXELS:,} bytes in blocks, direction {direction}",
        lambda: reports.append(cl.interpolate(blocks, direction=direction).report),
        theirs,
        than=f"one product in float64 with a matrix of {a.shape[1]} columns",
        part=True,
        rounds=scale(2, 1),
        warm_up=scale(True, False),
        limit=rates.limit(flops=2 * n * PIXELS * a.shape[1], moved=n * PIXELS),
    )
    found.note(told(reports[-1]))


@pytest.mark.parametrize("direction", ["random", "best", "auto"])
def test_random_labels_of_images(
    compare: Compare, rates: Rates, images: Tensor, direction: str
) -> None:
    """Real images, ten outputs, and no image is missed."""
    labels = torch.from_numpy(np.random.default_rng(0).integers(CLASSES, size=len(images)))
    nets: list[Any] = []
    flat = images.flatten(1)
    first = cl.interpolate(flat[:100], labels[:100], num_classes=CLASSES, direction=direction)
    assert first.report is not None
    a = torch.randn(flat.shape[1], first.report.directions_tried, dtype=torch.float64)
    found = compare(
        f"`interpolate`, {described(images)}, random labels, direction {direction}",
        lambda: nets.append(
            cl.interpolate(images, labels, num_classes=CLASSES, direction=direction)
        ),
        lambda: [rows.double() @ a for rows in flat.split(8192)],  # type: ignore[no-untyped-call]  # PyTorch's
        than=f"one product in float64 with a matrix of {a.shape[1]} columns",
        part=True,
        rounds=3,
        limit=rates.limit(flops=2 * flat.numel() * a.shape[1], moved=flat.numel()),
    )
    targets = 2.0 * torch.nn.functional.one_hot(labels, CLASSES) - 1
    error = float((nets[-1](images) - targets).abs().max())
    assert error < 1e-9
    found.note(f"largest error {error:.1e}", told(nets[-1].report))


def test_network_without_its_dense_layers(compare: Compare, images: Tensor) -> None:
    """Every image through the pieces of the function, and through every plain layer."""
    labels = torch.from_numpy(np.random.default_rng(0).integers(CLASSES, size=len(images)))
    net = cl.interpolate(images, labels, num_classes=CLASSES)
    dense = net.dense()
    outputs: dict[str, Tensor] = {}

    def theirs() -> None:
        with torch.no_grad():
            blocks = [dense(rows.flatten(1).double()) for rows in images.split(500)]  # type: ignore[no-untyped-call]  # PyTorch's
        outputs["theirs"] = torch.cat(blocks)

    def ours() -> None:
        outputs["ours"] = net(images)

    found = compare(
        f"`net(x)` for {described(images)}",
        ours,
        theirs,
        than="layer by layer, `net.dense()(x)`",
        rounds=1,
        warm_up=False,
    )
    targets = 2.0 * torch.nn.functional.one_hot(labels, CLASSES) - 1
    right = int((outputs["theirs"].argmax(1) == labels).sum())
    assert right == len(images)
    errors = [float((outputs[way] - targets).abs().max()) for way in ("ours", "theirs")]
    found.note("largest errors {:.1e} and {:.1e}".format(*errors))


def told(report: InterpolationReport | None) -> str:
    """Return how long the part after the projections took, and how well apart they are."""
    assert report is not None
    return (
        f"{report.seconds_solving:.2g} s after the projections, "
        f"condition number {report.condition_number:.1e}"
    )


def described(images: Tensor) -> str:
    channels, height, width = images.shape[1:]
    return f"{len(images):,} real images of {channels}x{height}x{width}"
