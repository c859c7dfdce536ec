"""Names of trials: what differs has another, what does not has the same."""

import functools
import hashlib
import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import corruptlab as cl

from . import trials
from .trials import Opaque, Owner, Power, double, echo

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 0.1, 0.1 + 2e-17, 1.5, math.inf, -math.inf, math.nan, "", "1",
    "1.0", "true", "nan", "None", [], [1], [1.5], [[1]], [1, 1], {}, {"a": 1}, {"a": 1.5}, {"b": 1},
    {"a": None}, 2**70, 2**70 + 1, cl.UniformLabels(p=0.4), cl.UniformLabels(p=0.5),
    cl.SymmetricLabels(rate=0.4), {"p": 0.4, "drawing": "independent"},
    cl.Recipe(learning_rate=0.1, epochs=3), cl.Recipe(learning_rate=0.1, epochs=4),
    cl.GivenLabels([0, 1]), cl.GivenLabels([1, 0]),
]  # fmt: skip


def name(value: Any, out: Path) -> str:
    return cl.sweep([{"value": value}], echo, out=out).ids[0]


def identity(function: Any, out: Path) -> Any:
    """What the folder of a sweep says of its function."""
    cl.sweep({"x": [1]}, function, out=out, retries=0)
    return json.loads((out / "sweep.json").read_text())["function"]


def test_values_that_differ_in_type_or_size_have_different_names(tmp_path: Path) -> None:
    names = [name(value, tmp_path) for value in VALUES]
    for (a, first), (b, second) in itertools.combinations(zip(VALUES, names, strict=True), 2):
        assert first != second, f"{a!r} and {b!r} have one name"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ((1, 2), [1, 2]),
        (0, 0.0),
        (0.0, -0.0),
        (2**70, float(2**70)),
        ([{"a": 1}], [{"a": 1.0}]),
        (cl.UniformLabels(p=1), cl.UniformLabels(p=1.0)),
        (np.float32(2), 2),
        (np.int64(3), 3),
        (np.float64(0.1), 0.1),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.arange(3), [0, 1, 2]),
        (torch.tensor([0.5, 1.0]), [0.5, 1.0]),
        (torch.tensor(2), 2),
        (math.nan, float("-nan")),
    ],
    ids=repr,
)
def test_values_that_mean_the_same_have_one_name(one: Any, other: Any, tmp_path: Path) -> None:
    assert name(one, tmp_path) == name(other, tmp_path)


def test_the_order_of_settings_does_not_change_a_name(tmp_path: Path) -> None:
    one = cl.sweep([{"x": 1, "y": 2}], echo, out=tmp_path)
    assert cl.sweep([{"y": 2, "x": 1}], echo, out=tmp_path).ids == one.ids


def test_a_name_is_the_hash_of_one_text(tmp_path: Path) -> None:
    text = b'{"function":"tests.experiments.sweeps.trials.double","settings":{"x":0.5}}'
    report = cl.sweep({"x": [0.5]}, double, out=tmp_path)
    assert report.ids == (hashlib.sha256(text).hexdigest(),)


def test_functions_are_told_apart_by_name_and_by_what_is_bound_to_them(tmp_path: Path) -> None:
    functions: list[Any] = [
        double,
        trials.another,
        echo,
        functools.partial(echo, a=1),
        functools.partial(echo, a=2),
        functools.partial(trials.fails, log=str(tmp_path / "log"), times=0),
        Power(2),
        Power(3),
        Power(2).__call__,
        Owner.kind,
        dict,
    ]
    found = [identity(each, tmp_path / str(number)) for number, each in enumerate(functions)]
    assert len({json.dumps(each, sort_keys=True) for each in found}) == len(functions)
    assert found[functions.index(Power(2))] == {
        "$kind": "tests.experiments.sweeps.trials.Power",
        "exponent": 2,
    }


def test_names_come_from_where_a_function_is_imported_and_not_from_its_private_file(
    tmp_path: Path,
) -> None:
    cl.sweep({"p": [2.0]}, cl.sweeps.partial_labels, out=tmp_path, retries=0)
    record = json.loads((tmp_path / "sweep.json").read_text())
    assert record["function"] == "corruptlab.experiments.sweeps.partial_labels"


def test_a_mapping_is_a_product_with_the_first_name_slowest(tmp_path: Path) -> None:
    grid = {"x": range(2), "y": np.array([0.5, 1.5]), "z": ("a",)}
    assert cl.sweep(grid, echo, out=tmp_path).table()["got"].tolist() == [
        "{'x': 0, 'y': 0.5, 'z': 'a'}",
        "{'x': 0, 'y': 1.5, 'z': 'a'}",
        "{'x': 1, 'y': 0.5, 'z': 'a'}",
        "{'x': 1, 'y': 1.5, 'z': 'a'}",
    ]


def test_a_sequence_of_settings_is_taken_as_it_is(tmp_path: Path) -> None:
    table = cl.sweep(({"x": x} for x in (3, 1)), echo, out=tmp_path).table()
    assert table["got"].tolist() == ["{'x': 3}", "{'x': 1}"]


class Numbered:
    def to_dict(self) -> dict[int, int]:
        return {1: 2}


BAD: list[tuple[Any, Any, type[Exception], str]] = [
    ({"x": []}, double, ValueError, r"`grid` must map 'x' to at least one value, got none\."),
    ([], double, ValueError, r"`grid` must hold at least one trial, got none\."),
    ({"x": 3}, double, TypeError, r"`grid` must map 'x' to a sequence of values, got 3\."),
    ({"x": "abc"}, double, TypeError, r"`grid` must map 'x' to a sequence of values, got 'abc'\."),
    ({"x": np.array(3)}, double, TypeError, r"to a sequence of values, got array\(3\)\."),
    (7, double, TypeError, r"`grid` must map names to sequences of values, or .*, got 7\."),
    ("abc", double, TypeError, r"`grid` must map names to sequences of values, or .*, got 'abc'\."),
    ([3], double, TypeError, r"`grid` must be a sequence of mappings, got 3 in it\."),
    ({"x": [1, 2, 1]}, double, ValueError, r"must hold every trial once, got \{'x': 1\} twice\."),
    ({"x": [1, np.int64(1)]}, double, ValueError, r"every trial once, got .*1.* twice\."),
    ({"x": [0, 0.0]}, double, ValueError, r"every trial once, got \{'x': 0\.0\} twice\."),
    ([{"a b": 1}], echo, ValueError, r"`grid` must name arguments of the trial, got 'a b'\."),
    ([{1: 1}], echo, ValueError, r"`grid` must name arguments of the trial, got 1\."),
    ({"y": [1]}, double, TypeError, r"`trial` must take the settings .*, got \['y'\] \(missing"),
    ({"x": [1], "y": [1]}, double, TypeError, r"got \['x', 'y'\] \(got an unexpected .*'y'\)\."),
    ({"x": [object()]}, echo, TypeError, r"`grid` must hold JSON values, .*, got object for x\."),
    ({"x": [{"a": [1j]}]}, echo, TypeError, r"got complex for x\.a\[0\]\."),
    ({"x": [np.array([1j])]}, echo, TypeError, r"got complex for x\[0\]\."),
    ({"x": [{"$kind": 1}]}, echo, ValueError, r"keys that do not begin with '\$', got '\$kind'\."),
    ({"x": [{1: 2}]}, echo, TypeError, r"`grid` must have text as keys, got 1\."),
    ({"x": [np.longdouble(1)]}, echo, TypeError, r"got longdouble for x\."),
    ({"x": [Numbered()]}, echo, TypeError, r"`grid` must have text as keys, got 1\."),
    ({"x": [1]}, str.upper, TypeError, r"`trial` must be a function of a module, got <method 'u"),
    ({"x": [cl.Recipe]}, echo, TypeError, r"got type for x\."),
    ({"x": [1]}, 3, TypeError, r"`trial` must be a function, got 3\."),
    ({"x": [1]}, Opaque(), TypeError, r"`trial` must hold JSON values, .*, got Opaque\."),
    ({"x": [1]}, lambda x: {"y": x}, TypeError, r"`trial` must be picklable .*<lambda>"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("grid", "function", "kind", "message"), BAD, ids=[m[-30:] for *_, m in BAD]
)
def test_a_grid_or_trial_that_cannot_be_run_is_refused(
    grid: Any, function: Any, kind: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message):
        cl.sweep(grid, function, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_local_function_is_refused(tmp_path: Path) -> None:
    def local(*, x: int) -> dict[str, int]:
        return {"y": x}

    with pytest.raises(TypeError, match=r"^`trial` must be picklable .* got <function .*local"):
        cl.sweep({"x": [1]}, local, out=tmp_path / "out")
