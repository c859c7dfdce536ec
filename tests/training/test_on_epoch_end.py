"""Following a fit: what is told, when, and what an error does."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import corruptlab as cl
from corruptlab.training import EpochReport

from .cases import RECIPE, network, points

SHORT = replace(RECIPE, epochs=3)


def test_every_epoch_is_told_as_the_report_has_it_in_the_end() -> None:
    seen: list[EpochReport] = []
    report = cl.fit(
        network(),
        points(),
        points(20, seed=1),
        validation=points(10, seed=2),
        recipe=SHORT,
        measure="all",
        on_epoch_end=seen.append,
        name="mine",
    )
    assert [now.epoch for now in seen] == [1, 2, 3]
    assert [now.step for now in seen] == [6, 12, 18]
    assert sum((now.losses for now in seen), ()) == report.losses
    for now, end in zip(seen, report.history, strict=True):
        told = now.loss, now.train_accuracy, now.validation_accuracy, now.test_accuracy
        assert told == (end.loss, end.train, end.validation, end.test)
    rates = [0.1, 0.1 * 0.995, 0.1 * 0.995**2]
    assert [now.learning_rate for now in seen] == pytest.approx(rates)
    assert {now.name for now in seen} == {"mine"}
    assert seen[0].seconds < seen[-1].seconds <= report.seconds
    assert seen[-1].metrics()["test_accuracy"] == report.test_accuracy


def test_what_is_not_measured_is_no_metric() -> None:
    seen: list[EpochReport] = []
    cl.fit(network(), points(), recipe=SHORT, measure="loss", on_epoch_end=seen.append)
    assert sorted(seen[0].metrics()) == ["learning_rate", "loss", "seconds"]
    assert seen[0].train_accuracy is None


def test_it_is_told_before_the_rule_that_ends_the_fit() -> None:
    seen: list[EpochReport] = []
    report = cl.fit(network(), points(), recipe=RECIPE, on_epoch_end=seen.append)
    assert report.stopped_by == "interpolated"
    assert len(seen) == report.epochs


def test_whatever_it_does_the_fit_stays_the_same() -> None:
    plain, followed = (torch.nn.Sequential(torch.nn.Dropout(), network()) for _ in range(2))

    def meddle(now: EpochReport) -> str:
        torch.rand(7)
        followed.eval()
        return "something"

    one = cl.fit(plain, points(), recipe=SHORT)
    two = cl.fit(followed, points(), recipe=SHORT, on_epoch_end=meddle)
    assert one.losses == two.losses
    assert followed.training


def failing(now: EpochReport) -> None:
    if now.epoch == 2:
        raise ConnectionError("no answer")


def test_an_error_keeps_the_report_and_the_checkpoint(tmp_path: Path) -> None:
    whole = cl.fit(network(), points(), recipe=SHORT)
    with pytest.raises(ConnectionError, match=r"^no answer$") as caught:
        cl.fit(network(), points(), recipe=SHORT, checkpoint=tmp_path, on_epoch_end=failing)
    report: cl.FitReport = caught.value.report  # type: ignore[attr-defined]  # documented
    assert (report.stopped_by, report.epochs) == ("on_epoch_end", 2)
    assert report.losses == whole.losses[:12]
    assert "error in `on_epoch_end`" in str(report.diagnosis[0])
    seen: list[EpochReport] = []
    again = cl.fit(network(), points(), recipe=SHORT, checkpoint=tmp_path, on_epoch_end=seen.append)
    assert again.losses == whole.losses
    assert [now.epoch for now in seen] == [3]


class FrozenError(Exception):
    __slots__ = ()

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "report":
            raise AttributeError(name)
        super().__setattr__(name, value)


def test_an_error_that_keeps_nothing_passes_through() -> None:
    def fail(now: EpochReport) -> None:
        raise FrozenError

    with pytest.raises(FrozenError):
        cl.fit(network(), points(), recipe=SHORT, on_epoch_end=fail)


def test_ctrl_c_in_it_ends_the_fit_as_anywhere() -> None:
    def interrupt(now: EpochReport) -> None:
        raise KeyboardInterrupt

    report = cl.fit(network(), points(), recipe=SHORT, on_epoch_end=interrupt)
    assert (report.stopped_by, report.epochs) == ("interrupted", 1)


def test_a_randomization_test_tells_of_every_setting_by_its_label() -> None:
    seen: list[EpochReport] = []
    report = cl.randomization_test(
        network(),
        points(),
        recipe=SHORT,
        settings=["true", "random-labels"],
        on_epoch_end=seen.append,
    )
    assert [now.name for now in seen] == ["true labels"] * 3 + ["random labels"] * 3
    assert seen[-1].loss == report["random-labels"].fit.history[-1].loss


def test_what_cannot_be_called_is_refused() -> None:
    message = r"^`on_epoch_end` must be a function of an EpochReport, got list\.$"
    with pytest.raises(TypeError, match=message):
        cl.fit(network(), points(), recipe=SHORT, on_epoch_end=[])  # type: ignore[arg-type]  # on purpose
