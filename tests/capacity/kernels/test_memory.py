"""What is free is nine tenths of what system, control groups, or driver leave."""

import os
from pathlib import Path

import pytest
import torch

from corruptlab import _memory as module
from corruptlab.capacity.kernels._interpolant import available_memory

CPU = torch.device("cpu")


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
