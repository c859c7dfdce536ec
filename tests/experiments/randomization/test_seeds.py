"""A randomization test with several seeds: the same as one test for each, and intervals."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from torch import nn

import corruptlab as cl
from corruptlab.experiments import (
    SeedsReport,
    SeedsResult,
    iter_randomization_test,
    randomization_test,
)

from .cases import bars, network, run

RECIPE = cl.Recipe(learning_rate=0.05, decay=0.995, epochs=4, batch_size=10, whiten=True)
TWO: dict[str, Any] = {"settings": ["true", "random-labels"], "recipe": RECIPE}
QUANTITIES: Any = ("train_accuracy", "test_accuracy", "generalization_gap", "labels_changed")


def drawn(data: cl.LabelledData, *, seed: int) -> Any:
    """It remembers every example but those whose draw is below a half."""
    kept = np.random.random(len(data)) < 0.5  # noqa: NPY002  # as foreign code does
    known = {data[i][0].numpy().tobytes(): data[i][1] for i in range(len(data)) if kept[i]}
    return lambda inputs: np.array([int(known.get(x.numpy().tobytes(), 0)) for x in inputs])


LEARNER: dict[str, Any] = {"settings": ["true", "random-labels"], "recipe": None, "model": drawn}


@pytest.fixture(scope="module")
def report() -> SeedsReport:
    return run(seeds=3, **TWO)  # type: ignore[return-value]  # of the annotation of `run`


@pytest.mark.parametrize("options", [TWO, LEARNER], ids=["network", "learner"])
def test_each_seed_gives_the_report_of_its_own_test(options: dict[str, Any]) -> None:
    found: Any = run(seeds=[4, 2], **options)
    assert found.seeds == tuple(each.seed for each in found.reports) == (4, 2)
    for seed, own in zip((4, 2), found.reports, strict=True):
        alone: Any = run(seed=seed, **options)
        for row, other in zip(own, alone, strict=True):
            assert row.train_accuracy == other.train_accuracy
            assert row.test_accuracy == other.test_accuracy
            assert row.fingerprint == other.fingerprint
    row = found["random-labels"]
    assert row.values("train_accuracy") == tuple(
        each["random-labels"].train_accuracy for each in found.reports
    )


def test_a_number_of_seeds_counts_from_the_seed() -> None:
    found: Any = run(seeds=2, seed=3, **LEARNER)
    assert found.seeds == (3, 4)


def test_means_and_intervals_are_student_s(report: SeedsReport) -> None:
    assert [row.name for row in report] == ["true", "random-labels"]
    for row in report:
        for name in QUANTITIES:
            values = row.values(name)
            assert values is not None
            assert len(values) == 3
            assert getattr(row, name) == pytest.approx(np.mean(values))
            if np.std(values) == 0:
                assert row.interval(name) == (values[0], values[0])
            else:
                scale = stats.sem(values)
                expected = stats.t.interval(0.95, 2, loc=np.mean(values), scale=scale)
                assert row.interval(name) == pytest.approx(expected)
    assert len(set(report["random-labels"].values("labels_changed") or ())) > 1


def test_one_seed_has_no_interval_and_no_test_set_no_test_accuracy() -> None:
    found: Any = run(seeds=1, test=None, **LEARNER)
    row = found["true"]
    assert row.interval("train_accuracy") is None
    assert row.test_accuracy is row.generalization_gap is row.values("test_accuracy") is None
    assert row.interval("test_accuracy") is None
    assert "+-" not in str(found)


def test_a_table_has_means_with_half_widths(report: SeedsReport) -> None:
    row = report["random_labels"]
    lines = str(report).splitlines()
    line = next(each for each in lines if each.startswith("random labels"))
    for name in QUANTITIES:
        low, high = row.interval(name) or (0, 0)
        assert f"{100 * getattr(row, name):.1f}" in line
        assert f"+- {50 * (high - low):.1f}" in line
    assert "Mean over the seeds, and half width of its 95% t-interval." in lines
    assert repr(report).startswith("SeedsReport(3 seeds: true 100.0%/100.0%, random-labels 8")


@pytest.mark.parametrize("options", [TWO, LEARNER], ids=["network", "learner"])
def test_below_the_table_stands_what_a_test_with_one_seed_says(options: dict[str, Any]) -> None:
    found: Any = run(seeds=[4, 2], **options)
    own = str(found.reports[-1]).rpartition("\n\n")[2]
    assert str(found).rpartition("\n\n")[2] == own.replace("seed 2,", "seeds 4, 2,") != own


def test_the_default_settings_are_named(report: SeedsReport) -> None:
    *others, last = report.reports
    last = replace(last, default_settings="Default settings for numbers.")
    assert "Default settings for numbers." in str(replace(report, reports=(*others, last)))


def test_a_row_is_one_short_line(report: SeedsReport) -> None:
    assert str(report["true"]) == (
        "SeedsResult(true labels: train 100.0% +- 0.0, test 100.0% +- 0.0, "
        "labels changed 0.0% +- 0.0; 3 seeds)"
    )
    assert str(report.reports[0]["true"]) == (
        "SettingResult(true labels: train 100.0%, test 100.0%, labels changed 0.0%)"
    )
    assert max(len(str(row)) for row in report) < 120
    learned: Any = run(seed=1, **LEARNER)
    assert str(learned["true"]).startswith("LearnerResult(true labels: train ")


def test_a_report_becomes_json(report: SeedsReport) -> None:
    found = json.loads(json.dumps(report.to_dict()))
    assert found["seeds"] == [0, 1, 2]
    assert found["rows"][1]["train_accuracy"] == report["random-labels"].train_accuracy
    assert found["rows"][1]["intervals"]["train_accuracy"] == list(
        report["random-labels"].interval("train_accuracy") or ()
    )
    assert len(found["reports"]) == 3


def test_a_figure_has_means_and_intervals(report: SeedsReport) -> None:
    pytest.importorskip("matplotlib")
    axes: Any = report.plot().axes[0]
    assert [each.get_label() for each in axes.containers] == ["training", "test"]
    train = axes.containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(train, [row.train_accuracy for row in report])
    assert [each.get_text() for each in axes.get_xticklabels()] == ["true labels", "random labels"]


def test_a_network_starts_alike_and_a_function_is_called_under_each_seed() -> None:
    def made() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(36, 2))

    frozen = cl.Recipe(learning_rate=1e-30, epochs=1, batch_size=60, whiten=True)
    options: dict[str, Any] = {"settings": ["true"], "recipe": frozen, "seeds": 2}
    found: Any = run(model=made, **options)
    losses = [each["true"].fit.losses[0] for each in found.reports]
    assert losses[0] != pytest.approx(losses[1])
    found = run(model=made(), **options)
    losses = [each["true"].fit.losses[0] for each in found.reports]
    assert losses[0] == pytest.approx(losses[1])


def test_reports_come_after_every_setting_and_fits_have_names() -> None:
    names = []
    reports = list(
        iter_randomization_test(
            network(), bars(), seeds=2, on_epoch_end=lambda each: names.append(each.name), **TWO
        )
    )
    assert [[len(each.rows) for each in report.reports] for report in reports] == [
        [1],
        [2],
        [2, 1],
        [2, 2],
    ]
    assert [report.remaining for report in reports] == [(0, 1), (1,), (1,), ()]
    assert set(names) >= {"true labels, seed 0", "random labels, seed 1"}


def test_ctrl_c_keeps_finished_fits() -> None:
    def pressing(report: cl.training.EpochReport) -> None:
        if report.name == "random labels, seed 1" and report.epoch == 2:
            raise KeyboardInterrupt

    found: Any = run(seeds=3, on_epoch_end=pressing, **TWO)
    assert found.interrupted
    assert found.remaining == (1, 2)
    assert found["true"].seeds == (0, 1)
    assert found["random-labels"].seeds == (0,)
    assert "Not finished: seeds 1, 2." in str(found)
    assert repr(found).endswith(", interrupted)")


def test_an_error_carries_the_report_so_far() -> None:
    def failing(report: cl.training.EpochReport) -> None:
        if report.name == "random labels, seed 1":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        run(seeds=2, on_epoch_end=failing, **TWO)
    found = caught.value.report  # type: ignore[attr-defined]  # documented
    assert isinstance(found, SeedsReport)
    assert found["true"].seeds == (0, 1)


@pytest.mark.slow(seconds=1)
def test_folders_are_those_of_the_seeds(tmp_path: Path) -> None:
    run(seeds=2, checkpoint=tmp_path / "fits", **TWO)
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("fits/*/*"))
    assert found == [
        f"fits/seed-{seed}/{name}" for seed in (0, 1) for name in ("random-labels", "true")
    ]
    first: Any = run(seeds=2, out=tmp_path / "runs", **LEARNER)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["seed-0", "seed-1"]
    again: Any = run(seeds=2, out=tmp_path / "runs", **LEARNER)
    seconds = [[row.seconds for row in each] for each in first.reports]
    assert [[row.seconds for row in each] for each in again.reports] == seconds


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"seeds": 0}, ValueError, r"^`seeds` must be at least 1, got 0\.$"),
        ({"seeds": 1.5}, TypeError, r"^`seeds` must be an integer, got 1\.5\.$"),
        ({"seeds": "3"}, TypeError, r"^`seeds` must be an integer, got '3'\.$"),
        ({"seeds": []}, ValueError, r"^`seeds` must hold different seeds, at least one, got \[\]"),
        ({"seeds": [1, 1]}, ValueError, r"^`seeds` must hold different seeds, .* got \[1, 1\]\.$"),
        ({"seeds": [-1]}, ValueError, r"^`seeds` must be at least 0, got -1\.$"),
        ({"seeds": [1], "seed": 2}, ValueError, r"^`seed` must be left out where `seeds` lists t"),
        ({"seeds": 2, "settings": ["x"]}, ValueError, r"^`settings` must be among true, .*'x'"),
    ],
)
def test_bad_input_is_refused_by_the_call_itself(
    changes: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        iter_randomization_test(network(), bars(), **{**TWO, **changes})


def test_quantities_have_names(report: SeedsReport) -> None:
    with pytest.raises(
        ValueError, match=r"^`quantity` must be one of train_accuracy, .*, got 'loss'"
    ):
        report["true"].values("loss")  # type: ignore[arg-type]  # the point
    with pytest.raises(KeyError, match=r"`name` must be among the rows \(true, random-labels\)"):
        report["gaussian"]


@pytest.mark.parametrize("seeds", [None, 2])
def test_rows_are_found_and_iterated(seeds: int | None) -> None:
    for options in (TWO, LEARNER):
        found: Any = run(seeds=seeds, **options)
        assert list(found) == list(found.rows)
        assert found["random_labels"] == found["random-labels"] == found.rows[1]


def test_an_exact_name_comes_first() -> None:
    settings = [cl.Setting(name="a-b"), cl.Setting(name="a_b", corruptions=(cl.RandomLabels(),))]
    found = randomization_test(drawn, bars(), settings=settings)
    assert found["a_b"].labels_changed > 0 == found["a-b"].labels_changed


def test_an_interval_holds_the_mean_of_many_seeds_as_often_as_it_says() -> None:
    accuracies = np.random.default_rng(0).normal(0.5, 0.1, (500, 4))
    row = run(seeds=1, **LEARNER)["true"].results[0]  # type: ignore[attr-defined]
    held = 0
    for values in accuracies:
        results = tuple(replace(row, train_accuracy=float(value)) for value in values)
        found = SeedsResult(results=results, seeds=(0, 1, 2, 3), confidence=0.8)
        low, high = found.interval("train_accuracy") or (math.nan, math.nan)
        held += low <= 0.5 <= high
    assert stats.binomtest(held, 500, 0.8).pvalue > 1e-4
