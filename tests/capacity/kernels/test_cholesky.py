"""The blocked factorization is a Cholesky factorization, whatever its blocks."""

import pickle
import re

import pytest
import torch

from corruptlab._progress import Progress
from corruptlab.capacity.kernels import NotPositiveDefiniteError
from corruptlab.capacity.kernels import _cholesky as cholesky_module
from corruptlab.capacity.kernels._cholesky import factorize, solve
from corruptlab.capacity.kernels._triangle import LowerTriangle
from tests.capacity.kernels.cases import positive_definite, triangle

N = 53
BLOCKS = [1, 2, 7, 16, 26, 52, 53, 100]


def factor(matrix: torch.Tensor, block: int) -> LowerTriangle:
    stored = triangle(matrix, block)
    factorize(stored, Progress(1, "", show=False))
    return stored


@pytest.mark.parametrize("block", BLOCKS)
def test_factor_times_its_transpose_is_the_matrix(block: int) -> None:
    matrix = positive_definite(N)
    lower = factor(matrix, block).dense()
    torch.testing.assert_close(lower @ lower.T, matrix, rtol=0, atol=1e-13 * N)


@pytest.mark.parametrize("block", BLOCKS)
def test_factor_equals_that_of_lapack(block: int) -> None:
    matrix = positive_definite(N)
    expected = torch.linalg.cholesky(matrix)
    torch.testing.assert_close(factor(matrix, block).dense(), expected, rtol=0, atol=1e-13 * N)
    single = factor(matrix.float(), block).dense()
    torch.testing.assert_close(single.double(), expected, rtol=0, atol=1e-6 * N)


@pytest.mark.parametrize("block", [5, 19, 53])
@pytest.mark.parametrize("square", [1, 3, 8])
def test_squares_on_the_diagonal_may_be_updated_in_pieces(
    block: int, square: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cholesky_module, "_WHOLE_SQUARE", square)
    matrix = positive_definite(N)
    expected = torch.linalg.cholesky(matrix)
    torch.testing.assert_close(factor(matrix, block).dense(), expected, rtol=0, atol=1e-13 * N)


def test_what_lies_above_the_diagonal_is_not_read() -> None:
    matrix = positive_definite(N)
    stored = triangle(matrix.tril() + torch.full_like(matrix, torch.nan).triu(1), 10)
    factorize(stored, Progress(1, "", show=False))
    expected = torch.linalg.cholesky(matrix)
    torch.testing.assert_close(stored.dense().nan_to_num(0.0), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("block", BLOCKS)
def test_substitution_solves_the_system(block: int) -> None:
    matrix = positive_definite(N)
    wanted = torch.arange(2.0 * N, dtype=torch.float64).reshape(N, 2).cos()
    targets = matrix @ wanted
    kept = targets.clone()
    torch.testing.assert_close(solve(factor(matrix, block), targets), wanted, rtol=0, atol=1e-11)
    assert torch.equal(targets, kept)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("at", [0, 1, 15, 16, 52])
def test_first_bad_pivot_is_named_with_its_value(block: int, at: int) -> None:
    matrix = positive_definite(N)
    before = matrix[:at, :at]
    taken = matrix[at, :at] @ torch.linalg.solve(before, matrix[:at, at]) if at else 0.0
    matrix[at, at] = taken - 0.25  # so that exactly this much is missing there
    with pytest.raises(NotPositiveDefiniteError) as caught:
        factor(matrix, block)
    assert caught.value.pivot == at
    assert caught.value.value == pytest.approx(-0.25, abs=1e-10)
    text = f"got pivot -0.25 at point {at} of {N} in float64: use a narrower kernel or a `ridge`."
    assert re.search(re.escape(text), str(caught.value))


@pytest.mark.parametrize("block", [1, 2])
def test_pivot_that_is_only_rounding_is_bad_whatever_its_sign(block: int) -> None:
    eps = torch.finfo(torch.float64).eps
    for excess, good in ((4 * eps, False), (64 * eps, True)):
        matrix = torch.tensor([[1.0, 1.0], [1.0, 1.0 + excess]], dtype=torch.float64)
        if good:
            assert float(factor(matrix, block).diagonal()[1]) == pytest.approx(excess**0.5)
            continue
        with pytest.raises(NotPositiveDefiniteError, match=r"got pivot 8\.88e-16 at point 1 of 2"):
            factor(matrix, block)


@pytest.mark.parametrize("block", [10, 53])
def test_not_a_number_is_a_bad_pivot_too(block: int) -> None:
    matrix = positive_definite(N)
    matrix[30, 30] = torch.nan
    with pytest.raises(NotPositiveDefiniteError, match=r"got pivot nan at point 30 of 53"):
        factor(matrix, block)


def test_error_survives_pickling_and_advises_more_digits_where_there_are_more() -> None:
    error = NotPositiveDefiniteError(3, -1e-8, num_points=9, dtype="float32")
    again = pickle.loads(pickle.dumps(error))
    assert (again.pivot, again.value, str(again)) == (3, -1e-8, str(error))
    assert "use a narrower kernel, `dtype=torch.float64`, or a `ridge`." in str(error)


def test_progress_counts_the_operations_of_a_factorization() -> None:
    class Count:
        done: tuple[int, ...] = ()

        def update(self, done: int, note: str = "") -> None:
            self.done += (done,)

    line, n = Count(), 2000
    stored = triangle(torch.eye(n), 300)
    factorize(stored, line)  # type: ignore[arg-type]  # all that is asked of it
    assert line.done[-1] == round(n**3 / 3e9)
    assert sorted(line.done) == list(line.done)
