"""What the package shows is what it says it shows, and importing it stays cheap."""

import ast
import contextlib
import importlib
import inspect
import pkgutil
import re
import textwrap
import typing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import pytest

import corruptlab

SOURCE = Path(__file__).parent.parent / "src"

UPPER_FLOORS = ["corruptlab.capacity", "corruptlab.experiments"]

# Together they take half the time of importing PyTorch, and few calls need them.
EXPENSIVE = [
    "numpy.f2py",
    "numpy.testing",
    "scipy.fft",
    "scipy.linalg",
    "scipy.optimize",
    "scipy.sparse",
    "scipy.spatial",
    "scipy.special",
    "scipy.stats",
]


def public_modules() -> list[str]:
    found = [each.name for each in pkgutil.walk_packages(corruptlab.__path__, "corruptlab.")]
    return ["corruptlab", *(name for name in found if "._" not in name)]


def exports(module: ModuleType) -> dict[str, Any]:
    """The names a module holds that are neither private nor modules."""
    return {
        name: value
        for name, value in ((name, getattr(module, name)) for name in dir(module))
        if not name.startswith("_") and not inspect.ismodule(value)
    }


def documented_names() -> list[Any]:
    """Every public class and function, once, under the first name it is found by."""
    seen: dict[int, Any] = {}
    for module in public_modules():
        for name, value in exports(importlib.import_module(module)).items():
            if inspect.isclass(value) or inspect.isroutine(value):
                seen.setdefault(id(value), pytest.param(value, id=f"{module}.{name}"))
    return list(seen.values())


@pytest.mark.parametrize("name", public_modules())
def test_all_equals_the_exported_names(name: str) -> None:
    module = importlib.import_module(name)
    listed = [each for each in module.__all__ if not each.startswith("__")]
    values = [each for each in listed if not inspect.ismodule(getattr(module, each))]
    assert sorted(values) == sorted(exports(module))
    assert len(set(module.__all__)) == len(module.__all__)


@pytest.mark.parametrize("value", documented_names())
def test_every_public_name_has_a_docstring_with_an_example(value: Any) -> None:
    lines = [line.strip() for line in (inspect.getdoc(value) or "").splitlines()]
    assert "Example:" in lines
    assert any(line.startswith(">>> ") for line in lines[lines.index("Example:") :])


def unannotated_attributes(kind: type) -> list[str]:
    """Public attributes that methods of a class set without ever saying their type."""
    annotated = {name for each in kind.__mro__ for name in inspect.get_annotations(each)}
    found = []
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(kind)))):
        if isinstance(node, ast.AnnAssign):
            annotated.add(ast.unparse(node.target).removeprefix("self."))
        targets = node.targets if isinstance(node, ast.Assign) else []
        found += [
            name for each in targets for name in re.findall(r"self\.(\w+)", ast.unparse(each))
        ]
    return [name for name in found if not name.startswith("_") and name not in annotated]


def classes_in(hint: Any) -> Iterator[type]:
    """Classes that a type is made of."""
    if inspect.isclass(hint) and not typing.get_args(hint):
        yield hint
    for part in typing.get_args(hint):
        yield from classes_in(part)


def mentioned(value: Any) -> Iterator[type]:
    """Classes in the signatures of a function, or of the public methods of a class."""
    parts = [value]
    if inspect.isclass(value):
        yield from value.__mro__
        public = [
            each for name, each in vars(value).items() if name[0] != "_" or name == "__init__"
        ]
        parts = [getattr(each, "fget", getattr(each, "__func__", each)) for each in public]
    for part in filter(inspect.isfunction, parts):
        with contextlib.suppress(NameError):  # what is imported for type checkers only
            for hint in typing.get_type_hints(part).values():
                yield from classes_in(hint)


def reachable(values: Iterable[Any]) -> set[type]:
    """All classes of ours that users can come to see."""
    found: set[type] = set()
    waiting = [each for value in values for each in mentioned(value)]
    while waiting:
        kind = waiting.pop()
        if kind.__module__.startswith("corruptlab") and kind not in found:
            found.add(kind)
            waiting += mentioned(kind)
    return found


@pytest.mark.slow(seconds=1)
def test_every_public_attribute_is_annotated() -> None:
    """What `pyright --verifytypes corruptlab --ignoreexternal` asks for; it is run by hand."""
    kinds = reachable(each.values[0] for each in documented_names())
    assert {kind.__name__: bare for kind in kinds if (bare := unannotated_attributes(kind))} == {}


def test_an_attribute_without_a_type_is_found() -> None:
    assert unannotated_attributes(Bare) == ["second", "third"]


class Bare:
    first: int

    def __init__(self) -> None:
        self.first, self.second, self._hidden = 1, 2, 3
        self.third = self.first
        self.fourth: int = 4


# ------------------------------------------------------------- what PyTorch imports does not count

Fresh: TypeAlias = Callable[[str], str]


def newly_imported(fresh: Fresh, name: str, among: list[str]) -> list[str]:
    program = f"""if True:
        import sys

        before = set(sys.modules)
        import {name}

        print(*sorted(set({among}) & (set(sys.modules) - before)))
    """
    return fresh(program).split()


def test_importing_brings_in_no_extra(fresh: Fresh) -> None:
    extras = ["matplotlib", "torchvision", "tqdm", "ray", "PIL", "pandas"]
    assert newly_imported(fresh, "corruptlab", extras) == []
    assert newly_imported(fresh, "corruptlab.plotting", extras) == []


def test_what_is_newly_imported_is_found(fresh: Fresh) -> None:
    assert newly_imported(fresh, "scipy.stats", ["scipy.stats", "ray"]) == ["scipy.stats"]


def test_importing_moves_no_generator(fresh: Fresh) -> None:
    program = """if True:
        import random
        import numpy as np
        import torch

        def states():
            torch_state = torch.get_rng_state().tolist()
            return random.getstate(), np.random.get_state()[1].tolist(), torch_state

        before = states()
        import corruptlab

        print(states() == before, torch.cuda.is_initialized())
    """
    assert fresh(program) == "True False\n"


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("corruptlab", [*UPPER_FLOORS, *EXPENSIVE]),
        ("corruptlab.capacity", EXPENSIVE),
        ("corruptlab.experiments", EXPENSIVE),
    ],
)
def test_importing_leaves_the_expensive_modules_to_those_who_use_them(
    name: str, left: list[str], fresh: Fresh
) -> None:
    assert newly_imported(fresh, name, left) == []


@pytest.mark.parametrize("name", ["capacity", "shatters", "experiments", "audit", "paper"])
def test_name_of_an_upper_floor_can_be_the_first_to_be_used(name: str, fresh: Fresh) -> None:
    assert fresh(f"import corruptlab; print(corruptlab.{name}.__name__)").endswith(f"{name}\n")


def test_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match=r"^module 'corruptlab' has no attribute 'overfit'$"):
        corruptlab.overfit  # type: ignore[attr-defined] # noqa: B018


def crossings(source: Path) -> Iterator[str]:
    """Imports of what is private to a room from outside of it; floor 0 is free for all."""
    for path in sorted(source.rglob("*.py")):
        here = path.relative_to(source).with_suffix("").parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [each.name for each in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [f"{node.module}.{each.name}" for each in node.names]
            else:
                continue
            for module in modules:
                parts = tuple(module.split("."))
                private = (i for i, part in enumerate(parts) if part[0] == "_" != part[1])
                depth = next((i for i in private if i > 1), 0)
                if parts[0] == "corruptlab" and here[:depth] != parts[:depth]:
                    yield f"{'.'.join(here)} imports {module}"


# What reproducing the paper takes from below it and hands to the command line; no more may come.
KNOWN_CROSSINGS = [
    "corruptlab._cli._reproduce imports corruptlab.experiments.paper._exhibits.can_draw",
    "corruptlab.experiments.paper._table2 imports corruptlab.training._data.DataSource",
    "corruptlab.experiments.paper._table2 imports corruptlab.training._distributed.Processes",
    "corruptlab.experiments.paper._table2 imports corruptlab.training._loading.load_data",
]


@pytest.mark.slow
def test_what_is_private_stays_in_its_room() -> None:
    assert sorted(crossings(SOURCE)) == KNOWN_CROSSINGS


def test_imports_of_another_room_s_private_names_are_found(tmp_path: Path) -> None:
    room = tmp_path / "corruptlab" / "models"
    room.mkdir(parents=True)
    (room / "_mlp.py").write_text(
        "import corruptlab.models._layers, corruptlab._io, torch._dynamo\n"
        "from corruptlab import __version__\n"
        "from corruptlab._types import Labels\n"
        "from corruptlab.models._layers import _Inner\n"
        "from corruptlab.training import fit\n"
        "def late():\n"
        "    import corruptlab.training._fit\n"
        "    from corruptlab.datasets import _idx\n"
    )
    assert list(crossings(tmp_path)) == [
        "corruptlab.models._mlp imports corruptlab.training._fit",
        "corruptlab.models._mlp imports corruptlab.datasets._idx",
    ]
