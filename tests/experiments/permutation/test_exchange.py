"""Exchanged labels keep what they must and forget the rest."""

from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.stats import chisquare

from corruptlab.experiments.permutation._exchange import Exchange

LABELS = np.array([0, 1, 2, 0, 1, 1, 2, 0])
GROUPS = np.asarray(["b", "a", "b", "a", "a", "b", "a", "a"])


def test_number_zero_is_the_labels_as_they_are() -> None:
    assert_array_equal(Exchange(LABELS).drawn(3, [0])[0], LABELS)
    assert_array_equal(Exchange(LABELS, GROUPS).drawn(3, [0])[0], LABELS)


def test_every_class_keeps_its_count() -> None:
    for row in Exchange(LABELS).drawn(0, range(1, 50)):
        assert Counter(row.tolist()) == Counter(LABELS.tolist())


def test_every_group_keeps_its_counts() -> None:
    rows = Exchange(LABELS, GROUPS).drawn(0, range(1, 50))
    for group in "ab":
        inside = np.char.equal(GROUPS, group)
        for row in rows:
            assert Counter(row[inside].tolist()) == Counter(LABELS[inside].tolist())
    assert len({tuple(row) for row in rows.tolist()}) > 20


def test_an_exchange_is_a_function_of_seed_and_number() -> None:
    exchange = Exchange(LABELS)
    assert_array_equal(exchange.drawn(1, [7])[0], exchange.drawn(1, range(1, 10))[6])
    assert (exchange.drawn(1, range(1, 9)) != exchange.drawn(2, range(1, 9))).any()


def test_one_group_of_all_is_no_group() -> None:
    same = Exchange(LABELS, np.full(8, 5)).drawn(0, range(1, 9))
    assert_array_equal(same, Exchange(LABELS).drawn(0, range(1, 9)))


def test_all_orders_within_groups_are_equally_likely() -> None:
    labels, groups = np.arange(5), [1, 0, 1, 0, 1]  # 3! * 2! orders
    found = Counter(map(tuple, Exchange(labels, groups).drawn(0, range(1, 2401)).tolist()))
    assert len(found) == 12
    assert chisquare(list(found.values())).pvalue > 1e-4


def test_an_example_that_is_alone_is_named() -> None:
    message = r"^`groups` must have at least 2 examples each, .*, got 1 of one example, such as "
    with pytest.raises(ValueError, match=message + r"'c'\.$"):
        Exchange(LABELS, [*GROUPS[:-1], "c"])
    with pytest.raises(ValueError, match=message + r"7\.$"):
        Exchange(LABELS, [5, 5, 5, 5, 5, 5, 5, 7])


def test_as_many_groups_as_labels_are_needed() -> None:
    with pytest.raises(ValueError, match=r"^`groups` must have shape \(8,\), .*, got \(7,\)\.$"):
        Exchange(LABELS, GROUPS[:-1])


def test_labels_that_are_alike_in_each_group_cannot_be_exchanged() -> None:
    with pytest.raises(ValueError, match=r"nothing to exchange, got 4 of class 1\.$"):
        Exchange(np.ones(4, np.int64))
    with pytest.raises(ValueError, match=r"nothing to exchange, got 2 of class 0, 2 of class 1\.$"):
        Exchange(np.array([0, 1, 0, 1]), ["a", "b", "a", "b"])
