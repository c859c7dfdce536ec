"""Write docs/results.md from docs/results/*.json: every row of the paper, measured or not.

    python docs/make_results.py

Figures whose points are kept are drawn into docs/images; losses and curves by epoch are not kept.
`corruptlab reproduce ... --keep docs/results` adds to those files.
"""

from pathlib import Path

from corruptlab._io import write_whole
from corruptlab.experiments import paper

DOCS = Path(__file__).parent
DRAWN = ("fig1b", "fig1c")
_HEAD = """\
# Results

Every table and figure of Zhang et al. (2017), row by row: measured and published values, with
machine, versions, seed, and time. Unmeasured rows are marked;
[Reproducing the paper](reproduce.md) describes the command that measures them. Accuracies are
those at the end of training, unless a column names the best epoch; `off` is measured minus
published; where the paper prints a curve without numbers, its description is quoted instead.

{counts}

This page is made by `python docs/make_results.py` from the files in `docs/results`.
"""


def page(results: Path = DOCS / "results") -> str:
    """Return the whole page."""
    counts, sections = [], []
    for name, exhibit in paper.EXHIBITS.items():
        found = paper.kept_results(results, name)
        done = len({each.row for each in found})
        heading = f"{exhibit.name}: {exhibit.title}"
        counts.append(f"| {heading} | {done} of {len(exhibit.rows)} |")
        sections.append(f"## {heading}\n\n{exhibit.source}.\n")
        if found and name in DRAWN:
            sections.append(f"![{exhibit.title}: the points of the table](images/{name}.png)\n")
        sections.append(paper.markdown(name, found))
    table = "\n".join(["| what | rows measured |", "| --- | --- |", *counts])
    return "\n".join([_HEAD.format(counts=table), *sections])


def draw(results: Path = DOCS / "results") -> None:
    """Draw the figures of the page."""
    for name in DRAWN:
        if found := paper.kept_results(results, name):
            paper.draw(name, found).savefig(DOCS / "images" / f"{name}.png", dpi=160)


if __name__ == "__main__":
    write_whole(DOCS / "results.md", page())
    draw()
