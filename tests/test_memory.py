"""Free memory: what the system says, and the least room of a process's control groups."""

from pathlib import Path

import pytest
import torch

from corruptlab._memory import VERSION_1, VERSION_2, control_group_room, free_memory
from tests.fake_gpu import FakeGPU


def group(folder: Path, limit: object, used: int, cache: int, version: int) -> None:
    """Write the account of a group as the system does."""
    files = VERSION_1 if version == 1 else VERSION_2
    folder.mkdir(parents=True, exist_ok=True)
    (folder / files.limit).write_text(f"{limit}\n")
    (folder / files.used).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 7\n{files.cache} {cache}\nunevictable 0\n")


def own(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "own"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.mark.parametrize("version", [1, 2])
def test_room_is_the_limit_less_what_is_used_but_for_the_cache_of_files(
    tmp_path: Path, version: int
) -> None:
    top = tmp_path / "memory" if version == 1 else tmp_path
    group(top / "jobs" / "mine", limit=3000, used=1000, cache=400, version=version)
    line = "4:cpu,memory:/jobs/mine" if version == 1 else "0::/jobs/mine"
    assert control_group_room(own(tmp_path, "9:name=systemd:/", line), tmp_path) == 2400


def test_limits_of_groups_above_bind_too(tmp_path: Path) -> None:
    group(tmp_path / "jobs" / "mine", limit=3000, used=1000, cache=0, version=2)
    group(tmp_path / "jobs", limit=3500, used=3000, cache=0, version=2)
    group(tmp_path / "others", limit=9, used=9, cache=0, version=2)
    assert control_group_room(own(tmp_path, "0::/jobs/mine"), tmp_path) == 500
    group(tmp_path, limit=100, used=300, cache=0, version=2)
    assert control_group_room(own(tmp_path, "0::/jobs/mine"), tmp_path) == 0


def test_container_that_does_not_see_its_own_path_reads_the_top(tmp_path: Path) -> None:
    group(tmp_path / "memory", limit=3000, used=1000, cache=0, version=1)
    assert control_group_room(own(tmp_path, "4:memory:/docker/abc"), tmp_path) == 2000


def test_version_one_beside_an_empty_version_two_is_read(tmp_path: Path) -> None:
    group(tmp_path / "memory" / "a", limit=2**63 - 4096, used=1000, cache=0, version=1)
    group(tmp_path / "memory", limit=5000, used=1000, cache=0, version=1)
    assert control_group_room(own(tmp_path, "4:memory:/a", "0::/"), tmp_path) == 4000


def test_no_limit_no_groups_and_damaged_accounts_are_none(tmp_path: Path) -> None:
    assert control_group_room(tmp_path / "absent", tmp_path) is None
    assert control_group_room(own(tmp_path, "0::/", "3:cpuset:/"), tmp_path) is None
    group(tmp_path, limit="max", used=1000, cache=0, version=2)
    assert control_group_room(own(tmp_path, "0::/"), tmp_path) is None
    group(tmp_path, limit=5000, used=1000, cache=0, version=2)
    (tmp_path / "memory.stat").unlink()
    assert control_group_room(own(tmp_path, "0::/"), tmp_path) is None


def test_free_memory_is_what_the_system_says() -> None:
    free = free_memory(torch.device("cpu"))
    assert free is None or 2**20 < free < 2**50
    assert free_memory(torch.device("meta")) is None


def test_what_pytorch_would_give_back_of_a_gpu_is_free(fake_gpu: FakeGPU) -> None:
    fake_gpu.free = 1000
    assert free_memory(torch.device("cuda:0")) == 1000
    fake_gpu.cache = {"reserved": 700, "allocated": 400, "inactive_split": 50}
    assert free_memory(torch.device("cuda:0")) == 1000 + 700 - 400 - 50
