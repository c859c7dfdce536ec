"""Tables of what benchmarks found, for people."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from benchmarks._interval import Interval
from benchmarks._limits import rate_text
from benchmarks._paper import SAID
from benchmarks._records import Comparison, Entry, Made, Times, TimeToInterpolation
from benchmarks._summary import Skipped

GROUPS = {
    "interpolation_time": "Time to interpolation",
    "corruptions": "Corruptions",
    "training": "Training",
    "heads": "Random label heads",
    "replicas": "Replicas",
    "imagenet": "The path of ImageNet",
    "permutation": "Permutation test",
    "kernels": "Kernel interpolation",
    "interpolate": "Theorem 1",
    "rademacher": "Rademacher complexity",
}
"""Groups in the order of tables, with their headings."""

NOTHING = "Not measured yet."
PARTS = "Beside a part that no implementation can leave out:"


def page(entries: Sequence[Entry], skipped: Iterable[Skipped] = ()) -> str:
    """Return a whole page: a section for each group, and what was skipped."""
    lines = ["# Benchmarks", ""]
    for group, title in GROUPS.items():
        if any(entry.group == group for entry in entries):
            lines += [f"## {title}", "", tables(entries, group), ""]
    if skipped := list(skipped):
        lines += ["## Skipped", "", *(f"- {each.test}: {each.reason}" for each in skipped), ""]
    return "\n".join(lines)


def tables(entries: Iterable[Entry], group: str) -> str:
    """Return the tables of one group, each below a line that says what made it."""
    here = sorted((entry for entry in entries if entry.group == group), key=_maker)
    blocks = []
    for _, made_alike in groupby(here, key=_maker):
        same = list(made_alike)
        blocks.append(_made_line([entry.made for entry in same]))
        compared = [entry for entry in same if isinstance(entry, Comparison)]
        if rivals := [entry for entry in compared if not entry.part]:
            blocks.append(_comparisons(rivals, parts=False))
        if parts := [entry for entry in compared if entry.part]:
            blocks += [PARTS, _comparisons(parts, parts=True)]
        blocks += [_times(entry) for entry in same if isinstance(entry, TimeToInterpolation)]
    return "\n\n".join(blocks) or NOTHING


def line(entry: Entry) -> str:
    """Return an entry in one line, for a run that goes on."""
    if isinstance(entry, TimeToInterpolation):
        over = [_over_true(entry, row, entry.over_true(row, "steps")) for row in entry.rows]
        rows = [f"{row.label} {text}" for row, text in zip(entry.rows, over, strict=True)]
        return f"{entry.name}, steps over {entry.than}: {'; '.join(rows)}"
    if entry.part:
        return f"{entry.name}: share of the limit {_ratio(entry)}, {entry.than}"
    return f"{entry.name}: {_ratio(entry)} as fast as {entry.than}"


def _maker(entry: Entry) -> tuple[str, str, str]:
    return entry.made.machine, str(entry.made.environment), entry.made.command


def _made_line(made: Sequence[Made]) -> str:
    dates = sorted({each.date for each in made if each.date is not None})
    day = " to ".join(dict.fromkeys([dates[0], dates[-1]])) if dates else "on a day not kept"
    first = made[0]
    return f"{first.machine}: {first.environment}. Measured {day} by `{first.command}`."


def _comparisons(entries: Sequence[Comparison], *, parts: bool) -> str:
    heads = ("how fast", "than", "limit", "over the limit")
    if parts:
        heads = ("share of the limit", "limit", "limit at full rates", "over that")
    ratio, than, limit, over = heads
    columns = {
        "work": [entry.name for entry in entries],
        ratio: [_ratio(entry) for entry in entries],
        than: [entry.than for entry in entries],
        "rounds": [str(entry.rounds) for entry in entries],
        "seconds": [_seconds(entry) for entry in entries],
        limit: [_limit(entry) for entry in entries],
        over: [_over(entry) for entry in entries],
        "besides": ["; ".join(entry.notes) for entry in entries],
    }
    return _table({name: cells for name, cells in columns.items() if any(cells)})


def _ratio(entry: Comparison) -> str:
    """Return the ratio with its range, as a share if theirs is a part of ours."""
    if entry.ratio is None:
        return ""
    form, unit = (".1%", "") if entry.part else (".3g", " times")
    text = f"{entry.ratio:{form}}{unit}"
    if entry.lowest is None or entry.highest is None or entry.rounds == 1:
        return text
    return f"{text} ({entry.lowest:{form}} to {entry.highest:{form}})"


def _seconds(entry: Comparison) -> str:
    if entry.ours is None or entry.theirs is None:
        return ""
    return f"{entry.ours:.3g}, {'limit' if entry.part else 'not'} {entry.theirs:.3g}"


def _limit(entry: Comparison) -> str:
    if not entry.limit:
        return ""
    parts = [f"{p.what} {p.seconds:.3g} s at {rate_text(p.rate, p.unit)}" for p in entry.limit]
    least = sum(part.seconds for part in entry.limit)
    return ", ".join(parts) if len(parts) == 1 else f"{least:.3g} s: {', '.join(parts)}"


def _over(entry: Comparison) -> str:
    return "" if entry.over_limit is None else f"{entry.over_limit:.3g} times"


def _times(entry: TimeToInterpolation) -> str:
    seeds = ", ".join(map(str, entry.seeds))
    rows = entry.rows
    head = f"{entry.name}; seeds {seeds}; geometric means with 95% intervals over them:"
    steps, times = "steps over true labels", "seconds over true labels"
    columns = {
        "setting": [row.label for row in rows],
        "interpolated": [f"{row.interpolated} of {len(row.steps)}" for row in rows],
        "steps": [", ".join("-" if k is None else f"{k:,}" for k in row.steps) for row in rows],
        steps: [_over_true(entry, row, entry.over_true(row, "steps")) for row in rows],
        times: [_over_true(entry, row, entry.over_true(row, "seconds")) for row in rows],
        "the paper's (Fig. 1)": [SAID[row.setting].paper for row in rows],
        "another rerun's": [_rerun(row.setting) for row in rows],
    }
    return f"{head}\n\n{_table(columns)}"


def _over_true(entry: TimeToInterpolation, row: Times, interval: Interval | None) -> str:
    if row.interpolated < len(row.steps):
        return f"not within {entry.epochs} epochs"
    if interval is None:
        return "true labels were not interpolated"
    mean, lowest, highest = interval
    return f"{mean:.2f}" + ("" if lowest is None else f" ({lowest:.2f} to {highest:.2f})")


def _rerun(setting: str) -> str:
    ratio = SAID[setting].rerun
    return "" if ratio is None else f"{ratio:.1f}"


def _table(columns: dict[str, list[str]]) -> str:
    rows = [list(columns), ["---"] * len(columns), *zip(*columns.values(), strict=True)]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows
    )
