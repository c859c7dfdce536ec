"""A table or figure of the paper: its rows, what was published, and what was measured."""

import inspect
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias

from corruptlab._checks import check_names
from corruptlab._json import decode, encode
from corruptlab._text import suggestion

Published: TypeAlias = "float | str"
"""A number, or the paper's words where it gives none."""

DataSet: TypeAlias = Literal["cifar10", "mnist", "imagenet"]
"""Data sets of the paper."""

_KINDS: Mapping[str, tuple[Any, str]] = {
    "seed": (int, "an integer"),
    "measured": (Mapping, "a mapping"),
    "environment": (Mapping, "a mapping"),
    "departures": (Mapping, "a mapping"),
    "seconds": (int | float | None, "a number or None"),
}
_TEXT = (str, "text")
_LARGEST = sys.float_info.max


@dataclass(frozen=True)
class TrialKind:
    """A type of trial, with an estimate of its duration.

    ``trial`` maps settings to the results ``measured``, by name of the quantity, and to ``sample``,
    ``machine``, and ``curves``. ``seconds`` maps settings to an estimated duration, from a short
    measurement.
    """

    trial: Callable[..., Mapping[str, Any]]
    seconds: Callable[..., float]

    @property
    def name(self) -> str:
        """Name of the trial, and of the folder of its sweep."""
        return self.trial.__name__


def with_defaults(trial: Callable[..., Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a trial, with its defaults for those that are missing."""
    known = inspect.signature(trial).bind_partial(**settings)
    known.apply_defaults()
    return known.arguments


@dataclass(frozen=True)
class Quantity:
    """A measured quantity, which is one column of a table.

    Args:
        name: Key of the quantity in published and measured values.
        title: Title of the column.
        form: Format string of the values, as for ``str.format``.
        tolerance: Largest deviation from the published value that counts as reproduced; None for no
            tolerance.

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
        """Return a value as text; ``-`` for None."""
        if value is None:
            return "-"
        return value if isinstance(value, str) else self.form.format(value)

    def deviation(self, measured: object, published: object) -> float | None:
        """Return the measured minus the published value; None if either is not a number."""
        if isinstance(measured, int | float) and isinstance(published, int | float):
            return measured - published
        return None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a table, or one curve or point of a figure.

    Args:
        name: Name of the row.
        published: Published values, by name of the quantity, in the unit of the column.
        parameters: Parameters of the trial except data, seed, and device, as JSON values; the
            recipe is complete.
        work: Type of the trial.
        data: Data set.
        reference: Name of the row relative to which ``steps`` are given, if they are relative.

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
    work: TrialKind = field(repr=False)
    data: DataSet = "cifar10"
    reference: str | None = None


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """A table or figure of the paper.

    Args:
        name: Name, such as ``"table1"``.
        title: Title.
        source: Section, table, or figure of the paper.
        quantities: Columns.
        rows: Rows.
        remarks: Choices that the paper does not state.

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
            name: Name of the row.

        Returns:
            The row.

        Raises:
            KeyError: If there is no such row; the message lists the rows.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"`name` must be one of {self._names()}, got {name!r}.")

    def picked(self, patterns: Iterable[str] | None) -> tuple[Row, ...]:
        """Return the rows that match patterns, in the order of the table.

        Args:
            patterns: Each pattern selects the row with that name; otherwise, the rows whose names
                contain all its words; otherwise, the rows whose names contain them as parts of
                words. None for all rows.

        Returns:
            The rows.

        Raises:
            TypeError: If ``patterns`` is a string, or an element is not a string.
            ValueError: If there are no patterns, or a pattern matches no row; the message lists the
                rows.
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
        hint = suggestion(pattern, names)
        raise ValueError(f"`rows` must be among {self._names()}, got {pattern!r}.{hint}")

    def _names(self) -> str:
        return ", ".join(row.name for row in self.rows)

    def __repr__(self) -> str:
        return f"Exhibit({self.name!r}: {self.title}; {len(self.rows)} rows)"


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Measured values of one row, for one seed, machine, and sample.

    Args:
        row: Name of the row.
        seed: Seed of the trial.
        measured: Measured values by name of the quantity, in the unit of the column.
        sample: Description of the data, with the number of examples.
        machine: Processor, cores, and memory; also the GPU if it was used.
        environment: Versions, device, and threads; see `corruptlab.experiments`.
        seconds: Duration, including the reading of the data; None if unknown.
        finished: Time of the end, in ISO 8601 format; may be empty.
        command: Command of the measurement, with ``FOLDER`` for folders.
        note: Additional information, for example that images had been compressed as JPEG.
        departures: Parameters that differ from those of the row, such as
            ``{"recipe.precision": "bfloat16"}``; tables show them next to its name.
        curves: Curves for the figure; they are not saved with the results.

    Example:
        >>> from corruptlab.experiments.paper import Measurement
        >>> found = Measurement(
        ...     row="mlp-1x512 plain",
        ...     seed=0,
        ...     measured={"train": 99.99, "test": 51.37},
        ...     sample="CIFAR-10, 50,000 + 10,000 images",
        ...     machine="AMD EPYC, 2 cores, 24 GiB",
        ...     environment={"torch": "2.13.0+cpu"},
        ...     seconds=290.0,
        ...     command="corruptlab reproduce table1 --rows mlp --data cifar10:FOLDER",
        ... )
        >>> Measurement.from_dict(found.to_dict()) == found
        True
    """

    row: str
    seed: int
    measured: Mapping[str, Any]
    sample: str
    machine: str
    environment: Mapping[str, Any]
    seconds: float | None
    command: str
    finished: str = ""
    note: str = ""
    departures: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def key(self) -> tuple[str, int, str, str, str]:
        """Key of the measurement; a later measurement with the same key replaces it."""
        return self.row, self.seed, self.machine, self.sample, self.departed

    @property
    def departed(self) -> str:
        """Departures in one line, such as ``recipe.precision=bfloat16``; empty if none."""
        return ", ".join(f"{name}={value}" for name, value in sorted(self.departures.items()))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, except ``curves``, as a JSON-serializable dictionary."""
        known = {name: value for name, value in asdict(self).items() if name != "curves"}
        return {name: encode(value, name) for name, value in known.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Measurement":
        """Build a measurement from a dictionary of `to_dict`.

        Args:
            values: Values of the fields, by name.

        Returns:
            The measurement.

        Raises:
            TypeError: If a value has the wrong type.
            ValueError: If a name is unknown or missing, or a number is out of range.
        """
        if not isinstance(values, Mapping):
            raise TypeError(f"`values` must map names to values, got {values!r}.")
        known = [each.name for each in fields(cls) if each.name != "curves"]
        needed = [name for name in known if name not in ("finished", "note", "departures")]
        check_names("values", values, known)
        if missing := [name for name in needed if name not in values]:
            raise ValueError(f"`values` must name {missing[0]}, got {sorted(values)}.")
        values = {name: decode(value) for name, value in values.items()}
        for name, value in values.items():
            kind, words = _KINDS.get(name, _TEXT)
            if not isinstance(value, kind) or isinstance(value, bool):
                raise TypeError(f"`{name}` must be {words}, got {value!r}.")
        if not isinstance(steps := values["measured"].get("steps"), int | float | None):
            raise TypeError(f"`measured` must hold a number of steps or None, got {steps!r}.")
        numbers = [values["seconds"], *values["measured"].values()]
        if any(isinstance(each, int) and abs(each) > _LARGEST for each in numbers):
            raise ValueError(f"`measured` and `seconds` must be at most {_LARGEST}, got more.")
        if (seconds := values["seconds"]) is not None and not 0 <= seconds < math.inf:
            raise ValueError(f"`seconds` must be finite and at least 0, got {seconds}.")
        return cls(**values)


def with_ratios(exhibit: Exhibit, found: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """Fill in ``slowdown``: steps over the reference's, with the same data, seed, and machine."""
    steps = {each.key: each.measured.get("steps") for each in found}
    references = {row.name: row.reference for row in exhibit.rows if row.reference is not None}

    def filled(one: Measurement) -> Measurement:
        if one.row not in references:
            return one
        below = steps.get((references[one.row], *one.key[1:]))
        above = one.measured.get("steps")
        known = isinstance(above, int | float) and isinstance(below, int | float)
        ratio = above / below if known and above and below else None
        return replace(one, measured={**one.measured, "slowdown": ratio})

    return tuple(map(filled, found))
