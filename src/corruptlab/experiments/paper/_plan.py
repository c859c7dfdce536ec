"""What will be done for some rows, and how long it will take, before any of it is."""

import json
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from corruptlab._by_name import device_for
from corruptlab._checks import natural, positive
from corruptlab._errors import DataFileError
from corruptlab._modules import resolve_device
from corruptlab._progress import Progress
from corruptlab.experiments.paper._changes import altered, changed, own_recipe
from corruptlab.experiments.paper._data_sets import DATA_SETS, assigned, without_folder
from corruptlab.experiments.paper._exhibit import Exhibit, Row
from corruptlab.experiments.paper._exhibits import exhibit as exhibit_of
from corruptlab.experiments.sweeps._store import Store
from corruptlab.experiments.sweeps._trials import trials_of

_LONG_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One row with one seed.

    Args:
        row: The row.
        seed: The seed.
        settings: What its trial gets.
        id: Name of its trial; rows that changes have made alike share one.
        seconds: How long it will take, about, if it does all epochs; 0.0 if it is finished.
        command: What repeats it.
        kept: Whether it is finished.
    """

    row: Row
    seed: int
    settings: Mapping[str, Any]
    id: str
    seconds: float
    command: str
    kept: bool


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What `reproduce` would do.

    Attributes:
        exhibit: The table or figure.
        trials: Rows by seeds, in order.
        left_out: Name to reason, of the rows that were asked for and will not be run.
        changes: What differs from the rows' recipes.
        device: Where it is done.

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
        """How long all of it will take, about, one after the other."""
        return sum(each.seconds for each in self.trials)

    @property
    def own_recipes(self) -> bool:
        """Whether no row was changed but for what it asks for."""
        return all(own_recipe(each.row, self.changes) for each in self.trials)

    def __str__(self) -> str:
        lines = [f"{self.exhibit.name} on {self.device}, estimated:"]
        names = [_called(each) for each in self.trials]
        width = max(map(len, [*names, *self.left_out]), default=0)
        for name, each in zip(names, self.trials, strict=True):
            mark = "  LONG" if each.seconds > _LONG_SECONDS else ""
            how_long = "finished before" if each.kept else duration(each.seconds)
            lines.append(f"  {name:{width}}   {how_long}{mark}")
        lines += [f"  {name:{width}}   left out: {why}" for name, why in self.left_out.items()]
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
    """Check everything that is asked for, and estimate how long each row will take.

    Some steps of each network are timed on this machine, so this may take seconds a row. What the
    estimate counts all epochs: a row that stops when it has fitted takes less. For kernels it
    is the solver's, without features and test images.

    Args:
        what: Name of a table or figure, or the thing itself.
        data: As for `reproduce`, and so are all others.
        rows: Which rows.
        seeds: Which seeds.
        epochs: Epochs at most.
        changes: Other parameters.
        device: Where to work.
        most_hours: What takes longer is left out.
        out: Folder with what is finished; None for none.
        progress: Whether to show progress.

    Returns:
        The plan; ``print`` it.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a table, row, data set, or parameter is unknown, or a value is out of its
            range.

    Example:
        >>> from corruptlab.experiments import paper
        >>> paper.plan("theorem1", rows=["2"], data="fashion-mnist-mini").seconds < 60
        True
    """
    shown = exhibit_of(what)
    picked = shown.picked(rows)
    known = altered(changes, epochs, picked)
    place = device_for(device)
    resolve_device(nn.Identity(), place)
    specs = assigned(data, picked)
    numbers = _seeds(seeds)
    if most_hours is not None:
        positive("most_hours", most_hours)
    trials: list[Planned] = []
    left_out: dict[str, str] = {}
    with Progress(len(picked), "estimating", show=progress, least_seconds=2.0) as line:
        for done, row in enumerate(picked, 1):
            if (why := _missing(row, specs, known)) is None:
                try:
                    found = _planned(shown, row, specs[row.data], numbers, known, device, out)
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
        device=place,
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


def _planned(
    exhibit: Exhibit,
    row: Row,
    spec: str,
    seeds: Sequence[int],
    changes: Mapping[str, Any],
    device: str,
    out: str | os.PathLike[str] | None,
) -> list[Planned]:
    """Spell out the trials of a row; only what is not finished is estimated."""
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
            )
        )
    return found


def _finished(store: Store, trial: str) -> bool:
    try:
        store.result(trial)
    except DataFileError:  # missing, or damaged, so that it will be run again
        return False
    return True


def _missing(row: Row, specs: Mapping[Any, str], changes: Mapping[str, Any]) -> str | None:
    """Return what a row lacks to be run, if anything."""
    if row.data not in specs:
        known = DATA_SETS[row.data]
        return f"needs {known.title} ({known.specification})"
    for name in row.needs:
        if name not in changes:
            return f"needs a value of `{name}`, which nobody has searched for"
    return None


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


def _called(each: Planned) -> str:
    return each.row.name if not each.seed else f"{each.row.name}, seed {each.seed}"
