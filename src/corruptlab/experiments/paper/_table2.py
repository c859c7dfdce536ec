"""Table 2: Inception V3 on ImageNet, with and without regularizers."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from corruptlab._by_name import device_for
from corruptlab._data_files import listing
from corruptlab._environment import usable_device
from corruptlab._errors import DataFileError, require
from corruptlab._modules import evaluating
from corruptlab._types import MapDataset
from corruptlab.corruptions import RandomLabels, corrupt
from corruptlab.experiments.paper._exhibit import Exhibit, Quantity, Row, TrialKind, with_defaults
from corruptlab.experiments.paper._training import machine, percent, run_context, seconds_per_step
from corruptlab.models import by_name
from corruptlab.training import Execution, Recipe, fit, recipes, stopping
from corruptlab.training._data import DataSource
from corruptlab.training._distributed import Processes
from corruptlab.training._loading import load_data

_IMAGES_TIMED = 16  # images in a step that is only timed


def train_imagenet(
    *,
    data: str,
    random_labels: bool,
    augment: bool,
    recipe: Mapping[str, Any],
    size: int = 299,
    workers: int | None = None,
    by_epoch: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Train Inception V3 on ``imagenet:FOLDER``, with a folder for each class in train and val."""
    hyper, device = Recipe.from_dict(recipe), device_for(device)
    images = image_folder(data, "train", size=size, augment=augment)
    whole, val_data = (image_folder(data, part, size=size) for part in ("train", "val"))
    corruptions = (RandomLabels(),) if random_labels else ()
    train_data, known = (corrupt(each, *corruptions, seed=seed) for each in (images, whole))
    execution = _streamed(workers)
    network = by_name(
        "inception-v3",
        input_shape=(3, size, size),
        num_classes=train_data.num_classes,
        seed=seed,
    )
    top = partial(TopK.of, recipe=hyper, execution=execution, device=device, seed=seed)
    on_train, on_test = top(known, "train"), top(val_data, "test")
    watch = Watch(network, on_test, on_train if by_epoch else None)
    report = fit(
        network,
        train_data,
        recipe=hyper,
        stop=watch,
        measure="loss",
        seed=seed,
        device=device,
        execution=execution,
        progress=run_context().show,
        name="inception-v3",
    )
    best = max(watch.test, key=lambda pair: pair[0])
    end_train, end_test = on_train(network), watch.test[-1]
    measured = {"train": end_train, "test": end_test, "best_test": best}
    return {
        "sample": f"{Path(data).name}, {len(images):,} + {len(val_data):,} images",
        "machine": machine(device),
        "measured": {
            **{f"{name}_top1": percent(pair[0]) for name, pair in measured.items()},
            **{f"{name}_top5": percent(pair[1]) for name, pair in measured.items()},
            "epochs": report.epochs,
        },
        "curves": {
            name: [percent(pair[0]) for pair in pairs]
            for name, pairs in (("train", watch.train), ("test", watch.test))
            if pairs
        },
    }


def seconds_to_train_imagenet(**settings: Any) -> float:
    """Return how long `train_imagenet` takes if files are read as fast as they are needed."""
    asked = with_defaults(train_imagenet, settings)
    size = asked["size"]
    _streamed(asked["workers"])
    hyper: Recipe = Recipe.from_dict(asked["recipe"])
    n, n_val = (len(image_folder(asked["data"], part, size=size)) for part in ("train", "val"))
    few = replace(hyper, epochs=1, batch_size=min(hyper.batch_size, _IMAGES_TIMED))
    shape, device = (3, size, size), device_for(asked["device"])
    a_step = seconds_per_step("inception-v3", few, shape, 1000, device)
    measured = n_val + n * bool(asked["by_epoch"])  # a pass forward is a third of a step
    return hyper.epochs * (n + measured / 3) / few.batch_size * a_step


IMAGENET = TrialKind(train_imagenet, seconds_to_train_imagenet)


@dataclass(frozen=True)
class TopK:
    """Measures how often labels are the largest output, and among the ``k`` largest."""

    source: DataSource
    size: int
    k: int = 5

    @classmethod
    def of(
        cls,
        dataset: MapDataset[Any],
        role: str,
        *,
        recipe: Recipe,
        execution: Execution,
        device: str,
        seed: int,
    ) -> "TopK":
        """Prepare examples as `fit` does when it measures."""
        source = load_data(
            dataset,
            role,
            recipe=recipe,
            execution=execution,
            processes=Processes.here(usable_device(device)),
            seed=seed,
            progress=False,
        )
        return cls(source, min(recipe.batch_size, 256))

    @torch.no_grad()
    def __call__(self, network: nn.Module) -> tuple[float, float]:
        """Return both shares; the network, on the device, is measured in evaluation mode."""
        first = among = 0
        with evaluating(network), ExitStack() as at_end:
            at_end.callback(self.source.end_workers)
            for inputs, targets in self.source.in_order(self.size):
                outputs = network(inputs)
                best = outputs.topk(min(self.k, outputs.shape[1]), dim=1).indices
                hits = best == targets[:, None]
                first, among = first + int(hits[:, 0].sum()), among + int(hits.sum())
        n = len(self.source)
        return first / n, among / n


@dataclass(frozen=True)
class Watch:
    """A stopping rule that never stops, and measures after every epoch."""

    network: nn.Module
    on_test: TopK
    on_train: TopK | None
    test: list[tuple[float, float]] = field(default_factory=list)
    train: list[tuple[float, float]] = field(default_factory=list)
    name: str = "watch"

    def met(self, now: stopping.FitProgress, /) -> bool:
        """Measure, and go on."""
        self.test.append(self.on_test(self.network))
        if self.on_train is not None:
            self.train.append(self.on_train(self.network))
        return False


@lru_cache(maxsize=4)
def image_folder(data: str, part: str, *, size: int, augment: bool = False) -> Any:
    """Read the list of the files of one part; images are decoded when they are read."""
    folder = Path(data.partition(":")[2]).expanduser() / part
    folders = require("torchvision.datasets", extra="vision")
    transforms = require("torchvision.transforms", extra="vision")
    change = _augmented(transforms, size) if augment else _whole(transforms, size)
    try:
        return folders.ImageFolder(str(folder), transform=change)
    except FileNotFoundError as error:
        expected = "images in a folder for each class"
        raise DataFileError(folder, expected, listing(folder)) from error


def _whole(transforms: Any, size: int) -> Any:
    # The share of a side that Inception's evaluation keeps: 0.875.
    steps = [transforms.Resize(round(size / 0.875)), transforms.CenterCrop(size)]
    return transforms.Compose([*steps, transforms.PILToTensor()])


def _augmented(transforms: Any, size: int) -> Any:
    steps = [
        transforms.RandomResizedCrop(size),
        transforms.RandomHorizontalFlip(),
        transforms.ColorJitter(brightness=32 / 255, saturation=0.5),
    ]
    return transforms.Compose([*steps, transforms.PILToTensor()])


def _streamed(workers: int | None) -> Execution:
    return Execution(data="stream", workers=(os.cpu_count() or 1) if workers is None else workers)


# Labels and regularizers; top-1 and top-5 accuracy in percent on training and on validation images,
# and the best ones that early stopping could have had, where the paper gives them.
_PUBLISHED: dict[str, tuple[float, ...]] = {
    "true augment dropout weight-decay": (92.18, 99.21, 77.84, 93.92),
    "true augment": (92.33, 99.17, 72.95, 90.43),
    "true weight-decay": (90.60, 100.0, 67.18, 86.44, 72.57, 91.31),
    "true plain": (99.53, 100.0, 59.80, 80.38, 63.16, 84.49),
    "random-labels dropout weight-decay": (91.18, 97.95, 0.09, 0.49),
    "random-labels weight-decay": (87.81, 96.15, 0.12, 0.50),
    "random-labels plain": (95.20, 99.14, 0.11, 0.56),
}

_QUANTITIES = {
    "train_top1": "training, top-1, %",
    "train_top5": "training, top-5, %",
    "test_top1": "test, top-1, %",
    "test_top5": "test, top-5, %",
    "best_test_top1": "best epoch, top-1, %",
    "best_test_top5": "best epoch, top-5, %",
}


def imagenet_parameters(how: str) -> dict[str, Any]:
    """Return the parameters of a row from the words of its name."""
    recipe = recipes.imagenet(weight_decay="weight-decay" in how, dropout="dropout" in how)
    return {
        "random_labels": "random-labels" in how,
        "augment": "augment" in how,
        "recipe": recipe.to_dict(),
    }


TABLE_2 = Exhibit(
    name="table2",
    title="ImageNet, Inception V3, true and random labels, with and without regularizers",
    source="Zhang et al. 2017, Table 2",
    quantities=tuple(Quantity(name, title) for name, title in _QUANTITIES.items()),
    rows=tuple(
        Row(
            name=f"inception-v3 {how}",
            published=dict(zip(_QUANTITIES, numbers, strict=False)),
            parameters=imagenet_parameters(how),
            work=IMAGENET,
            data="imagenet",
        )
        for how, numbers in _PUBLISHED.items()
    ),
    remarks=(
        "1,281,167 training and 50,000 validation images of 1,000 classes. The paper trained on 50 "
        "asynchronous workers with TensorFlow's standard configuration and does not list "
        "hyper-parameters. Those here are from Szegedy et al. 2016, with one worker, and without "
        "their label smoothing, auxiliary classifier, and gradient clipping.",
        "A batch of 1,600 images exceeds the memory of most GPUs. Use `--set recipe.batch_size=256 "
        "--set recipe.learning_rate=0.0072` for smaller batches with a proportional learning rate.",
        "Training accuracy is measured without augmentation.",
    ),
)
