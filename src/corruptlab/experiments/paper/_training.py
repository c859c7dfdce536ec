"""The trial of most tables and figures: one network, one setting, one recipe."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch.utils.data import TensorDataset

from corruptlab._by_name import device_for, loaded, network_for
from corruptlab._checks import check_choice, not_negative
from corruptlab.experiments.paper._exhibit import Work
from corruptlab.experiments.paper._machine import machine
from corruptlab.experiments.paper._surroundings import surroundings
from corruptlab.experiments.randomization import Pair, Setting, chosen_settings
from corruptlab.models import by_name
from corruptlab.training import Execution, FitReport, NonFiniteLossError, Recipe, fit, stopping

Record: TypeAlias = Literal["losses", "accuracies"]
"""What is kept beside the end: the loss of each step, or accuracies after each epoch."""

NOT_FINITE = "the loss is not finite"
_STEPS_TIMED = 4


@dataclass(frozen=True)
class loss_at_most:  # noqa: N801  # reads as a word, as the rules of `stopping` do
    """Stop when the mean loss over the batches of an epoch is small enough."""

    loss: float
    name: str = "loss"

    def __post_init__(self) -> None:
        not_negative("loss", self.loss)

    def met(self, now: stopping.FitProgress, /) -> bool:
        """Tell whether it is."""
        return now.epoch_losses[-1] <= self.loss


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
    """Train a network as the paper did.

    Args:
        data: Data set, as for `corruptlab.datasets.load`.
        model: Network, as for `corruptlab.models.by_name`.
        setting: What is done to the data, one of `corruptlab.experiments.SETTINGS`.
        recipe: A recipe as a dictionary.
        stop: ``{"accuracy": share}`` of the training examples, ``{"loss": mean}``, or nothing to
            do all epochs.
        p: Probability that a label is redrawn, for ``"partial-labels"``.
        record: What to keep beside the end.
        seed: Seed of weights, corruption, and data order.
        device: Where to train; ``"auto"`` is a GPU where there is one.

    Returns:
        Accuracies in percent; ``steps`` until it stopped, None if the epochs were over first.
    """
    kept = surroundings().checkpoint(
        {
            "data": data,
            "model": model,
            "setting": setting,
            "p": p,
            "recipe": recipe,
            "stop": stop,
            "record": record,
            "seed": seed,
        }
    )
    chosen, rules = _asked(setting, p, stop, record)
    images, held_out = loaded(data)
    pair = Pair.of(images, held_out, seed=seed, num_classes=len(images.classes))
    learned, unseen, _ = pair.corrupted(chosen)
    hyper = Recipe.from_dict(recipe)
    place = device_for(device)
    network = network_for(model, images, hyper, seed=seed)
    found: dict[str, Any] = {
        "sample": f"{images.name}, {len(images):,} + {len(held_out):,} images",
        "machine": machine(place),
    }
    try:
        report = fit(
            network,
            learned,
            unseen,
            recipe=hyper,
            stop=rules,
            measure="all" if record == "accuracies" else "loss",
            seed=seed,
            device=place,
            checkpoint=kept,
            progress=surroundings().show,
            name=f"{model}, {chosen.label}",
        )
    except NonFiniteLossError:  # so it "failed to converge", which is a result
        _throw_away(kept)
        return {**found, "measured": dict.fromkeys(("train", "test"), NOT_FINITE), "curves": {}}
    if report.stopped_by != "interrupted":
        _throw_away(kept)
    ended = {"measured": _measured(report), "curves": _curves(report, record)}
    return {**found, **ended, "seconds": report.seconds}


def seconds_to_train(
    *,
    data: str,
    model: str,
    setting: str,
    recipe: Mapping[str, Any],
    stop: Mapping[str, float],
    p: float = 1.0,
    record: Record | None = None,
    device: str = "auto",
    **others: Any,
) -> float:
    """Return how long `train` takes if it does all epochs: some steps are timed.

    Args:
        data: As for `train`, and so on.
        model: Network.
        setting: What is done to the data.
        recipe: Recipe.
        stop: When it stops; it is counted as never.
        p: Probability that a label is redrawn.
        record: What is kept.
        device: Where to train.
        others: What does not matter for it.

    Returns:
        Seconds.
    """
    _asked(setting, p, stop, record)
    images, held_out = loaded(data)
    hyper = Recipe.from_dict(recipe)
    size = min(hyper.batch_size, len(images))
    shape, classes = tuple(images.images.shape[1:]), len(images.classes)
    # Of a recipe only this decides how long a step takes.
    plain = replace(
        hyper, learning_rate=1e-3, epochs=1, decay=1.0, weight_decay=0.0, batch_size=size
    )
    a_step = seconds_per_step(model, plain, shape, classes, device_for(device))
    steps = -(-len(images) // size)
    if record == "accuracies":  # a pass forward is a third of a step
        steps += (len(images) + len(held_out)) // size // 3
    return hyper.epochs * steps * a_step


@lru_cache(maxsize=64)
def seconds_per_step(
    model: str, recipe: Recipe, shape: tuple[int, ...], num_classes: int, device: str
) -> float:
    """Time some steps on made-up images, after one to warm up.

    Args:
        model: Network.
        recipe: Recipe of one epoch.
        shape: Shape of one image.
        num_classes: Number of classes.
        device: Where to train.

    Returns:
        Seconds of a step.

    Raises:
        KeyboardInterrupt: If there was one, which `fit` only notes.
    """
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


TRAINING = Work(train, seconds_to_train)


def _asked(
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
    for name in stop:
        if name not in known:
            raise ValueError(f"`stop` must only name {', '.join(known)}, got {name!r}.")
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


def _throw_away(checkpoints: Path | None) -> None:
    if checkpoints is not None:
        shutil.rmtree(checkpoints, ignore_errors=True)


def percent(share: float) -> float:
    """Return a share in percent, without the digits that rounding leaves."""
    return round(100 * share, 6)
