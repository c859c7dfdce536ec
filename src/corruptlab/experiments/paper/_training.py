"""The trial of most tables and figures, and what every trial knows of its machine and run."""

import math
import os
import platform
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import current_thread, main_thread
from types import FrameType
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch.utils.data import TensorDataset

from corruptlab._by_name import device_for, loaded_images, network_for
from corruptlab._checks import check_choice, check_names, not_negative
from corruptlab._json import digest, encode
from corruptlab.experiments.paper._exhibit import TrialKind, with_defaults
from corruptlab.experiments.randomization import Pair, Setting, chosen_settings
from corruptlab.models import by_name
from corruptlab.training import Execution, FitReport, NonFiniteLossError, Recipe, fit, stopping

Record: TypeAlias = Literal["losses", "accuracies"]
"""What is kept beside the end: the loss of each step, or accuracies after each epoch."""

NOT_FINITE = "the loss is not finite"
_STEPS_TIMED = 4
_GIB = 1 << 30


@dataclass(frozen=True)
class loss_at_most:  # noqa: N801  # reads as a word, as the rules of `stopping` do
    """Stop when the mean loss over the batches of an epoch is small enough."""

    loss: float
    name: str = "loss"

    def __post_init__(self) -> None:
        not_negative("loss", self.loss)

    def met(self, now: stopping.FitProgress, /) -> bool:
        """Return whether it is."""
        return now.epoch_losses[-1] <= self.loss


class _Interruption(stopping.budget):
    """Ends a fit between two steps, where a checkpoint is whole, once it was interrupted."""

    seen = False
    name = "interruption"

    def met(self, now: stopping.FitProgress, /) -> bool:
        """Return whether it was."""
        return self.seen


@contextmanager
def _interruption(checkpoints: Path | None) -> Iterator[_Interruption]:
    """Yield a rule that the first Ctrl-C in this block meets; a second one does as usual."""
    rule, usual = _Interruption(math.inf), signal.getsignal(signal.SIGINT)
    if checkpoints is None or not callable(usual) or current_thread() is not main_thread():
        yield rule
        return

    def handler(number: int, frame: FrameType | None) -> None:
        if rule.seen:
            usual(number, frame)
        rule.seen = True

    signal.signal(signal.SIGINT, handler)
    try:
        yield rule
    finally:
        signal.signal(signal.SIGINT, usual)


def train(
    *,
    data: str,
    model: str,
    setting: str,
    recipe: Mapping[str, Any],
    stop: Mapping[str, float],
    p: float = 1.0,
    record: Record | None = None,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Train a network as the paper did; `stop` is an accuracy or a loss, or nothing."""
    asked = {"data": data, "model": model, "setting": setting, "p": p, "recipe": recipe}
    kept = run_context().checkpoint({**asked, "stop": stop, "record": record, "seed": seed})
    chosen, rules = _setting_and_rules(setting, p, stop, record)
    images, test_images = loaded_images(data)
    pair = Pair.of(images, test_images, seed=seed, num_classes=len(images.classes))
    train_data, test_data, _ = pair.corrupted(chosen)
    hyper = Recipe.from_dict(recipe)
    device = device_for(device)
    network = network_for(model, images, hyper, seed=seed)
    found: dict[str, Any] = {
        "sample": f"{images.name}, {len(images):,} + {len(test_images):,} images",
        "machine": machine(device),
    }
    try:
        with _interruption(kept) as interruption:
            report = fit(
                network,
                train_data,
                test_data,
                recipe=hyper,
                stop=(*rules, interruption),
                measure="all" if record == "accuracies" else "loss",
                seed=seed,
                device=device,
                checkpoint=kept,
                progress=run_context().show,
                name=f"{model}, {chosen.label}",
            )
    except NonFiniteLossError:  # so it "failed to converge", which is a result
        _remove(kept)
        return {**found, "measured": dict.fromkeys(("train", "test"), NOT_FINITE), "curves": {}}
    if interruption.seen:
        raise KeyboardInterrupt
    if report.stopped_by != "interrupted":
        _remove(kept)
    ended = {"measured": _measured(report), "curves": _curves(report, record)}
    return {**found, **ended, "seconds": report.seconds}


def seconds_to_train(**settings: Any) -> float:
    """Return how long `train` takes if it does all epochs: some steps are timed."""
    asked = with_defaults(train, settings)
    _setting_and_rules(asked["setting"], asked["p"], asked["stop"], asked["record"])
    images, test_images = loaded_images(asked["data"])
    hyper = Recipe.from_dict(asked["recipe"])
    size = min(hyper.batch_size, len(images))
    shape, classes = tuple(images.images.shape[1:]), len(images.classes)
    # Of a recipe only this decides how long a step takes.
    plain = replace(
        hyper, learning_rate=1e-3, epochs=1, decay=1.0, weight_decay=0.0, batch_size=size
    )
    a_step = seconds_per_step(asked["model"], plain, shape, classes, device_for(asked["device"]))
    steps = -(-len(images) // size)
    if asked["record"] == "accuracies":  # a pass forward is a third of a step
        steps += (len(images) + len(test_images)) // size // 3
    return hyper.epochs * steps * a_step


@lru_cache(maxsize=64)
def seconds_per_step(
    model: str, recipe: Recipe, shape: tuple[int, ...], num_classes: int, device: str
) -> float:
    """Time some steps on made-up images, after one to warm up."""
    network = by_name(model, input_shape=recipe.input_shape(shape), num_classes=num_classes)
    n = _STEPS_TIMED * recipe.batch_size
    pixels = torch.arange(torch.Size(shape).numel()) % 251
    labels = torch.arange(n) % num_classes
    images = (pixels + labels[:, None] * 7).remainder(256).to(torch.uint8).reshape(n, *shape)
    report: FitReport | None = None
    for count in (recipe.batch_size, n):
        few = TensorDataset(images[:count], labels[:count])
        plainly = Execution(compile=False, channels_last=False)
        report = fit(
            network, few, recipe=recipe, stop=(), measure="loss", device=device, execution=plainly
        )
        if report.stopped_by == "interrupted":  # the user wants all of it to end
            raise KeyboardInterrupt
    assert report is not None
    return report.seconds / report.steps


TRAINING = TrialKind(train, seconds_to_train)


def _setting_and_rules(
    setting: str, p: float, stop: Mapping[str, float], record: Record | None
) -> tuple[Setting, Sequence[stopping.StoppingRule]]:
    """Check what is done to the data, when the fit stops, and what is recorded."""
    if record is not None:
        check_choice("record", record, get_args(Record))
    return chosen_settings([setting], p=p)[0], _rules(stop)


def _rules(stop: Mapping[str, float]) -> Sequence[stopping.StoppingRule]:
    if not isinstance(stop, Mapping):
        raise TypeError(f"`stop` must map names of rules to numbers, got {stop!r}.")
    known = {"accuracy": stopping.target, "loss": loss_at_most}
    check_names("stop", stop, list(known))
    return tuple(known[name](value) for name, value in stop.items())


def _measured(report: FitReport) -> dict[str, Any]:
    assert report.test_accuracy is not None
    best = report.best_test_accuracy
    return {
        "train": percent(report.train_accuracy),
        "test": percent(report.test_accuracy),
        "test_error": percent(1 - report.test_accuracy),
        "best_test": None if best is None else percent(best),
        "steps": report.steps if report.stopped_by in ("target", "loss") else None,
        "epochs": report.epochs,
        "stopped_by": report.stopped_by,
    }


def _curves(report: FitReport, wanted: Record | None) -> dict[str, list[Any]]:
    if wanted == "losses":
        return {"losses": list(report.losses)}
    if wanted == "accuracies":
        return {
            "train": [percent(end.train) for end in report.history if end.train is not None],
            "test": [percent(end.test) for end in report.history if end.test is not None],
        }
    return {}


def _remove(checkpoints: Path | None) -> None:
    if checkpoints is not None:
        shutil.rmtree(checkpoints, ignore_errors=True)


def percent(share: float) -> float:
    """Return a share in percent, without the digits that rounding leaves."""
    return round(100 * share, 6)


# ---------------------------------------------------------------------------------- machine, run


def machine(device: torch.device | str = "cpu") -> str:
    """Return model, cores, and memory of the processor, and of the GPU if that does the work."""
    host = f"{processor()}{_memory()}"
    device = torch.device(device)
    if device.type != "cuda":
        return host
    found = torch.cuda.get_device_properties(device)
    return f"{found.name}, {found.total_memory / _GIB:.0f} GiB; {host}"


def processor() -> str:
    """Return model and cores of the processor, such as ``"AMD EPYC, 2 cores"``."""
    cores = os.cpu_count() or 1
    return f"{_model()}, {cores} core{'s' if cores > 1 else ''}"


def _model(table: Path = Path("/proc/cpuinfo")) -> str:
    try:
        lines = table.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(models), "") or platform.processor() or platform.machine()


def _memory() -> str:
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # nobody can tell
        return ""
    return f", {total / _GIB:.0f} GiB"


@dataclass(frozen=True)
class RunContext:
    """What a trial in this process knows besides its settings; it changes no result."""

    show: bool = False
    checkpoints: Path | None = None

    def checkpoint(self, settings: Mapping[str, Any]) -> Path | None:
        """Return the folder for the checkpoints of one trial, or None."""
        if self.checkpoints is None:
            return None
        return self.checkpoints / digest(encode(settings, "settings"))


_CONTEXT: ContextVar[RunContext | None] = ContextVar("run_context", default=None)


def run_context() -> RunContext:
    """Return the context here; in other processes nothing is shown and nothing kept."""
    return _CONTEXT.get() or RunContext()


@contextmanager
def running_in(context: RunContext) -> Iterator[None]:
    """Run trials in a context."""
    token = _CONTEXT.set(context)
    try:
        yield
    finally:
        _CONTEXT.reset(token)
