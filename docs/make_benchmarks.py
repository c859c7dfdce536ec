"""Put measurements into docs/results/benchmarks.json, and its tables into docs/benchmarks.md.

    pytest benchmarks --full
    python docs/make_benchmarks.py out/benchmarks/summary.json

What was measured again, on the same machine and under the same name, replaces the old figure; the
rest stays. Without a file the tables are only made anew from what is kept. The page is overwritten
between the marks ``<!-- table: GROUP -->`` and ``<!-- end of table -->``, and nowhere else.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import _markdown, _summary
from benchmarks._records import Entry
from benchmarks._summary import SummaryError
from corruptlab._io import write_whole

PAGE = Path(__file__).parent / "benchmarks.md"
KEPT = Path(__file__).parent / "results" / "benchmarks.json"
END = "<!-- end of table -->"
_BEGIN = "<!-- table: {} -->"
_TABLE = re.compile(r"<!-- table: (\S+) -->\n(.*?)" + re.escape(END), re.DOTALL)


def rendered(text: str, entries: Sequence[Entry]) -> str:
    """Return a page with its tables made anew.

    Args:
        text: The page.
        entries: What was measured.

    Raises:
        SummaryError: If a table has no mark, or a mark no table or no end.
    """
    marked = [match[1] for match in _TABLE.finditer(text)]
    if text.count("<!-- table: ") != len(marked) or text.count(END) != len(marked):
        raise SummaryError(f"each `{_BEGIN.format('GROUP')}` must have its own `{END}`.")
    for group in marked:
        if group not in _markdown.GROUPS:
            known = ", ".join(_markdown.GROUPS)
            raise SummaryError(f"`{_BEGIN.format('GROUP')}` must be one of {known}, got {group}.")
    for entry in entries:
        if entry.group not in marked:
            raise SummaryError(f"the page must have `{_BEGIN.format(entry.group)}`, got none.")
    return _TABLE.sub(lambda match: _table(match[1], entries), text)


def added(kept: Sequence[Entry], summary: Path) -> list[Entry]:
    """Return what is kept with the measurements of a run put in.

    Raises:
        SummaryError: If the run was not one of real sizes, or the file is none of a run.
    """
    new = _summary.read(summary)
    quick = [entry.name for entry in new if entry.made.size != "full"]
    if quick:
        raise SummaryError(f"{summary} must hold real sizes (--full), got a quick {quick[0]!r}.")
    return _summary.merged(kept, new)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("summary", nargs="*", type=Path, help="a summary.json of a run")
    try:
        entries = _summary.read(KEPT)
        for summary in parser.parse_args(arguments).summary:
            entries = added(entries, summary)
        page = rendered(PAGE.read_text(encoding="utf-8"), entries)
    except SummaryError as error:
        sys.exit(f"make_benchmarks: {error}")
    _summary.write(KEPT, entries)
    write_whole(PAGE, page)


def _table(group: str, entries: Sequence[Entry]) -> str:
    return f"{_BEGIN.format(group)}\n\n{_markdown.tables(entries, group)}\n\n{END}"


if __name__ == "__main__":
    main()
