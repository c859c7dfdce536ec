"""What random label heads cost: an epoch with them, against the same epoch without."""

import time
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import TensorDataset

import corruptlab as cl
from benchmarks._comparing import Compare, Seconds
from benchmarks.conftest import Scale

BATCH = 128


def test_heads_on_mlp_3x512(compare: Compare, scale: Scale, device: torch.device) -> None:
    """A head on each of the three hidden layers, on the shape of CIFAR-10."""
    model = cl.mlp(512, 512, 512, input_shape=(3, 28, 28)).to(device)
    layers = [name for name, layer in model.named_modules() if isinstance(layer, nn.ReLU)]
    against(compare, "MLP 3x512", model, layers, scale(2_560, 50_000), device, rounds=scale(5, 9))


@pytest.mark.parametrize("pooled", [False, True], ids=["whole", "pooled"])
def test_heads_on_small_inception(
    compare: Compare, scale: Scale, device: torch.device, pooled: bool
) -> None:
    """After the first convolution, both downsamplings, and the pooling; maps or their means."""
    model = cl.small_inception().to(device)
    layers = ["0", "3", "8", "11"]
    against(
        compare,
        f"small Inception, {'means of maps' if pooled else 'whole maps'}",
        model,
        layers,
        scale(128, 50_000),
        device,
        rounds=3,
        features=(lambda maps: maps.mean((2, 3))) if pooled else None,
    )


def against(
    compare: Compare,
    name: str,
    model: nn.Module,
    layers: Sequence[str],
    n: int,
    device: torch.device,
    *,
    rounds: int,
    features: Callable[[Tensor], Tensor] | None = None,
) -> None:
    """Time an epoch in the loop that people write; on a processor by the time of this process."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 3, 28, 28, generator=generator).to(device)
    y = torch.randint(10, (n,), generator=generator).to(device)
    data = TensorDataset(x, y)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    clock = time.process_time if device.type == "cpu" else time.perf_counter

    def epoch(heads: cl.RandomLabelHeads | None) -> Seconds:
        started = clock()
        order = torch.randperm(n, generator=generator)
        for ids in torch.tensor_split(order, list(range(BATCH, n, BATCH))):
            at = ids.to(device)
            loss = cross_entropy(model(x[at]), y[at])
            if heads is not None:
                loss = loss + heads.loss(ids)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return Seconds(clock() - started)

    def watched() -> Seconds:
        with cl.RandomLabelHeads(model, data, layers=layers, features=features) as heads:
            return epoch(heads)

    found = compare(
        f"an epoch with {len(layers)} random label heads, {name}, {n:,} images, batch {BATCH}",
        watched,
        lambda: epoch(None),
        than="the same epoch without heads",
        part=True,
        rounds=rounds,
    )
    if device.type == "cpu":
        found.note("time of the processor, not of the clock")
