"""Which sizes a search tries: every way it can go, in every small problem."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from corruptlab import Recipe
from corruptlab.capacity._effective_capacity import _Criterion, _search, most_trials, next_size
from tests.capacity.naive import SHORT, result

Path = tuple[list[int], int, int | None]
"""Sizes in the order they were tried, and the last bracket."""


def paths(
    total: int, tolerance: float, low: int = 0, high: int | None = None, tried: tuple[int, ...] = ()
) -> Iterator[Path]:
    """Every search there can be: each size is fitted in one branch, and not in the other."""
    n = next_size(low, high, total, tolerance)
    if n is None:
        yield list(tried), low, high
        return
    yield from paths(total, tolerance, n, high, (*tried, n))
    yield from paths(total, tolerance, low, n, (*tried, n))


@pytest.mark.parametrize("tolerance", [0.0, 0.01, 0.05, 0.3, 2.0])
@pytest.mark.parametrize("total", [1, 2, 3, 15, 16, 17, 33, 64, 100, 250])
def test_every_search_ends_in_a_narrow_bracket_within_the_promised_trials(
    total: int, tolerance: float
) -> None:
    for tried, low, high in paths(total, tolerance):
        assert len(tried) == len(set(tried)) <= most_trials(total, tolerance)
        assert all(1 <= n <= total for n in tried)
        assert low == 0 or low in tried
        if high is None:
            assert low == total
        else:
            assert high in tried
            assert 0 < high - low <= max(1, tolerance * low)


@pytest.mark.parametrize("capacity", [0, 1, 15, 16, 17, 40, 99, 100])
def test_without_tolerance_the_last_size_that_fits_is_found(capacity: int) -> None:
    low, high, tried = 0, None, []
    while (n := next_size(low, high, 100, 0.0)) is not None:
        tried.append(n)
        low, high = (n, high) if n <= capacity else (low, n)
    assert low == capacity
    assert high == (None if capacity == 100 else capacity + 1)


def test_sizes_double_until_one_is_not_fitted_and_then_halve_the_step() -> None:
    first = [next_size(low, None, 100, 0.0) for low in (0, 16, 32, 64, 100)]
    assert first == [16, 32, 64, 100, None]
    assert next_size(0, None, 5, 0.0) == 5
    assert next_size(64, 100, 100, 0.0) == 82


@pytest.mark.parametrize("tolerance", [0.0, 0.05])
@pytest.mark.parametrize("total", [16, 64, 1024])
def test_some_search_takes_all_the_promised_trials(total: int, tolerance: float) -> None:
    longest = max(len(tried) for tried, _, _ in paths(total, tolerance))
    assert longest == most_trials(total, tolerance)


@dataclass
class Coins:
    """A task whose replicas fit n examples with a probability that is known."""

    total: int
    random: np.random.Generator

    def chance(self, n: int) -> float:
        return float(1 / (1 + (n / 100) ** 3))  # half at n = 100

    def errors(self, n: int) -> tuple[NDArray[np.int64], Recipe]:
        return (self.random.random(30) >= self.chance(n)).astype(int), SHORT


@pytest.mark.slow(seconds=1)
def test_interval_holds_the_capacity_as_often_as_it_says() -> None:
    coins, confidence = Coins(1000, np.random.default_rng(0)), 0.6
    criterion, found = _Criterion(share=0.5, error=0.0, tolerance=0.05), []
    for _ in range(400):
        trials, stopped_by = _search(coins, criterion)  # type: ignore[arg-type]  # it tosses coins
        found.append(result(trials, stopped_by=stopped_by, confidence=confidence))
    held = sum(low <= 100 < (high or 1001) for low, high in (each.interval for each in found))
    assert binomtest(held, len(found), confidence, alternative="less").pvalue > 1e-4
    assert sum(each.interval[1] is not None and each.interval[0] > 0 for each in found) > 200
    for each in found:
        low, high = each.bracket
        assert high is not None
        sure, out = each.interval
        assert sure <= low < high <= (out or 1001)
