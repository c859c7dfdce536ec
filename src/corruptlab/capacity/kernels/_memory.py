"""How much memory there is to work in."""

import os
from pathlib import Path

import torch

# What is free is never all to be had: others allocate too, and memory is given out in pieces.
_USABLE = 0.9


def available_memory(device: torch.device) -> int:
    """Return how many bytes a new computation may take on a device.

    It is nine tenths of what is free now: on a GPU by its driver, on a CPU by the kernel's estimate
    of memory that can be had without swapping, or less where a control group (a container) allows
    less. Where the system tells none of this, it is nine tenths of the physical memory.

    Args:
        device: The device.

    Returns:
        Bytes.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(_USABLE * free)
    rooms = [room for room in (_system(), _control_group()) if room is not None]
    return int(_USABLE * (min(rooms) if rooms else _physical()))


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


def _control_group(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    try:
        most, used = ((folder / name).read_text() for name in ("memory.max", "memory.current"))
        return max(0, int(most) - int(used))
    except (OSError, ValueError):  # no control group, or the word "max"
        return None


def _physical() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
