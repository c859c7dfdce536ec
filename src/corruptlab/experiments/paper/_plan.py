"""What will be done for some rows, and how long it will take, before any of it is."""

import inspect
import json
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from corruptlab._by_name import check_images, device_for
from corruptlab._checks import natural, positive
from corruptlab._errors import DataFileError
from corruptlab._json import decode, encode
from corruptlab._modules import resolve_device
from corruptlab._progress import Progress
from corruptlab._sweeps import Store, trials_of
from corruptlab.experiments.paper._exhibit import DataSet, Exhibit, Row
from corruptlab.experiments.paper._exhibits import exhibit as exhibit_of
from corruptlab.training import Recipe

_LONG_SECONDS = 3600.0
_GIVEN = ("data", "seed", "device")
_KINDS: Mapping[type, str] = {bool: "True or False", str: "text"}


class Known(NamedTuple):
    """A data set of the paper: its title, and how specifications of it look and begin."""

    title: str
    specification: str
    beginnings: tuple[str, ...]


DATA_SETS: Mapping[DataSet, Known] = {
    "cifar10": Known("CIFAR-10", "cifar10:FOLDER", ("cifar10:", "torchvision:CIFAR10:")),
    "mnist": Known("MNIST", "idx:FOLDER", ("idx:", "torchvision:MNIST:")),
    "imagenet": Known("ImageNet", "imagenet:FOLDER", ("imagenet:",)),
}


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One row with one seed: what its trial gets, how long it takes, and how it is repeated."""

    row: Row
    seed: int
    settings: Mapping[str, Any]
    id: str
    seconds: float
    command: str
    kept: bool
    departures: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Plan of a call of `reproduce`; returned by `plan`.

    Attributes:
        exhibit: The table or figure.
        trials: One trial per row and seed, in order.
        left_out: Reason for each requested row that will not be run, by name of the row.
        changes: Parameters that differ from those of the rows.
        device: Device of the trials.

    Example:
        >>> from corruptlab.experiments import paper
        >>> plan = paper.plan("table1", rows=["mlp-1x512 plain"], data="fashion-mnist-mini")
        >>> print(plan)
        table1 on cpu, estimated:
          mlp-1x512 plain   about ...
    """

    exhibit: Exhibit
    trials: tuple[Planned, ...]
    left_out: Mapping[str, str]
    changes: Mapping[str, Any]
    device: str

    @property
    def seconds(self) -> float:
        """Estimated time of all trials in seconds, one after the other."""
        return sum(each.seconds for each in self.trials)

    @property
    def own_recipes(self) -> bool:
        """Whether no parameter was changed."""
        return not any(each.departures for each in self.trials)

    def __str__(self) -> str:
        lines = [f"{self.exhibit.name} on {self.device}, estimated:"]
        names = [_trial_label(each) for each in self.trials]
        width = max(map(len, [*names, *self.left_out]), default=0)
        for name, each in zip(names, self.trials, strict=True):
            mark = "  LONG" if each.seconds > _LONG_SECONDS else ""
            how_long = "finished before" if each.kept else duration(each.seconds)
            lines.append(f"  {name:{width}}   {how_long}{mark}")
        lines += [f"  {name:{width}}   skipped: {why}" for name, why in self.left_out.items()]
        if sum(not each.kept for each in self.trials) > 1:
            lines.append(f"  {'in all':{width}}   {duration(self.seconds)}")
        return "\n".join(lines)


def plan(
    what: str | Exhibit,
    *,
    data: str | Sequence[str],
    rows: Sequence[str] | None = None,
    seeds: Sequence[int] = (0,),
    epochs: int | None = None,
    changes: Mapping[str, Any] | None = None,
    device: str = "auto",
    most_hours: float | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Plan:
    """Check the arguments of `reproduce`, and estimate the time of each row.

    A few steps of each network are timed on this machine, which may take seconds per row. The
    estimate assumes the maximum number of epochs; rows that stop at interpolation take less. For
    kernels, it covers the features and the solver, but not predictions on test images.

    Args:
        what: Name of a table or figure, or the thing itself.
        data: Data, as for `reproduce`.
        rows: Rows, as for `reproduce`.
        seeds: Seeds, as for `reproduce`.
        epochs: Maximum number of epochs, as for `reproduce`.
        changes: Other parameters, as for `reproduce`.
        device: Device of the trials.
        most_hours: Estimated hours above which a row is skipped.
        out: Folder with finished trials, or None.
        progress: Whether to show progress.

    Returns:
        The plan; ``print`` shows the estimates.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a table, row, data set, or parameter is unknown, or a value is out of range.

    Example:
        >>> from corruptlab.experiments import paper
        >>> paper.plan("theorem1", rows=["2"], data="fashion-mnist-mini").seconds < 60
        True
    """
    shown = exhibit_of(what)
    picked = shown.picked(rows)
    known = altered(changes, epochs, picked)
    device = device_for(device)
    resolve_device(nn.Identity(), device)
    specs = assigned(data, picked)
    numbers = _seeds(seeds)
    if most_hours is not None:
        positive("most_hours", most_hours)
    trials: list[Planned] = []
    left_out: dict[str, str] = {}
    with Progress(len(picked), "estimating", show=progress, least_seconds=2.0) as line:
        for done, row in enumerate(picked, 1):
            if (why := _missing_data(row, specs)) is None:
                try:
                    found = _plan_row(shown, row, specs[row.data], numbers, known, device, out)
                    trials += found
                    why = _too_long(found, most_hours)
                except MemoryError as error:
                    why = str(error)
            if why is not None:
                left_out[row.name] = why
            line.update(done, row.name)
    return Plan(
        exhibit=shown,
        trials=tuple(each for each in trials if each.row.name not in left_out),
        left_out=left_out,
        changes=known,
        device=device,
    )


def folder_of(out: str | os.PathLike[str], row: Row) -> Path:
    """Return the folder of the sweep that a row's trials belong to."""
    return Path(out).expanduser() / row.work.name


def duration(seconds: float) -> str:
    """Return a rough time in words."""
    for unit, size in (("days", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * size:
            return f"about {seconds / size:.{1 if seconds < 10 * size else 0}f} {unit}"
    return f"about {max(1, round(seconds))} s"


def _plan_row(
    exhibit: Exhibit,
    row: Row,
    spec: str,
    seeds: Sequence[int],
    changes: Mapping[str, Any],
    device: str,
    out: str | os.PathLike[str] | None,
) -> list[Planned]:
    """Return the trials of a row; only what is not finished is estimated."""
    own = changed(row, changes)
    found, seconds = [], None
    for seed in seeds:
        settings = {**own, "data": spec, "seed": seed, "device": device}
        name = trials_of([settings], row.work.trial)[0].id
        kept = out is not None and _finished(Store(folder_of(out, row)), name)
        if not kept and seconds is None:
            seconds = row.work.seconds(**settings)
        found.append(
            Planned(
                row=row,
                seed=seed,
                settings=settings,
                id=name,
                seconds=0.0 if kept else seconds or 0.0,
                command=_command(exhibit, row, spec, seed, changes),
                kept=kept,
                departures=departures(row, changes),
            )
        )
    return found


def _finished(store: Store, trial: str) -> bool:
    try:
        store.result(trial)
    except DataFileError:  # missing, or damaged, so that it will be run again
        return False
    return True


def _missing_data(row: Row, specs: Mapping[Any, str]) -> str | None:
    """Return which data set a row lacks to be run, if any."""
    if row.data in specs:
        return None
    known = DATA_SETS[row.data]
    return f"needs {known.title} ({known.specification})"


def _too_long(found: Sequence[Planned], most_hours: float | None) -> str | None:
    longest = max(each.seconds for each in found)
    if most_hours is None or longest <= most_hours * 3600:
        return None
    return f"would take {duration(longest)}, more than {most_hours:g} h"


def _seeds(seeds: Sequence[int]) -> list[int]:
    if not isinstance(seeds, Iterable):
        raise TypeError(f"`seeds` must be a sequence of integers, got {seeds!r}.")
    numbers = [natural("seeds", seed) for seed in seeds]
    if not numbers:
        raise ValueError("`seeds` must hold at least one seed, got none.")
    return list(dict.fromkeys(numbers))


def _command(exhibit: Exhibit, row: Row, spec: str, seed: int, changes: Mapping[str, Any]) -> str:
    words = ["corruptlab", "reproduce", exhibit.name, "--rows", row.name]
    words += ["--data", without_folder(spec)]
    if seed:
        words += ["--seeds", str(seed + 1)]
    for name, value in changes.items():
        words += ["--set", f"{name}={json.dumps(value)}"]
    return shlex.join([*words, "--out", "out"])


def _trial_label(each: Planned) -> str:
    return each.row.name if not each.seed else f"{each.row.name}, seed {each.seed}"


# -------------------------------------------------------------------------------------- data sets


def assigned(data: str | Sequence[str], rows: Sequence[Row]) -> dict[DataSet, str]:
    """Return which of the given data sets serves which of the paper's."""
    if not isinstance(data, Sequence):
        raise TypeError(f"`data` must be text such as 'cifar10:FOLDER', got {data!r}.")
    specs = [data] if isinstance(data, str) else list(data)
    wanted: list[DataSet] = list(dict.fromkeys(row.data for row in rows))
    found: dict[DataSet, str] = {}
    for spec in specs:
        if not isinstance(spec, str):
            raise TypeError(f"`data` must be text such as 'cifar10:FOLDER', got {spec!r}.")
        check_images(spec)
        for name in wanted:
            if spec.startswith(DATA_SETS[name].beginnings):
                if name in found:
                    both = f"{found[name]!r} and {spec!r}"
                    raise ValueError(f"`data` must be {DATA_SETS[name].title} once, got {both}.")
                found[name] = spec
    # A single one that is none of the paper's stands in for that of the rows, if they share one.
    if not found and len(specs) == len(wanted) == 1 and stands_in(specs[0], wanted[0]):
        found[wanted[0]] = specs[0]
    if not found:
        titles = " or ".join(f"{DATA_SETS[n].title} ({DATA_SETS[n].specification})" for n in wanted)
        raise ValueError(f"`data` must be {titles}, got {', '.join(map(repr, specs)) or 'none'}.")
    return found


def stands_in(spec: str, name: DataSet) -> bool:
    """Return whether a specification stands in for a data set; nothing does for ImageNet."""
    served = spec.startswith(DATA_SETS[name].beginnings)
    return not served and "imagenet" not in (name, spec.partition(":")[0])


def without_folder(spec: str) -> str:
    """Return a specification with ``FOLDER`` for the folder, to show to others."""
    kind, _, rest = spec.partition(":")
    if not rest:
        return kind
    name = rest.partition(":")[0]
    return f"torchvision:{name}:FOLDER" if kind == "torchvision" else f"{kind}:FOLDER"


# ---------------------------------------------------------------------------------------- changes


def altered(
    changes: Mapping[str, Any] | None, epochs: int | None, rows: Sequence[Row]
) -> dict[str, Any]:
    """Check changes, and return them, epochs among them, as plain Python values."""
    if not isinstance(changes, Mapping | None):
        raise TypeError(f"`changes` must map names of parameters to values, got {changes!r}.")
    known = {name: decode(encode(value, "changes")) for name, value in (changes or {}).items()}
    _check(known, rows)
    if epochs is None:
        return known
    if not any("recipe" in row.parameters for row in rows):
        raise ValueError(f"`epochs` must be None for rows that are not trained, got {epochs!r}.")
    if "recipe.epochs" in known:
        both = f"{epochs} and {known['recipe.epochs']} among the changes"
        raise ValueError(f"`epochs` must be given once, got {both}.")
    return {**known, "recipe.epochs": epochs}


def changed(row: Row, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row's parameters with the changes that apply to it."""
    own = dict(row.parameters)
    for name, value in changes.items():
        inside, dot, part = name.partition(".")
        if dot and part in own.get(inside, {}):
            own[inside] = {**own[inside], part: value}
        elif not dot and name in _names(row):
            own[name] = value
    if "recipe" in own:
        own["recipe"] = Recipe.from_dict(own["recipe"]).to_dict()
    return own


def departures(row: Row, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes that make a row another one."""
    own = changed(row, {})
    return {name: value for name, value in changes.items() if changed(row, {name: value}) != own}


def _check(changes: Mapping[str, Any], rows: Sequence[Row]) -> None:
    known = list(dict.fromkeys(name for row in rows for name in _names(row)))
    kinds = {name: kind for row in rows for name, kind in _kinds(row).items()}
    for name, value in changes.items():
        if name not in known:
            raise ValueError(
                f"`changes` must name parameters of the rows ({', '.join(known)}), got {name!r}."
            )
        kind = kinds.get(name, object)
        if not isinstance(value, kind):  # any text would count as true
            raise TypeError(f"`{name}` must be {_KINDS[kind]}, got {value!r}.")


def _names(row: Row) -> list[str]:
    """Return the parameters of a row that can be changed."""
    taken = inspect.signature(row.work.trial).parameters
    plain = [name for name in taken if name not in (*_GIVEN, "recipe")]
    return [*plain, *(f"recipe.{name}" for name in row.parameters.get("recipe", ()))]


def _kinds(row: Row) -> dict[str, type]:
    """Return the kinds of a row's parameters that are checked before it runs."""
    taken = inspect.signature(row.work.trial).parameters
    return {name: kind for name in taken if (kind := taken[name].annotation) in _KINDS}
