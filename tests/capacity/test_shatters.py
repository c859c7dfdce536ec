"""Which labellings a network can be trained to: against geometry, fits, and exact limits."""

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy.stats import binomtest

import corruptlab as cl
from corruptlab.capacity import shatters
from tests.capacity.naive import (
    FROZEN,
    SHORT,
    groups_of,
    hits,
    plane,
    points,
    press_ctrl_c,
    separable,
)

LOW = cl.Recipe(learning_rate=0.3, decay=1.0, epochs=60, batch_size=16, whiten=False)
PATIENT = cl.Recipe(learning_rate=1.0, decay=1.0, epochs=300, whiten=False)


def dichotomies(n: int) -> list[tuple[int, ...]]:
    return list(itertools.product((0, 1), repeat=n))


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_planes_shatter_the_corners_of_a_simplex(d: int) -> None:
    corners = torch.cat([torch.zeros(1, d), torch.eye(d)])  # d + 1 affinely independent points
    found = shatters(plane(d), corners, recipe=PATIENT)
    assert (found.n, found.tried, found.fitted) == (d + 1, 2 ** (d + 1), 2 ** (d + 1))
    assert found.shattered is True
    assert found.unfitted == ()
    assert (found.share, found.share_interval) == (1.0, (1.0, 1.0))


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_one_more_point_and_the_partition_of_radon_is_not_fitted(d: int) -> None:
    # The last point is the sum of the d unit vectors. So d - 1 times the origin and it balance
    # them, and no plane parts these two from the others; on a line, where d - 1 = 0, it is the
    # unit vector moved on by one: 0 and 2 balance twice 1.
    last = torch.full((1, d), 2.0 if d == 1 else 1.0)
    corners = torch.cat([torch.zeros(1, d), torch.eye(d), last])
    found = shatters(plane(d), corners, recipe=PATIENT)
    assert found.shattered is False
    assert found.unfitted == ((0,) + (1,) * d + (0,), (1,) + (0,) * d + (1,))
    # Cover 1965: points in general position have 2 sum_{k <= d} C(n - 1, k) dichotomies by planes.
    assert found.fitted == 2 * sum(math.comb(d + 1, k) for k in range(d + 1))
    assert found.share == found.fitted / 2 ** (d + 2)


def test_hidden_layer_fits_what_no_plane_does() -> None:
    square = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    assert shatters(plane(2), square, recipe=PATIENT).shattered is False
    wide = cl.mlp(32, input_shape=(2,), num_classes=2)
    assert shatters(wide, square, recipe=PATIENT).shattered is True


@pytest.mark.slow(seconds=1)
def test_dichotomies_equal_a_loop_of_fits() -> None:
    x = points(5, 2)
    expected = [
        labels
        for labels in dichotomies(5)
        if not all(hits(plane(2), x, torch.tensor(labels), SHORT, seed=1))
    ]
    found = shatters(plane(2), x, recipe=SHORT, seed=1)
    assert 0 < len(expected) < 32
    assert found.unfitted == tuple(expected)
    assert (found.fitted, found.tried) == (32 - len(expected), 32)
    unparted = [v for v in dichotomies(5) if not separable(x.double().numpy(), np.array(v))]
    assert len(unparted) == 32 - 2 * sum(math.comb(4, k) for k in range(3))
    assert set(unparted) <= set(found.unfitted)


@pytest.mark.slow
def test_sample_equals_a_loop_of_fits_on_the_documented_draws() -> None:
    x, model = points(20, 3), cl.mlp(64, input_shape=(3,), num_classes=2)
    rows = [
        [int(cl.Draws(4).integers(f"shatters/{t}", [i], 2)[0]) for i in range(20)] for t in range(8)
    ]
    expected = [
        tuple(labels) for labels in rows if not all(hits(model, x, torch.tensor(labels), LOW, 4))
    ]
    found = shatters(model, x, recipe=LOW, sample=8, seed=4)
    assert 0 < len(expected) < 8
    assert found.unfitted == tuple(expected)
    assert (found.tried, found.exhaustive, found.shattered) == (8, False, False)


def test_sample_has_exact_limits_and_proves_nothing_when_all_of_it_is_fitted() -> None:
    found = shatters(plane(40), torch.eye(40), recipe=PATIENT, sample=7, confidence=0.9, seed=3)
    assert (found.tried, found.fitted, found.shattered) == (7, 7, None)
    exact = binomtest(7, 7).proportion_ci(0.9, method="exact")
    assert found.share_interval == pytest.approx(tuple(exact))
    assert repr(found) == (
        "Shattering(40 points: 7 of a sample of 7 dichotomies fitted, "
        f"90% interval [{exact.low:.4g}, 1]; inputs plain, seed=3)"
    )


def test_seed_decides_the_sample_and_groups_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x, state = points(20, 3), torch.get_rng_state()
    one, same, other = (shatters(plane(3), x, recipe=SHORT, sample=9, seed=s) for s in (1, 1, 2))
    assert one == same
    assert one.unfitted != other.unfitted
    assert torch.equal(torch.get_rng_state(), state)
    groups_of(monkeypatch, 4)
    assert shatters(plane(3), x, recipe=SHORT, sample=9, seed=1) == one
    assert shatters(plane(3), x, recipe=SHORT, sample=5, seed=1).unfitted == tuple(
        v for v in one.unfitted if v in _first(5)
    )


def _first(count: int) -> list[tuple[int, ...]]:
    rows = [cl.Draws(1).integers(f"shatters/{t}", np.arange(20), 2) for t in range(count)]
    return [tuple(row.tolist()) for row in rows]


def test_ctrl_c_keeps_whole_groups_and_limits_the_share(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = plane(3), points(4, 3)
    own = tuple(model(x).argmax(dim=1).tolist())  # the one dichotomy that it fits unlearned
    assert shatters(model, x, recipe=FROZEN).fitted == 1
    groups_of(monkeypatch, 5)
    press_ctrl_c(monkeypatch, epoch=3)
    found = shatters(model, x, recipe=FROZEN)
    tried = dichotomies(4)[:10]
    assert (found.tried, found.fitted) == (10, int(own in tried))
    assert set(found.unfitted) == set(tried) - {own}
    assert found.share_interval == (found.fitted / 16, (found.fitted + 6) / 16)
    assert found.shattered is False
    assert "the first 10 of 16 dichotomies fitted, share in [" in repr(found)


def test_ctrl_c_leaves_open_whether_points_are_shattered(monkeypatch: pytest.MonkeyPatch) -> None:
    groups_of(monkeypatch, 2)
    recipe = cl.Recipe(
        learning_rate=100.0, epochs=1, batch_size=1, momentum=0.0, whiten=False, decay=0.95
    )
    press_ctrl_c(monkeypatch, epoch=2)
    found = shatters(plane(2), torch.eye(2), recipe=recipe)
    assert (found.tried, found.fitted) == (2, 2)
    assert found.shattered is None
    assert found.share_interval == (0.5, 1.0)


def test_ctrl_c_in_the_first_group_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    press_ctrl_c(monkeypatch, epoch=1)
    with pytest.raises(KeyboardInterrupt):
        shatters(plane(3), points(4, 3), recipe=FROZEN)


def test_record_survives_json() -> None:
    found = shatters(plane(2), points(5, 2), recipe=SHORT, seed=5, confidence=0.8)
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert_array_equal(record["unfitted"], found.unfitted)
    assert record["share"] == found.fitted / 32
    assert record["share_interval"] == [found.share] * 2
    assert (record["n"], record["tried"], record["seed"]) == (5, 32, 5)
    assert (record["shattered"], record["exhaustive"]) == (False, True)
    assert record["confidence"] == 0.8
    assert cl.Recipe.from_dict(record["recipe"]) == SHORT
    assert record["environment"]["device"] == "cpu"


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        (
            {"inputs": points(13, 4)},
            ValueError,
            r"^`sample` must say .* 12 points, got None for 13",
        ),
        ({"sample": 0}, ValueError, r"^`sample` must be at least 1, got 0\.$"),
        ({"sample": "few"}, TypeError, r"^`sample` must be an integer, got 'few'\.$"),
        ({"confidence": 0.0}, ValueError, r"^`confidence` must lie strictly .*, got 0\.0\.$"),
        ({"model": plane(4, 3)}, ValueError, r"^`model` must have 2 outputs, .* got 3\.$"),
        (
            {"model": [plane(4)]},
            TypeError,
            r"^`model` must be .* that makes one, got list\.$",
        ),
    ],
)
def test_bad_arguments_are_quoted(change: dict[str, Any], kind: type[Exception], text: str) -> None:
    arguments: dict[str, Any] = {
        "model": plane(4),
        "inputs": points(3, 4),
        "recipe": FROZEN,
        **change,
    }
    with pytest.raises(kind, match=text):
        shatters(arguments.pop("model"), arguments.pop("inputs"), **arguments)
