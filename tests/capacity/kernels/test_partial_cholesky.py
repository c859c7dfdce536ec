"""A partial factor is exact on its pivots, never too large, and its pivots follow their law."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import chisquare
from torch import Tensor

from corruptlab._draws import Draws
from corruptlab.capacity.kernels import GaussianKernel, LinearKernel, NotPositiveDefiniteError
from corruptlab.capacity.kernels import _partial_cholesky as module
from corruptlab.capacity.kernels._partial_cholesky import partial_cholesky
from tests.capacity.kernels.cases import Floats, gram, points

GAUSSIAN = GaussianKernel(0.3)


def test_partial_factor_agrees_with_the_matrix_on_its_pivots_and_stays_below_it() -> None:
    x = points()
    whole = gram("gaussian", x, x)
    factor, left = partial_cholesky(GAUSSIAN, x, rank=13, seed=0)
    rest = whole - (factor @ factor.T).numpy()
    assert factor.shape == (40, 13)
    assert_allclose(np.diag(rest), left.numpy(), atol=1e-12)
    assert int((left == 0).sum()) == 13
    assert np.abs(rest[left.numpy() == 0]).max() < 1e-12  # pivot rows are exact
    assert np.linalg.eigvalsh(rest)[0] > -1e-12


def test_partial_factor_of_full_rank_is_the_matrix() -> None:
    factor, left = partial_cholesky(GAUSSIAN, points(), rank=40, seed=0)
    whole = gram("gaussian", points(), points())
    assert_allclose((factor @ factor.T).numpy(), whole, atol=1e-12)
    assert not left.any()


def test_factor_ends_when_nothing_is_left() -> None:
    factor, left = partial_cholesky(LinearKernel(), points(40, 4), rank=30, seed=0)
    assert factor.shape == (40, 4)
    assert not left.any()


def test_seed_decides_the_pivots() -> None:
    one, same, other = (
        partial_cholesky(GAUSSIAN, points(), rank=9, seed=seed)[0] for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def naive_pivots(matrix: Floats, rank: int, seed: int, group: int) -> list[int]:
    """Draw pivots one by one from the dense matrix, each step of elimination written out."""
    rest, draws, proposed = matrix.copy(), Draws(seed), 0
    pivots: list[int] = []
    while len(pivots) < rank:
        ids = range(proposed, proposed + min(group, rank - len(pivots)))
        proposed = ids.stop
        before = rest.diagonal().copy()
        shares = before.cumsum()
        places = draws.uniform("kernels/pivot", ids) * shares[-1]
        for place, u in zip(places, draws.uniform("kernels/keep", ids), strict=True):
            pivot = int((shares <= place).sum())
            now = rest[pivot, pivot]
            if u * before[pivot] < now:
                pivots.append(pivot)
                rest -= np.outer(rest[:, pivot], rest[pivot]) / now
                rest[pivot] = rest[:, pivot] = 0  # which rounding may have missed
    return pivots


@pytest.mark.parametrize("group", [1, 6, 128])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pivots_equal_those_of_a_naive_loop(
    seed: int, group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PROPOSALS", group)
    x = points(40, 2)
    _, left = partial_cholesky(GAUSSIAN, x, rank=12, seed=seed)
    expected = naive_pivots(gram("gaussian", x, x), 12, seed, group)
    assert sorted(expected) == (left == 0).nonzero().flatten().tolist()


def test_pivots_proposed_in_groups_follow_the_law_of_single_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Diagonal 4, 4, 1, 1; the first two points are nearly one: K = [[4, c], [c, 4]], c = 3.6.
    x = torch.arange(4.0, dtype=torch.float64)[:, None]
    matrix = torch.diag(torch.tensor([4.0, 4.0, 1.0, 1.0], dtype=torch.float64))
    matrix[0, 1] = matrix[1, 0] = 3.6

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return matrix[a[:, 0].long()][:, b[:, 0].long()]

    def pair(seed: int) -> frozenset[int]:
        _, left = partial_cholesky(kernel, x, rank=2, seed=seed)
        return frozenset(int(i) for i in (left == 0).nonzero())

    rest = 4 - 3.6**2 / 4  # what is left of one of the two after the other
    expected = {
        frozenset({0, 1}): 2 * 0.4 * rest / (rest + 2),
        frozenset({2, 3}): 2 * 0.1 * 1 / 9,
        **{frozenset({i, j}): 0.4 / (rest + 2) + 0.1 * 4 / 9 for i in (0, 1) for j in (2, 3)},
    }
    draws = 400
    for proposals in (1, 128):
        monkeypatch.setattr(module, "_PROPOSALS", proposals)
        pairs = [pair(seed) for seed in range(draws)]
        counts = [pairs.count(pair) for pair in expected]
        assert sum(counts) == draws
        assert chisquare(counts, [draws * p for p in expected.values()]).pvalue > 1e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_matrix_that_is_seen_to_be_indefinite_is_one_error(dtype: torch.dtype) -> None:
    x = torch.arange(3.0, dtype=dtype)[:, None]
    matrix = torch.tensor([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]], dtype=dtype)

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return matrix[a[:, 0].long()][:, b[:, 0].long()]

    with pytest.raises(NotPositiveDefiniteError, match=r"got pivot -3 at point [01] of 3 in float"):
        partial_cholesky(kernel, x, rank=3, seed=0)
    for rank in (0, 3):
        with pytest.raises(NotPositiveDefiniteError, match=r"got pivot -4 at point 2 of 3"):
            partial_cholesky(lambda a, b: -(a @ b.T), x, rank=rank, seed=0)


@pytest.mark.parametrize("where", ["on the diagonal", "beside it"])
def test_matrix_that_is_not_finite_is_one_error(where: str) -> None:
    def kernel(a: Tensor, b: Tensor) -> Tensor:
        same = a[:, None, 0] == b[None, :, 0]
        return GAUSSIAN(a, b).masked_fill_(same == (where == "on the diagonal"), torch.nan)

    with pytest.raises(ValueError, match=r"^`kernel` must be finite, got nan or inf on the points"):
        partial_cholesky(kernel, points(), rank=5, seed=0)
