"""Theorem 1 against the dense system it comes from, at the size of CIFAR-10 and of ImageNet.

Real images are read from the folder that the environment variable CIFAR10 names, which holds
`cifar-10-batches-bin`; without it, what needs them is skipped.
"""

import os
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from torch import Tensor

import corruptlab as cl
from benchmarks.conftest import Comparison, tell

IMAGENET = 1_281_167
PIXELS = 3 * 32 * 32
CLASSES = 10


@pytest.fixture(scope="module")
def images() -> Tensor:
    if "CIFAR10" not in os.environ:
        pytest.skip("the environment variable CIFAR10 names no folder")
    return cl.datasets.cifar10(os.environ["CIFAR10"], split="train").images


@pytest.mark.parametrize("solver", ["numpy.linalg.solve", "scipy's solve_triangular"])
def test_closed_form(compare: Comparison, solver: str) -> None:
    """All of `interpolate` for points on a line, report included, against the solve alone."""
    generator = np.random.default_rng(0)
    # Apart by a tenth of their mean gap at least: where two are closer, the solvers lose digits
    # (numpy's solution for normal numbers misses the targets by 2.5e-6).
    z = np.linspace(-1, 1, 5000) + generator.uniform(0, 0.9 * 2 / 4999, 5000)
    y = generator.choice([-1.0, 1.0], 5000)
    net = cl.interpolate(z[:, None], y)
    b = net.b.numpy()
    A = np.maximum(z[:, None] - b, 0)

    def theirs() -> NDArray[np.float64]:
        if solver == "numpy.linalg.solve":
            return np.linalg.solve(A, y)
        return np.asarray(solve_triangular(A, y, lower=True))

    compare(
        "interpolate, n = 5,000",
        lambda: cl.interpolate(z[:, None], y),
        theirs,
        than=solver,
        rounds=3,
    )
    w = theirs()
    places = np.linspace(z[0] - 0.1, z[-1] + 0.1, 2000)
    by_solver = np.maximum(places[:, None] - b, 0) @ w
    difference = np.abs(net(torch.from_numpy(places[:, None])).numpy() - by_solver).max()
    assert difference < 1e-6
    assert sum(p.numel() for p in net.parameters()) == 2 * 5000 + 1
    tell(f"  the functions differ by {difference:.1e} at most")


def test_projections_of_imagenet(compare: Comparison) -> None:
    """Everything after the projections, which are the points here, against sorting them alone."""
    generator = np.random.default_rng(0)
    z, y = generator.standard_normal(IMAGENET), generator.choice([-1.0, 1.0], IMAGENET)
    reports = []
    compare(
        "interpolate, n = 1,281,167 projections",
        lambda: reports.append(cl.interpolate(z[:, None], y).report),
        lambda: np.argsort(z),
        than="sorting them",
        rounds=3,
    )
    tell(f"  {min(each.seconds_solving for each in reports if each):.2f} s, {reports[0]}")


class Blocks:
    """As many random bytes as ImageNet has images of 3x32x32, made anew each time."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float64]]]:
        for first in range(0, IMAGENET, 8192):
            begin = time.perf_counter()
            generator = np.random.Generator(np.random.Philox(first))
            m = min(8192, IMAGENET - first)
            x = generator.integers(0, 256, (m, PIXELS), dtype=np.uint8)
            y = generator.choice([-1.0, 1.0], m)
            self.seconds += time.perf_counter() - begin
            yield x, y


@pytest.mark.parametrize("direction", ["auto", "random"])
def test_imagenet_in_blocks(direction: str) -> None:
    blocks = Blocks()
    report = cl.interpolate(blocks, direction=direction).report
    assert report is not None
    tell(f"interpolate, {IMAGENET:,} points of {PIXELS:,} bytes in blocks, {direction}: {report}")
    tell(f"  {report.seconds_solving:.2f} s after the projections")
    tell(f"  {blocks.seconds:.1f} s of the reading is making the blocks")


@pytest.mark.parametrize("direction", ["random", "best", "auto"])
def test_random_labels_of_cifar10(images: Tensor, direction: str) -> None:
    labels = torch.from_numpy(np.random.default_rng(0).integers(CLASSES, size=len(images)))
    net = cl.interpolate(
        images,
        labels,
        num_classes=CLASSES,
        direction=direction,
    )
    targets = 2.0 * torch.nn.functional.one_hot(labels, CLASSES) - 1
    error = float((net(images) - targets).abs().max())
    assert error < 1e-9
    tell(f"interpolate, CIFAR-10, {direction}: largest error {error:.1e}, {net.report}")


def test_dense_network_of_cifar10(images: Tensor) -> None:
    """Every image through every plain layer: 15 million million multiplications."""
    labels = torch.from_numpy(np.random.default_rng(0).integers(CLASSES, size=len(images)))
    net = cl.interpolate(images, labels, num_classes=CLASSES)
    targets = 2.0 * torch.nn.functional.one_hot(labels, CLASSES) - 1
    dense, right, error = net.dense(), 0, 0.0
    begin = time.perf_counter()
    with torch.no_grad():
        for rows in torch.arange(len(images)).split(500):  # type: ignore[no-untyped-call]  # PyTorch's
            outputs = dense(images[rows].flatten(1).double())
            right += int((outputs.argmax(1) == labels[rows]).sum())
            error = max(error, float((outputs - targets[rows]).abs().max()))
    seconds = time.perf_counter() - begin
    assert right == len(images)
    tell(
        f"dense network, CIFAR-10: {right} of {len(images)} labels right, largest error "
        f"{error:.1e}, {seconds:.0f} s"
    )
