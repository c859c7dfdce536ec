"""Names of trials: what differs has another, what does not has the same."""

import functools
import hashlib
import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import corruptlab as cl
from corruptlab.experiments.sweeps._encoding import canonical, decode, encode
from corruptlab.experiments.sweeps._trials import identity_of, trials_of

from . import trials
from .trials import Opaque, Owner, Power, double, echo

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 0.0, 1.0, -0.0, 0.1, math.inf, -math.inf, math.nan, "", "1", "1.0",
    "true", "nan", "None", [], [1], [1.0], [[1]], [1, 1], {}, {"a": 1}, {"a": 1.0}, {"b": 1},
    {"a": None}, 2**70, float(2**70), cl.UniformLabels(p=0.4), cl.UniformLabels(p=0.5),
    cl.SymmetricLabels(rate=0.4), {"p": 0.4, "drawing": "independent"},
    cl.Recipe(learning_rate=0.1, epochs=3), cl.Recipe(learning_rate=0.1, epochs=4),
    cl.GivenLabels([0, 1]), cl.GivenLabels([1, 0]),
]  # fmt: skip

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text().filter(lambda k: not k.startswith("$")), inner, max_size=3)
    ),
    max_leaves=8,
)


def name(value: Any) -> str:
    return trials_of([{"value": value}], echo)[0].id


def test_values_that_differ_in_type_or_size_have_different_names() -> None:
    names = [name(value) for value in VALUES]
    for (a, first), (b, second) in itertools.combinations(zip(VALUES, names, strict=True), 2):
        assert first != second, f"{a!r} and {b!r} have one name"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ((1, 2), [1, 2]),
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
def test_values_that_mean_the_same_have_one_name(one: Any, other: Any) -> None:
    assert name(one) == name(other)


def test_the_order_of_settings_does_not_change_a_name() -> None:
    one, other = trials_of([{"x": 1, "y": 2}], echo)[0], trials_of([{"y": 2, "x": 1}], echo)[0]
    assert one.id == other.id


@pytest.mark.slow
@given(json_values)
def test_encoding_reads_back(value: Any) -> None:
    assert repr(decode(encode(value, "grid"))) == repr(value)


@given(json_values, json_values)
def test_equal_texts_mean_equal_values(one: Any, other: Any) -> None:
    def text(value: Any) -> bytes:
        return canonical(encode(value, "grid"))

    assert (text(one) == text(other)) == (_sorted(one) == _sorted(other))


def _sorted(value: Any) -> str:
    """The independent version: keys in order, and Python's own spelling of the rest."""
    if isinstance(value, dict):
        inside = ",".join(f"{key!r}:{_sorted(value[key])}" for key in sorted(value))
        return f"{{{inside}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_sorted, value))}]"
    return repr(value)


def test_a_name_is_the_hash_of_one_text() -> None:
    text = b'{"function":"tests.experiments.sweeps.trials.double","settings":{"x":0.5}}'
    assert trials_of({"x": [0.5]}, double)[0].id == hashlib.sha256(text).hexdigest()


def test_functions_are_told_apart_by_name_and_by_what_is_bound_to_them() -> None:
    functions: list[Any] = [
        double,
        trials.another,
        echo,
        functools.partial(echo, a=1),
        functools.partial(echo, a=2),
        functools.partial(trials.fails, log="a"),
        Power(2),
        Power(3),
        Power(2).__call__,
        Owner.kind,
        dict,
    ]
    identities = [canonical(identity_of(function)) for function in functions]
    assert len(set(identities)) == len(functions)
    assert identity_of(Power(2)) == {
        "$kind": "tests.experiments.sweeps.trials.Power",
        "exponent": 2,
    }


def test_names_come_from_where_a_class_is_imported_and_not_from_its_private_file() -> None:
    assert identity_of(cl.sweeps.partial_labels) == "corruptlab.experiments.sweeps.partial_labels"


def test_a_mapping_is_a_product_with_the_first_name_slowest() -> None:
    grid = trials_of({"x": range(2), "y": np.array([0.5, 1.0]), "z": ("a",)}, echo)
    assert [trial.settings for trial in grid] == [
        {"x": 0, "y": 0.5, "z": "a"},
        {"x": 0, "y": 1.0, "z": "a"},
        {"x": 1, "y": 0.5, "z": "a"},
        {"x": 1, "y": 1.0, "z": "a"},
    ]
    assert type(grid[0].settings["y"]) is float


def test_a_sequence_of_settings_is_taken_as_it_is() -> None:
    grid = trials_of(({"x": x} for x in (3, 1)), double)
    assert [trial.settings for trial in grid] == [{"x": 3}, {"x": 1}]


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
    grid: Any, function: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        trials_of(grid, function)


def test_a_local_function_is_refused() -> None:
    def local(*, x: int) -> dict[str, int]:
        return {"y": x}

    with pytest.raises(TypeError, match=r"^`trial` must be picklable .* got <function .*local"):
        trials_of({"x": [1]}, local)
