"""How much memory is free, on a GPU and for this process."""

from pathlib import Path

import torch

from corruptlab._control_groups import control_group_room


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that are free on a device, or None if nobody can tell.

    Args:
        device: A GPU, of which its driver tells, or a CPU, see `host_memory`.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return host_memory() if device.type == "cpu" else None


def host_memory() -> int | None:
    """Return the bytes that this process can have without swapping, or None if nobody can tell.

    It is the system's estimate, or less where a control group (a container, a job of a cluster)
    allows less.
    """
    rooms = [room for room in (_system(), control_group_room()) if room is not None]
    return min(rooms, default=None)


def _system(table: Path = Path("/proc/meminfo")) -> int | None:
    try:
        lines = table.read_text(encoding="ascii").splitlines()
    except OSError:  # not Linux
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024  # the unit is kB
    return None
