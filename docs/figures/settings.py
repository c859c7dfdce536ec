"""Draw docs/images/text.png and tables.png: six settings, by the code of the pages of this name.

python docs/figures/settings.py text tables
"""

import doctest
import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent


def main(pages: list[str]) -> None:
    """Run each page, and save the figure of its report."""
    for name in pages:
        page = (DOCS / "howto" / f"{name}.md").read_text(encoding="utf-8")
        names: dict[str, Any] = {}
        for block in re.findall(r"```python.*?\n(.*?)```", page, re.DOTALL):
            for example in doctest.DocTestParser().get_examples(block):
                exec(compile(example.source, f"{name}.md", "single"), names)
        names["report"].plot().savefig(DOCS / "images" / f"{name}.png", dpi=100)


if __name__ == "__main__":
    main(sys.argv[1:])
