"""Passes over all examples on a GPU: large batches, few waits, and room for both."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from corruptlab import Recipe, fit
from corruptlab.training import stopping
from tests.fake_gpu import FakeGPU

from .cases import points
from .clock import Clock

RECIPE = Recipe(learning_rate=0.1, epochs=1, batch_size=4)


class Measured(nn.Module):
    """A network that notes the sizes of batches in evaluation mode, and has room for some only."""

    def __init__(self, room: int = 10**9) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.sizes, self.room = nn.Linear(6, 3), list[int](), room

    def forward(self, x: Tensor) -> Tensor:
        if not self.training and len(x) > 2:  # two are tried before the fit
            self.sizes.append(len(x))
            if len(x) > self.room:
                raise torch.OutOfMemoryError("CUDA out of memory.")
        out: Tensor = self.body(x)
        return out


def run(model: Measured, n: int = 150, device: str = "cuda", **changes: Any) -> Any:
    data = changes.pop("data", None) or points(n)
    how: Any = {"recipe": RECIPE, "stop": (), "measure": "loss", "device": device, **changes}
    return fit(model, data, **how)


@pytest.mark.slow(seconds=1)
def test_batches_are_larger_than_on_the_cpu(fake_gpu: FakeGPU) -> None:
    there, here = Measured(), Measured()
    same = run(there, 150), run(here, 150, device="cpu")
    assert max(there.sizes) == 32 * 4
    assert max(here.sizes) == 8 * 4
    assert same[0].train_accuracy == same[1].train_accuracy
    assert same[0].train_loss == pytest.approx(same[1].train_loss, rel=1e-6)
    huge = Measured()
    run(huge, 5000, recipe=replace(RECIPE, batch_size=2500))
    assert max(huge.sizes) == 4096


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("room", [100, 32, 4])
def test_batches_shrink_to_the_memory_and_stay_so(room: int, fake_gpu: FakeGPU) -> None:
    model, roomy = Measured(room), Measured()
    found, wanted = run(model), run(roomy)
    assert found.train_accuracy == wanted.train_accuracy
    assert found.train_loss == pytest.approx(wanted.train_loss, rel=1e-6)
    largest = max(size for size in model.sizes if size <= room)
    assert room / 2 < largest <= room
    tried = [size for size in model.sizes if size > room]
    assert len(tried) == len(set(tried)) == (128 // largest).bit_length() - 1  # once each


def test_a_memory_too_small_for_a_batch_is_an_error(fake_gpu: FakeGPU) -> None:
    with pytest.raises(MemoryError, match="full with batches of 4"):
        run(Measured(3))


LARGE = replace(RECIPE, batch_size=4096)  # measured in as many


@pytest.mark.slow(seconds=1)
def test_waits_do_not_grow_with_the_number_of_batches(fake_gpu: FakeGPU, clock: Clock) -> None:
    def waits(batches: int) -> int:
        before = fake_gpu.waits.total()
        run(Measured(), 4096 * batches, recipe=LARGE, measure="all")
        return fake_gpu.waits.total() - before

    waits(1)  # what is done once in a process
    assert waits(1) == waits(9)  # the search for errors sees one in its first batch


@pytest.mark.slow
def test_a_search_for_errors_reads_after_twice_as_many_batches_each_time(
    fake_gpu: FakeGPU, clock: Clock
) -> None:
    class Right(Measured):
        def forward(self, x: Tensor) -> Tensor:
            scores = super().forward(x) * 0
            return scores + (x[:, :1] == torch.arange(3, device=x.device))

    inputs = torch.zeros(16 * 4096, 6)
    inputs[:, 0] = torch.arange(len(inputs)) % 3

    def waits(n: int, wrong_at: int | None) -> tuple[int, int]:
        labels = inputs[:n, 0].long()
        if wrong_at is not None:
            labels[wrong_at] = (labels[wrong_at] + 1) % 3
        before, model = fake_gpu.waits.total(), Right()
        report = run(
            model,
            data=TensorDataset(inputs[:n], labels),
            stop=stopping.interpolated(),
            recipe=LARGE,
        )
        assert (report.train_accuracy == 1) is (wrong_at is None)
        return fake_gpu.waits.total() - before, len(model.sizes)

    waits(4096, None)
    few, many = waits(2 * 4096, None)[0], waits(16 * 4096, None)[0]
    assert many == few + 3  # after 4, 8, and 16 batches
    _, batches = waits(
        16 * 4096, 2 * 4096 + 5
    )  # in the third batch, which is seen after the fourth
    assert batches == 4 + 16  # and the last pass is over all
