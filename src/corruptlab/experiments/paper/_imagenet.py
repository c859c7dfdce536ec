"""The trial of Table 2 and Fig. 2a: Inception V3 on files in the layout of ImageNet."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from torch import nn

from corruptlab._by_name import device_for
from corruptlab._data_files import listing
from corruptlab._errors import DataFileError, require
from corruptlab.corruptions import RandomLabels, corrupt
from corruptlab.experiments.paper._exhibit import Work
from corruptlab.experiments.paper._machine import machine
from corruptlab.experiments.paper._surroundings import surroundings
from corruptlab.experiments.paper._top_k import TopK
from corruptlab.experiments.paper._training import percent, seconds_per_step
from corruptlab.models import by_name
from corruptlab.training import Execution, Recipe, fit, stopping

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
    """Train Inception V3 on a folder with ``train`` and ``val``, a folder for each class in both.

    Args:
        data: ``"imagenet:FOLDER"``.
        random_labels: Whether training labels become uniformly drawn classes.
        augment: Whether training images are crops at random, flipped, and changed in colour.
        recipe: A recipe as a dictionary.
        size: Height and width of an image.
        workers: Processes that read files; None for one a core.
        by_epoch: Whether accuracies on the *training* images are measured after every epoch, too.
        seed: Seed of weights, labels, and data order.
        device: Where to train; ``"auto"`` is a GPU where there is one.

    Returns:
        Top-1 and top-5 accuracies in percent at the end, and those on the validation images after
        the epoch with the best top-1, which is what early stopping could have had.
    """
    hyper, place = Recipe.from_dict(recipe), device_for(device)
    images = image_folder(data, "train", size=size, augment=augment)
    whole, unseen = (image_folder(data, part, size=size) for part in ("train", "val"))
    corruptions = (RandomLabels(),) if random_labels else ()
    learned, known = (corrupt(each, *corruptions, seed=seed) for each in (images, whole))
    execution = _streamed(workers)
    network = by_name(
        "inception-v3",
        input_shape=(3, size, size),
        num_classes=learned.num_classes,
        seed=seed,
    )
    top = partial(TopK.of, recipe=hyper, execution=execution, device=place, seed=seed)
    on_train, on_test = top(known, "train"), top(unseen, "test")
    watch = Watch(network, on_test, on_train if by_epoch else None)
    report = fit(
        network,
        learned,
        recipe=hyper,
        stop=watch,
        measure="loss",
        seed=seed,
        device=place,
        execution=execution,
        progress=surroundings().show,
        name="inception-v3",
    )
    best = max(watch.test, key=lambda pair: pair[0])
    end_train, end_test = on_train(network), watch.test[-1]
    measured = {"train": end_train, "test": end_test, "best_test": best}
    return {
        "sample": f"{Path(data).name}, {len(images):,} + {len(unseen):,} images",
        "machine": machine(place),
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


def seconds_to_train_imagenet(
    *,
    data: str,
    recipe: Mapping[str, Any],
    size: int = 299,
    workers: int | None = None,
    by_epoch: bool = False,
    device: str = "auto",
    **others: Any,
) -> float:
    """Return how long `train_imagenet` takes if files are read as fast as they are needed.

    Args:
        data: As for `train_imagenet`, and so on.
        recipe: Recipe.
        size: Height and width of an image.
        workers: Processes that read files; they are counted as enough.
        by_epoch: Whether training images are measured after every epoch, too.
        device: Where to train.
        others: What does not matter for it.

    Returns:
        Seconds.
    """
    _streamed(workers)
    hyper = Recipe.from_dict(recipe)
    n, held_out = (len(image_folder(data, part, size=size)) for part in ("train", "val"))
    few = replace(hyper, epochs=1, batch_size=min(hyper.batch_size, _IMAGES_TIMED))
    a_step = seconds_per_step("inception-v3", few, (3, size, size), 1000, device_for(device))
    measured = held_out + n * by_epoch  # a pass forward is a third of a step
    return hyper.epochs * (n + measured / 3) / few.batch_size * a_step


IMAGENET = Work(train_imagenet, seconds_to_train_imagenet)


@dataclass(frozen=True)
class Watch:
    """A stopping rule that never stops, and measures after every epoch.

    Attributes:
        test: Top-1 and top-5 on the validation images, one pair an epoch.
        train: The same on the training images, if asked for.
    """

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
    """Read the list of the files of one part; images are decoded when they are asked for.

    Args:
        data: ``"imagenet:FOLDER"``.
        part: ``"train"`` or ``"val"``.
        size: Height and width to which images are brought.
        augment: Whether they are cropped, flipped, and changed in colour at random.

    Returns:
        A data set of bytes of shape ``(3, size, size)`` and integer labels.

    Raises:
        DataFileError: If the folder is not there, or holds no images in folders of classes.
        MissingExtraError: If torchvision is not installed, or does not fit the PyTorch in use.
    """
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
