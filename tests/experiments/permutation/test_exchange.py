"""Exchanged labels keep what they must and forget the rest."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from scipy.stats import chisquare
from torch.utils.data import TensorDataset

import corruptlab as cl

from .problem import RECIPE, permuted_by_hand, points, train_nothing

LABELS = np.array([0, 1, 2, 0, 1, 1, 2, 0])
GROUPS = np.asarray(["b", "a", "b", "a", "a", "b", "a", "a"])


def permuted(
    monkeypatch: pytest.MonkeyPatch, groups: Any = None, *, labels: Any = LABELS, **options: Any
) -> NDArray[np.int64]:
    """Return the different permutations that a test trains on, in the order drawn."""
    seen = train_nothing(monkeypatch, scores=(0.0, 0.0, 0.0))
    labels = torch.as_tensor(labels)
    train = TensorDataset(torch.arange(len(labels) * 3.0).reshape(-1, 3), labels)
    model = cl.mlp(input_shape=(3,), num_classes=3)
    options = {"permutations": 49, "recipe": RECIPE, **options}
    cl.permutation_test(model, train, points(5), groups=groups, **options)
    return np.concatenate([each.labels.numpy() for each in seen])


def different(rows: NDArray[np.int64]) -> list[tuple[int, ...]]:
    return list(dict.fromkeys(map(tuple, rows.tolist())))


@pytest.mark.parametrize("groups", [None, GROUPS], ids=["all", "grouped"])
@pytest.mark.parametrize("seed", [0, 3])
def test_labels_as_they_are_come_first_and_then_the_documented_permutations(
    groups: Any, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = permuted(monkeypatch, groups, seed=seed)
    assert_array_equal(found[0], LABELS)
    by_hand = permuted_by_hand(LABELS, groups, seed=seed, numbers=range(50))
    assert list(map(tuple, found.tolist())) == different(by_hand)


def test_every_class_keeps_its_count_in_every_group(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = permuted(monkeypatch, GROUPS)
    for group in "ab":
        inside = np.char.equal(GROUPS, group)
        for row in rows:
            assert Counter(row[inside].tolist()) == Counter(LABELS[inside].tolist())
    assert len(rows) > 20


def test_a_permutation_does_not_depend_on_how_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few, many = (permuted(monkeypatch, permutations=n) for n in (19, 49))
    assert_array_equal(few, many[: len(few)])
    assert different(permuted(monkeypatch, seed=2)) != different(many)


def test_one_group_of_all_is_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    one = permuted(monkeypatch, np.full(8, 5))
    assert_array_equal(one, permuted(monkeypatch))


def test_all_orders_within_groups_are_equally_likely() -> None:
    """Of the permutations by hand, which the first test compares with those of the package."""
    labels, groups = np.arange(5), [1, 0, 1, 0, 1]  # 3! * 2! orders
    rows = permuted_by_hand(labels, groups, numbers=range(1, 2401))
    found = Counter(map(tuple, rows.tolist()))
    assert len(found) == 12
    assert chisquare(list(found.values())).pvalue > 1e-4


def test_an_example_that_is_alone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    message = r"^`groups` must have at least 2 examples each, .*, got 1 of one example, such as "
    with pytest.raises(ValueError, match=message + r"'c'\.$"):
        permuted(monkeypatch, [*GROUPS[:-1], "c"])
    with pytest.raises(ValueError, match=message + r"7\.$"):
        permuted(monkeypatch, [5, 5, 5, 5, 5, 5, 5, 7])


def test_as_many_groups_as_labels_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"^`groups` must have shape \(8,\), .*, got \(7,\)\.$"):
        permuted(monkeypatch, GROUPS[:-1])


def test_labels_that_are_alike_in_each_group_cannot_be_exchanged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ValueError, match=r"nothing to permute, got 4 of class 1\.$"):
        permuted(monkeypatch, labels=np.ones(4, np.int64))
    with pytest.raises(ValueError, match=r"nothing to permute, got 2 of class 0, 2 of class 1\.$"):
        permuted(monkeypatch, ["a", "b", "a", "b"], labels=np.array([0, 1, 0, 1]))
