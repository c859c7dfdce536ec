"""The GPU that tests pretend to have does what a GPU does where that matters."""

import copy
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tests.fake_gpu import FakeGPU, MixedDevicesError, place_of


def test_tensors_say_where_they_are(fake_gpu: FakeGPU) -> None:
    there = torch.ones(3, device="cuda")
    assert (there.device, there.is_cuda, place_of(there)) == (torch.device("cuda:0"), True, 0)
    for made in (there + 1, there[1:], there.new_zeros(2), torch.arange(3, device=there.device)):
        assert made.device == there.device
    assert torch.ones(3).device == there.cpu().device == torch.device("cpu")
    assert torch.zeros_like(there, device="cpu").device == torch.device("cpu")
    with pytest.raises(TypeError, match="cuda:0"):
        there.numpy()


def test_a_copy_has_memory_of_its_own(fake_gpu: FakeGPU) -> None:
    here = torch.ones(3)
    there = here.to("cuda")
    assert there.to("cuda") is there
    there += 1
    assert (here.tolist(), there.cpu().tolist()) == ([1, 1, 1], [2, 2, 2])


def test_devices_do_not_meet_but_for_single_numbers(fake_gpu: FakeGPU) -> None:
    there = torch.ones(3, device="cuda")
    with pytest.raises(MixedDevicesError, match="cuda:0 and cpu"):
        there + torch.ones(3)
    assert (there * torch.tensor(2.0)).cpu().tolist() == [2, 2, 2]


def test_several_gpus_are_apart_and_one_is_current() -> None:
    with FakeGPU([(9, 0), (7, 0)], current=1) as gpu:
        assert torch.ones(1, device="cuda").device == torch.device("cuda:1")
        with torch.cuda.device("cuda:0"):
            assert torch.cuda.is_bf16_supported()
        assert (torch.cuda.current_device(), gpu.current) == (1, 1)
        assert not torch.cuda.is_bf16_supported()
        with pytest.raises(MixedDevicesError, match="cuda:0 and cuda:1"):
            torch.ones(2, device="cuda:0") + torch.ones(2, device="cuda:1")
        with pytest.raises(RuntimeError, match="invalid device ordinal"):
            torch.ones(1, device="cuda:2")
    assert torch.ones(1).device == torch.device("cpu")


@pytest.mark.parametrize(
    "act",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.any()),
        lambda x: x.tolist(),
        lambda x: x.cpu(),
        lambda x: x.nonzero(),
        lambda x: x[x > 0],
        lambda x: x[torch.tensor([0])],
        lambda x: torch.tensor([1.0], device="cuda"),
        lambda x: torch.ones(1).to("cuda"),
        lambda x: torch.ones(1).to("cuda", non_blocking=True),  # pageable: it waits all the same
        lambda x: x.copy_(torch.ones(3)),
        lambda x: torch.cuda.synchronize(),
    ],
)  # fmt: skip
def test_every_wait_is_counted(fake_gpu: FakeGPU, act: Any) -> None:
    there = torch.ones(3, device="cuda")
    assert fake_gpu.waits.total() == 0
    act(there)
    assert fake_gpu.waits.total() == 1


def test_work_and_pinned_copies_are_no_waits(fake_gpu: FakeGPU) -> None:
    there = torch.ones(3, device="cuda")
    there += torch.ones(3).pin_memory().to("cuda", non_blocking=True)
    torch.index_select(there, 0, torch.arange(2, device="cuda")).sum().sqrt_()
    copy.deepcopy(there)
    assert fake_gpu.waits.total() == 0
    assert fake_gpu.launches > 3


def step(network: nn.Module, optimizer: Any, inputs: Tensor, labels: Tensor) -> Tensor:
    optimizer.zero_grad(set_to_none=True)
    loss = cross_entropy(network(inputs), labels)
    loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
    optimizer.step()
    return loss.detach()


SGD = partial(torch.optim.SGD, momentum=0.9)  # whose update takes the rate from the device
ADAM = partial(torch.optim.Adam, capturable=True)


def problem(make: Any) -> tuple[nn.Sequential, torch.optim.Optimizer, list[Tensor], Tensor]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 3))
    network.to("cuda")
    optimizer = make(network.parameters(), lr=torch.tensor(0.1, device="cuda"))
    return network, optimizer, list(torch.randn(6, 5, 4).to("cuda")), torch.arange(5).cuda() % 3


@pytest.mark.parametrize(
    "make", [partial(SGD, fused=True), partial(ADAM, fused=True), partial(ADAM, foreach=True)]
)
def test_a_captured_step_is_the_eager_one(fake_gpu: FakeGPU, make: Any) -> None:
    network, optimizer, batches, labels = problem(make)
    torch.manual_seed(1)
    expected = []
    for number, batch in enumerate(batches):
        optimizer.param_groups[0]["lr"].fill_(0.1 / (1 + number))
        expected.append(step(network, optimizer, batch, labels).item())
    other, optimizer, batches, labels = problem(make)
    torch.manual_seed(1)
    found = [step(other, optimizer, batches[0], labels).item()]  # warms up
    static, graph = batches[0].clone(), torch.cuda.CUDAGraph()
    weights = copy.deepcopy(other.state_dict())
    with torch.cuda.graph(graph):
        loss = step(other, optimizer, static, labels)
    for name, value in weights.items():
        assert torch.equal(value, other.state_dict()[name]), name  # nothing was done yet
    assert loss.isnan()
    launches = fake_gpu.launches
    for number, batch in enumerate(batches[1:], start=1):
        optimizer.param_groups[0]["lr"].fill_(0.1 / (1 + number))
        static.copy_(batch)
        graph.replay()
        found.append(loss.item())
    assert found == expected
    assert fake_gpu.launches - launches == 5 * 4  # fill, copy, replay, and item
    for name, value in network.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_waits_are_errors_in_a_capture_and_numbers_stay_as_they_were(fake_gpu: FakeGPU) -> None:
    there, factor = torch.ones(2, device="cuda"), 2.0
    with (
        pytest.raises(RuntimeError, match="not permitted when stream is capturing"),
        torch.cuda.graph(torch.cuda.CUDAGraph()),
    ):
        there.sum().item()
    assert not torch.cuda.is_current_stream_capturing()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        assert torch.cuda.is_current_stream_capturing()
        there *= factor
    factor = 3.0
    graph.replay()
    assert there.tolist() == [2, 2]


def test_a_rate_that_the_host_has_to_know_cannot_be_captured(fake_gpu: FakeGPU) -> None:
    network, optimizer, batches, labels = problem(partial(SGD, foreach=True))
    step(network, optimizer, batches[0], labels)
    with (
        pytest.raises(RuntimeError, match="_local_scalar_dense"),
        torch.cuda.graph(torch.cuda.CUDAGraph()),
    ):
        step(network, optimizer, batches[0], labels)


def test_an_optimizer_that_counts_on_the_host_cannot_be_captured(fake_gpu: FakeGPU) -> None:
    weight = nn.Parameter(torch.ones(2, device="cuda"))
    optimizer = torch.optim.Adam([weight], capturable=False)
    weight.grad = torch.ones(2, device="cuda")
    with (
        pytest.raises(RuntimeError, match=r"capture of Adam\.step"),
        torch.cuda.graph(torch.cuda.CUDAGraph()),
    ):
        optimizer.step()


def test_what_is_drawn_on_the_device_leaves_the_generator_of_the_host_alone(
    fake_gpu: FakeGPU,
) -> None:
    before = torch.get_rng_state()
    torch.cuda.default_generators[0].manual_seed(3)
    drawn = torch.rand(4, device="cuda")
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(4, device="cuda"), drawn)
    assert torch.rand(4).tolist() == drawn.tolist()


def test_waits_are_warned_of_if_that_is_asked_for(fake_gpu: FakeGPU) -> None:
    there = torch.ones(3, device="cuda")
    torch.cuda.set_sync_debug_mode("warn")
    assert torch.cuda.get_sync_debug_mode() == 1
    with pytest.warns(UserWarning, match="called a synchronizing CUDA operation"):
        there.sum().item()
    torch.cuda.set_sync_debug_mode(0)
    there.sum().item()
