"""What a fit will cost is known before it starts, and one that does not fit is refused."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from corruptlab.capacity.kernels import Estimate, GaussianKernel, KernelInterpolant
from tests.capacity.kernels.cases import labels, points, unstored
from tests.waiting import run

# What the libraries beneath may keep for their own work, whatever the size of the problem.
_LIBRARIES = 16_000_000


def estimate(n: int = 60_000, d: int = 784, k: int = 10, **settings: Any) -> Estimate:
    settings = {"memory": 1e12, **settings}
    return KernelInterpolant(GaussianKernel(0.02), **settings).estimate(n, d, num_outputs=k)


def test_whole_of_mnist_takes_less_than_ten_gigabytes() -> None:
    whole = estimate()
    assert whole.solver == "cholesky"
    assert 7.2e9 < whole.num_bytes < 10e9
    assert 60_000**3 / 3 < whole.flops < 1.3 * 60_000**3 / 3


def test_estimates_follow_the_known_powers_of_n() -> None:
    small, large = estimate(40_000), estimate(80_000)
    assert 3.5 < large.num_bytes / small.num_bytes < 4.1
    assert 6.5 < large.flops / small.flops < 8.1
    double = estimate(40_000, dtype=torch.float64)
    assert 1.8 < double.num_bytes / small.num_bytes < 2.1
    few, many = (estimate(n, solver="cg").num_bytes for n in (40_000, 80_000))
    assert 1.5 < many / few < 2.1
    assert estimate(40_000, refinements=0).flops < small.flops
    assert estimate(9000, solver="cg", max_iterations=10).flops < (
        0.2 * estimate(9000, solver="cg", max_iterations=100).flops
    )


def test_auto_takes_cholesky_while_its_memory_is_there() -> None:
    needed = estimate().num_bytes
    assert estimate(memory=needed).solver == "cholesky"
    assert estimate(memory=needed - 1).solver == "cg"
    assert estimate(memory=needed, solver="cg").solver == "cg"


def test_matrix_is_stored_while_it_is_small_and_there_is_room() -> None:
    stored = estimate(10_000)
    assert stored.stores_matrix
    assert stored.num_bytes - estimate(10_000, memory=stored.num_bytes - 1).num_bytes > 0.9 * 4e8
    assert not estimate(10_000, memory=stored.num_bytes - 1).stores_matrix
    assert estimate(10_000, memory=stored.num_bytes).stores_matrix
    assert not estimate(10_000, memory=stored.num_bytes, solver="cg").stores_matrix
    assert not estimate(40_000).stores_matrix  # 7 GB
    assert stored.flops < estimate(10_000, memory=stored.num_bytes - 1).flops


def test_refusal_names_what_is_needed_what_is_there_and_what_would_do() -> None:
    with pytest.raises(
        MemoryError,
        match=r"^`memory` must be at least 8\.\d+ GB for 60,000 points with solver='cholesky' in "
        r"float32, got 4 GB; solver='cg' needs \d+ MB\.$",
    ):
        estimate(memory=4e9, solver="cholesky")
    with pytest.raises(
        MemoryError,
        match=r"^`memory` must be at least \d+ MB for 60,000 points with solver='cg' in float32, "
        r"got 10 kB\.$",
    ):
        estimate(memory=1e4)
    with pytest.raises(MemoryError, match=r"solver='cholesky' in float64, got 500 B\.$"):
        estimate(memory=500, solver="cholesky", dtype=torch.float64)


def test_fit_keeps_to_the_limit() -> None:
    x, y = points(), labels()
    small = KernelInterpolant(GaussianKernel(0.3), dtype=torch.float64, block=5, rank=5)
    needed = unstored(small, 40, 5).estimate(40, 5, num_outputs=3).num_bytes
    with_limit = {"dtype": torch.float64, "block": 5, "rank": 5}
    for memory, solver in ((needed, "cholesky"), (needed - 1, "cg")):
        interpolant = KernelInterpolant(GaussianKernel(0.3), memory=memory, **with_limit)  # type: ignore[arg-type]
        assert interpolant.fit(x, y, num_classes=3).estimate.solver == solver
    with pytest.raises(MemoryError, match=r"^`memory` must be at least .* for 40 points"):
        KernelInterpolant(GaussianKernel(0.3), memory=1).fit(x, y, num_classes=3)


def test_free_memory_is_the_limit_by_default() -> None:
    n = 10_000_000  # 200 TB: no machine has that free
    default = KernelInterpolant(GaussianKernel(0.02), solver="cholesky")
    with pytest.raises(MemoryError, match=r"^`memory` must be at least 200 TB for 10,000,000"):
        default.estimate(n, 784)


def test_seconds_are_operations_over_one_rate_of_a_type() -> None:
    small, large = estimate(1000), estimate(2000)
    assert small.seconds() > 0
    assert large.seconds() / small.seconds() == pytest.approx(large.flops / small.flops)


def test_numbers_of_a_fit_that_cannot_be_are_quoted() -> None:
    for name, sizes in (("num_points", (0, 5, 1)), ("num_features", (5, -1, 1))):
        bad = min(sizes)
        with pytest.raises(ValueError, match=rf"^`{name}` must be at least 1, got {bad}\.$"):
            estimate(*sizes)
    with pytest.raises(ValueError, match=r"^`num_outputs` must be at least 1, got 0\.$"):
        estimate(5, 5, 0)
    with pytest.raises(TypeError, match=r"^`num_points` must be an integer, got 1000\.0\.$"):
        estimate(1e3)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's own account")
def test_fit_takes_the_memory_of_its_estimate() -> None:
    n = 5000  # an array of n^2 numbers too many is 100 MB
    program = f"""if True:
        from pathlib import Path
        import torch
        from corruptlab.capacity.kernels import GaussianKernel, KernelInterpolant

        def account(name):  # in bytes
            lines = Path("/proc/self/status").read_text().splitlines()
            return 1024 * int(next(line.split()[1] for line in lines if line.startswith(name)))

        def fit(n, **settings):
            interpolant = KernelInterpolant(GaussianKernel(0.02), **settings)
            return interpolant.fit(x[:n], y[:n], num_classes=10)

        torch.set_num_threads(1)
        x = torch.randn({n}, 40, generator=torch.Generator().manual_seed(0))
        y = torch.arange({n}) % 10
        for solver in ("cg", "cholesky"):
            settings = dict(solver=solver, max_iterations=1, refinements=0)
            fit(1500, **settings)  # loads libraries, and what they keep for themselves
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
            before = account("VmRSS")
            foreseen = fit({n}, **settings).estimate.num_bytes
            print(account("VmHWM") - before, foreseen)
    """
    # What is freed goes back to the system at once, so that no rest of the first fit is counted.
    at_once = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
    done = run([sys.executable, "-c", program], env=at_once)
    assert done.returncode == 0, done.stderr
    solvers = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert len(solvers) == 2
    for taken, foreseen in solvers:
        assert 0.8 * foreseen < taken < 1.05 * foreseen + _LIBRARIES
