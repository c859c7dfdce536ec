"""A table or figure of the paper, as data: its rows, what was published, and how to repeat each."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Published: TypeAlias = "float | str"
"""A number, or the paper's words where it gives none."""

DataSet: TypeAlias = Literal["cifar10", "mnist", "imagenet"]
"""Data sets of the paper."""


@dataclass(frozen=True)
class Work:
    """A kind of trial, and how long one will take.

    Args:
        trial: Settings in, as keywords; out come ``measured``, by name of the quantity, what the
            ``sample`` was, the ``machine``, and ``curves``.
        seconds: The same settings in; out come seconds, about, by a short measurement.
    """

    trial: Callable[..., Mapping[str, Any]]
    seconds: Callable[..., float]

    @property
    def name(self) -> str:
        """Name of the trial."""
        return self.trial.__name__


@dataclass(frozen=True)
class Quantity:
    """Something that is measured, and stands in a column.

    Args:
        name: Its key in what rows publish and trials measure.
        title: What tables call it.
        form: How a number of it is written, as for ``str.format``.
        tolerance: How far from the published number it may be to count as reproduced; None if
            nothing is promised.

    Example:
        >>> from corruptlab.experiments.paper import Quantity
        >>> Quantity("test", "test accuracy, %").text(51.374)
        '51.37'
    """

    name: str
    title: str
    form: str = "{:.2f}"
    tolerance: float | None = None

    def text(self, value: "float | str | None") -> str:
        """Return a value as tables show it; ``-`` if there is none."""
        if value is None:
            return "-"
        return value if isinstance(value, str) else self.form.format(value)

    def deviation(self, measured: object, published: object) -> float | None:
        """Return measured less published, or None where either is no number."""
        if isinstance(measured, int | float) and isinstance(published, int | float):
            return measured - published
        return None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a table, or one curve or point of a figure.

    Args:
        name: How it is asked for.
        published: What the paper gives, by name of the quantity, in the unit of its column.
        parameters: What the trial gets besides data, seed, and device: the whole recipe, as values
            that JSON can hold.
        work: What is done.
        data: Data set.
        needs: Parameters that nobody has published or searched for, and that have to be given.
        reference: Name of the row that its ``steps`` are a multiple of, if they are.

    Example:
        >>> from corruptlab.experiments import paper
        >>> row = paper.exhibit("table1")["mlp-1x512 random-labels"]
        >>> row.published
        {'train': 99.34, 'test': 10.61}
        >>> row.parameters["recipe"]["learning_rate"]
        0.01
    """

    name: str
    published: Mapping[str, Published]
    parameters: Mapping[str, Any] = field(repr=False)
    work: Work = field(repr=False)
    data: DataSet = "cifar10"
    needs: tuple[str, ...] = ()
    reference: str | None = None


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """A table or figure of the paper.

    Args:
        name: How it is asked for, such as ``"table1"``.
        title: What it shows.
        source: Where it stands.
        quantities: Its columns.
        rows: Its rows.
        remarks: What the paper leaves open, and what is done here.

    Example:
        >>> from corruptlab.experiments import paper
        >>> paper.exhibit("table1")
        Exhibit('table1': CIFAR-10, true and random labels, with and without regularizers; 19 rows)
        >>> [row.name for row in paper.exhibit("table1").picked(["mlp-1x512"])]
        ['mlp-1x512 weight-decay', 'mlp-1x512 plain', 'mlp-1x512 random-labels']
    """

    name: str
    title: str
    source: str
    quantities: tuple[Quantity, ...]
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Row:
        """Return a row.

        Args:
            name: Its name.

        Returns:
            The row.

        Raises:
            KeyError: If there is none of that name; the message lists those there are.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"`name` must be one of {self._names()}, got {name!r}.")

    def picked(self, patterns: Iterable[str] | None) -> tuple[Row, ...]:
        """Return the rows that are asked for, in the order of the table.

        Args:
            patterns: For each, the row of that very name; else those whose names hold all its
                words; else those whose names hold them as parts of words. None for all rows.

        Returns:
            The rows.

        Raises:
            TypeError: If ``patterns`` is a string, or holds something else than strings.
            ValueError: If there is no pattern, or one fits no row; the message lists the rows.
        """
        if patterns is None:
            return self.rows
        if isinstance(patterns, str):
            raise TypeError(f"`rows` must be a sequence of names, got {patterns!r}.")
        wanted: set[str] = set()
        for pattern in (asked := list(patterns)):
            wanted |= self._fitting(pattern)
        if not asked:
            raise ValueError(f"`rows` must name at least one of {self._names()}, got none.")
        return tuple(row for row in self.rows if row.name in wanted)

    def _fitting(self, pattern: object) -> set[str]:
        if not isinstance(pattern, str):
            raise TypeError(f"`rows` must hold names, got {pattern!r}.")
        names, words = [row.name for row in self.rows], pattern.lower().split()
        if " ".join(words) in names:
            return {" ".join(words)}
        whole = {name for name in names if words and set(words) <= set(name.split())}
        parts = {name for name in names if words and all(word in name for word in words)}
        if whole or parts:
            return whole or parts
        close = difflib.get_close_matches(pattern.lower(), names, n=1, cutoff=0.5)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"`rows` must be among {self._names()}, got {pattern!r}.{hint}")

    def _names(self) -> str:
        return ", ".join(row.name for row in self.rows)

    def __repr__(self) -> str:
        return f"Exhibit({self.name!r}: {self.title}; {len(self.rows)} rows)"
