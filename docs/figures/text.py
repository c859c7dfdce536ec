"""Draw docs/images/text.png: the six settings for tokens, by the code of docs/howto/text.md.

python docs/figures/text.py
"""

import doctest
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent


def main() -> None:
    """Run the page, and save the figure of its report."""
    page = (DOCS / "howto" / "text.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        for example in doctest.DocTestParser().get_examples(block):
            exec(compile(example.source, "text.md", "single"), names)
    names["report"].plot().savefig(DOCS / "images" / "text.png", dpi=100)


if __name__ == "__main__":
    main()
