"""What training decides by the GPU at hand: seeds, types, processes, and what is timed."""

import time
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, nn

import corruptlab as cl
from corruptlab import fit, fit_replicas
from corruptlab._modules import copied
from corruptlab.training import _replica_plan, _replicas
from corruptlab.training._distributed import Processes
from corruptlab.training._stepper import fast_bfloat16
from tests.fake_gpu import FakeGPU

from .cases import RECIPE, points

TWO = [(9, 0), (7, 0)]  # the second has no instructions for bfloat16


class SeenSeeds(nn.Module):
    """A network that notes the seeds of all GPUs in every training step."""

    def __init__(self, gpu: FakeGPU) -> None:
        super().__init__()
        self.layer, self.seen = nn.Linear(6, 3), list[list[int]]()
        self.gpu = [gpu]

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.seen.append([each.initial_seed() for each in self.gpu[0].generators])
        out: Tensor = self.layer(x)
        return out


@pytest.mark.parametrize(("device", "own"), [("cuda", 1), ("cuda:1", 1), ("cuda:0", 0)])
def test_layers_draw_from_the_seed_on_the_gpu_of_the_fit(device: str, own: int) -> None:
    with FakeGPU(TWO, current=1) as gpu:
        before = [each.initial_seed() for each in gpu.generators]
        network = SeenSeeds(gpu)
        fit(network, points(), recipe=replace(RECIPE, epochs=1), device=device)
        seeds = [step[own] for step in network.seen]
        assert len(set(seeds)) > 1
        assert {step[1 - own] for step in network.seen} == {before[1 - own]}


@pytest.mark.parametrize("current", [0, 1])
def test_bfloat16_is_asked_of_the_gpu_of_the_fit(current: int) -> None:
    with FakeGPU(TWO, current=current) as gpu:
        found = [fast_bfloat16(torch.device("cuda", number)) for number in (0, 1)]
        assert (found, gpu.current) == ([True, False], current)


def test_every_process_works_and_speaks_through_its_own_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    joined: list[tuple[str, Any]] = []

    def join(backend: str, *, device_id: Any) -> None:
        joined.append((backend, device_id))

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(distributed, "init_process_group", join)
    monkeypatch.setattr(distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    with FakeGPU(TWO) as gpu:
        found = Processes.here(torch.device("cuda:1"))
        assert (gpu.current, joined) == (1, [("nccl", torch.device("cuda:1"))])
        assert (found.rank, found.size) == (1, 2)
        gpu.current = 0
        monkeypatch.setattr(distributed, "is_initialized", lambda: True)
        Processes.here(torch.device("cuda:1"))
        assert (gpu.current, len(joined)) == (1, 1)
    monkeypatch.setattr(distributed, "is_initialized", lambda: False)
    Processes.here(torch.device("cpu"))
    assert joined[1:] == [("gloo", None)]


def test_a_process_alone_leaves_the_current_gpu_as_it_is() -> None:
    with FakeGPU(TWO) as gpu:
        assert Processes.here(torch.device("cuda:1")).size == 1
        assert gpu.current == 0


def test_loop_over_replicas_is_timed_as_fit_does_it(
    monkeypatch: pytest.MonkeyPatch, fake_gpu: FakeGPU
) -> None:
    fused: list[Any] = []

    class Noted(torch.optim.SGD):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            fused.append(options["fused"])
            super().__init__(*arguments, **options)

    monkeypatch.setattr(torch.optim, "SGD", Noted)
    x, y = points().tensors
    monkeypatch.setattr(_replica_plan, "_WORTH_MEASURING_PERCEPTRONS", 1)
    recipe = cl.Recipe(learning_rate=0.01, epochs=1, batch_size=20, whiten=False, decay=1.0)
    stop = cl.stopping.interpolated()
    report = fit_replicas(cl.mlp(4, input_shape=(6,), num_classes=3), x, y[None].repeat(2, 1),
                          recipe=recipe, stop=stop, device="cuda")  # fmt: skip
    assert "loop" in report.seconds_per_step
    assert fused[0] is True


def test_networks_that_are_on_the_current_gpu_are_not_copied_there(
    monkeypatch: pytest.MonkeyPatch, fake_gpu: FakeGPU
) -> None:
    copies = []

    def noted(network: nn.Module) -> nn.Module:
        copies.append(network)
        return copied(network)

    monkeypatch.setattr(_replicas, "copied", noted)
    x, y = points().tensors
    networks = [cl.mlp(4, input_shape=(6,), num_classes=3, seed=seed).cuda() for seed in range(3)]
    recipe = replace(RECIPE, epochs=1)
    fit_replicas(networks, x, y[None].repeat(3, 1), recipe=recipe, strategy="wide", device="cuda")
    assert copies == networks[:1]  # the one that the report builds its models from


def test_data_go_where_the_memory_of_the_gpu_lets_them(fake_gpu: FakeGPU) -> None:
    run = partial(fit, train=points(), recipe=replace(RECIPE, epochs=1), device="cuda")
    network = partial(cl.mlp, 4, input_shape=(6,), num_classes=3)
    fake_gpu.free = 1000
    with pytest.warns(UserWarning, match=r"memory on cuda:0, where 0\.0 GiB are free: it is read "):
        report = run(network())
    assert report.execution.data == "stream"
    fake_gpu.cache["reserved"] = 1 << 20  # left over from an earlier fit
    other = run(network())
    assert other.execution.data == "device"
    assert other.losses == pytest.approx(report.losses)


@pytest.mark.parametrize("strategy", ["wide", "vmap"])
def test_measuring_replicas_waits_once_for_all_batches(
    strategy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)
    recipe = cl.Recipe(learning_rate=0.01, epochs=1, batch_size=400, whiten=False, decay=1.0)
    waits = []
    for n in (400, 1200):  # in batches of 256
        x, y = points(n).tensors
        run = partial(fit_replicas, recipe=recipe, stop=(), strategy=strategy, device="cuda")
        with FakeGPU() as gpu:
            run(cl.mlp(4, input_shape=(6,), num_classes=3), x, y[None].repeat(2, 1))
        waits.append(gpu.waits)
    assert waits[0] == waits[1]
