"""`fit` against the loop that people write, and against what the machine can do at all."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset, TensorDataset

import corruptlab as cl
from benchmarks.conftest import Comparison, tell
from tests.training.programs.vision import torchvision

N, INPUTS, WIDTH, CLASSES = 50_000, 3 * 28 * 28, 512, 10
EPOCHS = 2
WHOLE_RUN = cl.Execution(channels_last=False, compile=False)


def test_mlp_against_a_data_loader(compare: Comparison) -> None:
    """MLP 1x512 on the shape of CIFAR-10, batch 128, float32, training accuracy after each epoch.

    The other loop is the one of countless scripts: images through PIL, ``ToTensor`` and
    ``Normalize`` in one worker process of a ``DataLoader``, and a second loader that evaluates.
    """
    recipe = replace(cl.recipes.cifar10("mlp-1x512"), epochs=EPOCHS, batch_size=128)
    data = random_images()
    compare(
        f"{EPOCHS} epochs of fit with reading the data, MLP 1x512, batch 128, and accuracy",
        lambda: cl.fit(cl.mlp(WIDTH), data, recipe=recipe, measure="all", execution=WHOLE_RUN),
        lambda: loader_loop(cl.mlp(WIDTH), data, recipe),
        than="a DataLoader loop with PIL, ToTensor, Normalize and one worker",
        rounds=2,
    )


@pytest.mark.parametrize("batch", [64, 128])
def test_mlp_against_its_bound(compare: Comparison, batch: int) -> None:
    """The same network and recipe against the least that the machine needs for it.

    The bound adds the time of the matrix operations (forward and backward, none for the gradient
    to the inputs) at the rate of large products, and the time of the optimizer's bytes (weight,
    gradient and momentum read, weight and momentum written) at the rate of a copy.
    """
    recipe = replace(cl.recipes.cifar10("mlp-1x512"), epochs=EPOCHS, batch_size=batch)
    data = random_images()
    reports: list[cl.FitReport] = []
    products = matrix_products(batch)
    steps = EPOCHS * -(-N // batch)
    compare(
        f"{EPOCHS} epochs of fit with reading the data, MLP 1x512, batch {batch}",
        lambda: reports.append(
            cl.fit(cl.mlp(WIDTH), data, recipe=recipe, measure="loss", execution=WHOLE_RUN)
        ),
        lambda: [products() for _ in range(steps)],
        than="their matrix products alone",
        rounds=5,
    )
    fit = min(report.seconds_per_epoch for report in reports)
    parameters = reports[0].num_parameters
    flops = 2 * N * (2 * INPUTS * WIDTH + 3 * WIDTH * CLASSES)
    update = 5 * 4 * parameters * steps / EPOCHS  # bytes
    rate, copy = matrix_rate(), copy_rate()
    bound = flops / rate + update / copy
    tell(f"  {fit:.2f} s an epoch of training alone: {fit / bound:.2f} times the bound")
    tell(
        f"  bound {bound:.2f} s: {flops / rate:.2f} s of products at {rate / 1e9:.0f} GFLOP/s "
        f"and {update / copy:.2f} s of updates at {copy / 1e9:.1f} GB/s"
    )
    shapes = least_seconds(lambda: [products() for _ in range(steps)]) / EPOCHS
    tell(f"  {shapes:.2f} s for its matrix products at the shapes of a batch")


def test_bfloat16_against_float32(compare: Comparison) -> None:
    """MLP 1x512, batch 128, where the processor has instructions for bfloat16."""
    from corruptlab.training._choice import fast_bfloat16

    if not fast_bfloat16(torch.device("cpu")):
        pytest.skip("this processor has no instructions for bfloat16")
    recipe = replace(cl.recipes.cifar10("mlp-1x512"), epochs=1, batch_size=128)
    data = random_images()
    compare(
        "one epoch of fit in bfloat16, MLP 1x512, batch 128",
        lambda: cl.fit(
            cl.mlp(WIDTH), data, recipe=replace(recipe, precision="bfloat16"), measure="loss"
        ),
        lambda: cl.fit(cl.mlp(WIDTH), data, recipe=recipe, measure="loss"),
        than="in float32",
        rounds=3,
    )


def test_small_inception_on_a_gpu(compare: Comparison) -> None:
    """Small Inception, batch 128, 50,000 images, against an eager float32 loop with a loader."""
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    recipe = replace(cl.recipes.cifar10("small-inception"), epochs=3, precision="auto")
    data = random_images()
    first = cl.fit(cl.small_inception(), data, recipe=replace(recipe, epochs=30), device="cuda")
    tell(f"  {first!r}, {first.execution}, {first.seconds_per_step}")
    compare(
        "3 epochs of fit, small Inception, batch 128",
        lambda: cl.fit(
            cl.small_inception(),
            data,
            recipe=recipe,
            measure="loss",
            device="cuda",
            execution=first.execution,
        ),
        lambda: loader_loop(cl.small_inception().cuda(), data, recipe),
        than="an eager float32 DataLoader loop",
        rounds=3,
    )


def random_images() -> TensorDataset:
    """Return as many random bytes as CIFAR-10 has."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (N, 3, 32, 32), generator=generator).to(torch.uint8)
    return TensorDataset(images, torch.randint(CLASSES, (N,), generator=generator))


class AsPeopleServeThem(Dataset[tuple[Tensor, int]]):
    """As torchvision's CIFAR10: bytes to PIL, then its transforms, one image at a time."""

    def __init__(self, data: TensorDataset) -> None:
        transforms = torchvision("transforms")
        images, targets = data.tensors
        self.images: Any = images.permute(0, 2, 3, 1).contiguous().numpy()
        self.targets: list[int] = targets.tolist()
        self.transform: Any = transforms.Compose(
            [
                transforms.CenterCrop(28),
                transforms.ToTensor(),
                transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
            ]
        )

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.images[index])), self.targets[index]


def loader_loop(model: nn.Module, data: TensorDataset, recipe: cl.Recipe) -> float:
    """Train as most scripts do, and return the last training accuracy."""
    device = next(model.parameters()).device
    served = AsPeopleServeThem(data)
    train = DataLoader(served, recipe.batch_size, shuffle=True, num_workers=1)
    evaluated = DataLoader(served, 256, num_workers=1)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum
    )
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, recipe.decay)
    right = 0
    for _ in range(recipe.epochs):
        model.train()
        for inputs, targets in train:
            loss = cross_entropy(model(inputs.to(device)), targets.to(device))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
            optimizer.step()
        schedule.step()
        model.eval()
        right = 0
        with torch.no_grad():
            for inputs, targets in evaluated:
                outputs = model(inputs.to(device))
                right += int((outputs.argmax(1) == targets.to(device)).sum())
    return right / len(served)


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


def matrix_rate() -> float:
    """Return the operations a second of a large float32 product."""
    a = torch.randn(4096, 4096)
    return 2 * 4096**3 / least_seconds(lambda: torch.mm(a, a))


def copy_rate() -> float:
    """Return the bytes a second, read and written, of a copy too large for any cache."""
    source = torch.randn(50_000_000)
    to = torch.empty_like(source)
    return 2 * source.nbytes / least_seconds(lambda: to.copy_(source))


def least_seconds(work: Callable[[], object], rounds: int = 5) -> float:
    """Return the time of the fastest of some rounds: what the machine can do."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
