"""Label noise beside its definition, by exact laws."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom
from torch.utils.data import ConcatDataset, Subset

from corruptlab import (
    ExchangedLabels,
    PairFlipLabels,
    RandomLabels,
    ShuffledPixels,
    SymmetricLabels,
    TransitionLabels,
    UniformLabels,
    corrupt,
)
from corruptlab.experiments import audit

from .cases import HALF, Halved, finding, many, tensors

LAW = np.triu(np.full((10, 10), 0.05), 1)
LAW += np.diag(1 - LAW.sum(axis=1))


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize(
    "corruptions",
    [
        (HALF,),
        (RandomLabels(),),
        (SymmetricLabels(rate=0.2, drawing="exact"),),
        (SymmetricLabels(rate=0.2, drawing="exact_per_class"),),
        (PairFlipLabels(rate=0.45),),
        (TransitionLabels(LAW),),
        (HALF, PairFlipLabels(rate=0.2)),
    ],
    ids=lambda corruptions: "+".join(type(each).__name__ for each in corruptions),
)
def test_noise_as_defined_passes_both_tests(corruptions: Any) -> None:
    report = audit(many(*corruptions), workers=0, sample=2)
    assert report["train: noise rate"].status == "ok"
    assert "expected" in report["train: noise rate"].message
    assert report["train: noise by class"].status == "ok"


@pytest.mark.slow(seconds=1)
def test_rate_and_law_are_in_the_message() -> None:
    data = many(HALF)
    changed = int(data.is_corrupted.sum())
    p = min(1, 2 * min(binom.cdf(changed, 20_000, 0.45), binom.sf(changed - 1, 20_000, 0.45)))
    assert finding("train: noise rate", data, sample=2).message == (
        f"{changed:,} of 20,000 labels changed ({changed / 20_000:.2%}), 45.00% expected "
        f"(exact binomial test: p = {p:.2g}, error below 0.0001)."
    )


@pytest.mark.slow
def test_rate_that_is_not_the_nominal_one_is_found() -> None:
    found = finding("train: noise rate", many(Halved(0.45)), sample=2)
    assert found.status == "error"
    assert "50.00% expected: this contradicts the definition of the noise" in found.message
    assert finding("train: noise rate", many(Halved(0.5)), sample=2).status == "ok"


class WrongClass(Halved):
    """Changes one class too often, and another too seldom, so that the whole rate is right."""

    def labels(self, clean: Any, *, num_classes: int, draws: Any, ids: Any) -> Any:
        rates = np.array([0.4, 0.6] + [0.5] * (num_classes - 2))
        changed = draws.uniform("halved", ids) < rates[clean]
        return np.where(changed, (clean + 1) % num_classes, clean)


class WrongWay(Halved):
    """Changes as many as it says, to the class on the other side."""

    def labels(self, clean: Any, *, num_classes: int, draws: Any, ids: Any) -> Any:
        changed = draws.uniform("halved", ids) < 0.5
        return np.where(changed, (clean - 1) % num_classes, clean)


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("corruption", [WrongClass(), WrongWay()])
def test_classes_that_go_elsewhere_are_found_though_the_rate_is_right(corruption: Any) -> None:
    report = audit(many(corruption), workers=0, sample=2)
    assert report["train: noise rate"].status == "ok"
    assert report["train: noise by class"].status == "error"


class Uneven(Halved):
    """Says that class 0 changes half of the time, and changes class 1 instead."""

    def labels(self, clean: Any, *, num_classes: int, draws: Any, ids: Any) -> Any:
        changed = (draws.uniform("halved", ids) < 0.5) & (clean == int(self.really))
        return np.where(changed, 2, clean)

    def matrix(self, num_classes: int, draws: Any = None) -> Any:
        law = np.eye(num_classes)
        law[0, 0] = law[0, 2] = 0.5
        return law


@pytest.mark.slow
def test_rates_that_differ_between_classes_are_tested_for_each() -> None:
    found = finding("train: noise rate", many(Uneven(1)), sample=2)
    assert found.status == "error"
    assert "least likely is class 0 with 0 of 2,000, 50.00% expected" in found.message
    right = many(Uneven(0))
    found = finding("train: noise rate", right, sample=2)
    assert found.status == "ok"
    k = int(right.is_corrupted.sum())  # the other nine classes are sure to keep their labels
    p = min(1, 20 * min(binom.cdf(k, 2000, 0.5), binom.sf(k - 1, 2000, 0.5)))
    assert f"(10 exact binomial tests, one per class, adjusted p: p = {p:.2g}, " in found.message


def test_classes_are_tested_at_the_threshold_of_all_pairs_together() -> None:
    data = many(Uneven(0), n=300, num_classes=3, seed=9)
    k = int(data.is_corrupted.sum())  # the other eight pairs are sure
    p = min(1, 18 * min(binom.cdf(k, 100, 0.5), binom.sf(k - 1, 100, 0.5)))
    assert 0 < p < 1
    found = finding("train: noise by class", data, sample=2)
    assert f"(9 exact binomial tests, one per pair, adjusted p: p = {p:.2g}, " in found.message


@pytest.mark.slow(seconds=1)
def test_noise_twice_is_compared_with_both_definitions() -> None:
    twice = corrupt(many(PairFlipLabels(rate=0.3)), HALF)
    found = finding("train: noise rate", Subset(twice, range(20_000)), sample=2)
    assert found.status == "ok"
    assert "60.00% expected" in found.message  # 0.5 * 0.7 + 0.5 * 0.1 stay


def test_parts_with_one_definition_are_tested_and_others_only_reported() -> None:
    one, two, three = (many(UniformLabels(p=p), n=600) for p in (0.5, 0.5, 0.2))
    assert "expected" in finding("train: noise rate", ConcatDataset([one, two]), sample=2).message
    found = finding("train: noise rate", ConcatDataset([one, three]), sample=2)
    assert found.status == "ok"
    assert "there is no nominal rate" in found.message


def test_noise_made_for_other_numbers_of_classes_is_only_reported() -> None:
    twice = corrupt(Subset(many(HALF, n=600), range(600)), HALF, num_classes=20)
    found = finding("train: noise rate", twice, sample=2)
    assert found.status == "ok"
    assert "there is no nominal rate" in found.message


def test_noise_behind_a_foreign_wrapper_is_only_reported() -> None:
    class Proxy:
        def __init__(self, dataset: Any) -> None:
            self.dataset = dataset

        def __getattr__(self, name: str) -> Any:
            return getattr(self.dataset, name)

        def __len__(self) -> int:
            return len(self.dataset)

        def __getitem__(self, index: int) -> Any:
            return self.dataset[index]

    twice = corrupt(Proxy(many(HALF, n=600)), UniformLabels(p=0.1))
    found = finding("train: noise rate", twice, sample=2)
    assert found.status == "ok"
    assert "there is no nominal rate" in found.message


def test_examples_that_are_there_twice_count_once() -> None:
    noisy = many(HALF, n=60, seed=1)
    assert abs(noisy.realized_rate - 0.45) > 0.03  # 12,000 draws would not come out like this
    found = finding("train: noise rate", Subset(noisy, list(range(60)) * 200), sample=2)
    assert found.status == "ok"


def test_choice_by_the_labels_is_found() -> None:
    noisy = many(HALF)
    kept = np.flatnonzero(~noisy.is_corrupted).tolist()
    assert finding("train: noise rate", Subset(noisy, kept), sample=2).status == "error"


def test_without_a_nominal_matrix_the_realized_rate_is_reported() -> None:
    data = corrupt(tensors(), ExchangedLabels())
    report = audit(data, workers=0)
    assert report["train: noise rate"].status == "ok"
    assert report["train: noise rate"].message == (
        f"{data.is_corrupted.sum()} of 60 labels changed ({data.realized_rate:.2%}); there is no "
        "nominal rate for comparison."
    )
    assert report["train: noise by class"].status == "skipped"


def test_more_classes_than_a_matrix_can_hold_are_reported_only() -> None:
    found = finding("train: noise rate", corrupt(tensors(), RandomLabels(), num_classes=10**6))
    assert found.status == "ok"
    assert "there is no nominal rate" in found.message


def test_noise_is_skipped_where_it_is_not_known_or_not_there() -> None:
    assert finding("train: noise rate", tensors()).message.startswith(
        "its clean labels are unknown"
    )
    found = finding("train: noise rate", corrupt(tensors(), ShuffledPixels()))
    assert found.status == "skipped"
    assert found.message == "its labels were not corrupted; 0 of 60 labels changed (0.00%)."


class Counted(Halved):
    """Changes the first labels, so many of them, and says that each changes with a probability."""

    def __init__(self, count: int, p: float) -> None:
        self.count, self.p = count, p

    def labels(self, clean: Any, *, num_classes: int, draws: Any, ids: Any) -> Any:
        return np.where(ids < self.count, (clean + 1) % num_classes, clean)

    def matrix(self, num_classes: int, draws: Any = None) -> Any:
        stay = np.eye(num_classes)
        return (1 - self.p) * stay + self.p * np.roll(stay, 1, axis=1)


@pytest.mark.parametrize("p", [0.0, 0.05, 0.5, 0.9, 1.0])
def test_the_test_is_twice_the_smaller_exact_tail(p: float) -> None:
    for k in range(11):
        naive = min(1.0, 2 * min(binom.cdf(k, 10, p), binom.sf(k - 1, 10, p)))
        found = finding("train: noise rate", many(Counted(k, p), n=10, num_classes=2), sample=2)
        assert f"(exact binomial test: p = {naive:.2g}, error below 0.0001)" in found.message
        assert (found.status == "error") == (naive < 1e-4)
