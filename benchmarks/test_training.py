"""An epoch of `fit` against the matrix products that it cannot do without."""

import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

import corruptlab as cl
from benchmarks.conftest import Comparison, tell

N, INPUTS, WIDTH, CLASSES = 50_000, 3 * 28 * 28, 512, 10
EPOCHS = 2


def test_mlp_epoch(compare: Comparison) -> None:
    """MLP 1x512 on the shape of CIFAR-10, with the paper's recipe, float32.

    The bound does the products of forward and backward pass at the shapes of a batch, none for
    the gradient to the inputs, into memory that is there: no data, no loss, no optimizer.
    """
    recipe = replace(cl.recipes.cifar10("mlp-1x512"), epochs=EPOCHS)
    data = random_images()
    reports: list[cl.FitReport] = []
    products = matrix_products(recipe.batch_size)
    steps = EPOCHS * -(-N // recipe.batch_size)
    compare(
        f"{EPOCHS} epochs of fit with reading the data, MLP 1x512, batch {recipe.batch_size}",
        lambda: reports.append(cl.fit(cl.mlp(WIDTH), data, recipe=recipe)),
        lambda: [products() for _ in range(steps)],
        than="their matrix products alone",
        rounds=3,
    )
    fit = min(report.seconds_per_epoch for report in reports)
    bound = least_seconds(lambda: [products() for _ in range(steps)]) / EPOCHS
    a = torch.randn(4096, 4096)
    rate = 2 * 4096**3 / least_seconds(lambda: torch.mm(a, a))
    flops = 2 * N * (2 * INPUTS * WIDTH + 3 * WIDTH * CLASSES)
    tell(f"  {fit:.2f} s an epoch of training alone, {flops / fit / 1e9:.0f} GFLOP/s")
    tell(f"  {bound:.2f} s its matrix products at the shapes of a batch")
    tell(f"  {flops / rate:.2f} s at the rate of 4096x4096 products, {rate / 1e9:.0f} GFLOP/s")


def random_images() -> TensorDataset:
    """Return as many random bytes as CIFAR-10 has."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (N, 3, 32, 32), generator=generator).to(torch.uint8)
    return TensorDataset(images, torch.randint(CLASSES, (N,), generator=generator))


def matrix_products(batch: int) -> Callable[[], Tensor]:
    """Return what does the products of one step, each into memory of its own, as a step has to."""
    x, hidden, logits = (torch.randn(batch, d) for d in (INPUTS, WIDTH, CLASSES))
    first, last = torch.randn(WIDTH, INPUTS), torch.randn(CLASSES, WIDTH)
    to_hidden, to_logits = torch.empty_like(hidden), torch.empty_like(logits)
    to_first, to_last = torch.empty_like(first), torch.empty_like(last)

    def products() -> Tensor:
        torch.mm(x, first.T, out=to_hidden)  # forward
        torch.mm(hidden, last.T, out=to_logits)
        torch.mm(logits.T, hidden, out=to_last)  # backward
        torch.mm(logits, last, out=to_hidden)
        return torch.mm(hidden.T, x, out=to_first)

    return products


def least_seconds(work: Callable[[], object], rounds: int = 5) -> float:
    """Return the time of the fastest of some rounds: what the machine can do."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
