"""Entries: nothing is lost in JSON, and ratios are within a seed."""

import json
from dataclasses import replace

import pytest
from scipy import stats

from benchmarks._records import KINDS, Comparison, TimeToInterpolation
from tests.benchmarks.cases import comparison, made, times


@pytest.mark.parametrize(
    "entry",
    [
        comparison(),
        comparison(ratio=None, ours=None, limit=(), notes=()),
        comparison(part=True),
        times(),
    ],
    ids=["whole", "with gaps", "part", "times"],
)
def test_entry_comes_back_from_json_as_it_was(entry: Comparison | TimeToInterpolation) -> None:
    values = json.loads(json.dumps(entry.to_dict(), allow_nan=False))
    assert KINDS[values["kind"]].read(values) == entry


def test_fractions_are_kept_to_four_digits_and_whole_numbers_whole() -> None:
    values = comparison(ratio=2.123456, rounds=123456).to_dict()
    assert values["ratio"] == 2.123
    assert values["rounds"] == 123456


def test_distance_from_the_limit_is_ours_over_the_sum_of_its_parts() -> None:
    assert comparison(ours=4.0).over_limit == 4.0 / (1.5 + 0.5)
    assert comparison(ours=4.0).to_dict()["over_limit"] == 2.0


def test_there_is_no_distance_without_a_limit_or_without_seconds() -> None:
    assert comparison(limit=()).over_limit is None
    assert comparison(ours=None).over_limit is None


def test_ratio_over_true_labels_is_within_a_seed() -> None:
    entry = times()
    found = entry.over_true(entry.rows[1], "steps")
    assert found is not None
    assert found.mean == pytest.approx(stats.gmean([2, 3, 4.5]))
    seconds = entry.over_true(entry.rows[1], "seconds")
    assert seconds is not None
    assert seconds.mean == pytest.approx(stats.gmean([3, 1.5, 2]))


def test_true_labels_take_once_their_own_time() -> None:
    entry = times()
    assert entry.over_true(entry.rows[0], "steps") == pytest.approx((1, 1, 1))


def test_setting_that_one_seed_did_not_interpolate_has_no_mean() -> None:
    entry = times()
    assert entry.over_true(entry.rows[2], "steps") is None
    assert entry.rows[2].interpolated == 2
    assert entry.to_dict()["rows"][2]["steps"] == [5, None, 1200]


def test_no_setting_has_a_mean_if_true_labels_were_not_interpolated() -> None:
    entry = times()
    true = replace(entry.rows[0], steps=(10, None, 40))
    entry = replace(entry, rows=(true, *entry.rows[1:]))
    assert entry.over_true(entry.rows[1], "steps") is None


@pytest.mark.parametrize(
    "change",
    [
        {"name": "two epochs"},
        {"than": "another"},
        {"group": "replicas"},
        {"made": made(machine="Another")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_entries_that_differ_in_what_is_compared_are_two(change: dict[str, str]) -> None:
    assert comparison(**change).key != comparison().key


def test_entries_that_differ_in_what_was_found_are_one() -> None:
    again = comparison(ratio=9.0, ours=1.0, notes=(), made=made(date="2026-12-01"))
    assert again.key == comparison().key
