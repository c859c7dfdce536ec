"""The preconditioner is the inverse that it says, and a better one with more columns."""

import pytest
import torch
from numpy.testing import assert_allclose

from corruptlab.capacity.kernels import GaussianKernel
from corruptlab.capacity.kernels import _preconditioner as module
from corruptlab.capacity.kernels._partial_cholesky import partial_cholesky
from corruptlab.capacity.kernels._preconditioner import Preconditioner
from tests.capacity.kernels.cases import gram, points

GAUSSIAN = GaussianKernel(0.3)


@pytest.mark.parametrize("rank", [0, 3, 40])
@pytest.mark.parametrize("ridge", [0.0, 0.2])
def test_preconditioner_is_the_inverse_it_says(rank: int, ridge: float) -> None:
    x = points()
    approximate = Preconditioner(GAUSSIAN, x, ridge=ridge, rank=rank, seed=0)
    factor, left = partial_cholesky(GAUSSIAN, x, rank=rank, seed=0)
    delta = ridge + max(float(left.mean()), 2**-26)
    inverse = torch.linalg.inv(factor @ factor.T + delta * torch.eye(40, dtype=torch.float64))
    vectors = points(40, 2, seed=3)
    assert_allclose(approximate(vectors).numpy(), (inverse @ vectors).numpy(), rtol=1e-6)


def test_more_columns_bring_the_spectrum_together() -> None:
    x = points()
    whole = torch.from_numpy(gram("gaussian", x, x))

    def spread(rank: int) -> float:
        approximate = Preconditioner(GAUSSIAN, x, ridge=0.0, rank=rank, seed=0)
        spectrum = torch.linalg.eigvals(approximate(whole)).real
        return float(spectrum.max() / spectrum.min())

    spreads = [spread(rank) for rank in (0, 10, 20, 40)]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[0] == pytest.approx(float(torch.linalg.cond(whole)), rel=1e-6)
    assert spreads[-1] < 1.01


def test_it_is_symmetric_and_positive_definite_in_float32_too() -> None:
    x = points().float()
    inverse = Preconditioner(GAUSSIAN, x, ridge=0.0, rank=25, seed=0)(torch.eye(40).double())
    assert inverse.dtype is torch.float64
    assert_allclose(inverse.numpy(), inverse.T.numpy(), atol=1e-5 * float(inverse.abs().max()))
    assert float(torch.linalg.eigvalsh((inverse + inverse.T) / 2)[0]) > 0


def test_rows_are_summed_up_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = points(40, 2, seed=3)
    whole = Preconditioner(GAUSSIAN, points(), ridge=0.1, rank=25, seed=0)(vectors)
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 7)
    cut = Preconditioner(GAUSSIAN, points(), ridge=0.1, rank=25, seed=0)(vectors)
    assert_allclose(cut.numpy(), whole.numpy(), rtol=1e-9)
