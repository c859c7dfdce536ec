"""NumPy's types in signatures as the source spells them: `ArrayLike`, `NDArray[float64]`.

Both are aliases, which Python forgets: what is left of `ArrayLike` is a union of two lines.
"""

import re
from typing import Any

from docutils import nodes
from numpy.typing import ArrayLike
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.typing import stringify_annotation

UNIONS = [
    stringify_annotation(ArrayLike, "smart"),
    stringify_annotation(ArrayLike, "fully-qualified"),
]
ARRAY = re.compile(
    r"~?numpy\.ndarray\[(?:~?(?:builtins\.)?tuple\[[^\]]*\]|~?typing\.Any), "  # Any: NumPy 1.26
    r"~?numpy\.dtype\[([^\[\]]*)\]\]"
)
SHOWN = re.compile(r"ndarray\[tuple\[[^\]]*\], dtype\[([^\[\]]*)\]\]")


def shorten(text: str | None) -> str | None:
    """Put the aliases back into a signature or a part of one."""
    if text is None:
        return None
    for union in UNIONS:
        text = text.replace(union, "ArrayLike")
    return ARRAY.sub(r"NDArray[\1]", text)


def process(
    app: Sphinx, what: str, name: str, value: Any, options: Any, signature: str, returns: str
) -> tuple[str | None, str | None]:
    """Shorten arguments and result."""
    return shorten(signature), shorten(returns)


def shorten_properties(app: Sphinx, doctree: nodes.document) -> None:
    """Shorten the types of properties, which are no signatures to the event above."""
    for part in doctree.findall(addnodes.desc_annotation):
        text = part.astext()
        if (short := SHOWN.sub(r"NDArray[\1]", text)) != text:
            part.children = [nodes.Text(short)]


def setup(app: Sphinx) -> dict[str, Any]:
    """Look at every signature."""
    app.connect("autodoc-process-signature", process)
    app.connect("doctree-read", shorten_properties)
    return {"parallel_read_safe": True}
