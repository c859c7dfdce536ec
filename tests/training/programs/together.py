"""Small fits that two processes do together; the tests do them alone and compare.

python -m tests.training.programs.launch tests.training.programs.together 2 1 FOLDER
"""

import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import torch
from torch import Tensor, distributed, nn

import corruptlab as cl
import corruptlab.training._loading as loading_module
from corruptlab import stopping
from tests.training.cases import RECIPE, network, points
from tests.training.clock import Clock, Timed

from .problem import RECIPE as PIXELS
from .problem import Counted, Watched, forget, images, same_bits

SHORT = replace(RECIPE, epochs=5)


def rank() -> int:
    return int(os.environ.get("RANK", "0"))


def told(report: cl.FitReport, model: nn.Module, **more: Any) -> dict[str, Any]:
    """Return what a scenario hands back: everything that the processes have to agree on."""
    values = report.to_dict()
    values["environment"] = None
    return {"report": values, "weights": dict(model.state_dict()), **more}


def fitted(model: nn.Module, train: Any, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"recipe": SHORT, "seed": 3, "stop": (), **changes}
    return told(cl.fit(model, train, **values), model)


def plain() -> dict[str, Any]:
    held_out = {"test": points(25, seed=1), "validation": points(15, seed=2)}
    return fitted(network(), points(), measure="all", progress=True, name="shown", **held_out)


def uneven() -> dict[str, Any]:
    """Three examples are left for the last batch."""
    return fitted(network(), points(63), measure="all")


def too_few() -> dict[str, Any]:
    """One example is left for the last batch, and so none for one of the processes."""
    return fitted(network(), points(61), measure="all")


def too_few_with_heads() -> dict[str, Any]:
    """The process without an example of its own in the last batch has none to count either."""
    model, train = network(), points(61)
    heads = cl.RandomLabelHeads(model, train, layers=["0"], num_labels=2)
    return fitted(model, train, measure="all", heads=heads)


def one_example() -> dict[str, Any]:
    return fitted(network(), points(1), test=points(1, seed=1), measure="all")


def adam() -> dict[str, Any]:
    recipe = replace(SHORT, optimizer="adamw", learning_rate=0.003, weight_decay=0.1)
    return fitted(network(), points(), recipe=recipe)


def until_interpolated() -> dict[str, Any]:
    return fitted(network(), points(), recipe=RECIPE, stop=stopping.interpolated())


def until_target() -> dict[str, Any]:
    return fitted(network(), points(), recipe=RECIPE, stop=stopping.target(0.8))


def until_patience() -> dict[str, Any]:
    rule = stopping.patience(3, on="validation")
    return fitted(network(), points(), validation=points(40, seed=1), recipe=RECIPE, stop=rule)


class Third:
    name = "third"

    def met(self, now: stopping.FitProgress, /) -> bool:
        return now.epochs == 3 and not now.reaches(1.0)


def until_own_rule() -> dict[str, Any]:
    return fitted(network(), points(), stop=[stopping.interpolated(), Third()])


def until_budget() -> dict[str, Any]:
    """The clocks of the processes run apart: one runs faster than the other."""
    clock = Clock()

    class Slow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = network()

        def forward(self, x: Tensor) -> Tensor:
            clock.forward(0.25 * (1 + rank()) * self.training)
            out: Tensor = self.body(x)
            return out

    recipe = replace(SHORT, batch_size=1, epochs=1)
    with mock.patch("time.perf_counter", clock):
        return fitted(Slow(), points(), recipe=recipe, stop=stopping.budget(0.8))


def batch_norm() -> dict[str, Any]:
    return fitted(Watched(), images(55), recipe=PIXELS, test=images(20, seed=1), measure="all")


def other_weights() -> dict[str, Any]:
    """Each process brings other weights; those of the first one count."""
    return fitted(network(seed=rank()), points())


def stream() -> dict[str, Any]:
    train, test = Counted(images(55)), Counted(images(21, seed=1))

    def start_counting(step: int) -> None:
        if step == 0:  # the network is tried out on a few examples before all begins
            forget([train, test])

    found = fitted(
        Watched(before_measuring=start_counting),
        train,
        test=test,
        recipe=replace(PIXELS, epochs=1),
        execution=cl.Execution(data="stream"),
        measure="test",
    )
    return {**found, "read": {"train": train.read, "test": test.read}}


def dropout() -> dict[str, Any]:
    """Each process drops units of its own."""
    masks: list[Tensor] = []

    class Dropping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = network()

        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                masks.append(torch.nn.functional.dropout(torch.ones(40)))
            out: Tensor = self.body(x)
            return out

    return {**fitted(Dropping(), points(), recipe=replace(SHORT, epochs=1)), "masks": masks}


def chosen() -> dict[str, Any]:
    """The clock of the first process decides what is faster, and gradients stay averages."""
    clock = Clock()
    model = Timed(clock, plain=5.0, channels_last=2.5 if rank() == 0 else 5.0)
    model.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.1, generator=generator)
    recipe = replace(PIXELS, crop=None, augmentation=None)
    with mock.patch("time.perf_counter", clock):
        return fitted(model, images(), recipe=recipe)


def resumed() -> dict[str, Any]:
    """All processes stop in the middle of an epoch, and go on."""

    def fail(step: int) -> None:
        if step == 9:
            raise InterruptedError

    folder = shared_folder()
    changes: dict[str, Any] = {"recipe": PIXELS, "checkpoint_seconds": 0, "measure": "all"}
    changes["execution"] = cl.Execution(channels_last=False, compile=False)
    never = Watched()
    whole = fitted(never, images(55), **changes)
    clock = Clock()
    clock.tick = 0.5  # it looks after every step
    with mock.patch("time.perf_counter", clock), suppress(InterruptedError):
        fitted(Watched(before_training=fail), images(55), checkpoint=folder, **changes)
    again = Watched(seed=1 + rank())
    found = fitted(again, images(55), checkpoint=folder, **changes)
    same = found["report"]["losses"] == whole["report"]["losses"] and same_bits(never, again)
    return {**found, "same": same, "steps": again.steps}


def errors() -> dict[str, Any]:
    """What all processes raise alike, although only one has seen the reason."""
    folder = shared_folder()
    if rank() == 0:
        (Path(folder) / "damaged").mkdir()
        (Path(folder) / "damaged" / "fit.pt").write_bytes(b"nothing")
    attempts: dict[str, Callable[[], object]] = {
        "seed": lambda: fitted(network(), points(), seed=rank()),
        "recipe": lambda: fitted(network(), points(), recipe=replace(SHORT, epochs=5 + rank())),
        "length": lambda: fitted(network(), points(60 - rank())),
        "damaged": lambda: fitted(network(), points(), checkpoint=Path(folder) / "damaged"),
        "first": lambda: fitted(network(), points(), checkpoint=Path(folder) / "one"),
        "another": lambda: fitted(network(), points(), seed=4, checkpoint=Path(folder) / "one"),
        "diverged": lambda: fitted(network(), points(), recipe=replace(SHORT, learning_rate=1e20)),
    }
    told: dict[str, str] = {}
    for name, attempt in attempts.items():
        try:
            attempt()
        except (ValueError, ArithmeticError) as error:
            text = str(error).replace(folder, "FOLDER")
            told[name] = f"{type(error).__name__}: {text}"
    return {"errors": told}


def warned() -> dict[str, Any]:
    """Data that do not fit for one of the processes are streamed by all; one says so."""

    def free_memory(device: object) -> int:
        return 2**20 if rank() == 0 else 100

    with (
        mock.patch.object(loading_module, "free_memory", free_memory),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        found = fitted(network(), points())
    return {**found, "warnings": [str(each.message) for each in caught]}


def written() -> dict[str, Any]:
    """Who writes checkpoints."""
    saved: list[int] = []

    def fsync(file: int) -> None:
        saved.append(rank())

    with mock.patch("os.fsync", fsync):
        fitted(network(), points(), checkpoint=shared_folder(), checkpoint_seconds=0)
    return {"saved": saved}


def followed() -> dict[str, Any]:
    """Who is told of an epoch; and an error of the one who is, that all raise with the report."""
    told: list[int] = []

    def follow(now: cl.training.EpochReport) -> None:
        told.append(now.epoch)
        if now.epoch == 2:
            raise ConnectionError("no answer")

    try:
        fitted(network(), points(), on_epoch_end=follow)
    except ConnectionError as error:
        report: cl.FitReport = error.report  # type: ignore[attr-defined]  # documented
        return {"told": told, "error": str(error), "epochs": report.epochs}
    return {}


_folders: list[TemporaryDirectory[str]] = []


def shared_folder() -> str:
    """Return a new folder, the same in all processes."""
    folder = TemporaryDirectory()
    _folders.append(folder)
    box = [folder.name]
    if distributed.is_initialized():
        distributed.broadcast_object_list(box)
    return box[0]


SCENARIOS: dict[str, Callable[[], dict[str, Any]]] = {
    scenario.__name__: scenario
    for scenario in (
        plain,
        uneven,
        too_few,
        too_few_with_heads,
        one_example,
        adam,
        until_interpolated,
        until_target,
        until_patience,
        until_own_rule,
        until_budget,
        batch_norm,
        other_weights,
        stream,
        dropout,
        chosen,
        resumed,
        errors,
        warned,
        written,
        followed,
    )
}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    found = {name: scenario() for name, scenario in SCENARIOS.items()}
    torch.save(found, folder / f"{rank()}.pt")
