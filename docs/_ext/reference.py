"""The API reference: a page for every room, written from what the rooms export.

A room is a module that is reached from `corruptlab` by public names. A name is described where
it is exported deepest, say in `corruptlab.capacity.kernels` and not in `corruptlab.capacity`; where
it is exported besides, a table links to it. Backticked names in docstrings become links to what is
described, under any name that it has.
"""

import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from docutils.parsers.rst.states import Inliner
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer

import corruptlab

KINDS = ("Modules", "Functions", "Classes", "Values")
# Members of our own private bases are shown; those of these are described elsewhere.
FOREIGN = "object, Module, Dataset, Mapping, tuple, Exception, Executor, Protocol"
NOTE = ".. Written by docs/_ext/reference.py: changes here are lost."


def rooms(module: ModuleType = corruptlab) -> dict[str, ModuleType]:
    """Return a module and all that are reached from it by public names, by full name."""
    found = {module.__name__: module}
    for name in module.__all__:
        if inspect.ismodule(value := getattr(module, name)):
            found |= rooms(value)
    return found


def homes() -> dict[int, str]:
    """Return the full name under which each exported object is described, by identity."""
    deepest_first = sorted(rooms().items(), key=lambda item: -item[0].count("."))
    found: dict[int, str] = {}
    for room, module in deepest_first:
        found.setdefault(id(module), room)
        for name in module.__all__:
            if name != "__version__":
                found.setdefault(id(getattr(module, name)), f"{room}.{name}")
    return found


def kind(value: Any) -> str:
    """Say under which heading an exported object goes."""
    if inspect.isclass(value):
        return "Classes"
    if inspect.ismodule(value):
        return "Modules"
    return "Functions" if inspect.isroutine(value) else "Values"


def comment(name: str, value: Any) -> list[str]:
    """Return the docstring under the assignment that made a value, wherever that stands."""
    for module in [each for each in sys.modules if each.startswith("corruptlab")]:
        if vars(sys.modules[module]).get(name) is value:
            docs = ModuleAnalyzer.for_module(module).find_attr_docs()
            if ("", name) in docs:
                return list(docs["", name])
    raise LookupError(f"{name} is public and has no docstring under its assignment.")


def summary(name: str, value: Any) -> str:
    """Return the first sentence of what is written of an object."""
    lines = (
        comment(name, value)
        if kind(value) == "Values"
        else (inspect.getdoc(value) or "").splitlines()
    )
    return " ".join(lines).partition(". ")[0].partition("  ")[0].rstrip(".") + "."


def description(name: str, value: Any) -> list[str]:
    """Return the lines that describe one object in full."""
    if kind(value) == "Values":
        return [f".. py:data:: {name}", "", *(f"   {line}" for line in comment(name, value)), ""]
    if kind(value) == "Functions":
        return [f".. autofunction:: {name}", ""]
    return [f".. autoclass:: {name}", "   :members:", f"   :inherited-members: {FOREIGN}", ""]


def page(room: str, module: ModuleType, home: dict[int, str]) -> str:
    """Return the page of a room: what it is, a table of its names, and all that it describes."""
    lines = [NOTE, "", room, "=" * len(room), "", f".. automodule:: {room}", ""]
    names = {name: getattr(module, name) for name in module.__all__ if name != "__version__"}
    for heading in KINDS:
        here = {name: value for name, value in names.items() if kind(value) == heading}
        if not here:
            continue
        lines += [heading, "-" * len(heading), "", ".. list-table::", "   :widths: auto", ""]
        for name, value in here.items():
            lines += [f"   * - :py:obj:`~{home[id(value)]}`", f"     - {summary(name, value)}"]
        lines += [""]
        for name, value in here.items():
            if heading != "Modules" and home[id(value)] == f"{room}.{name}":
                lines += description(name, value)
    return "\n".join(lines)


def short(room: str) -> str:
    """Return the name of a room as a list has room for it."""
    return room.removeprefix("corruptlab.")


def landing() -> str:
    """Return the page that says in a line what each module is for."""
    lines = [NOTE, "", "API reference", "============="]
    lines += ["", ".. list-table::", "   :widths: auto", ""]
    for name, module in rooms().items():
        lines += [f"   * - :doc:`{short(name)} <{name}>`", f"     - {summary(name, module)}"]
    lines += ["", ".. toctree::", "   :hidden:", "   :maxdepth: 1", ""]
    return "\n".join([*lines, *(f"   {short(name)} <{name}>" for name in rooms()), ""])


def write_pages(app: Sphinx) -> None:
    """Write the pages into docs/api, those that changed."""
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    home = homes()
    found = {f"{name}.rst": page(name, module, home) for name, module in rooms().items()}
    found["index.rst"] = landing()
    for old in folder.glob("*.rst"):
        if old.name not in found:
            old.unlink()
    for name, text in found.items():
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != text:
            (folder / name).write_text(text, encoding="utf-8")


def target(text: str, module: str, owner: str) -> str | None:
    """Return the full name that a backticked text means, or None.

    Args:
        text: What stands between the backticks, such as `fit` or `Estimate.upper_limit`.
        module: The room in whose description it stands.
        owner: The class in whose description it stands, or nothing.
    """
    home, known = homes(), rooms()
    text = text.removesuffix("()")
    if text.startswith("corruptlab."):
        place, _, name = text.rpartition(".")
        return home.get(id(getattr(known.get(place), name, None)), text if text in known else None)
    first, _, member = text.partition(".")
    nearest = [known.get(module, corruptlab), *known.values()]
    for room in nearest:
        if first in room.__all__:
            value = getattr(room, first)
            if not member:
                return home[id(value)]
            if member in dir(value) or member in getattr(value, "__annotations__", {}):
                return f"{home[id(value)]}.{member}"
    of_owner = getattr(known.get(module), owner, None)
    if text in dir(of_owner) or text in getattr(of_owner, "__annotations__", {}):
        return f"{home[id(of_owner)]}.{text}"
    return None


def name_role(
    name: str,
    rawtext: str,
    text: str,
    lineno: int,
    inliner: Inliner,
    options: dict[str, Any] | None = None,
    content: list[str] | None = None,
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """Make a link of a backticked name, and complain of one that means nothing."""
    context = inliner.document.settings.env.ref_context
    found = target(text, context.get("py:module") or "", context.get("py:class") or "")
    code = nodes.literal(rawtext, text, classes=["xref", "py"])
    if found is None:
        message = inliner.reporter.warning(f"`{text}` is no public name", line=lineno)
        return [code], [message]
    link = pending_xref(
        "", code, refdomain="py", reftype="obj", reftarget=found, refexplicit=True, refwarn=False
    )
    link["refdoc"] = inliner.document.settings.env.docname
    return [link], []


def field_link(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.TextElement
) -> nodes.reference | None:
    """Let the name of a field, which has no place of its own, lead to its class."""
    owner = node["reftarget"].rpartition(".")[0]
    if node.get("refdomain") != "py" or not owner.startswith("corruptlab."):
        return None
    domain = env.domains.python_domain
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", owner, node, contnode)


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages before Sphinx reads the others, and register the role `name`."""
    app.connect("builder-inited", write_pages)
    app.connect("missing-reference", field_link)
    app.add_role("name", name_role)
    return {"parallel_read_safe": True}
