"""Free memory of a GPU and of this process, within the limits of Linux control groups."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

_GIB = 1 << 30
# What is free is never all to be had: others allocate too, and memory is given out in pieces.
_USABLE = 0.9
_NEVER_ASKED = _GIB  # bytes: to ask takes longer than to have them
_BEYOND_MACHINES = 1 << 45  # bytes, where the system does not tell
_NO_LIMIT = 1 << 62  # bytes: version 1 of control groups has no word for it


class GroupFiles(NamedTuple):
    """Names of the files in which a version of control groups keeps its account."""

    limit: str
    used: str  # the file cache included
    cache: str  # of `memory.stat`: the file cache that is dropped under pressure


VERSION_1 = GroupFiles("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
VERSION_2 = GroupFiles("memory.max", "memory.current", "inactive_file")


def free_memory(device: torch.device) -> int | None:
    """Return the free bytes of a device, or None if they cannot be determined."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0]) + _cached(device)
    return host_memory() if device.type == "cpu" else None


def available_memory(device: torch.device) -> float:
    """Return how many bytes a new computation may take: nine tenths of what is free now."""
    free = free_memory(device) if device.type == "cuda" else host_memory()
    return _USABLE * (_physical_memory() if free is None else free)


def _physical_memory() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):  # Windows has no such function, others no such names
        return float("inf")


def _cached(device: torch.device) -> int:
    """Return the bytes that PyTorch keeps of a GPU and would give back where they are needed."""
    known = torch.cuda.memory_stats(device)  # empty before anything was on the GPU
    # What is left of a block that is in use stays with it.
    kept, used, split = (
        int(known.get(f"{name}_bytes.all.current", 0))
        for name in ("reserved", "allocated", "inactive_split")
    )
    return max(0, kept - used - split)


@contextmanager
def full_memory(advice: str) -> Iterator[None]:
    """Turn PyTorch's errors about memory into one that says what to change."""
    try:
        yield
    except RuntimeError as error:
        # On a CPU PyTorch has no error of its own for it, only this text.
        full = isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
        if not full:
            raise
        raise MemoryError(advice) from error


def host_memory() -> int | None:
    """Return the bytes that this process can use without swapping, or None if unknown."""
    limits = [limit for limit in (_system(), control_group_room()) if limit is not None]
    return min(limits, default=None)


def check_fits(name: str, value: object, needed: int, kind: str = "a number that fits") -> None:
    """Refuse what takes ``needed`` bytes at least, if this process cannot have them."""
    free = host_memory() if needed > _NEVER_ASKED else None
    if needed <= (_BEYOND_MACHINES if free is None else free):
        return
    room = "" if free is None else f" where {free / _GIB:,.1f} GiB are free"
    raise ValueError(
        f"`{name}` must be {kind} the memory, got {value!r}, which takes at least "
        f"{needed / _GIB:,.1f} GiB{room}."
    )


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


def control_group_room(
    own: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """Return the bytes that the control groups leave this process, or None without a limit."""
    rooms = [_room(folder, files) for folder, files in _groups(own, mount)]
    return min((room for room in rooms if room is not None), default=None)


def _groups(own: Path, mount: Path) -> Iterator[tuple[Path, GroupFiles]]:
    """Yield the memory groups of this process, then their parents, whose limits bind too."""
    try:
        lines = own.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            top, files = mount / "memory", VERSION_1
        elif not controllers:
            top, files = mount, VERSION_2
        else:
            continue
        group = top / path.lstrip("/")
        for folder in (group, *group.parents):
            yield folder, files
            if folder == top:
                break


def _room(folder: Path, files: GroupFiles) -> int | None:
    try:
        limit = int((folder / files.limit).read_text())
        if limit >= _NO_LIMIT:
            return None  # at once: an account takes the kernel a tenth of a millisecond
        used = int((folder / files.used).read_text())
        lines = (folder / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):  # outside this container's view, or the word "max"
        return None
    account = dict(line.split() for line in lines)
    return max(0, limit - used + int(account.get(files.cache, 0)))
