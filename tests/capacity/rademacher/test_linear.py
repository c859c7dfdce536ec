"""Linear classes against all signs, against each other, and however the inputs come."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.special import gammaln

from corruptlab import Draws
from corruptlab.capacity.rademacher import Convention, Estimate, linear
from tests.capacity.rademacher.naive import Floats, exact, l1, l2, points

Ball = Literal["l2", "l1"]

NAIVE: dict[Ball, Callable[[Floats], Callable[[Floats], float]]] = {"l2": l2, "l1": l1}
BALLS: list[Ball] = ["l2", "l1"]
CONVENTIONS: list[Convention] = ["zhang", "bartlett_mendelson"]


def same(one: Estimate, other: Estimate, *, rtol: float = 1e-12) -> None:
    assert_allclose(one.sups, other.sups, rtol=rtol)
    assert one.scale is not None
    assert other.scale is not None
    assert_allclose(one.scale, other.scale, rtol=rtol)
    for a, b in ((one.lower_bound, other.lower_bound), (one.upper_bound, other.upper_bound)):
        assert a is not None
        assert b is not None
        assert_allclose(a.value, b.value, rtol=rtol)


def bounds(estimate: Estimate) -> tuple[float, float]:
    assert estimate.lower_bound is not None
    assert estimate.upper_bound is not None
    return estimate.lower_bound.value, estimate.upper_bound.value


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("ball", BALLS)
@pytest.mark.parametrize("n", [1, 2, 7, 12])
def test_interval_that_fails_once_in_a_million_holds_the_mean_over_all_signs(
    n: int, ball: Ball, convention: Convention
) -> None:
    x = points(n)
    truth = exact(n, lambda signs: 2.5 * NAIVE[ball](x)(signs), convention=convention)
    estimate = linear(
        x, radius=2.5, ball=ball, convention=convention, draws=3000, confidence=1 - 1e-6
    )
    assert estimate.bounded_differences_interval is not None
    for low, high in (estimate.bounded_differences_interval, estimate.t_interval):
        assert low * (1 - 1e-12) <= truth <= high * (1 + 1e-12)
    assert abs(estimate.value - truth) < 0.05 * truth


@pytest.mark.parametrize("ball", BALLS)
def test_each_draw_is_the_supremum_for_its_signs(ball: Ball) -> None:
    x = points(9)
    words = [Draws(5).words(f"rademacher/signs/{k}", range(9))[:, 0] for k in (0, 1)]
    signs = [[2.0 * (int(w) >> (t % 64) & 1) - 1 for w in words[t // 64]] for t in range(70)]
    expected = [NAIVE[ball](x)(np.array(row)) / 9 for row in signs]
    assert_allclose(linear(x, ball=ball, draws=70, seed=5).sups, expected, rtol=1e-12)


@pytest.mark.parametrize("ball", BALLS)
@pytest.mark.parametrize("n", range(1, 13))
def test_mean_over_all_signs_lies_between_the_bounds(n: int, ball: Ball) -> None:
    x = points(n, seed=n)
    low, high = bounds(linear(x, ball=ball, draws=2))
    assert low * (1 - 1e-12) <= exact(n, NAIVE[ball](x)) <= high * (1 + 1e-12)


def test_l2_bounds_are_reached() -> None:
    twice, apart = np.ones((2, 3)), np.eye(5)
    assert_allclose(exact(2, l2(twice)), bounds(linear(twice, draws=2))[0])
    assert_allclose(exact(5, l2(apart)), bounds(linear(apart, draws=2))[1])


def test_bounds_equal_their_formulas() -> None:
    x = points(40, 6)
    norms, columns = np.linalg.norm(x, axis=1), np.linalg.norm(x, axis=0)
    root = math.sqrt(sum(norms**2))
    assert_allclose(bounds(linear(x, radius=3)), (3 * root / 40 / 2**0.5, 3 * root / 40))
    upper = 3 * columns.max() * math.sqrt(2 * math.log(12)) / 40
    lower = 3 * columns.max() / 40 / math.sqrt(2)
    assert_allclose(bounds(linear(x, radius=3, ball="l1")), (lower, upper))
    assert_allclose(
        bounds(linear(x, radius=3, gaussian=True)),
        (3 * root / 40 * math.sqrt(2 / math.pi), 3 * root / 40),
    )


def test_scale_is_the_root_of_the_squares_of_the_largest_values() -> None:
    x = points(40, 6)
    root = math.sqrt(sum(np.linalg.norm(x, axis=1) ** 2))
    peaks = math.sqrt(sum(np.abs(x).max(axis=1) ** 2))
    column = np.linalg.norm(x, axis=0).max()
    assert_allclose(linear(x, radius=2).scale or 0, 2 * root / 40)
    assert_allclose(linear(x, radius=2, ball="l1").scale or 0, 2 * peaks / 40)
    assert_allclose(linear(x, gaussian=True).scale or 0, root / 40)
    assert_allclose(linear(x, ball="l1", gaussian=True).scale or 0, column / 40)
    assert_allclose(linear(x, convention="bartlett_mendelson").scale or 0, 2 * root / 40)


@pytest.mark.parametrize("ball", BALLS)
def test_conventions_differ_by_a_factor_of_two(ball: Ball) -> None:
    x = points(30)
    one, two = (linear(x, ball=ball, convention=each) for each in CONVENTIONS)
    assert_allclose(two.sups, 2 * np.array(one.sups))
    same(one.to_convention("bartlett_mendelson"), two)


@pytest.mark.parametrize("ball", BALLS)
def test_radius_and_scale_of_the_inputs_are_factors(ball: Ball) -> None:
    x = points(30)
    same(linear(x, radius=3, ball=ball), linear(3 * x, ball=ball))
    same(linear(x, ball=ball), linear(-x, ball=ball))


def test_l2_complexity_does_not_see_rotations_and_l1_not_the_order_of_columns() -> None:
    x = points(30, 4)
    rotation = np.linalg.qr(points(4, 4, seed=1))[0]
    same(linear(x), linear(x @ rotation))
    same(linear(x, ball="l1"), linear(x[:, ::-1], ball="l1"))


def test_zeros_add_nothing_but_their_number() -> None:
    x = points(20)
    padded = linear(np.concatenate([x, np.zeros((20, 3))]))
    assert_allclose(2 * np.array(padded.sups), linear(x).sups)


def test_one_column_is_the_same_in_both_balls() -> None:
    x = points(30, 1)
    assert_allclose(linear(x).sups, linear(x, ball="l1").sups)


def test_gaussian_complexity_of_orthonormal_inputs_is_the_mean_of_a_chi_law() -> None:
    n = 16
    mean = math.sqrt(2) * math.exp(gammaln((n + 1) / 2) - gammaln(n / 2)) / n
    estimate = linear(np.eye(n), gaussian=True, draws=3000, confidence=1 - 1e-6)
    assert estimate.bounded_differences_interval is None
    assert estimate.lipschitz_interval is not None
    for low, high in (estimate.t_interval, estimate.lipschitz_interval):
        assert low < mean < high
    low, high = bounds(estimate)
    assert low < mean < high


@pytest.mark.parametrize("ball", BALLS)
@pytest.mark.parametrize("size", [1, 7, 50, 99, 100])
def test_inputs_of_any_size_agree(ball: Ball, size: int) -> None:
    x = points(100, 5)
    blocks = (x[start : start + size] for start in range(0, 100, size))
    same(linear(blocks, ball=ball), linear(x, ball=ball))


@pytest.mark.parametrize("ball", BALLS)
def test_large_pieces_are_cut_without_a_trace(ball: Ball, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.from_numpy(points(100, 5)).float()
    whole = linear(x, ball=ball)
    sizes: list[int] = []
    original = Draws.words

    def noted(draws: Draws, stream: str, ids: NDArray[np.int64]) -> NDArray[np.uint64]:
        if stream == "rademacher/signs/0":
            sizes.append(len(ids))
        return original(draws, stream, ids)

    monkeypatch.setattr("corruptlab.capacity.rademacher._inputs._NUMBERS_AT_ONCE", 1000)
    monkeypatch.setattr(Draws, "words", noted)
    same(linear(x, ball=ball), whole, rtol=1e-6)
    assert sizes == [9] * 11 + [1]  # 1000 // (5 numbers + 100 signs)


def test_tensors_arrays_memory_maps_and_iterators_agree(tmp_path: Path) -> None:
    whole = np.random.default_rng(0).integers(0, 256, (60, 2, 3, 3)).astype(np.int16)
    expected = linear(whole.reshape(60, 18).astype(np.float64))
    np.save(tmp_path / "integers.npy", whole)
    np.save(tmp_path / "floats.npy", whole.astype(np.float32))
    frozen = whole.astype(np.float64)
    frozen.flags.writeable = False
    forms: list[Any] = [
        whole,
        torch.from_numpy(whole),
        torch.from_numpy(whole).bfloat16().double(),
        whole.astype(np.int64),
        whole.astype(np.uint16),
        whole.astype(">f4"),
        whole.astype(np.longdouble),
        np.asfortranarray(whole.astype(np.float32)),
        frozen,
        np.load(tmp_path / "integers.npy", mmap_mode="r"),
        np.load(tmp_path / "floats.npy", mmap_mode="r"),
        [whole[:7], torch.from_numpy(whole[7:50]), whole[50:]],
        iter([whole[:30], whole[:0], whole[30:]]),
    ]
    for form in forms:
        same(linear(form), expected, rtol=1e-5)


@pytest.mark.parametrize("ball", BALLS)
@pytest.mark.parametrize("exponent", [-36, -25, 18, 30, 37])
def test_squares_beyond_float32_neither_vanish_nor_overflow(ball: Ball, exponent: int) -> None:
    x = (points(200, 5) * 10.0**exponent).astype(np.float32)
    for each in (x, np.where(x > 0, np.float32(1), x)):  # the largest number may be a negative one
        same(linear(each, ball=ball), linear(each.astype(np.float64), ball=ball), rtol=1e-6)


def test_one_pass_over_inputs_is_enough() -> None:
    served = []

    def blocks() -> Iterator[Floats]:
        for k in range(4):
            served.append(k)
            yield points(5, seed=k)

    linear(blocks())
    assert served == [0, 1, 2, 3]


def test_seed_decides_and_no_global_generator_moves() -> None:
    x = points(30)
    before = torch.get_rng_state()
    assert linear(x, seed=4) == linear(x, seed=4)
    assert not set(linear(x, seed=4).sups) & set(linear(x, seed=5).sups)
    assert torch.equal(torch.get_rng_state(), before)


def test_fewer_draws_are_the_first_of_more() -> None:
    x = points(30)
    assert_allclose(linear(x, draws=10).sups, linear(x, draws=200).sups[:10], rtol=1e-12)


def test_inputs_stay_as_they_are_and_gradients_are_not_asked_for() -> None:
    x = torch.ones(5, 3, requires_grad=True)
    linear(x)
    assert torch.equal(x, torch.ones(5, 3))
    assert x.grad is None


@pytest.mark.parametrize(
    ("inputs", "error", "text"),
    [
        (
            np.ones(3),
            ValueError,
            r"^`inputs` must have shape \(n, \.\.\.\) .*, got shape \(3,\)\.$",
        ),
        (np.ones((0, 3)), ValueError, r"^`inputs` must hold at least one example, got none\.$"),
        ([], ValueError, r"^`inputs` must hold at least one example, got none\.$"),
        (np.ones((3, 0)), ValueError, r"^`inputs` must hold numbers, got examples of shape \(0,\)"),
        ([np.ones((2, 3)), np.ones((2, 4))], ValueError, r"one shape, \(3,\), got .* with \(4,\)"),
        (
            np.full((2, 3), np.nan),
            ValueError,
            r"^`inputs` must be finite .*, got example 0 with .*n",
        ),
        (
            [np.ones((2, 3)), np.array([[1, 2, 3], [0, np.inf, 0]])],
            ValueError,
            "example 3 with .*inf",
        ),
        (
            np.full((2, 3), 1e160),
            ValueError,
            r"^`inputs` must be finite and of finite squares, got example 0 with norm .*\.$",
        ),
        (np.ones((2, 3), complex), TypeError, r"^`inputs` must be real numbers, got complex128\.$"),
        (
            torch.ones(2, 3).to(torch.complex64),
            TypeError,
            r"^`inputs` must be real, got torch\.complex64\.$",
        ),
        (np.array([["a"]]), TypeError, r"^`inputs` must be real numbers, got <U1\.$"),
        (7, TypeError, r"^`inputs` must be a tensor, an array, or .* of them, got int\.$"),
        ([(1, 2)], TypeError, r"^`inputs` must be .*, got a block of type tuple\.$"),
    ],
)
def test_bad_inputs_are_quoted(inputs: Any, error: type[Exception], text: str) -> None:
    for ball in BALLS:
        with pytest.raises(error, match=text):
            linear(inputs, ball=ball)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"draws": 1}, ValueError, r"^`draws` must be at least 2, got 1\.$"),
        ({"draws": 2.5}, TypeError, r"^`draws` must be an integer, got 2\.5\.$"),
        ({"seed": -1}, ValueError, r"^`seed` must be at least 0, got -1\.$"),
        ({"radius": 0}, ValueError, r"^`radius` must be above 0, got 0\.$"),
        ({"radius": math.nan}, ValueError, r"^`radius` must be finite, got nan\.$"),
        ({"radius": "1"}, TypeError, r"^`radius` must be a number, got '1'\.$"),
        ({"ball": "l3"}, ValueError, r"^`ball` must be one of l2, l1, got 'l3'\.$"),
        ({"convention": "paper"}, ValueError, r"^`convention` must be one of zhang, .*'paper'\.$"),
        ({"confidence": 1.0}, ValueError, r"^`confidence` must lie strictly .*, got 1\.0\.$"),
        ({"confidence": 0}, ValueError, r"^`confidence` must lie strictly .*, got 0\.$"),
        ({"confidence": math.nan}, ValueError, r"^`confidence` must lie strictly .*, got nan\.$"),
        ({"confidence": None}, TypeError, r"^`confidence` must be a number, got None\.$"),
    ],
)
def test_bad_options_are_quoted(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        linear(points(4), **options)
