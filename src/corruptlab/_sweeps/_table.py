"""Finished trials as a tidy table: one row a trial, one column a setting or a result."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptlab._errors import require
from corruptlab._json import KIND, Json, canonical, decode
from corruptlab._sweeps._store import Store
from corruptlab._text import aligned, counted

_WIDEST = 40


class Table(Mapping[str, NDArray[Any]]):
    """Settings and results of trials, as a table with one array per column.

    Nested settings become columns with dots in their names: a setting
    ``noise=UniformLabels(p=0.4)`` becomes ``noise`` (the name of its class) and ``noise.p``.
    Numerical columns are ``int64``, or ``float64`` if they contain non-integers or missing values
    (``nan``). Columns of only ``bool`` values or only strings have that dtype. All other columns,
    such as lists, are object arrays with None for missing values.

    Args:
        rows: Settings and results of each trial.

    Attributes:
        settings: Names of the columns with settings; the other columns are results.

    Example:
        >>> from corruptlab.experiments.sweeps import Table
        >>> table = Table([({"p": 0.0, "seed": 0}, {"steps": 96}), ({"p": 1.0, "seed": 0}, {})])
        >>> table["steps"], table.settings
        (array([96., nan]), ('p', 'seed'))
        >>> print(table)
          p  seed  steps
        0.0     0   96.0
        1.0     0      -
        >>> table.where(p=0.0)["steps"]
        array([96])
    """

    settings: tuple[str, ...]

    def __init__(self, rows: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> None:
        self._rows = list(rows)
        asked = [_spread(settings) for settings, _ in rows]
        found = [_spread(results) for _, results in rows]
        self.settings = _names(asked)
        cells = [{**r, **s} for s, r in zip(asked, found, strict=True)]
        self._columns = {
            name: _column([row.get(name) for row in cells])
            for name in dict.fromkeys((*self.settings, *_names(found)))
        }

    @property
    def num_rows(self) -> int:
        """Number of trials."""
        return len(self._rows)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a column.

        Args:
            name: Name of the column.

        Returns:
            One value per trial, shape ``(num_rows,)``.

        Raises:
            KeyError: If there is no such column; the message lists the columns.
        """
        if name not in self._columns:
            there = ", ".join(self._columns) or "none"
            raise KeyError(f"`name` must be a column ({there}), got {name!r}.")
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        """Return the number of columns, as for any mapping; see ``num_rows`` for the rows."""
        return len(self._columns)

    def where(self, **values: Any) -> "Table":
        """Return the rows with the given values.

        Numbers are compared with a relative tolerance of ``1e-9`` and an absolute tolerance of
        ``1e-12``, so that ``p=0.3`` matches ``0.1 + 0.2``.

        Args:
            values: Value by name of the column; pass a name with a dot as ``**{"a.b": 1}``.

        Returns:
            Table of the matching rows.
        """
        kept = np.ones(self.num_rows, bool)
        for name, value in values.items():
            kept &= np.array([_equal(each, value) for each in self[name]], bool)
        return Table([row for row, keep in zip(self._rows, kept, strict=True) if keep])

    def relative(self, y: str, **reference: Any) -> NDArray[np.float64]:
        """Return a column divided by its value in a reference trial.

        Args:
            y: Name of a numerical column.
            reference: Settings of the reference trial, such as ``p=0``; its other settings equal
                those of the row.

        Returns:
            One ratio per row; ``nan`` if either value is missing or the reference is 0.
        """
        others = [name for name in self.settings if name not in reference]
        base = self.where(**reference)
        values = {_key(base, others, row): _number(base[y][row]) for row in range(base.num_rows)}
        below = np.array(
            [values.get(_key(self, others, row), np.nan) for row in range(self.num_rows)]
        )
        above = np.array([_number(value) for value in self[y]])
        ratios: NDArray[np.float64] = np.full(self.num_rows, np.nan)
        np.divide(above, below, out=ratios, where=below != 0)
        return ratios

    def to_pandas(self) -> Any:
        """Return the table as a ``pandas.DataFrame``.

        Raises:
            MissingExtraError: If pandas is not installed.
            ModuleNotFoundError: If pandas is installed but one of its dependencies is missing.
        """
        return require("pandas").DataFrame({name: list(column) for name, column in self.items()})

    def __repr__(self) -> str:
        return f"Table({counted(self.num_rows, 'trial')}: {', '.join(self)})"

    def __str__(self) -> str:
        """Return aligned plain text."""
        columns = [[name, *map(_cell, column)] for name, column in self.items()]
        return "\n".join(aligned(list(zip(*columns, strict=True)), left=0))


def ordered(
    rows: Sequence[tuple[dict[str, Json], dict[str, Json]]],
) -> list[tuple[dict[str, Json], dict[str, Json]]]:
    """Return rows by their settings: numbers by size, before everything else."""

    def rank(value: Json) -> tuple[int, float, str]:
        if isinstance(value, int | float):
            return 0, value, ""
        return 1, 0.0, canonical(value).decode()

    return sorted(rows, key=lambda row: [rank(value) for value in row[0].values()])


def _spread(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give nested values columns of their own."""
    flat: dict[str, Any] = {}
    for name, encoded in values.items():
        value = decode(encoded)
        if not isinstance(value, dict):
            flat[name] = value
            continue
        if KIND in value:
            flat[name] = str(value[KIND]).rpartition(".")[2]
        inside = {key: each for key, each in value.items() if key != KIND}
        flat |= {f"{name}.{key}": each for key, each in _spread(inside).items()}
    return flat


def _equal(one: Any, other: Any) -> bool:
    numbers = isinstance(one, Real) and isinstance(other, Real)
    if numbers and not isinstance(one, bool | np.bool_) and not isinstance(other, bool | np.bool_):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)


def _names(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for row in rows for name in row))


def _column(values: Sequence[Any]) -> NDArray[Any]:
    kinds = {type(value) for value in values}
    if kinds in ({bool}, {str}):
        return np.array(values)
    if kinds == {int} and all(abs(value) < 1 << 63 for value in values):
        return np.array(values, np.int64)
    if kinds <= {int, float, type(None)} and kinds != {type(None)}:
        with suppress(OverflowError):  # an integer beyond all floats
            return np.array([_number(value) for value in values], np.float64)
    column = np.empty(len(values), object)
    column[:] = values
    return column


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _key(table: Table, names: Sequence[str], row: int) -> tuple[str, ...]:
    return tuple(repr(table[name][row]) for name in names)


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "-"
    text = f"{value:.4g}" if isinstance(value, float) and value != round(value, 1) else str(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def load(out: str | os.PathLike[str]) -> Table:
    """Load the finished trials of a sweep, which may still be running.

    Nothing is written. The checksum of every file is verified.

    Args:
        out: Folder of the sweep.

    Returns:
        One row per finished trial, ordered by settings.

    Raises:
        DataFileError: If ``out`` is not the folder of a sweep, or a file in it is damaged (the
            sweep itself sets such a file aside and repeats the trial).

    Example:
        >>> import tempfile
        >>> import corruptlab as cl
        >>> grid = {"p": [1.0, 0.0], "n": [60], "model": ["mlp-1x64"]}
        >>> with tempfile.TemporaryDirectory() as out:
        ...     _ = cl.sweep(grid, cl.sweeps.partial_labels, out=out)
        ...     table = cl.sweeps.load(out)
        >>> table["p"], table["train_accuracy"]
        (array([0., 1.]), array([1., 1.]))
    """
    store = Store.of(out)
    return table_of(store, store.ids())


def table_of(store: Store, ids: Iterable[str], *, sort: bool = True) -> Table:
    """Return the table of some finished trials."""
    records = [store.result(each) for each in ids]
    rows = [(record["settings"], record["result"]) for record in records]
    return Table(ordered(rows) if sort else rows)
