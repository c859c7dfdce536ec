"""Kernel interpolation of images, from pixels to the test error, against SciPy.

Real images are read from the folder that the environment variable MNIST names; without it, bytes
at random take their place: the time is the same, the error means nothing.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.linalg import solve
from scipy.spatial.distance import cdist, pdist, squareform

import corruptlab as cl
from benchmarks._comparing import Compare
from benchmarks._limits import Rates
from benchmarks.conftest import Scale
from corruptlab.capacity.kernels import GaussianKernel

GAMMA, CLASSES = 0.02, 10
Floats = NDArray[np.float64]


class Task(NamedTuple):
    """Training images and labels, test images and labels: bytes, as SciPy's users hold them."""

    x: NDArray[np.uint8]
    y: NDArray[np.int64]
    new: NDArray[np.uint8]
    truth: NDArray[np.int64]

    def first(self, n: int) -> "Task":
        return Task(self.x[:n], self.y[:n], self.new[:n], self.truth[:n])


def by_pairs(a: Floats, b: Floats | None = None) -> Floats:
    """Distances as SciPy has them ready."""
    squared = squareform(pdist(a, "sqeuclidean")) if b is None else cdist(a, b, "sqeuclidean")
    return np.asarray(squared)


def by_products(a: Floats, b: Floats | None = None) -> Floats:
    """Distances by one matrix product, as those write them who know that it is faster."""
    b = a if b is None else b
    return np.asarray((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T)


DISTANCES = {
    "SciPy's `pdist`, `solve`, and `cdist`, `float64`": by_pairs,
    "SciPy's `solve`, distances by matrix products, `float64`": by_products,
}


def scipy_error(task: Task, than: str) -> float:
    """Interpolate with SciPy in float64 and return the test error."""
    distances = DISTANCES[than]
    x, new = (each.reshape(len(each), -1) / 255 for each in (task.x, task.new))
    kernel = np.exp(-GAMMA * distances(x))
    alpha = solve(
        kernel, np.eye(CLASSES)[task.y], assume_a="pos", overwrite_a=True, check_finite=False
    )
    values = np.exp(-GAMMA * distances(new, x)) @ alpha
    return float((values.argmax(1) != task.truth).mean())


def our_error(task: Task, device: torch.device) -> float:
    interpolant = cl.KernelInterpolant(GaussianKernel(GAMMA), device=device)
    fit = interpolant.fit(task.x, task.y, num_classes=CLASSES)
    return float(fit.error(task.new, task.truth))


def least_operations(task: Task, *, tested: bool) -> float:
    """Count those of half a matrix of inner products, its Cholesky factor, and of the test."""
    n, m = len(task.x), len(task.new) * tested
    d = int(np.prod(task.x.shape[1:]))
    return (n**2 + 2 * n * m) * d + n**3 / 3 + 2 * (n + m) * n * CLASSES


@pytest.fixture(scope="module")
def task(scale: Scale) -> Task:
    n = scale(2_000, 10_000)
    if "MNIST" in os.environ:
        train, test = (cl.datasets.idx(os.environ["MNIST"], split=s) for s in ("train", "test"))
        arrays = (train.images, train.targets, test.images, test.targets)
        return Task(*(each.numpy()[:n] for each in arrays))
    generator = np.random.default_rng(0)
    images = generator.integers(256, size=(2, n, 1, 28, 28), dtype=np.uint8)
    labels = generator.integers(CLASSES, size=(2, n))
    return Task(images[0], labels[0], images[1], labels[1])


@pytest.fixture(scope="module")
def unhindered() -> Iterator[ProcessPoolExecutor]:
    """A process in which SciPy may use all cores: in this one, tests have left it a single one."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            patch.setenv(name, str(os.cpu_count() or 1))
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            yield pool


@pytest.mark.parametrize("than", list(DISTANCES))
def test_whole_problem(
    compare: Compare,
    rates: Rates,
    scale: Scale,
    device: torch.device,
    task: Task,
    unhindered: ProcessPoolExecutor,
    than: str,
) -> None:
    errors: dict[str, float] = {}
    task = task.first(scale(1_000, 10_000))
    n, m = len(task.x), len(task.new)
    unhindered.submit(scipy_error, task.first(500), than).result()  # to warm up
    our_error(task.first(500), device)

    def ours() -> None:
        errors["ours"] = our_error(task, device)

    def theirs() -> None:
        errors["theirs"] = unhindered.submit(scipy_error, task, than).result()

    found = compare(
        f"`KernelInterpolant` with its test error, n = {n:,}, {m:,} test images",
        ours,
        theirs,
        than=than,
        rounds=1,
        warm_up=False,
        limit=rates.limit(flops=least_operations(task, tested=True)),
    )
    what = "MNIST" if "MNIST" in os.environ else "bytes at random"
    found.note(f"{what}: errors {errors['ours']:.2%} and {errors['theirs']:.2%}")
    assert abs(errors["ours"] - errors["theirs"]) <= 5 / m


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_whole_fit_against_a_factorization_alone(
    compare: Compare, rates: Rates, device: torch.device, task: Task, dtype: torch.dtype
) -> None:
    kernel = GaussianKernel(GAMMA)
    x = torch.from_numpy(task.x).flatten(1).double().to(device) / 255
    matrix = kernel(x, x).to(dtype)
    interpolant = cl.KernelInterpolant(kernel, device=device)
    compare(
        f"`KernelInterpolant.fit`, n = {len(x):,}",
        lambda: interpolant.fit(task.x, task.y, num_classes=CLASSES),
        lambda: torch.linalg.cholesky(matrix),
        than=f"`torch.linalg.cholesky` alone in {str(dtype).removeprefix('torch.')}",
        part=dtype == torch.float32,  # it factorizes in this one
        rounds=3,
        limit=rates.limit(flops=least_operations(task, tested=False)),
    )
