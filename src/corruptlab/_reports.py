"""What every report can do: to a dictionary, a file, a data frame, a notebook, and back."""

import html
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from corruptlab._errors import DataFileError, require
from corruptlab._json import Json, read_json, write_json
from corruptlab._records import Record, saved_fields
from corruptlab._text import suggestion

_SCALARS = (bool, int, float, str, type(None))
_MOST_ROWS = 20  # of a table in a notebook


class Report(Record):
    """A result that can be saved as JSON and loaded again."""

    _kind: ClassVar[str]
    _schema: ClassVar[int]

    def __init_subclass__(cls, *, kind: str, schema: int = 1, **others: Any) -> None:
        """Note what files of this report are called, and their version.

        The version grows when a key changes its meaning.
        """
        super().__init_subclass__(**others)
        cls._kind, cls._schema = kind, schema

    def to_dict(self) -> dict[str, Any]:
        """Return kind, schema, fields, and derived values as a JSON-serializable dictionary.

        Returns:
            Names and values. Arrays are lists; a tensor is its type, its shape, and its bytes; an
            infinite number or NaN is ``{"$float": "inf"}``, ``"-inf"``, or ``"nan"``.
        """
        return {"kind": self._kind, "schema": self._schema, **super().to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build an equal report from a dictionary of `to_dict`.

        Args:
            values: Names and values; fields with a default may be missing, and names that are not
                fields are ignored.

        Returns:
            The report.

        Raises:
            TypeError: If a value is of a wrong type.
            ValueError: If the kind or the schema is not that of this class, a field is missing, or
                fields do not fit together.

        Example:
            >>> from corruptlab.capacity import rademacher
            >>> bound = rademacher.Bound(1 / 3, n=7, convention="zhang")
            >>> rademacher.Bound.from_dict(bound.to_dict()) == bound
            True
        """
        if not isinstance(values, Mapping):
            raise TypeError(f"`values` must be a dictionary, got {type(values).__name__}.")
        for name, wanted in (("kind", cls._kind), ("schema", cls._schema)):
            if values.get(name) != wanted:
                raise ValueError(
                    f"`values` must have the {name} {wanted!r} of a {cls.__name__}, "
                    f"got {values.get(name)!r}."
                )
        return cls._made(values, "values")

    def _show(self) -> None:
        super()._show()
        str(self)
        self._repr_html_()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the report to a JSON file; an old file is replaced as a whole or not at all.

        Args:
            path: The file, such as ``"report.json"``.

        Returns:
            The path.

        Raises:
            OSError: If the file cannot be written.

        Example:
            >>> import tempfile
            >>> from corruptlab.capacity import rademacher
            >>> bound = rademacher.Bound(1 / 3, n=7, convention="zhang")
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = bound.save(f"{folder}/bound.json")
            ...     rademacher.Bound.load(path) == bound
            True
        """
        write_json(Path(path), self.to_dict())
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a report that `save` wrote.

        Args:
            path: The file.

        Returns:
            An equal report.

        Raises:
            DataFileError: If there is no such file, it is damaged, or it holds something else, or
                another version of it.
        """
        expected = f"a saved {cls.__name__} (kind {cls._kind!r}, schema {cls._schema})"
        values = read_json(Path(path), expected)
        try:
            return cls.from_dict(values)
        except (TypeError, ValueError) as error:
            raise DataFileError(path, expected, _found(values, error)) from None

    def to_frame(self) -> Any:
        """Return the report as a ``pandas.DataFrame``, one row for each of its results.

        Returns:
            The data frame.

        Raises:
            MissingExtraError: If pandas is not installed.
        """
        return require("pandas").DataFrame(self._rows())

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        """Return the rows of the data frame: of one result its numbers and texts."""
        return [scalars(self)]

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        rows = self._rows()
        names = list(dict.fromkeys(name for row in rows for name in row))
        lines = [_line("td", [row.get(name) for name in names]) for row in rows]
        if (left_out := len(lines) - _MOST_ROWS) > 0:
            note = f'<tr><td colspan="{len(names)}">{left_out:,} more rows</td></tr>'
            lines[_MOST_ROWS // 2 : -_MOST_ROWS // 2] = [note]
        head = [_line("th", names)] if names else []
        caption = f"<caption>{html.escape(repr(self))}</caption>"
        return "\n".join(["<table>", caption, *head, *lines, "</table>"])


RowT = TypeVar("RowT")


class Rows(Generic[RowT]):
    """A report whose rows have names: ``report[name]`` is one, ``list(report)`` are all."""

    def _named(self) -> Mapping[str, RowT]:
        """Return all rows by name."""
        raise NotImplementedError

    def __getitem__(self, name: str) -> RowT:
        """Return one row.

        Args:
            name: Name of the row; ``"random_labels"`` and ``"random labels"`` find
                ``"random-labels"``.

        Returns:
            The row.

        Raises:
            KeyError: If there is no such row; the message lists those there are.
        """
        named = self._named()
        if name in named:
            return named[name]
        for each, row in named.items():
            if _hyphenated(each) == _hyphenated(name):
                return row
        there = ", ".join(named) or "none"
        hint = suggestion(name, named)
        raise KeyError(f"`name` must be among the rows ({there}), got {name!r}.{hint}")

    def __bool__(self) -> bool:
        """Return True: a report without rows is a report."""
        return True

    def __iter__(self) -> Iterator[RowT]:
        return iter(self._named().values())

    def __len__(self) -> int:
        return len(self._named())

    def __contains__(self, name: object) -> bool:
        """Return whether there is a row of that name."""
        return _hyphenated(name) in map(_hyphenated, self._named())


def _hyphenated(name: object) -> str:
    return str(name).replace("_", "-").replace(" ", "-").lower()


def rows_of(**columns: Sequence[Any] | NDArray[Any]) -> list[dict[str, Any]]:
    """Return columns of equal length as rows with numbers of Python."""
    lists = [each.tolist() if isinstance(each, np.ndarray) else each for each in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def scalars(record: Any) -> dict[str, Any]:
    """Return the fields and derived values of a record that are numbers, texts, or missing."""
    names = [each.name for each in saved_fields(type(record))]
    values = {name: getattr(record, name) for name in (*names, *record._derived)}
    return {name: value for name, value in values.items() if isinstance(value, _SCALARS)}


def _found(values: Json, error: Exception) -> str:
    """Say what a file holds in place of a report."""
    if not isinstance(values, dict) or "kind" not in values:
        return "something else"
    kind, schema = values["kind"], values.get("schema")
    message = str(error).removesuffix(".")
    damage = "" if "must have the" in message else f": {message}"
    return f"kind {kind!r}, schema {schema!r}{damage}"


def _line(tag: str, cells: Any) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(_cell(each))}</{tag}>' for each in cells)}</tr>"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
