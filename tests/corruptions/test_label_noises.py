"""Laws that hold for every label noise drawn by a transition matrix."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binomtest, chisquare
from torch.utils.data import TensorDataset

from corruptlab import (
    AsymmetricLabels,
    Draws,
    GaussianPixels,
    InstanceDependentLabels,
    PairFlipLabels,
    RandomLabels,
    RandomPixels,
    Specification,
    SymmetricLabels,
    TransitionLabels,
    UniformLabels,
    audit,
    corrupt,
)

from .cases import CLEAN, Ids, Labels, N

MATRIX = np.array(
    [[0.7, 0.3, 0, 0, 0, 0, 0, 0, 0, 0], [0.1] * 10, *np.eye(10)[[2, 3, 4, 5, 6, 7, 8, 0]]]
)
KINDS: dict[str, Any] = {
    "uniform": lambda r, **drawing: UniformLabels(p=r, **drawing),
    "symmetric": lambda r, **drawing: SymmetricLabels(rate=r, **drawing),
    "pair flip": lambda r, **drawing: PairFlipLabels(rate=r, **drawing),
    "asymmetric": lambda r, **drawing: AsymmetricLabels(classes="cifar10", rate=r, **drawing),
    "transition": lambda r, **drawing: TransitionLabels(
        r * MATRIX + (1 - r) * np.eye(10), **drawing
    ),
}
GOLDEN = {
    "uniform": "07514364431783825789",
    "symmetric": "75747651425253426585",
    "pair flip": "12335678901234567790",
    "asymmetric": "01237367810105736781",
    "transition": "06234567890023456780",
}
EVERY = pytest.mark.parametrize("kind", KINDS)
DRAWINGS = pytest.mark.parametrize("drawing", ["independent", "exact", "exact_per_class"])


GOLDEN_EXACT = "0023456780062345678004234567801923456780"


def noisy(noise: Any, *, seed: int = 0, ids: Ids | None = None) -> Labels:
    ids = np.arange(N) if ids is None else ids
    new: Labels = noise.labels(CLEAN[ids % N], num_classes=10, ids=ids, draws=Draws(seed))
    return new


@EVERY
def test_rows_of_the_matrix_are_the_law_of_each_class(kind: str) -> None:
    noise = KINDS[kind](0.6)
    new, matrix = noisy(noise), noise.matrix(10)
    assert_allclose(matrix.sum(axis=1), 1)
    for c in range(10):
        counts = np.bincount(new[c == CLEAN], minlength=10)
        possible = matrix[c] > 0
        assert not counts[~possible].any()
        if possible.sum() > 1:
            assert chisquare(counts[possible], 2000 * matrix[c][possible]).pvalue > 1e-4


@EVERY
@DRAWINGS
def test_rate_zero_is_the_identity(kind: str, drawing: str) -> None:
    assert_array_equal(noisy(KINDS[kind](0.0, drawing=drawing)), CLEAN)


@pytest.mark.parametrize(
    ("kind", "drawing"),
    [
        (kind, drawing)
        for kind in KINDS
        for drawing in ("independent", "exact", "exact_per_class")
        if (kind, drawing) != ("transition", "exact")  # which keeps its shares instead
    ],
)
@given(st.integers(0, 10**9), st.floats(0, 1), st.floats(0, 1))
def test_smaller_rates_hit_a_subset_and_to_the_same_classes(
    kind: str, drawing: str, seed: int, one: float, two: float
) -> None:
    ids = np.arange(500)
    few, many = (
        noisy(KINDS[kind](rate, drawing=drawing), seed=seed, ids=ids) for rate in sorted([one, two])
    )
    changed = few != CLEAN[ids]
    assert_array_equal(few[changed], many[changed])


@EVERY
@pytest.mark.parametrize("order", ["rising", "shuffled", "not given"])
def test_many_labels_are_as_noisy_as_few(kind: str, order: str) -> None:
    noise, ids = KINDS[kind](0.7), 3 * np.arange(70_001)
    if order == "shuffled":
        ids = np.random.default_rng(0).permutation(ids)
    if order == "not given":
        ids = np.arange(70_001)
    clean = CLEAN[ids % N]
    given = None if order == "not given" else ids
    whole = noise.labels(clean, num_classes=10, ids=given, draws=Draws(0))
    for some in (slice(5), slice(32_760, 32_780), slice(65_530, 65_540), slice(69_998, 70_001)):
        assert_array_equal(whole[some], noisy(noise, ids=ids[some]))


def test_exact_drawing_counts_over_all_of_many_labels() -> None:
    clean = np.arange(70_001) % 10
    noise = PairFlipLabels(rate=0.3, drawing="exact")
    new = noise.labels(clean, num_classes=10, draws=Draws(0))
    assert int((new != clean).sum()) == round(0.3 * 70_001)


@EVERY
@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=40))
def test_noise_follows_the_example_in_any_order_and_batch(
    kind: str, seed: int, numbers: list[int]
) -> None:
    noise = KINDS[kind](0.7)
    ids = np.array(numbers)
    together = noisy(noise, seed=seed, ids=ids)
    alone = [noisy(noise, seed=seed, ids=ids[i : i + 1])[0] for i in range(len(ids))]
    assert together.tolist() == alone


@EVERY
def test_equal_seeds_agree_and_different_ones_differ(kind: str) -> None:
    noise = KINDS[kind](0.5)
    assert_array_equal(noisy(noise, seed=3), noisy(noise, seed=3))
    assert (noisy(noise, seed=3) != noisy(noise, seed=4)).mean() > 0.1


@EVERY
def test_kinds_draw_independently_of_each_other(kind: str) -> None:
    changed = noisy(KINDS[kind](0.5)) != CLEAN
    moving = changed.reshape(-1, 10).any(axis=0)
    for other in set(KINDS) - {kind}:
        also = noisy(KINDS[other](0.5)) != CLEAN
        both = moving & also.reshape(-1, 10).any(axis=0)
        a, b = (x.reshape(-1, 10)[:, both].ravel() for x in (changed, also))
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(len(a)) + 0.15


@EVERY
def test_class_decides_nothing_else(kind: str) -> None:
    noise = KINDS[kind](0.5)
    alone = noise.labels(CLEAN[:50] * 0 + 4, num_classes=10, draws=Draws(0))
    mixed = noisy(noise, ids=np.arange(50))
    assert_array_equal(alone[4::10], mixed[4::10])


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.123, 0.5, 1.0])
def test_exact_drawing_changes_exactly_so_many(rate: float) -> None:
    symmetric = SymmetricLabels(rate=rate, drawing="exact")
    assert (noisy(symmetric) != CLEAN).sum() == round(rate * N)
    paired = PairFlipLabels(rate=rate, drawing="exact_per_class")
    assert_array_equal(np.bincount(CLEAN[noisy(paired) != CLEAN], minlength=10), round(rate * 2000))
    half = AsymmetricLabels(classes="cifar10", rate=rate, drawing="exact")
    assert (noisy(half) != CLEAN).sum() == round(rate * N / 2)


def test_exact_drawing_keeps_small_rates_with_many_classes() -> None:
    clean = np.arange(1000) % 100
    noise = SymmetricLabels(rate=0.1, drawing="exact_per_class")
    changed = noise.labels(clean, num_classes=100, draws=Draws(0)) != clean
    assert_array_equal(np.bincount(clean[changed], minlength=100), 1)


def test_exact_transition_hits_classes_in_proportion_to_their_rates() -> None:
    noise = TransitionLabels(MATRIX, drawing="exact")
    changed = noisy(noise) != CLEAN
    assert changed.sum() == round(2000 * (1 - np.diag(MATRIX)).sum())
    per_class = TransitionLabels(MATRIX, drawing="exact_per_class")
    counts = np.bincount(CLEAN[noisy(per_class) != CLEAN], minlength=10)
    assert_array_equal(counts, np.round(2000 * (1 - np.diag(MATRIX))).astype(int))


def test_uniform_and_symmetric_are_one_law_at_the_stated_rates() -> None:
    assert_allclose(UniformLabels(p=0.3 * 10 / 9).matrix(10), SymmetricLabels(rate=0.3).matrix(10))
    assert_allclose(RandomLabels().matrix(10), np.full((10, 10), 0.1))


def test_random_labels_law_is_that_of_uniform_at_one() -> None:
    assert_allclose(RandomLabels().matrix(7), UniformLabels(p=1).matrix(7))


def test_asymmetric_maps_are_those_of_the_papers() -> None:
    ten = np.arange(10)
    cifar = AsymmetricLabels(classes="cifar10", rate=1.0)
    assert cifar.labels(ten, num_classes=10, draws=Draws(0)).tolist() == [
        0, 1, 0, 5, 7, 3, 6, 7, 8, 1,
    ]  # fmt: skip
    mnist = AsymmetricLabels(classes="mnist", rate=1.0)
    assert mnist.labels(ten, num_classes=10, draws=Draws(0)).tolist() == [
        0, 1, 7, 8, 4, 6, 5, 1, 8, 9,
    ]  # fmt: skip


def cifar100(name: Any, seed: int = 0) -> Labels:
    noise = AsymmetricLabels(classes=name, rate=1.0)
    return noise.labels(np.arange(100), num_classes=100, draws=Draws(seed))


def test_cifar100_superclass_moves_in_circles_of_five() -> None:
    target = cifar100("cifar100_superclass")
    assert_array_equal(np.sort(target), np.arange(100))
    walk = np.arange(100)
    for step in range(1, 6):
        walk = target[walk]
        assert (walk == np.arange(100)).all() == (step == 5)
    # aquatic mammals: beaver 4, dolphin 30, otter 55, seal 72, whale 95
    assert target[[4, 30, 55, 72, 95]].tolist() == [30, 55, 72, 95, 4]
    # large carnivores: bear 3, leopard 42, lion 43, tiger 88, wolf 97
    assert target[[3, 42, 43, 88, 97]].tolist() == [42, 43, 88, 97, 3]


def test_cifar100_block_hardly_ever_stays_in_the_superclass() -> None:
    block, superclass = cifar100("cifar100_block"), cifar100("cifar100_superclass")
    assert block[:6].tolist() == [1, 2, 3, 4, 0, 6]
    circle = [superclass]
    for _ in range(3):
        circle.append(superclass[circle[-1]])
    assert (np.array(circle) == block).any(axis=0).sum() == 6


def test_cifar100_pair_exchanges_two_classes_of_each_superclass() -> None:
    target = cifar100("cifar100_pair")
    moved = np.flatnonzero(target != np.arange(100))
    assert len(moved) == 40
    assert_array_equal(target[target], np.arange(100))
    superclass = cifar100("cifar100_superclass")
    circle = superclass[np.arange(100)]
    same = circle == target
    for _ in range(3):
        circle = superclass[circle]
        same |= circle == target
    assert same[moved].all()
    assert (cifar100("cifar100_pair", seed=1) != target).any()


def test_flips_never_cascade() -> None:
    new = noisy(AsymmetricLabels(classes="cifar10", rate=1.0))
    assert (new[CLEAN == 3] == 5).all()
    assert (new[CLEAN == 5] == 3).all()


BAD: list[tuple[Any, str]] = [
    (lambda: SymmetricLabels(rate=1.1), r"^`rate` must lie in \[0, 1\], got 1\.1\.$"),
    (lambda: PairFlipLabels(rate=-0.1), r"^`rate` must lie in \[0, 1\], got -0\.1\.$"),
    (
        lambda: AsymmetricLabels(classes="cifar10", rate=float("nan")),
        r"^`rate` must lie in \[0, 1\], got nan\.$",
    ),
    (
        lambda: UniformLabels(p=0.1, drawing="twice"),  # type: ignore[arg-type]
        r"^`drawing` must be 'independent', 'exact', or 'exact_per_class', got 'twice'\.$",
    ),
    (
        lambda: AsymmetricLabels(classes="cifar", rate=0.1),  # type: ignore[arg-type]
        r"^`classes` must be 'cifar10', 'mnist', .*, or 'cifar100_pair', got 'cifar'\.$",
    ),
    (lambda: cifar100_on_ten(), r"^`num_classes` must be 100 for classes='cifar100_block', got 10"),
    (
        lambda: SymmetricLabels(rate=0.1).labels(CLEAN * 0, num_classes=1, draws=Draws(0)),
        r"^`num_classes` must be at least 2 for another class, got 1\.$",
    ),
    (
        lambda: TransitionLabels([[1.0, 0.0]]),
        r"^`transition` must be a square .* got shape \(1, 2\)",
    ),
    (
        lambda: TransitionLabels([[1.5, -0.5], [0.0, 1.0]]),
        r"^`transition` must hold .* got 1\.5 at \(0, 0",
    ),
    (
        lambda: TransitionLabels([[np.nan, 1.0], [0.0, 1.0]]),
        r"^`transition` must hold .* got nan at \(0, 0",
    ),
    (
        lambda: TransitionLabels([[1.0, 0.0], [0.5, 0.4]]),
        r"^`transition` must have rows that sum to 1, got 0\.9 for row 1\.$",
    ),
    (
        lambda: noisy(TransitionLabels(np.eye(3))),
        r"^`transition` must have 10 rows, one for each class, got 3\.$",
    ),
]


def cifar100_on_ten() -> Labels:
    return noisy(AsymmetricLabels(classes="cifar100_block", rate=0.1))


@pytest.mark.parametrize(("act", "message"), BAD)
def test_bad_arguments_are_quoted(act: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        act()


@EVERY
def test_golden_labels_hold(kind: str) -> None:
    assert "".join(map(str, noisy(KINDS[kind](0.8))[:20])) == GOLDEN[kind]


class Ends(Draws):
    """Draws that are as low or as high as uniform numbers get."""

    def uniform(self, stream: str, ids: Any) -> Any:
        at = np.arange(len(ids)) % 2
        return np.where(at, 1 - 2**-53, 0.0) if stream.endswith("/class") else 0.0 * at


def test_a_class_of_probability_zero_is_not_met_at_the_ends_of_the_uniform_law() -> None:
    matrix = np.array([[0.5, 0.0, 0.5, 0.0]] + [[0.0, 0.0, 1.0, 0.0]] * 2 + [[0.0, 1.0, 0.0, 0.0]])
    new = TransitionLabels(matrix).labels(
        np.array([0, 0, 1, 1, 3, 3]), num_classes=4, draws=Ends(0)
    )
    assert new.tolist() == [2, 2, 2, 2, 1, 1]


# ------------------------------------------------------------------------------- exact transition

UNEQUAL: dict[str, tuple[list[list[float]], list[int]]] = {
    "two classes": ([[0.1, 0.9], [0.1, 0.9]], [1, 1]),
    "a class that cannot stay": ([[0, 1], [0.5, 0.5]], [500, 500]),
    "thirds": ([[1 / 3, 1 / 3, 1 / 3], [0, 1, 0], [0.25, 0.05, 0.7]], [10, 7, 9]),
    "few of each": ([[0, 0.3, 0.7], [0.45, 0.1, 0.45], [0.1, 0, 0.9]], [1, 2, 3]),
}


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("case", UNEQUAL)
def test_exact_transition_gives_each_cell_its_share_within_one_and_in_expectation(
    case: str,
) -> None:
    matrix, sizes = np.array(UNEQUAL[case][0]), UNEQUAL[case][1]
    clean = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    noise = TransitionLabels(matrix, drawing="exact")
    share = np.array(sizes)[:, None] * matrix
    seeds, total = 1_000, np.zeros(matrix.shape)
    for seed in range(seeds):
        new = noise.labels(clean, num_classes=len(sizes), draws=Draws(seed))
        counts = np.zeros(matrix.shape, int)
        np.add.at(counts, (clean, new), 1)
        assert not counts[matrix == 0].any()
        assert (np.abs(counts - share) < 1 + 1e-6).all()
        moved = counts.sum(axis=1) - np.diag(counts)
        expected = share.sum(axis=1) - np.diag(share)
        assert (np.abs(moved - expected) < 1 + 1e-6).all()
        assert abs(moved.sum() - expected.sum()) < 1 + 1e-6
        total += counts
    up = total - seeds * np.floor(share + 1e-6)  # how often a cell was rounded up
    for count, chance in zip(up.ravel(), (share - np.floor(share + 1e-6)).ravel(), strict=True):
        assert binomtest(int(count), seeds, min(max(chance, 0), 1)).pvalue > 1e-4


@pytest.mark.slow(seconds=1)
def test_exact_transition_gives_each_label_of_a_class_the_same_law() -> None:
    matrix = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0.0, 0.5, 0.5]])
    clean = np.array([0, 1, 0, 2, 0, 2, 1])
    noise = TransitionLabels(matrix, drawing="exact")
    seen = np.array(
        [noise.labels(clean, num_classes=3, draws=Draws(seed)) for seed in range(2_000)]
    )
    for c, column in zip(clean, seen.T, strict=True):
        counts, possible = np.bincount(column, minlength=3), matrix[c] > 0
        assert not counts[~possible].any()
        assert chisquare(counts[possible], 2_000 * matrix[c][possible]).pvalue > 1e-4


def test_exact_transition_is_noise_that_audit_accepts() -> None:
    data = TensorDataset(torch.zeros(1_000, 1), torch.arange(1_000) % 2)
    noise = TransitionLabels(np.array([[0, 1], [0.5, 0.5]]), drawing="exact")
    for seed in range(3):
        noisy = corrupt(data, noise, seed=seed)
        assert noisy.transition_matrix.tolist() == [[0, 1], [0.5, 0.5]]
        report = audit(noisy, workers=0)
        assert report["train: noise rate"].status == "ok"
        assert report["train: noise by class"].status == "ok"


def test_exact_transition_keeps_golden_labels() -> None:
    noise = TransitionLabels(MATRIX, drawing="exact")
    assert "".join(map(str, noisy(noise, ids=np.arange(40)))) == GOLDEN_EXACT


# --------------------------------------------------------------------------- counts and numbers


@given(st.integers(1, 60), st.integers(0, 1000))
def test_exact_counts_are_the_rounded_product(n: int, thousandths: int) -> None:
    rate, clean = thousandths / 1000, np.zeros(n, int)
    for drawing in ("exact", "exact_per_class"):
        noise = SymmetricLabels(rate=rate, drawing=drawing)
        new = noise.labels(clean, num_classes=3, draws=Draws(0))
        assert (new != clean).sum() == round(rate * n)


@pytest.mark.parametrize(("n", "rate", "count"), [(10, 0.15, 2), (20, 0.075, 2), (30, 0.35, 10)])
def test_ties_are_rounded_as_python_rounds_the_product(n: int, rate: float, count: int) -> None:
    assert round(rate * n) == count
    noise = PairFlipLabels(rate=rate, drawing="exact")
    assert (noise.labels(np.zeros(n, int), num_classes=2, draws=Draws(0)) == 1).sum() == count
    half = AsymmetricLabels(classes="cifar10", rate=rate, drawing="exact")  # 2 moves, 1 does not
    mixed = np.repeat([1, 2], n)
    assert (half.labels(mixed, num_classes=10, draws=Draws(0)) != mixed).sum() == count


NUMBERS: dict[str, tuple[Any, Any]] = {
    "uniform": (UniformLabels(p=np.linspace(0, 1, 6)[2]), UniformLabels(p=0.4)),
    "whole": (UniformLabels(p=1), UniformLabels(p=1.0)),
    "zero": (UniformLabels(p=np.int64(0)), UniformLabels(p=-0.0)),  # type: ignore[arg-type]
    "symmetric": (SymmetricLabels(rate=np.float64(0.4)), SymmetricLabels(rate=0.4)),
    "pair flip": (PairFlipLabels(rate=np.float32(0.5)), PairFlipLabels(rate=0.5)),  # type: ignore[arg-type]
    "asymmetric": (
        AsymmetricLabels(classes=np.str_("mnist"), rate=np.float64(0.4)),  # type: ignore[arg-type]
        AsymmetricLabels(classes="mnist", rate=0.4),
    ),
    "transition": (
        TransitionLabels(np.eye(2, dtype=np.float32), drawing=np.str_("exact")),  # type: ignore[arg-type]
        TransitionLabels([[1, 0], [0, 1]], drawing="exact"),
    ),
    "instance": (
        InstanceDependentLabels(rate=np.float64(0.4), mean=np.ones(1), std=np.ones(1)),  # type: ignore[arg-type]
        InstanceDependentLabels(rate=0.4, mean=(1.0,), std=(1.0,)),
    ),
    "gaussian": (
        GaussianPixels(mean=np.float64(1), std=np.float32(2), channel_axis=np.int64(0)),  # type: ignore[arg-type]
        GaussianPixels(mean=1, std=2, channel_axis=0),
    ),
    "pixels": (
        RandomPixels(move=np.str_("values"), channel_axis=np.int64(0)),  # type: ignore[arg-type]
        RandomPixels(move="values", channel_axis=0),
    ),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_numbers_of_numpy_make_the_same_noise_and_print_as_pythons(case: str) -> None:
    theirs, ours = NUMBERS[case]
    assert theirs == ours
    assert repr(theirs) == repr(ours)
    line = str(Specification((theirs,), seed=np.int64(3)))  # type: ignore[arg-type]
    assert Specification.parse(line) == Specification((ours,), seed=3)
    assert "np." not in line
    assert "-0" not in line


@pytest.mark.parametrize(
    "act",
    [
        lambda: UniformLabels(p=True),
        lambda: SymmetricLabels(rate=np.True_),  # type: ignore[arg-type]
        lambda: TransitionLabels(np.eye(2, dtype=bool)),
        lambda: TransitionLabels([[True, 0.0], [0.0, 1.0]]),
        lambda: GaussianPixels(mean=True, std=1.0),
        lambda: GaussianPixels(mean=0.0, std=1.0, channel_axis=True),
        lambda: RandomPixels(channel_axis=1.0),  # type: ignore[arg-type]
        lambda: InstanceDependentLabels(rate=0.1, mean=(True,), std=(1.0,)),
        lambda: Draws(seed=True),
        lambda: corrupt([("a", 0), ("b", 1)], UniformLabels(p=0.5), seed=True),
    ],
)
def test_what_is_no_number_is_refused(act: Any) -> None:
    with pytest.raises(TypeError, match=r"^`\w+` must (be an integer|be a number|hold numbers)"):
        act()


# -------------------------------------------------------------------------------- many classes


@pytest.mark.parametrize("kind", ["uniform", "symmetric", "pair flip"])
@pytest.mark.parametrize("drawing", ["independent", "exact", "exact_per_class"])
def test_memory_does_not_depend_on_the_number_of_classes(kind: str, drawing: str) -> None:
    noise, clean = KINDS[kind](0.5, drawing=drawing), np.array([0, 1, 2**31 - 1] * 100)
    tracemalloc.start()
    try:
        new = noise.labels(clean, num_classes=2**31, draws=Draws(0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert ((new >= 0) & (new < 2**31)).all()
    assert peak < 1_000_000


@pytest.mark.parametrize("num_classes", [2**40 + 1, 2**62])
def test_more_classes_than_can_be_told_apart_are_refused_at_once(num_classes: int) -> None:
    message = rf"^`num_classes` must be at most 2147483648, got {num_classes}\.$"
    for kind in ("uniform", "symmetric", "pair flip"):
        with pytest.raises(ValueError, match=message):
            KINDS[kind](0.5).labels(np.array([0, 2**40]), num_classes=num_classes, draws=Draws(0))
        with pytest.raises(ValueError, match=r"^`num_classes` must be at most 32768, got \d+\.$"):
            KINDS[kind](0.5).matrix(num_classes)
    instance = InstanceDependentLabels(rate=0.1, mean=(0.0,), std=(1.0,))
    with pytest.raises(ValueError, match=message):
        instance.labels_for(
            np.zeros((1, 2)), np.array([0]), num_classes=num_classes, draws=Draws(0)
        )
    with pytest.raises(ValueError, match=r"^`inputs` must be small enough for projections"):
        instance.labels_for(np.zeros((1, 2)), np.array([0]), num_classes=2**31, draws=Draws(0))


CIFAR10 = {9: 1, 2: 0, 4: 7, 3: 5, 5: 3}


@pytest.mark.parametrize("drawing", ["independent", "exact", "exact_per_class"])
def test_a_map_of_your_own_is_drawn_as_those_known_by_name(drawing: Any) -> None:
    known = AsymmetricLabels(classes="cifar10", rate=0.4, drawing=drawing)
    own = AsymmetricLabels(classes=CIFAR10, rate=0.4, drawing=drawing)
    assert_array_equal(noisy(own), noisy(known))
    assert_allclose(own.matrix(10), known.matrix(10))


def test_a_map_of_your_own_is_one_thing_in_every_form() -> None:
    own = AsymmetricLabels(classes=CIFAR10, rate=0.4)
    pairs: Any = tuple((np.int64(old), new) for old, new in reversed(CIFAR10.items()))
    same = AsymmetricLabels(classes=pairs, rate=0.4)
    assert same == own
    assert hash(same) == hash(own)
    assert repr(same) == repr(own)
    text = str(Specification((own,), 3))
    assert Specification.parse(text) == Specification((own,), 3)
    typed = Specification.parse("asymmetric_labels(classes={1: 2, 0: 1}, rate=0.5)@seed=0")
    assert typed.corruptions == (AsymmetricLabels(classes={0: 1, 1: 2}, rate=0.5),)


def test_classes_that_are_not_in_a_map_stay_whatever_their_number() -> None:
    own = AsymmetricLabels(classes={0: 2}, rate=1.0)
    for num_classes in (3, 7):
        clean = np.arange(num_classes)
        new = own.labels(clean, num_classes=num_classes, draws=Draws(0))
        assert new.tolist() == [2, *range(1, num_classes)]
    with pytest.raises(
        ValueError, match=r"^`num_classes` must be above the largest class in `classes`, 2, got 2"
    ):
        own.matrix(2)


@pytest.mark.parametrize(
    ("classes", "error", "message"),
    [
        ({}, ValueError, r"must be a known name or map classes to classes, got \{\}"),
        ([(1, 2, 3)], ValueError, r"must be a known name or map .*, got \[\(1, 2, 3\)\]"),
        ((1, 2), ValueError, r"must be a known name or map .*, got \(1, 2\)"),
        ({1: 1}, ValueError, "must move each class to another, got 1 to itself"),
        ([(1, 2), (1, 3)], ValueError, "must move each class once, got 1 twice"),
        ({-1: 2}, ValueError, "must be at least 0, got -1"),
        ({"cat": 2}, TypeError, "must be an integer, got 'cat'"),
        ({1: 0.5}, TypeError, r"must be an integer, got 0\.5"),
        (3, ValueError, "must be 'cifar10', .*, got 3"),
    ],
)
def test_a_map_that_is_none_is_named(classes: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^`classes` {message}"):
        AsymmetricLabels(classes=classes, rate=0.1)
