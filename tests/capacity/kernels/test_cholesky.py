"""The blocked factorization is a Cholesky factorization, whatever its blocks."""

import itertools
import pickle
import re
import time
from typing import Any

import pytest
import torch
from torch import Tensor

from corruptlab.capacity.kernels import KernelFit, KernelInterpolant, NotPositiveDefiniteError
from tests.capacity.kernels.cases import numbers, of_matrix, positive_definite

N = 53
BLOCKS = [1, 2, 7, 16, 26, 52, 53, 100]


def solved(matrix: Tensor, targets: Tensor | None = None, **settings: Any) -> KernelFit:
    settings = {"solver": "cholesky", "dtype": torch.float64, "refinements": 0, **settings}
    n = len(matrix)
    targets = torch.ones(n, dtype=torch.float64) if targets is None else targets
    return KernelInterpolant(of_matrix(matrix), **settings).fit(numbers(n), targets)


@pytest.mark.parametrize("block", BLOCKS)
def test_factor_solves_the_system_in_both_types(block: int) -> None:
    matrix = positive_definite(N)
    wanted = torch.arange(2.0 * N, dtype=torch.float64).reshape(N, 2).cos()
    targets = matrix @ wanted
    kept = targets.clone()
    found = solved(matrix, targets, block=block).coefficients
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    single = solved(matrix, targets, block=block, dtype=torch.float32).coefficients
    torch.testing.assert_close(single, wanted, rtol=0, atol=1e-4)
    assert torch.equal(targets, kept)


def test_large_squares_on_the_diagonal_may_be_updated_in_pieces() -> None:
    n = 1300
    matrix, wanted = positive_definite(n), numbers(n).cos()
    found = solved(matrix, matrix @ wanted, block=600).coefficients
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("at", [0, 1, 15, 16, 52])
def test_first_bad_pivot_is_named_with_its_value(block: int, at: int) -> None:
    matrix = positive_definite(N)
    before = matrix[:at, :at]
    taken = matrix[at, :at] @ torch.linalg.solve(before, matrix[:at, at]) if at else 0.0
    matrix[at, at] = taken - 0.25  # so that exactly this much is missing there
    with pytest.raises(NotPositiveDefiniteError) as caught:
        solved(matrix, block=block)
    assert caught.value.pivot == at
    assert caught.value.value == pytest.approx(-0.25, abs=1e-10)
    text = f"got pivot -0.25 at point {at} of {N} in float64: use a narrower kernel or a `ridge`."
    assert re.search(re.escape(text), str(caught.value))


@pytest.mark.parametrize("block", [1, 2])
def test_pivot_that_is_only_rounding_is_bad_whatever_its_sign(block: int) -> None:
    eps = torch.finfo(torch.float64).eps

    def matrix(excess: float) -> Tensor:
        return torch.tensor([[1.0, 1.0], [1.0, 1.0 + excess]], dtype=torch.float64)

    assert bool(solved(matrix(64 * eps), block=block).coefficients.isfinite().all())
    with pytest.raises(NotPositiveDefiniteError, match=r"got pivot 8\.88e-16 at point 1 of 2"):
        solved(matrix(4 * eps), block=block)


@pytest.mark.parametrize("block", [10, 53])
def test_not_a_number_is_a_bad_pivot_too(block: int) -> None:
    matrix = positive_definite(N)
    matrix[30, 30] = torch.nan
    with pytest.raises(NotPositiveDefiniteError, match=r"got pivot nan at point 30 of 53"):
        solved(matrix, block=block)


def test_error_survives_pickling_and_advises_more_digits_where_there_are_more() -> None:
    error = NotPositiveDefiniteError(3, -1e-8, num_points=9, dtype="float32")
    again = pickle.loads(pickle.dumps(error))
    assert (again.pivot, again.value, str(again)) == (3, -1e-8, str(error))
    assert "use a narrower kernel, `dtype=torch.float64`, or a `ridge`." in str(error)


@pytest.mark.slow(seconds=1)
def test_progress_counts_rows_and_the_operations_of_a_factorization(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    n, clock = 2000, itertools.count(0, 2)  # every part seems to take long enough for a line
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    interpolant = KernelInterpolant(of_matrix(torch.eye(n)), block=300, refinements=0)
    interpolant.fit(numbers(n), numbers(n), progress=True)
    _, *lines = capsys.readouterr().err.splitlines()
    last = {line.split("  ")[0]: line.split("  ")[1] for line in lines}
    assert last == {
        "kernel fit: kernel matrix, rows": "2000/2000",
        "kernel fit: factor, GFLOP": "3/3",
        "kernel fit: residual, rows": "2000/2000",
    }


def test_memory_that_is_not_there_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    real = torch.empty

    def refused(count: int, **settings: Any) -> Tensor:
        if count <= N:  # what is no matrix
            return real(count, **settings)
        raise RuntimeError("[enforce fail at alloc] out of memory\nand where in C++")

    monkeypatch.setattr(torch, "empty", refused)
    with pytest.raises(
        MemoryError,
        match=r"^No 0\.0 GB for the kernel matrix on cpu: \[enforce .* out of memory$",
    ):
        solved(positive_definite(N))
