"""`fit` against the loop that people write, and against what the machine can do at all."""

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset, TensorDataset

import corruptlab as cl
from benchmarks._comparing import Compare, Seconds
from benchmarks._limits import Rates, products_of, training_flops, update_bytes
from benchmarks.conftest import Scale
from corruptlab.training._report import Measure
from corruptlab.training._stepper import fast_bfloat16

INPUTS, WIDTH, CLASSES = 3 * 28 * 28, 512, 10
AS_IT_IS = cl.Execution(channels_last=False, compile=False)  # nothing is tried out first


def test_mlp_against_a_data_loader(
    compare: Compare, rates: Rates, scale: Scale, device: torch.device, vision: ModuleType
) -> None:
    """MLP 1x512 on the shape of CIFAR-10, batch 128, float32, training accuracy after each epoch.

    The other loop is the one of countless scripts: images through PIL, ``ToTensor`` and
    ``Normalize`` in one worker process of a ``DataLoader``, and a second loader that evaluates.
    """
    epochs = scale(1, 2)
    recipe = replace(cl.recipes.cifar10("mlp-1x512"), epochs=epochs, batch_size=128)
    data = random_images(scale(5_000, 50_000))
    steps = epochs * -(-len(data) // recipe.batch_size)
    accuracy = {}

    def ours() -> None:
        report = fit(data, recipe, device, measure="all")
        accuracy["ours"] = report.train_accuracy

    def theirs() -> None:
        accuracy["theirs"] = loader_loop(cl.mlp(WIDTH).to(device), data, recipe, vision)

    compare(
        f"{counted(epochs)} of `fit`, with reading the data and training accuracy after each, MLP "
        f"1x512, {len(data):,} images, batch 128",
        ours,
        theirs,
        than="a loop over a `DataLoader` with PIL, `ToTensor`, `Normalize` and one worker, "
        "which evaluates likewise",
        rounds=scale(1, 2),
        warm_up=scale(False, True),
        limit=rates.limit(
            flops=epochs * (training_of(len(data)) + evaluation_of(len(data))),
            moved=steps * update_bytes(parameters()),
        ),
    )
    assert abs(accuracy["ours"] - accuracy["theirs"]) < 0.1


@pytest.mark.parametrize("batch", [64, 128])
def test_mlp_against_its_products(
    compare: Compare, rates: Rates, scale: Scale, device: torch.device, batch: int
) -> None:
    """Training alone, without reading the data, against the least that the machine needs for it.

    The limit adds the time of the matrix operations (forward and backward, none for the gradient
    to the inputs) at the rate of large products, and the time of the optimizer's bytes (weight,
    gradient and momentum read, weight and momentum written) at the rate of a copy.
    """
    recipe = replace(cl.recipes.cifar10("mlp-1x512"), epochs=scale(1, 2), batch_size=batch)
    data = random_images(scale(5_000, 50_000))
    steps = -(-len(data) // batch)
    products = matrix_products(batch, device)
    found = compare(
        f"an epoch of training alone in `fit`, MLP 1x512, {len(data):,} images, batch {batch}",
        lambda: Seconds(fit(data, recipe, device, measure="loss").seconds_per_epoch),
        lambda: [products() for _ in range(steps)],
        than="its matrix products alone, at the shapes of a batch",
        part=True,
        rounds=scale(3, 5),
        limit=rates.limit(flops=training_of(len(data)), moved=steps * update_bytes(parameters())),
    )
    found.note(f"fastest rounds {found.fastest[1]:.3g}, not {found.fastest[0]:.3g} s")


def test_bfloat16_against_float32(compare: Compare, scale: Scale, device: torch.device) -> None:
    """MLP 1x512, batch 128, where the device has instructions for bfloat16."""
    if not fast_bfloat16(device):
        pytest.skip("this device has no instructions for bfloat16")
    recipe = replace(cl.recipes.cifar10("mlp-1x512"), epochs=scale(1, 2), batch_size=128)
    half = replace(recipe, precision="bfloat16")
    data = random_images(scale(5_000, 50_000))
    compare(
        f"an epoch of training alone in bfloat16, MLP 1x512, {len(data):,} images, batch 128",
        lambda: Seconds(fit(data, half, device, measure="loss").seconds_per_epoch),
        lambda: Seconds(fit(data, recipe, device, measure="loss").seconds_per_epoch),
        than="in float32",
        rounds=scale(2, 3),
    )


def test_small_inception_on_a_gpu(
    compare: Compare, rates: Rates, scale: Scale, device: torch.device, vision: ModuleType
) -> None:
    """Small Inception, batch 128, against an eager float32 loop with a loader."""
    if device.type != "cuda":
        pytest.skip("it takes minutes an epoch on a processor: --device cuda")
    epochs = scale(1, 3)
    recipe = replace(cl.recipes.cifar10("small-inception"), epochs=epochs, precision="auto")
    data = random_images(scale(10_000, 50_000))
    # Long enough that trying out how to run it pays; the others then run like this one.
    first = cl.fit(cl.small_inception(), data, recipe=replace(recipe, epochs=30), device=device)
    step = training_flops(cl.small_inception().to(device), torch.randn(8, 3, 28, 28).to(device))
    found = compare(
        f"{counted(epochs)} of `fit`, small Inception, {len(data):,} images, batch 128",
        lambda: cl.fit(
            cl.small_inception(),
            data,
            recipe=recipe,
            measure="loss",
            device=device,
            execution=first.execution,
        ),
        lambda: loader_loop(cl.small_inception().to(device), data, recipe, vision),
        than="an eager float32 `DataLoader` loop",
        rounds=3,
        limit=rates.limit(
            flops=epochs * len(data) * step / 8, products=products_of(first.execution)
        ),
    )
    found.note(f"{first.execution}")


def fit(
    data: TensorDataset, recipe: cl.Recipe, device: torch.device, *, measure: Measure
) -> cl.FitReport:
    return cl.fit(
        cl.mlp(WIDTH), data, recipe=recipe, measure=measure, device=device, execution=AS_IT_IS
    )


def counted(epochs: int) -> str:
    return "1 epoch" if epochs == 1 else f"{epochs} epochs"


def parameters() -> int:
    return sum(each.numel() for each in cl.mlp(WIDTH).parameters())


def training_of(n: int) -> int:
    """Return the operations of an epoch on ``n`` images: forward, and backward to the weights."""
    return 2 * n * (2 * INPUTS * WIDTH + 3 * WIDTH * CLASSES)


def evaluation_of(n: int) -> int:
    return 2 * n * (INPUTS * WIDTH + WIDTH * CLASSES)


def random_images(n: int) -> TensorDataset:
    """Return random bytes in the shape of CIFAR-10."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, 3, 32, 32), generator=generator).to(torch.uint8)
    return TensorDataset(images, torch.randint(CLASSES, (n,), generator=generator))


class AsPeopleServeThem(Dataset[tuple[Tensor, int]]):
    """As torchvision's CIFAR10: bytes to PIL, then its transforms, one image at a time."""

    def __init__(self, data: TensorDataset, transforms: Any) -> None:
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


def loader_loop(
    model: nn.Module, data: TensorDataset, recipe: cl.Recipe, vision: ModuleType
) -> float:
    """Train as most scripts do, and return the last training accuracy."""
    device = next(model.parameters()).device
    served = AsPeopleServeThem(data, vision.torchvision("transforms"))
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


def matrix_products(batch: int, device: torch.device) -> Callable[[], Tensor]:
    """Return what does the products of one step, each into memory of its own, as a step has to."""
    x, hidden, logits = (torch.randn(batch, d, device=device) for d in (INPUTS, WIDTH, CLASSES))
    first = torch.randn(WIDTH, INPUTS, device=device)
    last = torch.randn(CLASSES, WIDTH, device=device)
    to_hidden, to_logits = torch.empty_like(hidden), torch.empty_like(logits)
    to_first, to_last = torch.empty_like(first), torch.empty_like(last)

    def products() -> Tensor:
        torch.mm(x, first.T, out=to_hidden)  # forward
        torch.mm(hidden, last.T, out=to_logits)
        torch.mm(logits.T, hidden, out=to_last)  # backward
        torch.mm(logits, last, out=to_hidden)
        return torch.mm(hidden.T, x, out=to_first)

    return products
