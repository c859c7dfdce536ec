"""What is free is nine tenths of what system, control groups, or driver leave."""

import os
from pathlib import Path

import pytest
import torch

from corruptlab import _memory as module
from corruptlab._memory import available_memory
from corruptlab.capacity.kernels import GaussianKernel, KernelInterpolant
from corruptlab.capacity.kernels._gram import largest_tile
from tests.fake_gpu import FakeGPU

CPU, GPU = torch.device("cpu"), torch.device("cuda:0")


@pytest.mark.parametrize(
    ("system", "group", "expected"),
    [(4000, None, 3600), (4000, 2000, 1800), (2000, 4000, 1800), (4000, 0, 0), (None, 500, 450)],
)
def test_the_lesser_of_system_and_control_group_counts(
    monkeypatch: pytest.MonkeyPatch, system: int | None, group: int | None, expected: int
) -> None:
    monkeypatch.setattr(module, "_system", lambda: system)
    monkeypatch.setattr(module, "control_group_room", lambda: group)
    assert available_memory(CPU) == expected


def test_physical_memory_stands_in_where_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_system", lambda: None)
    monkeypatch.setattr(module, "control_group_room", lambda: None)
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    assert available_memory(CPU) == 0.9 * 4_096_000
    monkeypatch.delattr(os, "sysconf")  # as on Windows
    assert available_memory(CPU) == float("inf")


def test_system_tells_what_can_be_had_without_swapping(tmp_path: Path) -> None:
    table = tmp_path / "meminfo"
    table.write_text("MemTotal: 9000000 kB\nMemFree: 10 kB\nMemAvailable: 4000000 kB\n")
    assert module._system(table) == 4_096_000_000
    table.write_text("MemTotal: 9000000 kB\n")
    assert module._system(table) is None
    assert module._system(tmp_path / "absent") is None


def test_driver_tells_what_is_free_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 9000))
    assert available_memory(torch.device("cuda:1")) == 900


def test_cached_memory_of_a_gpu_is_no_reason_for_conjugate_gradients(fake_gpu: FakeGPU) -> None:
    # What a first fit of this size leaves in the cache is there for the second one.
    made = KernelInterpolant(GaussianKernel(1.0), device="cuda", rank=10)
    fake_gpu.free = 4 << 30
    assert made.estimate(60_000, 5).solver == "cg"
    fake_gpu.cache |= {"reserved": 12 << 30, "allocated": 1 << 30}
    assert made.estimate(60_000, 5).solver == "cholesky"


@pytest.mark.parametrize(
    ("device", "allowed", "rows"),
    [
        (CPU, 1e12, 1000),
        (GPU, 1e12, 8000),
        (GPU, 16 * 3 * 8 * 5000**2, 5000),
        (GPU, 16 * 3 * 8 * 5000**2 - 1, 4999),
        (GPU, 1e6, 1000),
    ],
)
def test_tiles_on_a_gpu_are_large_but_take_a_sixteenth_of_the_memory(
    device: torch.device, allowed: float, rows: int
) -> None:
    assert largest_tile(device, allowed) == rows


@pytest.mark.slow(seconds=1)
def test_larger_tiles_are_counted_and_give_the_same_in_fewer_launches(fake_gpu: FakeGPU) -> None:
    x, launches, found, estimates = torch.arange(1200.0)[:, None], [], [], []
    for free, memory in ((1 << 40, None), (1 << 20, 1e8)):  # one tile, and three of 1,000 rows
        fake_gpu.free = free
        before = fake_gpu.launches
        made = KernelInterpolant(GaussianKernel(1.0), device="cuda", memory=memory)
        fit = made.fit(x, x[:, 0].sin())
        found.append(fit.predict(x).cpu())
        launches.append(fake_gpu.launches - before)
        estimates.append(fit.estimate.num_bytes)
    assert launches[0] < launches[1]
    assert estimates[0] > estimates[1]
    torch.testing.assert_close(*found)


def full(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    if len(a) > 8:  # the first points, on which a kernel is tried
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
    return GaussianKernel(1.0)(a, b)


def test_full_memory_in_a_tile_says_what_to_change() -> None:
    x = torch.arange(20.0)[:, None]
    with pytest.raises(MemoryError, match=r"^The memory of cpu is full; try a smaller `block`, "):
        KernelInterpolant(full).fit(x, x[:, 0])
    fit = KernelInterpolant(full).fit(x[:5], x[:5, 0])
    with pytest.raises(MemoryError, match=r"^The memory of cpu is full; predict fewer inputs at "):
        fit.predict(x)
