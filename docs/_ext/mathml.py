"""Formulas as MathML, made while the site is built: a page needs no script and no network."""

import itertools
import re
import xml.etree.ElementTree as ET
from typing import Any

from docutils.nodes import SkipNode, math, math_block
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util.math import get_node_equation_number

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
ET.register_namespace("", NAMESPACE)
LIMITS = {"max", "min", "sup", "inf", "lim"}
WORD = re.compile("[a-z]{2,}")
OPEN_OR_BETWEEN = set("([{,=<>≤≥∈|∥‖→")


def mathml(formula: str, display: str = "inline") -> str:
    """Return a formula of LaTeX as MathML.

    The converter leaves three things to be mended. It never says that a minus is a sign and not a
    difference, unless the formula begins with it; in display it writes what belongs under an
    operator beside it; and functions such as log get no room, or too much.
    """
    tree = ET.fromstring(convert(formula, display=display))
    for row in tree.iter():
        for before, after in itertools.pairwise(row):
            if after.text == "\N{MINUS SIGN}" and (before.text or "") in OPEN_OR_BETWEEN:
                after.set("form", "prefix")
            word = before[0] if before.tag == tag("msub") else before
            if row.tag == tag("mrow") and WORD.fullmatch(word.text or ""):
                word.tag = tag("mo")
                word.set("lspace", "0.167em")
                word.set("rspace", "0" if (after.text or "") in set("([") else "0.167em")
    for part in tree.iter(tag("msub")) if display == "block" else ():
        if part[0].text in LIMITS:
            part.tag = tag("munder")
    return ET.tostring(tree, encoding="unicode")


def tag(name: str) -> str:
    """Return the name of an element of MathML as the parser spells it."""
    return f"{{{NAMESPACE}}}{name}"


def visit_inline(self: Any, node: math) -> None:
    """Write a formula that stands in a line of text."""
    self.body.append(mathml(node.astext()))
    raise SkipNode


def visit_block(self: Any, node: math_block) -> None:
    """Write a formula that stands by itself."""
    self.body.append(self.starttag(node, "div", CLASS="math"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})</span>')
    self.body.append(mathml(node.astext(), "block") + "</div>\n")
    raise SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the renderer known as `mathml`."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
