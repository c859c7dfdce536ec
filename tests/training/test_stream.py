"""Streams: the same fit to the bit, whoever reads the examples and from whatever."""

import itertools
import random
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import Subset, TensorDataset

from corruptlab import (
    Draws,
    Execution,
    FitReport,
    RandomLabels,
    RandomPixels,
    Recipe,
    corrupt,
    fit,
    mlp,
)

from .cases import RECIPE, network, points
from .programs.problem import RECIPE as PIXELS
from .programs.problem import Counted, Watched, images, lasting, same_bits

SHORT = replace(RECIPE, epochs=3)
STREAM = Execution(data="stream")


def run(model: nn.Module, train: Any, **changes: Any) -> FitReport:
    values: dict[str, Any] = {"recipe": PIXELS, "seed": 3, "stop": (), "measure": "all"}
    return fit(model, train, images(20, seed=1), **{**values, **changes})


@pytest.mark.slow(seconds=20)
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("augmented", [True, False])
def test_a_stream_gives_the_same_bits(workers: int, augmented: bool) -> None:
    recipe = PIXELS if augmented else replace(PIXELS, augmentation=None)
    one, two = Watched(), Watched()
    whole = run(one, images(), recipe=recipe, execution=Execution(data="device"))
    wanted = Execution(data="stream", workers=workers)
    stream = run(two, images(), recipe=recipe, execution=wanted)
    assert (whole.execution.data, stream.execution.data) == ("device", "stream")
    assert stream.execution.workers == workers
    assert {**lasting(stream), "execution": None} == {**lasting(whole), "execution": None}
    assert same_bits(one, two)


@pytest.mark.slow(seconds=10)
@pytest.mark.parametrize("workers", [0, 1])
def test_nothing_that_is_corrupted_changes_on_its_way(workers: int) -> None:
    noisy = corrupt(images(), RandomLabels(), RandomPixels(), seed=5)
    execution = Execution(data="stream", workers=workers)
    stream = run(one := Watched(), Subset(noisy, range(3, 50)), execution=execution)
    whole = run(two := Watched(), Subset(noisy, range(3, 50)))
    assert stream.losses == whole.losses
    assert same_bits(one, two)


def test_channels_last_goes_with_a_stream() -> None:
    run(one := Watched(), images(), execution=Execution(data="stream", channels_last=True))
    run(two := Watched(), images(), execution=Execution(channels_last=True))
    assert one.get_parameter("body.0.weight").is_contiguous(memory_format=torch.channels_last)
    assert same_bits(one, two)


def test_a_stream_reads_each_example_once_an_epoch_in_the_epoch_s_order() -> None:
    counted = Counted(points())
    model = network()
    fit(model, counted, recipe=SHORT, stop=(), measure="loss", execution=STREAM, seed=3)
    orders = Draws(3).permutations("fit/order", range(3), 60)
    read = counted.read
    first = next(k for k in range(len(read)) if read[k : k + 60] == orders[0].tolist())
    assert first < 10  # a few items tell the shape and what kind of data set it is
    for order in orders[1:]:
        at = next(k for k in range(len(read)) if read[k : k + 60] == order.tolist())
        assert at > first


# -------------------------------------------------------------------------------- kinds of data set


def items(data: TensorDataset) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return list(zip(*data.tensors, strict=True))


def named(data: TensorDataset, name: str, label: str) -> list[dict[str, Any]]:
    return [{name: image, label: int(target)} for image, target in items(data)]


def picture(image: torch.Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).numpy())


KINDS: dict[str, Callable[[TensorDataset], Any]] = {
    "pairs": items,
    "dictionaries": lambda data: named(data, "image", "label"),
    "other names": lambda data: named(data, "pixel_values", "fine_label"),
    "PIL images": lambda data: [(picture(image), int(target)) for image, target in items(data)],
    "arrays": lambda data: [(image.numpy(), target.numpy()) for image, target in items(data)],
    "corrupted dictionaries": lambda data: corrupt(named(data, "img", "y")),
}


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_item_is_learned_alike(kind: str, workers: int) -> None:
    recipe = replace(PIXELS, epochs=1)
    expected = run(Watched(), images(), recipe=recipe).losses
    execution = Execution(data="stream", workers=workers)
    served = KINDS[kind](images())
    assert run(Watched(), served, recipe=recipe, execution=execution).losses == expected


@pytest.mark.slow(seconds=1)
@pytest.mark.usefixtures("no_other_threads")  # torchvision may be one that cannot be imported anew
def test_an_image_folder_is_learned_like_the_tensors_it_holds(
    torchvision_datasets: ModuleType, tmp_path: Path
) -> None:
    pixels, targets = images().tensors
    for name in "abc":
        (tmp_path / name).mkdir()
    for i, (image, target) in enumerate(zip(pixels, targets.tolist(), strict=True)):
        path = tmp_path / "abc"[target] / f"{i:03}.png"
        picture(image).save(path)
    folder = torchvision_datasets.ImageFolder(tmp_path)
    order = torch.argsort(targets, stable=True)
    sorted_alike = TensorDataset(pixels[order], targets[order])
    stream = run(one := Watched(), folder, execution=Execution(data="stream", workers=2))
    assert stream.losses == run(two := Watched(), sorted_alike).losses
    assert same_bits(one, two)


# --------------------------------------------------------------- data sets that draw for themselves


class Drawing:
    """What torchvision's random transforms do: another item at every reading."""

    def __init__(self, generator: str) -> None:
        self.generator = generator

    def __len__(self) -> int:
        return 57

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        draw = {
            "torch": lambda: float(torch.rand(())),
            "numpy": lambda: float(np.random.rand()),  # noqa: NPY002  # as transforms do
            "random": random.random,
        }[self.generator]
        return points().tensors[0][index] + draw(), int(points().tensors[1][index])


@pytest.mark.slow(seconds=10)
@pytest.mark.parametrize("generator", ["torch", "numpy", "random"])
def test_what_a_data_set_draws_depends_on_the_seed_and_not_on_the_workers(generator: str) -> None:
    def losses(seed: int, workers: int) -> tuple[float, ...]:
        torch.rand(3), np.random.rand(), random.random()  # noqa: NPY002  # moves what must not matter
        execution = Execution(data="stream", workers=workers)
        changes: Any = {"recipe": replace(SHORT, epochs=2), "execution": execution}
        return fit(network(), Drawing(generator), seed=seed, **changes).losses

    assert losses(0, 0) == losses(0, 2) != losses(1, 0)


@pytest.mark.filterwarnings("ignore:`train` serves other inputs")
@pytest.mark.parametrize("data", ["stream", "auto"])
def test_a_resumed_fit_draws_what_an_uninterrupted_one_does(data: Any, tmp_path: Path) -> None:
    class Stopping(nn.Module):
        def __init__(self, at: int) -> None:
            super().__init__()
            self.body, self.left = network(), at

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.left -= self.training
            if self.training and self.left == 0:
                raise InterruptedError
            out: torch.Tensor = self.body(x)
            return out

    def losses(at: int, **changes: Any) -> tuple[float, ...]:
        execution = Execution(data=data)
        model = Stopping(at)
        return fit(model, Drawing("torch"), recipe=SHORT, execution=execution, **changes).losses

    with pytest.raises(InterruptedError):
        losses(8, checkpoint=tmp_path, checkpoint_seconds=0)
    assert losses(-1, checkpoint=tmp_path) == losses(-1)


def test_each_epoch_of_a_stream_draws_anew() -> None:
    seen: list[float] = []

    class Looking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = network()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                seen.append(x[:, 0].sum().item())
            out: torch.Tensor = self.body(x)
            return out

    class Same(Drawing):
        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            return torch.full((6,), float(torch.rand(()))), 0

    fit(Looking(), Same("torch"), recipe=SHORT, stop=(), execution=STREAM)
    assert len(set(seen)) == len(seen) == 18


@pytest.mark.filterwarnings("ignore:`train` serves other inputs")
@pytest.mark.parametrize("data", ["stream", "auto"])
@pytest.mark.parametrize("generator", ["torch", "numpy", "random"])
def test_global_generators_stay_where_they_were(data: Any, generator: str) -> None:
    def states() -> tuple[Any, ...]:
        numpy: Any = np.random.get_state()  # noqa: NPY002
        return torch.get_rng_state().tolist(), numpy[1].tolist(), numpy[2], random.getstate()

    before = states()
    recipe = replace(SHORT, epochs=1)
    fit(network(), Drawing(generator), recipe=recipe, execution=Execution(data=data))
    assert states() == before


class Sometimes(Drawing):
    """Another item at one reading in five."""

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        x, y = points()[index]
        return (x.flip(0) if float(torch.rand(())) < 0.2 else x), int(y)


class Overridden(TensorDataset):
    """Tensors whose rows are not what is served."""

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        x, y = (rows[index] for rows in self.tensors)
        return x + torch.rand(()), y


@pytest.mark.parametrize(
    "served", [Drawing("numpy"), Sometimes("torch"), Overridden(*points().tensors)]
)
def test_items_that_change_are_streamed_and_the_draws_are_those_of_a_stream(served: Any) -> None:
    with pytest.warns(UserWarning, match="^`train` serves other inputs at every reading"):
        found = fit(network(), served, points(), recipe=SHORT, stop=())
    assert found.execution.data == "stream"
    again = fit(network(), served, points(), recipe=SHORT, stop=(), execution=found.execution)
    assert again.losses == found.losses


@pytest.mark.filterwarnings("ignore:`train` serves other inputs")
@pytest.mark.parametrize("data", ["stream", "auto"])
def test_tensors_with_rows_that_are_drawn_leave_the_generator_where_it_was(data: Any) -> None:
    before, served = torch.get_rng_state(), Overridden(*points().tensors)
    found = [fit(network(), served, recipe=SHORT, execution=Execution(data=data)) for _ in "ab"]
    assert torch.equal(torch.get_rng_state(), before)
    assert found[0].losses == found[1].losses


def test_items_that_change_do_not_go_to_the_device_once_and_for_all() -> None:
    device = Execution(data="device")
    for role in ("train", "test"):
        data: Any = {"train": points(), role: Drawing("torch")}
        with pytest.raises(ValueError, match=rf"^`{role}` serves other inputs .*data='stream'"):
            fit(network(), **data, recipe=SHORT, execution=device)


class Watching(np.ndarray):
    """An array that notes how many rows are asked of it."""

    read: list[int] = []  # noqa: RUF012  # of all views

    def __getitem__(self, at: Any) -> Any:
        Watching.read.append(np.size(at))
        return super().__getitem__(at)


def test_rows_of_arrays_are_known_to_stay_and_are_read_once() -> None:
    Watching.read.clear()
    inputs, labels = (each.numpy() for each in points().tensors)
    found = fit(network(), (inputs.view(Watching), labels), recipe=SHORT)
    assert found.execution.data == "device"
    assert [rows for rows in Watching.read if rows > 1] == [len(inputs)]


# ----------------------------------------------------------------------------------- wrong examples


@pytest.mark.parametrize(
    ("bad", "value", "workers"),
    [
        *itertools.product([0, 13, 58], [torch.nan, -torch.inf], [0]),
        (13, torch.nan, 1),
        (58, -torch.inf, 1),
    ],
)
def test_an_input_that_is_not_finite_is_named_whatever_the_order(
    bad: int, value: float, workers: int
) -> None:
    inputs, targets = points().tensors
    inputs[bad, 2] = value
    execution = Execution(data="stream", workers=workers)
    message = rf"^`train` must hold finite inputs, got nan or inf in example {bad}\.$"
    with pytest.raises(ValueError, match=message):
        fit(network(), TensorDataset(inputs, targets), recipe=SHORT, execution=execution)


def test_the_same_is_said_of_test_examples() -> None:
    inputs, targets = points(seed=1).tensors
    inputs[42, 0] = torch.nan
    test = TensorDataset(inputs, targets)
    with pytest.raises(ValueError, match=r"^`test` must hold finite .* in example 42\.$"):
        fit(network(), points(), test, recipe=SHORT, execution=STREAM)


@pytest.mark.parametrize("label", [3, -1])
def test_a_label_without_an_output_is_found_when_it_is_read(label: int) -> None:
    served = items(points())
    served[37] = served[37][0], torch.tensor(label)
    message = rf"^`train` labels must lie in 0 \.\. 2, the 3 outputs of `model`, got {label}\.$"
    with pytest.raises(ValueError, match=message):
        fit(network(), served, recipe=SHORT, execution=STREAM)


def test_a_listed_label_without_an_output_is_found_before_anything_is_trained() -> None:
    inputs, targets = points().tensors
    targets[37] = 7
    model = network()
    with pytest.raises(ValueError, match=r"^`train` labels must lie in 0 \.\. 2, .*, got 7\.$"):
        fit(model, TensorDataset(inputs, targets), recipe=SHORT, execution=STREAM)
    assert same_bits(model, network())


def test_inputs_of_several_shapes_are_told() -> None:
    served = [*items(points(20)), (torch.zeros(5), torch.tensor(0))]
    with pytest.raises(ValueError, match=r"^`train` must have inputs of one shape, got "):
        fit(network(), served, recipe=SHORT, execution=STREAM)


class Broken(Counted):
    """A data set with an item that cannot be read."""

    def __getitem__(self, index: int) -> tuple[Any, int]:
        if index == 41:
            raise OSError("file 41 is unreadable")
        return super().__getitem__(index)


def test_errors_of_the_data_set_come_through() -> None:
    for workers in (0, 1):
        execution = Execution(data="stream", workers=workers)
        with pytest.raises(OSError, match="file 41 is unreadable") as caught:
            fit(network(), Broken(points()), recipe=SHORT, execution=execution)
        assert caught.tb is not None  # who still looks at the error keeps no readers alive
        assert not torch.multiprocessing.active_children()


@pytest.mark.slow(seconds=20)
def test_readers_do_not_outlive_the_fit() -> None:
    execution = Execution(data="stream", workers=2)
    fit(network(), points(), points(20, seed=1), recipe=SHORT, execution=execution)
    assert not torch.multiprocessing.active_children()


# ----------------------------------------------------------------------------- too large for memory

# Six floats and a label, and as many floats again for what is prepared: 56 bytes an example.
NEEDED = 60 * (24 + 8 + 24)


def test_what_fits_is_moved_without_a_word(memory: Callable[[int], None]) -> None:
    memory(NEEDED)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit(network(), points(), recipe=SHORT).execution.data == "device"


def test_memory_is_asked_for_only_where_data_take_some(asked: list[torch.device]) -> None:
    for size, times in ((100, 0), (1_000, 1)):
        data = TensorDataset(torch.zeros(size, 1_000), torch.arange(size) % 3)
        fit(mlp(2, input_shape=(1_000,), num_classes=3), data, recipe=replace(SHORT, epochs=1))
        assert len(asked) == times


@pytest.mark.slow(seconds=10)
def test_what_does_not_fit_is_streamed_with_a_word(memory: Callable[[int], None]) -> None:
    memory(NEEDED - 1)
    message = (
        r"^`train` needs 0\.0 GiB of memory on cpu, where 0\.0 GiB are free: it is read batch by "
        r"batch through a DataLoader with 1 worker processes"
    )
    with pytest.warns(UserWarning, match=message) as caught:
        report = fit(network(), points(), recipe=SHORT, execution=Execution(workers=1))
    assert caught[0].filename == __file__  # the line that calls fit, not one inside
    assert report.execution.data == "stream"
    assert report.losses == fit(network(), points(), recipe=SHORT, execution=STREAM).losses


def test_what_must_fit_and_does_not_is_refused(memory: Callable[[int], None]) -> None:
    memory(NEEDED - 1)
    message = (
        r"^`train` needs 0\.0 GiB of memory on cpu, where 0\.0 GiB are free; "
        r"try execution=Execution\(data='stream', workers=4\)\.$"
    )
    with pytest.raises(ValueError, match=message):
        fit(network(), points(), recipe=SHORT, execution=Execution(data="device"))


def test_only_what_is_too_large_is_streamed(memory: Callable[[int], None]) -> None:
    memory(NEEDED - 1)
    with pytest.warns(UserWarning, match=r"^`train` needs") as caught:
        report = fit(network(), points(), points(20), recipe=SHORT)
    assert len(caught) == 1
    assert report.execution.data == "stream"  # as the training data are


def test_augmented_images_need_no_room_for_what_is_prepared(memory: Callable[[int], None]) -> None:
    memory(56 * (3 * 8 * 8 + 8))
    assert fit(Watched(), images(), recipe=PIXELS).execution.data == "device"
    memory(56 * (3 * 8 * 8 + 8) - 1)
    with pytest.warns(UserWarning, match=r"^`train` needs"):
        fit(Watched(), images(), recipe=PIXELS)


@pytest.mark.parametrize(
    ("channels_last", "before"),
    [(False, 3 * 8 * 8), ("auto", 4 * 3 * 6 * 6), (True, 4 * 3 * 6 * 6)],
)
def test_cropped_images_need_room_for_the_crop_and_what_it_is_made_of(
    memory: Callable[[int], None], channels_last: Any, before: int
) -> None:
    # Made of what is stored at first, and of itself where the channels may move to the end.
    recipe, execution = replace(PIXELS, augmentation=None), Execution(channels_last=channels_last)
    memory(56 * (before + 8 + 4 * 3 * 6 * 6))
    run = partial(fit, train=images(), recipe=recipe, execution=execution)
    assert run(Watched()).execution.data == "device"
    memory(56 * (before + 8 + 4 * 3 * 6 * 6) - 1)
    with pytest.warns(UserWarning, match=r"^`train` needs"):
        run(Watched())


def test_a_recipe_s_crop_is_checked_before_anything_else_is_read() -> None:
    counted = Counted(images())
    recipe = Recipe(learning_rate=0.1, epochs=1, crop=9, whiten=True, decay=0.95)
    message = r"^`recipe\.crop` must fit the images of `train`, \(3, 8, 8\), got 9\.$"
    with pytest.raises(ValueError, match=message):
        fit(Watched(), counted, recipe=recipe, execution=STREAM)
    assert len(counted.read) < 10
