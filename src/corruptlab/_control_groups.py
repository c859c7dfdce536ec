"""What the control groups of Linux (containers, jobs of a cluster) leave a process of memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Files(NamedTuple):
    """Where a version of control groups keeps its account.

    Args:
        limit: Name of the file with the limit.
        used: Name of the file with what is used, the cache of files included.
        cache: Name, in the file ``memory.stat``, of the cache that is dropped when need be.
    """

    limit: str
    used: str
    cache: str


VERSION_1 = Files("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
VERSION_2 = Files("memory.max", "memory.current", "inactive_file")


def control_group_room(
    own: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """Return how many bytes the control groups leave this process, or None if they set no limit.

    A limit of any group above its own binds a process too.

    Args:
        own: The system's list of groups that the process is in.
        mount: The folder of all groups.

    Returns:
        Bytes.
    """
    rooms = [_room(folder, files) for folder, files in _groups(own, mount)]
    return min((room for room in rooms if room is not None), default=None)


def _groups(own: Path, mount: Path) -> Iterator[tuple[Path, Files]]:
    """Find the groups of memory, each before those above it."""
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


def _room(folder: Path, files: Files) -> int | None:
    try:
        limit, used = (int((folder / name).read_text()) for name in (files.limit, files.used))
        lines = (folder / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):  # another's group, as containers see it, or the word "max"
        return None
    account = dict(line.split() for line in lines)
    return max(0, limit - used + int(account.get(files.cache, 0)))
