"""The paper's experiment on real digits, at sizes that a test can afford."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import solve
from scipy.spatial.distance import cdist

from corruptlab.capacity.kernels import GaussianKernel, KernelInterpolant, gabor_features
from corruptlab.datasets import idx

pytestmark = pytest.mark.slow
GAUSSIAN = GaussianKernel(0.02)


@pytest.fixture(scope="module")
def mnist(shared_data: Path) -> tuple[torch.Tensor, ...]:
    train = idx(shared_data / "mnist", split="train", num_classes=10)
    test = idx(shared_data / "mnist", split="test", num_classes=10)
    return train.images[:3000], train.targets[:3000], test.images[:3000], test.targets[:3000]


def test_digits_are_interpolated_and_generalize(mnist: tuple[torch.Tensor, ...]) -> None:
    x, y, new, truth = mnist
    fit = KernelInterpolant(GAUSSIAN, block=400).fit(x, y, num_classes=10)
    assert fit.error(x, y) == 0
    assert fit.residual < 1e-7
    assert fit.error(new, truth) == pytest.approx(0.0613, abs=0.0005)
    assert fit.norm == pytest.approx(34.65, abs=0.05)


def test_classes_are_those_of_a_float64_solve_with_scipy(mnist: tuple[torch.Tensor, ...]) -> None:
    x, y, new, _ = (part[:1000] for part in mnist)
    old, later = (part.flatten(1).double().numpy() / 255 for part in (x, new))
    matrix = np.exp(-0.02 * cdist(old, old, "sqeuclidean"))
    alpha = solve(matrix, np.eye(10)[y.numpy()], assume_a="pos")
    values = np.exp(-0.02 * cdist(later, old, "sqeuclidean")) @ alpha
    fit = KernelInterpolant(GAUSSIAN).fit(x, y, num_classes=10)
    assert_allclose(fit.predict(new).numpy(), values, atol=1e-4)
    assert_array_equal(fit.classify(new).numpy(), values.argmax(1))


def test_random_labels_are_interpolated_too_and_mean_nothing(
    mnist: tuple[torch.Tensor, ...],
) -> None:
    x, _, new, truth = (part[:1000] for part in mnist)
    labels = torch.randint(10, (1000,), generator=torch.Generator().manual_seed(0))
    fit = KernelInterpolant(GAUSSIAN).fit(x, labels, num_classes=10)
    assert fit.error(x, labels) == 0
    assert 0.85 < fit.error(new, truth) < 0.95


def test_gabor_features_halve_the_error(mnist: tuple[torch.Tensor, ...]) -> None:
    x, y, new, truth = (part[:1000] for part in mnist)
    raw = KernelInterpolant(GAUSSIAN).fit(x, y, num_classes=10).error(new, truth)
    bank = {"wavelengths": (4.0, 8.0)}  # quicker than the default
    fit = KernelInterpolant(GaussianKernel(0.7)).fit(
        gabor_features(x, **bank),  # type: ignore[arg-type]
        y,
        num_classes=10,
    )
    assert fit.error(gabor_features(new, **bank), truth) < 0.6 * raw  # type: ignore[arg-type]
