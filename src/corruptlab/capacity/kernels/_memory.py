"""How much memory there is to work in."""

import os
from pathlib import Path

import torch

from corruptlab.capacity.kernels._control_groups import control_group_room

# What is free is never all to be had: others allocate too, and memory is given out in pieces.
_USABLE = 0.9


def available_memory(device: torch.device) -> float:
    """Return how many bytes a new computation may take on a device.

    It is nine tenths of what is free now: on a GPU by its driver, on a CPU by the system's estimate
    of memory that can be had without swapping, or less where a control group (a container, a job of
    a cluster) allows less. Where the system tells neither, it is nine tenths of the physical
    memory, and where it does not even tell that, there is no limit: what is too large then fails
    when it is allocated.

    Args:
        device: The device.

    Returns:
        Bytes.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return _USABLE * free
    rooms = [room for room in (_system(), control_group_room()) if room is not None]
    return _USABLE * (min(rooms) if rooms else _physical())


def _system(table: Path = Path("/proc/meminfo")) -> int | None:
    try:
        lines = table.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024  # the unit is kB
    return None


def _physical() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):  # Windows has no such function, others no such names
        return float("inf")
