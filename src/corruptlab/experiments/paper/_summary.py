"""Measurements of one row, of one machine and one sample, put together over seeds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from corruptlab._statistics import mean_and_half_width
from corruptlab.experiments.paper._exhibit import Exhibit, Quantity, Row
from corruptlab.experiments.paper._measurement import Measurement, with_ratios

_LEVEL = 0.95


@dataclass(frozen=True)
class Cell:
    """One quantity of one row.

    Args:
        measured: Mean over seeds, with a t-interval if there are several; ``-`` if not measured.
        published: What the paper gives; ``-`` if nothing.
        deviation: Measured less published, or ``-``.
        misses: Whether that is more than was promised, or no number where one was.
    """

    measured: str
    published: str
    deviation: str
    misses: bool


@dataclass(frozen=True)
class Summary:
    """One line of a table.

    Args:
        row: The row.
        found: Its measurements, by seed; none if it is not measured.
        cells: One for each quantity of the table.
    """

    row: Row
    found: tuple[Measurement, ...]
    cells: tuple[Cell, ...]

    @property
    def seeds(self) -> str:
        """The seeds, ``-`` if there are none."""
        return ", ".join(str(each.seed) for each in self.found) or "-"

    @property
    def seconds(self) -> float | None:
        """Mean time over seeds, or None if somebody did not note it."""
        known = [each.seconds for each in self.found if each.seconds is not None]
        return sum(known) / len(known) if known and len(known) == len(self.found) else None


def summaries(
    exhibit: Exhibit, found: Sequence[Measurement], *, rows: Iterable[Row] | None = None
) -> list[Summary]:
    """Put measurements beside what was published.

    Args:
        exhibit: The table or figure.
        found: What was measured.
        rows: Which rows to list, measured or not; None for all.

    Returns:
        One line a row, or several for a row that was measured on several machines or samples.
    """
    known = with_ratios(exhibit, found)
    lines = []
    for row in exhibit.rows if rows is None else rows:
        own = [each for each in known if each.row == row.name]
        groups: dict[tuple[str, str, str], list[Measurement]] = {}
        for each in own:
            groups.setdefault((each.machine, each.sample, each.note), []).append(each)
        lines += [_summary(exhibit, row, group) for group in groups.values() or [[]]]
    return lines


def _summary(exhibit: Exhibit, row: Row, group: Sequence[Measurement]) -> Summary:
    ordered = tuple(sorted(group, key=lambda each: each.seed))
    return Summary(row, ordered, tuple(_cell(each, row, ordered) for each in exhibit.quantities))


def _cell(quantity: Quantity, row: Row, found: Sequence[Measurement]) -> Cell:
    published = row.published.get(quantity.name)
    values = [each.measured.get(quantity.name) for each in found]
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    tolerance = quantity.tolerance if isinstance(published, int | float) else None
    if not numbers or len(numbers) < len(values):  # a mean of the others would be too good
        words = [value for value in values if isinstance(value, str)]
        misses = tolerance is not None and bool(found)
        return Cell(words[0] if words else "-", quantity.text(published), "-", misses)
    mean, half = mean_and_half_width(numbers, _LEVEL)
    measured = quantity.text(mean) + (f" ± {quantity.text(half)}" if len(numbers) > 1 else "")
    off = quantity.deviation(mean, published)
    if off is None:
        return Cell(measured, quantity.text(published), "-", misses=False)
    misses = tolerance is not None and not abs(round(off, 6)) <= tolerance  # nan does, too
    signed = quantity.form.replace("{:", "{:+").format(off)
    return Cell(measured, quantity.text(published), signed, misses)
