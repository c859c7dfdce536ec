"""Options: what they mean, and one clear error before anything runs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks import _options
from benchmarks._options import Options


def read(folder: Path, **typed: Any) -> Options:
    """Read options as pytest hands them over: None for what was not typed."""

    def getoption(name: str, default: Any = None) -> Any:
        return typed.get(name.removeprefix("--"), default)

    config: Any = SimpleNamespace(getoption=getoption, rootpath=folder)
    return _options.read(config)


def test_quick_on_the_processor_is_the_default(tmp_path: Path) -> None:
    options = read(tmp_path)
    assert (options.size, options.seeds, options.device) == ("quick", 3, torch.device("cpu"))
    assert options.summary == tmp_path / "out" / "benchmarks"
    assert options.threads >= 1


def test_full_has_real_sizes_and_more_seeds(tmp_path: Path) -> None:
    options = read(tmp_path, full=True)
    assert (options.size, options.seeds) == ("full", 5)


def test_what_is_typed_wins(tmp_path: Path) -> None:
    options = read(tmp_path, full=True, seeds=2, threads=1, summary="there")
    assert (options.seeds, options.threads, options.summary) == (2, 1, tmp_path / "there")


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"seeds": 1}, r"^`--seeds` must be at least 2, got 1\.$"),
        ({"threads": 0}, r"^`--threads` must be at least 1, got 0\.$"),
        ({"device": "tpu"}, r"^`--device` must be cpu or cuda, got 'tpu'\.$"),
        ({"device": "cuda:x"}, r"^`--device` must be cpu or cuda, got 'cuda:x'\.$"),
        ({"device": "cuda:97"}, r"^`--device` must be there, got 'cuda:97' of \d+ GPUs\.$"),
        ({"numprocesses": 2}, r"^`-n` must be 0 for benchmarks, because .* is slowed, got 2\.$"),
        ({"summary": "file/in"}, r"^`--summary` must be a folder to write to, got '.*file/in'\.$"),
    ],
)
def test_impossible_option_is_refused(tmp_path: Path, typed: dict[str, Any], says: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(pytest.UsageError, match=says):
        read(tmp_path, **typed)


def test_summary_may_be_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert read(tmp_path, summary="~/there").summary == tmp_path / "home" / "there"


def test_what_was_not_typed_is_handed_over_as_none(tmp_path: Path) -> None:
    untyped = dict.fromkeys(["full", "device", "threads", "seeds", "summary"])
    assert read(tmp_path, **untyped) == read(tmp_path)


def test_the_first_gpu_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert read(tmp_path, device="cuda:1").device == torch.device("cuda:1")
    with pytest.raises(pytest.UsageError, match=r"must be there, got 'cuda:2' of 2 GPUs\.$"):
        read(tmp_path, device="cuda:2")


def test_command_repeats_the_file_and_names_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setenv("CIFAR10", "/home/somebody/cifar")
    monkeypatch.delenv("MNIST", raising=False)
    options = read(tmp_path, full=True, seeds=4, summary="elsewhere")
    made = options.made(tmp_path / "benchmarks" / "test_x.py", tmp_path)
    assert made.command == (
        "OMP_WAIT_POLICY=PASSIVE CIFAR10=FOLDER pytest benchmarks/test_x.py --full --seeds 4"
    )
    assert made.size == "full"
    assert made.environment.device == "cpu"
    assert made.machine.endswith((" core", " cores"))
