"""Laws of resampled values: marginals stay, and what ties positions to one another goes."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy.stats import chisquare

from corruptlab import Draws, ResampledValues, Specification, corrupt, materialize

BOTH = pytest.mark.parametrize("pool", ["position", "overall"])
N = 4000


def rows(n: int = N) -> Any:
    """Three positions with laws of their own, the first two of them always equal."""
    rng = np.random.default_rng(0)
    first = rng.choice(4, n, p=[0.1, 0.2, 0.3, 0.4])
    return np.stack([first, first, 10 + rng.integers(0, 2, n)], axis=1)


def made(data: Any = None, **arguments: Any) -> ResampledValues:
    return ResampledValues(**arguments).estimated([rows() if data is None else data])


def test_each_position_follows_its_marginal() -> None:
    new = made().inputs(rows(), draws=Draws(1))
    for place in range(3):
        values, counts = np.unique(rows()[:, place], return_counts=True)
        found = np.array([(new[:, place] == value).sum() for value in values])
        assert found.sum() == N
        assert chisquare(found, counts).pvalue > 1e-4


def test_positions_become_independent() -> None:
    new = made().inputs(rows(), draws=Draws(2))
    share = np.bincount(rows()[:, 0], minlength=4) / N
    table = np.bincount(4 * new[:, 0] + new[:, 1], minlength=16)
    assert chisquare(table, N * np.outer(share, share).ravel()).pvalue > 1e-4


def test_overall_draws_from_all_positions_alike() -> None:
    new = made(pool="overall").inputs(rows(), draws=Draws(3))
    values, counts = np.unique(rows(), return_counts=True)
    for place in range(3):
        found = np.array([(new[:, place] == value).sum() for value in values])
        assert chisquare(found, counts / 3).pvalue > 1e-4


@BOTH
def test_a_batch_equals_its_examples_one_by_one_and_any_cut_of_it(pool: Any) -> None:
    data = np.tile(rows(), (1, 20))  # more than is drawn at a time
    noise = made(data, pool=pool)
    whole = noise.inputs(data, draws=Draws(4))
    ids = [3999, 7, 7, 0]
    assert_array_equal(noise.inputs(data[ids], draws=Draws(4), ids=ids), whole[ids])
    assert (noise.inputs(data, draws=Draws(5)) != whole).any()


@BOTH
def test_estimate_does_not_depend_on_the_batches(pool: Any) -> None:
    data = rows()
    assert made(pool=pool) == ResampledValues(pool=pool).estimated(
        [data[:1], data[1:900], data[900:]]
    )


@BOTH
def test_kept_values_stay_in_place_and_are_never_drawn(pool: Any) -> None:
    data = rows()
    new = made(pool=pool, keep=(3, 11)).inputs(data, draws=Draws(6))
    kept = np.isin(data, (3, 11))
    assert_array_equal(np.isin(new, (3, 11)), kept)
    assert_array_equal(new[kept], data[kept])
    assert (new[~kept] != data[~kept]).any()


@pytest.mark.parametrize("column", [0, 1, 2])
def test_position_with_nothing_to_draw_stays(column: int) -> None:
    data = rows()
    data[:, column] = 9
    noise = made(data, keep=(9,))
    other = rows()  # as a test set whose sequences are longer
    new = noise.inputs(other, draws=Draws(7))
    assert_array_equal(new[:, column], other[:, column])
    for place in {0, 1, 2} - {column}:
        assert (new[:, place] != other[:, place]).any()


def test_position_without_values_stays_where_they_are_given_too() -> None:
    noise = ResampledValues(values=[5, 6], sizes=[2, 0])
    new = noise.inputs(np.ones((9, 2), int), draws=Draws(0))
    assert set(new[:, 0].tolist()) == {5, 6}
    assert_array_equal(new[:, 1], 1)


@BOTH
def test_data_of_kept_values_alone_stay(pool: Any) -> None:
    data = np.full((5, 4), 2)
    assert_array_equal(made(data, pool=pool, keep=(2,)).inputs(data, draws=Draws(0)), data)


def test_type_kind_and_shape_are_kept_and_the_original_is_untouched() -> None:
    for dtype in (torch.uint8, torch.int64, torch.float32, torch.bfloat16, torch.bool):
        clean = torch.arange(24).reshape(2, 3, 2, 2).to(dtype)
        new = made(clean).inputs(clean, draws=Draws(0))
        assert (new.dtype, new.shape) == (dtype, clean.shape)
        assert_array_equal(clean.float(), torch.arange(24).reshape(2, 3, 2, 2).to(dtype).float())
        pairs = clean.reshape(2, -1), new.reshape(2, -1)
        assert bool(((pairs[1] == pairs[0][0]) | (pairs[1] == pairs[0][1])).all())


def test_every_example_has_draws_of_its_own() -> None:
    new = made(np.arange(2000).reshape(1000, 2)).inputs(np.zeros((50, 2), int), draws=Draws(0))
    assert len({tuple(row) for row in new.tolist()}) == 50


@pytest.mark.parametrize("d", [1, 2, 5])
def test_draws_are_the_documented_arithmetic(d: int) -> None:
    data = np.arange(7 * d).reshape(7, d)
    words = Draws(8).words("resampled_values/value", np.arange(7), (d + 1) // 2)
    expected = [
        [
            int(data[((int(words[i, j // 2]) >> (32 * (j % 2))) % 2**32 * 7) >> 32, j])
            for j in range(d)
        ]
        for i in range(7)
    ]
    assert made(data).inputs(data, draws=Draws(8)).tolist() == expected


def test_golden_values_hold() -> None:
    data = np.arange(24).reshape(3, 8)
    assert made(data).inputs(data, draws=Draws(0)).tolist() == GOLDEN["position"]
    assert made(data, pool="overall").inputs(data, draws=Draws(0)).tolist() == GOLDEN["overall"]


GOLDEN = {
    "position": [
        [8, 17, 18, 19, 20, 13, 14, 15],
        [0, 1, 10, 3, 20, 21, 6, 7],
        [0, 1, 2, 19, 20, 21, 14, 23],
    ],
    "overall": [
        [3, 7, 7, 21, 7, 12, 12, 4],
        [17, 10, 3, 0, 6, 6, 16, 2],
        [17, 10, 1, 15, 13, 22, 18, 13],
    ],
}


def test_corrupt_takes_the_values_and_gives_them_to_the_test_set() -> None:
    data = rows(), np.arange(N) % 2
    noisy = corrupt(data, ResampledValues(), seed=3)
    whole, labels = materialize(noisy)
    assert_array_equal(whole, made().inputs(rows(), draws=Draws(3)))
    assert_array_equal(labels, data[1])
    assert_array_equal(noisy[17][0], whole[17])
    test = corrupt(data, *noisy.corruptions, seed=3, ids=np.arange(N) + N)
    assert (materialize(test)[0] != whole).any()


def test_it_has_one_line_only_before_it_holds_data() -> None:
    text = "resampled_values(keep=(0, 101), pool='overall')@seed=4"
    parsed = Specification.parse(text)
    assert (str(parsed), parsed.corruptions[0]) == (
        text,
        ResampledValues(pool="overall", keep=(0, 101)),
    )
    assert "values=<int64 (12000,) sha256:" in repr(made())


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"pool": "row"}, ValueError, r"^`pool` must be 'position' or 'overall', got 'row'\.$"),
        ({"keep": ("a",)}, TypeError, r"^`keep` must be a number, got 'a'\.$"),
        ({"values": [1]}, ValueError, r"together, or neither, got `values` alone\.$"),
        ({"sizes": [1]}, ValueError, r"together, or neither, got `sizes` alone\.$"),
        ({"values": [1], "sizes": [-1]}, ValueError, r"^`sizes` must be counts, one a position"),
        ({"values": [1], "sizes": [2]}, ValueError, r"^`values` must hold 2 values, .* \(1,\)\.$"),
    ],
)
def test_arguments_that_do_not_fit(arguments: Any, kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        ResampledValues(**arguments)


def test_inputs_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"^`values` must be known before inputs are drawn, got N"):
        ResampledValues().inputs(rows(), draws=Draws(0))
    with pytest.raises(ValueError, match=r"^`inputs` must have 3 values each, .* got 2\.$"):
        made().inputs(rows()[:, :2], draws=Draws(0))
    with pytest.raises(ValueError, match=r"^`inputs` must hold at least one example, got none\.$"):
        ResampledValues().estimated([])
