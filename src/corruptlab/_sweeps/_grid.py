"""The trials of a grid: settings, each with the name that its file bears."""

import inspect
import itertools
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from corruptlab._json import Json, digest, encode, identity_of

Function: TypeAlias = Callable[..., Mapping[str, Any]]
"""A trial: settings in, as keywords, and named results out."""

Grid: TypeAlias = Mapping[str, Any] | Iterable[Mapping[str, Any]]
"""Names to sequences of values, for every combination; or the settings one by one."""


@dataclass(frozen=True)
class Trial:
    """One point of a grid: the SHA-256 of function and settings, and the settings, also as JSON."""

    id: str
    settings: dict[str, Any] = field(compare=False)
    encoded: dict[str, Json] = field(compare=False)


def trials_of(grid: Grid, function: Function) -> list[Trial]:
    """Return the trials of a grid in its order; in a mapping the first name varies slowest."""
    identity = identity_of(function)
    trials: dict[str, Trial] = {}
    for settings in _settings(grid):
        _check_names(settings)
        encoded = {name: encode(value, "grid", name) for name, value in settings.items()}
        name = digest(_numbers_alike({"function": identity, "settings": encoded}))
        trial = Trial(name, settings, encoded)
        if trial.id in trials:
            raise ValueError(f"`grid` must hold every trial once, got {settings} twice.")
        trials[trial.id] = trial
    if not trials:
        raise ValueError("`grid` must hold at least one trial, got none.")
    for trial in trials.values():
        _check_takes(function, trial.settings)
    _check_pickles(function, list(trials.values()))
    return list(trials.values())


def _numbers_alike(value: Json) -> Json:
    """Return a value with whole numbers as integers, so that 0 and 0.0 bear one name."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_numbers_alike(each) for each in value]
    if isinstance(value, dict):
        return {key: _numbers_alike(each) for key, each in value.items()}
    return value


def _settings(grid: Any) -> Iterable[dict[str, Any]]:
    if isinstance(grid, Mapping):
        columns = [_values(name, values) for name, values in grid.items()]
        return [dict(zip(grid, each, strict=True)) for each in itertools.product(*columns)]
    if isinstance(grid, str) or not isinstance(grid, Iterable):
        raise TypeError(
            "`grid` must map names to sequences of values, or be a sequence of such settings, "
            f"got {grid!r}."
        )
    rows = list(grid)
    for row in rows:
        if not isinstance(row, Mapping):
            raise TypeError(f"`grid` must be a sequence of mappings, got {row!r} in it.")
    return [dict(row) for row in rows]


def _values(name: str, values: Any) -> Sequence[Any]:
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise TypeError(f"`grid` must map {name!r} to a sequence of values, got {values!r}.")
    column = values.tolist() if hasattr(values, "tolist") else list(values)
    if not isinstance(column, list):  # an array of no dimension
        raise TypeError(f"`grid` must map {name!r} to a sequence of values, got {values!r}.")
    if not column:
        raise ValueError(f"`grid` must map {name!r} to at least one value, got none.")
    return column


def _check_names(settings: Mapping[Any, Any]) -> None:
    for name in settings:
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"`grid` must name arguments of the trial, got {name!r}.")


def _check_takes(function: Function, settings: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions written in C have none
        return
    try:
        signature.bind(**settings)
    except TypeError as error:
        raise TypeError(
            f"`trial` must take the settings as keywords, got {sorted(settings)} ({error})."
        ) from None


def _check_pickles(function: Function, trials: Sequence[Trial]) -> None:
    # Whatever the executor: other processes must be able to run, and resume, the same sweep.
    for argument, value in (("trial", function), ("grid", trials)):
        try:
            pickle.dumps(value)
        except Exception as error:  # a foreign `__reduce__` may raise anything
            raise TypeError(
                f"`{argument}` must be picklable (functions: at the top of a module), "
                f"got {function if argument == 'trial' else 'values that are not'!r} "
                f"({' '.join(str(error).split())})."
            ) from None
