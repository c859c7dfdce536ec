"""Epochs of first fitting: counted once, censored at the end, by chance where chance alone fits."""

import io
from typing import Any

import numpy as np
import pytest
from scipy import stats

from corruptlab import SymmetricLabels, corrupt, materialize, memorization_report
from corruptlab.corruptions import Corrupted
from corruptlab.experiments import LearningTimes, MemorizationMeter, MemorizationReport

from .cases import CLASSES, clusters, constant, loop, run


def by_heart_from(epoch: int, epochs: int, *, forgets: bool = False) -> Any:
    """Know nothing until an epoch, then every label by heart, and forget it one epoch later."""

    def train_function(dataset: Corrupted, epoch_end: MemorizationMeter) -> Any:
        inputs, labels = (tensor.numpy() for tensor in materialize(dataset))

        def known(x: Any) -> Any:
            distances = ((x.numpy()[:, None] - inputs[None]) ** 2).sum(axis=2)
            return labels[distances.argmin(axis=1)]

        def nothing(x: Any) -> Any:
            return np.full(len(x), CLASSES)  # no label of the data

        for each in range(1, epochs + 1):
            knows = each == epoch if forgets else each >= epoch
            epoch_end(known if knows else nothing)
        return nothing

    return train_function


def noisy() -> Corrupted:
    return corrupt(clusters(), SymmetricLabels(rate=0.3), seed=0)


@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize("epoch", [1, 3, 4])
def test_all_is_learned_when_it_is_known_first_even_if_it_is_forgotten(
    epoch: int, forgets: bool
) -> None:
    report = run(by_heart_from(epoch, 4, forgets=forgets), noisy())
    for group in ("clean", "noisy", "planted"):
        times = report.learning_times[group]
        assert times.total > 0
        assert times.counts == tuple(times.total * (each == epoch) for each in (1, 2, 3, 4))
        assert (times.censored, times.quantile(0.1), times.quantile(1.0)) == (0, epoch, epoch)
    assert report.final.clean.right == 0  # the predictor at the end is no epoch


def test_what_is_never_fitted_is_censored() -> None:
    report = run(by_heart_from(5, 4), noisy())
    times = report.learning_times["planted"]
    assert (times.counts, times.censored) == ((0, 0, 0, 0), 60)
    assert times.quantile(0.01) is None


def test_group_sizes_are_those_of_the_epochs_and_shares_are_their_running_union() -> None:
    report = run(loop, noisy())
    for group, times in report.learning_times.items():
        fits = [getattr(row, group) for row in report.epochs]
        assert times.total == fits[0].total
        assert times.counts[0] == fits[0].right
        assert all(now >= fit.share for now, fit in zip(times.shares, fits, strict=True))
        assert list(times.shares) == sorted(times.shares)
        assert sum(times.counts) <= sum(fit.right for fit in fits)


def test_guesses_fit_held_out_canaries_as_chance_has_it() -> None:
    # A guess is right once in K, so that 1 - (1 - 1 / K)^3 are fitted once in three epochs.
    def guessing(dataset: Corrupted, epoch_end: MemorizationMeter) -> Any:
        generator = np.random.default_rng(5)
        for _ in range(3):
            epoch_end(lambda x: generator.integers(CLASSES, size=len(x)))

    report = run(guessing, clusters(4000), canaries=1500)
    for group in ("held_out", "planted"):
        times = report.learning_times[group]
        p = 1 - (1 - 1 / CLASSES) ** 3
        fitted = times.total - times.censored
        assert stats.binomtest(fitted, times.total, p).pvalue > 1e-4


def test_without_epochs_all_are_censored_and_there_is_no_figure() -> None:
    report = run(constant)
    assert report.learning_times["clean"].counts == ()
    assert report.learning_times["clean"].censored == report.learning_times["clean"].total
    with pytest.raises(ValueError, match=r"^`epoch_end` must have been called for learning times"):
        report.plot_learning()


def test_an_interrupted_report_knows_the_epochs_so_far() -> None:
    def stopped(dataset: Corrupted, epoch_end: MemorizationMeter) -> Any:
        epoch_end(lambda x: np.zeros(len(x), np.int64))
        raise KeyboardInterrupt

    assert len(memorization_report(stopped, clusters()).learning_times["clean"].counts) == 1


def test_a_saved_report_keeps_them_and_an_older_one_has_none() -> None:
    report = run(loop, noisy())
    values = report.to_dict()
    again = MemorizationReport.from_dict(values)
    assert again.learning_times == report.learning_times
    del values["learning_times"]
    assert MemorizationReport.from_dict(values).learning_times == {}


@pytest.mark.slow(seconds=1)
def test_figure_shows_both_for_each_group_that_has_examples() -> None:
    groups = {"planted canaries", "held-out canaries", "clean examples", "chance"}
    for data, more in ((clusters(), set()), (noisy(), {"noisy examples"})):
        figure = run(loop, data).plot_learning()
        (box,) = figure.legends
        assert {text.get_text() for text in box.get_texts()} == groups | more
        figure.savefig(io.BytesIO())


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5, float("nan")])
def test_quantiles_outside_the_unit_interval(share: float) -> None:
    with pytest.raises(ValueError, match=r"^`share` must lie in \(0, 1\], got "):
        LearningTimes(counts=(1,), total=2).quantile(share)


def test_an_empty_group_has_no_shares() -> None:
    times = LearningTimes(counts=(0, 0), total=0)
    assert (times.shares, times.censored, times.quantile()) == ((), 0, None)
