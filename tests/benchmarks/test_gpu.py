"""The benchmark for a GPU runs anywhere when it is tiny, and loses nothing that it has measured."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import gpu
from tests.datasets.trees import cifar10_planes, write_cifar10
from tests.fake_gpu import FakeGPU


def run(out: Path, *words: str) -> tuple[int, dict[str, Any]]:
    status = gpu.main(["--tiny", "--out", str(out), *words])
    return status, json.loads(out.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_all_parts_run_on_the_cpu(tmp_path: Path) -> None:
    status, result = run(tmp_path / "gpu.json", "--device", "cpu")
    assert (status, result["failed"], result["skipped"]) == (0, [], [])
    assert list(result["parts"]) == list(gpu.PARTS)
    assert result["images"] == "made, not photographs"
    loops = result["parts"]["loops"]
    assert loops["fit"].keys() == gpu.WAYS.keys()
    fastest = min(each["seconds an epoch"] for each in loops["fit"].values())
    slow = loops["seconds an epoch"]["DataLoader"]
    assert loops["DataLoader / fastest fit"] == pytest.approx(slow / fastest)
    assert result["parts"]["rates"]["bfloat16 TFLOP/s"] > 0
    assert result["parts"]["kernel"]["residual"] < 1e-3


@pytest.mark.slow
def test_all_parts_run_on_a_gpu(tmp_path: Path, fake_gpu: FakeGPU) -> None:
    status, result = run(tmp_path / "gpu.json", "--device", "cuda")
    assert (status, result["failed"], result["skipped"]) == (0, [], [])
    ways = result["parts"]["loops"]["fit"]
    reasons = {name: found["not captured"] for name, found in ways.items()}
    assert reasons.pop("eager float32") == "execution.cuda_graphs is False"
    assert set(reasons.values()) == {""}
    assert None not in [part["bytes at the peak"] for part in result["parts"].values()]


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let there be other parts, each with the seconds that it needs."""

    def use(**others: tuple[float, Callable[[gpu.Bench], dict[str, Any]]]) -> None:
        monkeypatch.setattr(gpu, "PARTS", others)

    return use


def test_what_is_measured_is_written_after_each_part_and_a_failure_stops_nothing(
    tmp_path: Path, parts: Callable[..., None]
) -> None:
    out = tmp_path / "gpu.json"

    def fails(bench: gpu.Bench) -> dict[str, Any]:
        assert json.loads(out.read_text())["parts"]["first"]["number"] == 1
        raise torch.OutOfMemoryError("CUDA out of memory.")

    parts(first=(1, lambda bench: {"number": 1}), second=(1, fails), third=(1, lambda bench: {}))
    status, result = run(out, "--device", "cpu")
    assert (status, result["failed"]) == (1, ["second"])
    assert result["parts"]["second"]["error"] == "OutOfMemoryError: CUDA out of memory."
    assert "third" in result["parts"]
    assert [path.name for path in tmp_path.iterdir()] == ["gpu.json"]


def test_a_part_for_which_there_is_no_time_is_named(
    tmp_path: Path, parts: Callable[..., None]
) -> None:
    parts(long=(100, lambda bench: {}), short=(5, lambda bench: {"number": 1}))
    bench = gpu.Bench("cpu", tiny=False, data=None, budget=50)
    result = gpu.run(bench, tmp_path / "gpu.json")
    assert result["skipped"] == ["long"]
    assert result["parts"]["long"]["skipped"].startswith("it takes about 100 s, and ")
    assert result["parts"]["short"]["number"] == 1


def test_the_parts_fit_into_eight_minutes() -> None:
    assert sum(seconds for seconds, _ in gpu.PARTS.values()) < 450


def test_ctrl_c_ends_it(tmp_path: Path, parts: Callable[..., None]) -> None:
    def interrupted(bench: gpu.Bench) -> dict[str, Any]:
        raise KeyboardInterrupt

    parts(first=(1, lambda bench: {}), second=(1, interrupted), third=(1, lambda bench: {}))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "gpu.json", "--device", "cpu")
    assert list(json.loads((tmp_path / "gpu.json").read_text())["parts"]) == ["first"]


@pytest.mark.slow
def test_cifar10_is_used_if_its_folder_is_named(tmp_path: Path) -> None:
    folder = write_cifar10(tmp_path / "cifar10")
    bench = gpu.Bench("cpu", tiny=True, data=str(folder), budget=1)
    pixels, labels = bench.images.tensors
    assert pixels.shape == (40, 3, 32, 32)
    assert bytes(pixels[1].flatten().tolist()) == cifar10_planes(0, 1)
    assert labels[1] == 2


def test_real_sizes_need_a_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        gpu.main(["--device", "cpu"])
    assert "there is no GPU; --tiny runs the same code anywhere" in capsys.readouterr().err
