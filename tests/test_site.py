"""The check of the built site finds what it must find, and formulas come out as MathML."""

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

pytest.importorskip("sphinx")
pytest.importorskip("latex2mathml")

ROOT = Path(__file__).parent.parent


def module(folder: str, name: str) -> ModuleType:
    sys.path.insert(0, str(ROOT / folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


def found(folder: Path, **files: str) -> list[str]:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return list(module("scripts", "check_site").problems(folder))


def test_a_whole_site_has_no_problems(tmp_path: Path) -> None:
    page = '<link href="a.css"><a href="b.html#x">b</a> <a href="https://a.org">out</a>'
    other = '<h1 id="x">b</h1><a href="#x">up</a><a name="old"></a><a href="a.html">a</a>'
    assert found(tmp_path, a_html=page, b_html=other, a_css="a{background:url(b.html)}") == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('<a href="c.html">c</a>', "a.html: 'c.html' leads nowhere"),
        ('<img src="c.png">', "a.html: 'c.png' leads nowhere"),
        ('<a href="#no">c</a>', "a.html: '#no' leads to no place on that page"),
        ('<script src="https://a.org/b.js"></script>', "asks the network for 'https://a.org/b.js'"),
        ('<script src="//a.org/b.js"></script>', "asks the network for '//a.org/b.js'"),
        ('<link href="http://a.org/f">', "asks the network for 'http://a.org/f'"),
        ('<img src="https://a.org/b.png">', "asks the network for 'https://a.org/b.png'"),
        ("<style>@import 'https://a.org/f'</style>", "asks the network for 'https://a.org/f'"),
        ('<p style="background: url(https://a.org/b)">', "asks the network for 'https://a.org/b'"),
    ],
)
def test_what_a_site_must_not_have_is_named(tmp_path: Path, text: str, problem: str) -> None:
    (only,) = found(tmp_path, a_html=text)
    assert problem in only


@pytest.mark.parametrize(
    "text",
    [
        '<img srcset="//a.org/b.png">',
        '<video src="//a.org/b.mp4"></video>',
        '<source src="//a.org/b">',
    ],
)
def test_everything_that_a_browser_fetches_is_looked_at(tmp_path: Path, text: str) -> None:
    (only,) = found(tmp_path, a_html=text)
    assert "asks the network for '//a.org/b" in only


def test_names_are_unquoted_and_only_anchors_and_styles_are_read(tmp_path: Path) -> None:
    (tmp_path / "my b.txt").touch()
    page = (
        '<h1 id="ä">a</h1><a href="#%C3%A4">a</a><a href="my%20b.txt#L3">b</a>'
        '<a name="old">c</a><a href="#old">d</a><p>url(https://a.org/b)</p>'
    )
    assert found(tmp_path, a_html=page) == []
    (only,) = found(tmp_path, a_html='<input name="old"><a href="#old">d</a>')
    assert only == "a.html: '#old' leads to no place on that page"


def test_a_style_sheet_must_not_ask_the_network_either(tmp_path: Path) -> None:
    (only,) = found(tmp_path, a_html="", a_css='a { src: url("https://a.org/font") }')
    assert only == "a.css: asks the network for 'https://a.org/font'"


def test_no_page_at_all_is_a_problem(tmp_path: Path) -> None:
    assert found(tmp_path) == [f"there is no page in {tmp_path}"]


def test_names_that_the_reference_or_the_search_lack_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = module("scripts", "check_site")
    names = [name.rpartition(".")[2] for name in site.public_names()]
    assert {"corruptlab.corrupt", "corruptlab.capacity.kernels.GaussianKernel"} <= set(
        site.public_names()
    )

    def told(described: list[str], searched: list[str]) -> list[str]:
        inventory = SimpleNamespace(data={"py:function": dict.fromkeys(described)})
        monkeypatch.setattr(site, "InventoryFile", SimpleNamespace(loads=lambda *a, **k: inventory))
        (tmp_path / "objects.inv").touch()
        index = json.dumps({"objects": {"": [[0, 0, 0, "", name] for name in searched]}})
        (tmp_path / "searchindex.js").write_text(f"Search.setIndex({index})")
        return list(site.missing_names(tmp_path))

    assert told(names, names) == []
    others = [name for name in names if name != "corrupt"]
    assert set(told(others, names)) == {
        "corruptlab.corrupt is public and not in the reference",
        "corruptlab.corruptions.corrupt is public and not in the reference",
    }
    assert set(told(names, others)) == {
        "corruptlab.corrupt is public and not in the search",
        "corruptlab.corruptions.corrupt is public and not in the search",
    }
    monkeypatch.setattr(sys, "argv", ["check_site.py", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        site.main()
    assert ended.value.code == 1
    assert "there is no page in" in capsys.readouterr().out


def test_every_exported_name_has_one_home_in_the_reference() -> None:
    reference = module("docs/_ext", "reference")
    rooms, homes = reference.rooms(), reference.homes()
    assert len(rooms) > 10
    for room in rooms.values():
        for name in set(room.__all__) - {"__version__"}:
            assert id(getattr(room, name)) in homes
    pages = {name: reference.page(name, room, homes) for name, room in rooms.items()}
    described = [line for page in pages.values() for line in page.splitlines() if ":: " in line]
    for home in ("autofunction:: interpolate", "autoclass:: RandomLabels", "py:data:: SETTINGS"):
        assert sum(line.endswith(home) for line in described) == 1
    assert "corruptlab.capacity.kernels.KernelFit" in pages["corruptlab.capacity"]


@pytest.mark.parametrize(
    ("text", "room", "owner", "expected"),
    [
        ("RandomLabels", "corruptlab.training", "", "corruptlab.corruptions.RandomLabels"),
        ("corruptlab.corrupt", "corruptlab", "", "corruptlab.corruptions.corrupt"),
        ("kernel", "corruptlab.capacity.rademacher", "", "corruptlab.capacity.rademacher.kernel"),
        ("corruptlab.capacity.kernels", "corruptlab", "", "corruptlab.capacity.kernels"),
        ("Recipe.epochs", "corruptlab", "", "corruptlab.training.Recipe.epochs"),
        (
            "targets",
            "corruptlab.corruptions",
            "Corrupted",
            "corruptlab.corruptions.Corrupted.targets",
        ),
        ("Estimate", "corruptlab.capacity.kernels", "", "corruptlab.capacity.kernels.Estimate"),
        ("corrupt()", "corruptlab", "", "corruptlab.corruptions.corrupt"),
        ("Subset", "corruptlab.corruptions", "", None),
        ("Recipe.nothing", "corruptlab", "", None),
    ],
)
def test_a_backticked_name_means_the_nearest_public_one(
    text: str, room: str, owner: str, expected: str | None
) -> None:
    assert module("docs/_ext", "reference").target(text, room, owner) == expected


def test_formulas_are_mathml_with_signs_and_limits_where_they_belong() -> None:
    mathml = module("docs/_ext", "mathml").mathml
    assert 'form="prefix">\N{MINUS SIGN}' in mathml("[-1, 1]")
    assert "form=" not in mathml("a - 1")
    assert "<munder>" in mathml(r"\sup_{f} f", "block")
    assert "<munder>" not in mathml(r"\sup_{f} f")


def test_functions_in_formulas_have_room_on_both_sides_but_none_before_a_bracket() -> None:
    mathml = module("docs/_ext", "mathml").mathml
    assert '<mo lspace="0.167em" rspace="0.167em">log</mo>' in mathml(r"2 \log 2d")
    assert '<mo lspace="0.167em" rspace="0">log</mo>' in mathml(r"2 \log(2d)")
    assert '<mo lspace="0.167em" rspace="0.167em">max</mo>' in mathml(r"\max_j x_j")
    assert "lspace" not in mathml("a b x_i")


def test_numpy_s_types_are_shown_as_the_source_spells_them() -> None:
    from numpy.typing import ArrayLike, NDArray
    from sphinx.util.typing import stringify_annotation

    shorten = module("docs/_ext", "array_types").shorten
    import numpy as np

    assert shorten(f"(x: {stringify_annotation(ArrayLike, 'smart')}) -> None") == (
        "(x: ArrayLike) -> None"
    )
    assert shorten(stringify_annotation(NDArray[np.int64], "smart")) == "NDArray[~numpy.int64]"
    assert shorten(None) is None
