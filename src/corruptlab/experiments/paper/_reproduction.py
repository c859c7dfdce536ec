"""What a table or figure came to here."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corruptlab.experiments.paper._exhibit import Exhibit, Row
from corruptlab.experiments.paper._figures import draw
from corruptlab.experiments.paper._layout import markdown, text
from corruptlab.experiments.paper._measurement import Measurement, with_ratios
from corruptlab.experiments.paper._results import keep_results
from corruptlab.experiments.sweeps import TrialFailure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """Measured beside published, row by row; ``print`` shows it.

    Attributes:
        exhibit: The table or figure.
        measurements: What was measured, in the order of the rows.
        left_out: Name to reason, of rows that were asked for and not run.
        failures: Trials that failed.
        interrupted: Whether Ctrl-C ended it; the same call goes on from there.
        own_recipes: Whether every row had its own recipe, nothing changed.
        out: Folder of the trials.
        seconds: How long this call took.

    Example:
        >>> import tempfile
        >>> import corruptlab as cl
        >>> with tempfile.TemporaryDirectory() as out:
        ...     found = cl.reproduce(
        ...         "theorem1", rows=["depth 2"], data="fashion-mnist-mini", out=out, progress=False
        ...     )
        >>> found
        Reproduction('theorem1': 1 row measured, 0 left out, 0 failed)
        >>> found.measurements[0].measured["weights"]  # 2 * 4000 + 784
        8784
    """

    exhibit: Exhibit = field(repr=False)
    measurements: tuple[Measurement, ...]
    left_out: Mapping[str, str]
    failures: tuple[TrialFailure, ...]
    interrupted: bool
    own_recipes: bool
    out: Path
    seconds: float

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows with a measurement."""
        there = {each.row for each in self.measurements}
        return tuple(row for row in self.exhibit.rows if row.name in there)

    @property
    def complete(self) -> bool:
        """Whether every row that was asked for is measured with every seed."""
        return not (self.left_out or self.failures or self.interrupted)

    def table(self) -> str:
        """Return measured, published, and deviation, one line a row, as plain text."""
        return text(self.exhibit, self.measurements, rows=self.rows)

    def markdown(self) -> str:
        """Return the same as a page in Markdown."""
        return markdown(self.exhibit, self.measurements, rows=self.rows)

    def figure(self) -> "Figure":
        """Draw it.

        Returns:
            A figure as `corruptlab.plotting` makes it.

        Raises:
            MissingExtraError: If matplotlib is not installed.
            ValueError: If it is a table, or nothing was measured.

        Source: Zhang et al. 2017, Fig. 1 and 2.
        """
        return draw(self.exhibit, self.measurements)

    def keep(self, folder: str | os.PathLike[str], *, note: str = "") -> Path:
        """Add the measurements to those that are kept in a folder, such as ``docs/results``.

        Args:
            folder: The folder; a measurement replaces an older one of its row, seed, machine, and
                sample.
            note: What else there is to know about them.

        Returns:
            The file that was written.

        Raises:
            ValueError: If recipes were changed: what is kept is of the rows' own.
            DataFileError: If the file that is there is damaged.
        """
        if not self.own_recipes:
            raise ValueError(
                "`keep` must have measurements of the rows' own recipes, got changed ones."
            )
        noted = [replace(each, note=note) if note else each for each in self.measurements]
        return keep_results(folder, self.exhibit, noted)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the curves as a dictionary that JSON can hold."""
        known = with_ratios(self.exhibit, self.measurements)
        published = {row.name: dict(row.published) for row in self.exhibit.rows}
        return {
            "kind": "reproduction",
            "exhibit": self.exhibit.name,
            "title": self.exhibit.title,
            "source": self.exhibit.source,
            "rows": [{**each.to_dict(), "published": published[each.row]} for each in known],
            "left_out": dict(self.left_out),
            "failures": [each.to_dict() for each in self.failures],
            "interrupted": self.interrupted,
            "own_recipes": self.own_recipes,
            "seconds": self.seconds,
        }

    def __repr__(self) -> str:
        rows = f"{len(self.rows)} row{'' if len(self.rows) == 1 else 's'} measured"
        rest = f"{len(self.left_out)} left out, {len(self.failures)} failed"
        state = ", interrupted" if self.interrupted else ""
        return f"Reproduction({self.exhibit.name!r}: {rows}, {rest}{state})"

    def __str__(self) -> str:
        """Return the table, and what is missing from it."""
        lines = [self.table()] if self.measurements else []
        lines += [f"left out: {name}: {why}" for name, why in self.left_out.items()]
        lines += [f"failed: {each}" for each in self.failures]
        return "\n".join(lines) or repr(self)
