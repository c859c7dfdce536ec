"""Changes of parameters that rows are run with."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from corruptlab.experiments.paper._exhibit import Row
from corruptlab.experiments.sweeps._encoding import decode, encode
from corruptlab.training import Recipe

_GIVEN = ("data", "seed", "device")
_KINDS: Mapping[type, str] = {bool: "True or False", str: "text"}


def altered(
    changes: Mapping[str, Any] | None, epochs: int | None, rows: Sequence[Row]
) -> dict[str, Any]:
    """Check changes, and return them, epochs among them, as plain values of Python.

    Args:
        changes: Names of parameters to values, or None.
        epochs: Epochs at most, or None.
        rows: The rows that they shall change.

    Returns:
        The changes.

    Raises:
        TypeError: If a value is of a wrong kind.
        ValueError: If no row has such a parameter, or epochs are given twice.
    """
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
    """Return a row's parameters with those changes that concern it.

    Args:
        row: The row.
        changes: Parameters, whether or not the row has them.
    """
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


def own_recipe(row: Row, changes: Mapping[str, Any]) -> bool:
    """Return whether changes leave a row as it is, but for what it asks for.

    Args:
        row: The row.
        changes: Parameters, whether or not the row has them.
    """
    unasked = {name: value for name, value in changes.items() if name not in row.needs}
    return changed(row, unasked) == changed(row, {})


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
    """Return of what kind parameters of a row are, where that is easily told."""
    taken = inspect.signature(row.work.trial).parameters
    return {name: kind for name in taken if (kind := taken[name].annotation) in _KINDS}
