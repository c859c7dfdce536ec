"""Kernel interpolation of 10,000 images, from pixels to the test error, against SciPy.

Real images are read from the folder that the environment variable MNIST names, or from
``../shared/data/mnist`` beside the checkout; without either, bytes at random take their place: the
time is the same, the error means nothing.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.linalg import solve
from scipy.spatial.distance import cdist, pdist, squareform

import corruptlab as cl
from benchmarks.conftest import Comparison, tell
from corruptlab.capacity.kernels import GaussianKernel

N, GAMMA, CLASSES = 10_000, 0.02, 10
FOLDER = Path(os.environ.get("MNIST", Path(__file__).parents[2] / "shared" / "data" / "mnist"))
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
    "SciPy's pdist, solve, and cdist": by_pairs,
    "SciPy's solve, with distances by matrix products": by_products,
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


def our_error(task: Task) -> float:
    fit = cl.KernelInterpolant(GaussianKernel(GAMMA)).fit(task.x, task.y, num_classes=CLASSES)
    return fit.error(task.new, task.truth)


@pytest.fixture(scope="module")
def task() -> Task:
    if FOLDER.is_dir():
        train, test = (cl.datasets.idx(FOLDER, split=split) for split in ("train", "test"))
        arrays = Task(
            train.images.numpy(),
            train.targets.numpy(),
            test.images.numpy(),
            test.targets.numpy(),
        )
        return arrays.first(N)
    tell(f"no MNIST at {FOLDER}: bytes at random")
    generator = np.random.default_rng(0)
    images = generator.integers(256, size=(2, N, 1, 28, 28), dtype=np.uint8)
    labels = generator.integers(CLASSES, size=(2, N))
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
    compare: Comparison, task: Task, unhindered: ProcessPoolExecutor, than: str
) -> None:
    errors: dict[str, float] = {}
    todo = [task.first(1000), task]  # a small one first, to warm up

    def ours() -> None:
        errors["ours"] = our_error(task)

    def theirs() -> None:
        some = todo.pop(0)
        errors["theirs"] = unhindered.submit(scipy_error, some, than).result()

    compare(
        f"KernelInterpolant with its test error, n = {N:,}, {N:,} test images",
        ours,
        theirs,
        than=than,
        rounds=1,
    )
    there, here = compare.fastest
    tell(
        f"   {here:.1f} s and {there:.1f} s; errors {errors['ours']:.2%} and "
        f"{errors['theirs']:.2%} of {N:,}"
    )
    assert abs(errors["ours"] - errors["theirs"]) <= 5 / N


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_whole_fit_against_a_factorization_alone(
    compare: Comparison, task: Task, dtype: torch.dtype
) -> None:
    kernel = GaussianKernel(GAMMA)
    x = torch.from_numpy(task.x).flatten(1).double() / 255
    matrix = kernel(x, x).to(dtype)
    compare(
        f"KernelInterpolant.fit, n = {N:,}",
        lambda: cl.KernelInterpolant(kernel).fit(task.x, task.y, num_classes=CLASSES),
        lambda: torch.linalg.cholesky(matrix),
        than=f"torch.linalg.cholesky alone in {str(dtype).removeprefix('torch.')}",
        rounds=3,
    )
