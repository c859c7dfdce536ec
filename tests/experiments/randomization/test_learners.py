"""The randomization test of estimators and training functions."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

import corruptlab as cl
from corruptlab.experiments import SETTINGS, TOKEN_SETTINGS, LearnerReport
from tests.experiments.permutation.learners import Centroids, LeastSquares, classes, points

SEEN: list[Any] = []
STOP_AT = [-1]


class ByHeart:
    """The nearest neighbour."""

    def fit(self, x: Any, y: Any) -> "ByHeart":
        self.seen_, self.labels_ = np.asarray(x, float), np.asarray(y)
        return self

    def predict(self, x: Any) -> Any:
        distances = ((np.asarray(x, float)[:, None] - self.seen_[None]) ** 2).sum(axis=2)
        return self.labels_[distances.argmin(axis=1)]


def by_heart(data: cl.LabelledData, *, seed: int) -> Any:
    SEEN.append((np.asarray(data.inputs), data.labels, seed))
    if len(SEEN) == STOP_AT[0]:
        raise KeyboardInterrupt
    return ByHeart().fit(data.inputs, data.labels).predict


def run(learner: Any, *data: Any, **options: Any) -> LearnerReport:
    SEEN.clear()
    report: LearnerReport = cl.randomization_test(learner, *data, **options)
    return report


@pytest.mark.parametrize("learner", [by_heart, ByHeart()], ids=["function", "estimator"])
def test_what_learns_by_heart_fits_every_setting(learner: Any) -> None:
    report = run(learner, points(60, signal=9.0), points(40, seed=1, signal=9.0), seed=2)
    assert [row.name for row in report.rows] == list(cl.experiments.SETTINGS)
    assert all(row.interpolated for row in report.rows)
    assert report["true"].test_accuracy is not None
    assert report["true"].test_accuracy >= 0.8
    for name in ("random-labels", "gaussian"):
        gap = report[name].generalization_gap
        assert gap is not None
        assert gap > 0.25
    assert report["true"].labels_changed == 0 < report["random-labels"].labels_changed
    assert not report.interrupted
    assert report.remaining == ()


def test_a_learner_gets_the_data_that_a_network_would() -> None:
    x, y = points(30)
    run(by_heart, (x, y), (x, y), settings=["true", "random-labels", "shuffled-pixels"], seed=3)
    kinds: list[tuple[Any, ...]] = [(), (cl.RandomLabels(),), (cl.ShuffledPixels(),)]
    for setting, (inputs, labels, seed) in zip(kinds, SEEN, strict=True):
        expected = cl.corrupt((x, y), *setting, seed=3)
        assert np.array_equal(labels, expected.targets)
        assert np.array_equal(inputs, expected.inputs_at(np.arange(30)))
        assert seed == 3


def test_a_data_set_keeps_its_items() -> None:
    x, y = points(30)
    data = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    one, two = run(by_heart, data, data), run(by_heart, (x, y), (x, y))
    for mine, theirs in zip(one.rows, two.rows, strict=True):
        assert (mine.train_accuracy, mine.test_accuracy) == (
            theirs.train_accuracy,
            theirs.test_accuracy,
        )
        assert mine.fingerprint == theirs.fingerprint


def test_classes_may_have_names_and_inputs_none_that_can_be_corrupted() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas cannot be imported", exc_type=ImportError)
    x, y = points(30)
    frame = pandas.DataFrame({"a": x[:, 0], "b": ["red"] * 30})

    class FirstColumn(ByHeart):
        def fit(self, x: Any, y: Any) -> "ByHeart":
            return super().fit(x[["a"]], y)

        def predict(self, x: Any) -> Any:
            return super().predict(x[["a"]])

    names = np.array(["ill", "well"])[y]
    report = run(FirstColumn(), (frame, names), settings=["true", "random-labels"])
    assert [row.train_accuracy for row in report.rows] == [1.0, 1.0]
    with pytest.raises(TypeError, match=r"^`settings` must corrupt labels alone where inputs ar"):
        run(FirstColumn(), (frame, names), settings=["shuffled-pixels"])


def test_settings_suit_the_inputs_by_default() -> None:
    def guess(data: cl.LabelledData, *, seed: int) -> Any:
        return lambda inputs: np.zeros(len(data), int)

    y = np.arange(20) % 2
    codes = np.arange(60).reshape(20, 3)
    tensors = TensorDataset(torch.zeros(20, 2).long(), torch.from_numpy(y))
    expected: list[tuple[str, Any, Any]] = [
        ("tokens, as inputs are int64 of shape (3,)", (codes, y), TOKEN_SETTINGS),
        ("tokens, as inputs are int64 of shape (2,)", tensors, TOKEN_SETTINGS),
        ("numbers, as inputs are float64 of shape (3,)", (codes / 7, y), SETTINGS),
        ("labels, as inputs are no array of numbers", (codes.astype(str), y), SETTINGS[:3]),
        (
            "labels, as inputs are no array of numbers",
            [{"text": "abc", "label": int(label)} for label in y],
            SETTINGS[:3],
        ),
    ]
    for why, data, names in expected:
        report = cl.randomization_test(guess, data)
        assert tuple(row.name for row in report.rows) == names
        assert report.default_settings == f"Default settings for {why}."
        assert report.default_settings in str(report).splitlines()
    given = cl.randomization_test(guess, tensors, settings=["true"])
    assert given.default_settings == ""
    assert "Default settings" not in str(given)


@pytest.mark.parametrize("learner", [by_heart, ByHeart()], ids=["function", "estimator"])
def test_data_that_are_corrupted_already_are_corrupted_as_for_a_network(learner: Any) -> None:
    x, y = points(60)
    noisy = cl.corrupt((x.astype(np.float32), y), cl.UniformLabels(p=0.5), seed=0)
    report = run(learner, noisy, noisy)
    recipe = cl.Recipe(learning_rate=0.1, epochs=1, whiten=False)
    model = cl.mlp(input_shape=(3,), num_classes=2)
    expected = cl.randomization_test(model, noisy, noisy, recipe=recipe)
    for mine, theirs in zip(report.rows, expected.rows, strict=True):
        assert mine.fingerprint == theirs.fingerprint
        assert mine.labels_changed == theirs.labels_changed


def test_a_corruption_that_looks_at_inputs_gets_them() -> None:
    x, y = points(60)
    setting = cl.Setting(
        name="hard", label="hard examples", corruptions=(cl.InstanceDependentLabels(rate=0.3),)
    )
    seen = run(by_heart, (x, y), settings=[setting])["hard"]
    assert seen.fingerprint == cl.corrupt((x, y), *setting.corruptions).fingerprint


def test_on_an_executor_and_resumed_it_is_the_same_test(tmp_path: Path) -> None:
    data = points(30)
    alone = run(by_heart, data, data)
    with ThreadPoolExecutor(2) as executor:
        found = run(by_heart, data, data, executor=executor)
    out = tmp_path / "test"
    STOP_AT[0] = 4
    try:
        cut = run(by_heart, data, data, out=out)
    finally:
        STOP_AT[0] = -1
    assert cut.interrupted
    assert len(cut.rows) == 3
    assert [setting.name for setting in cut.remaining] == list(cl.experiments.SETTINGS[3:])
    resumed = run(by_heart, data, data, out=out)
    assert len(SEEN) == 3
    for report in (found, resumed):
        for mine, theirs in zip(report.rows, alone.rows, strict=True):
            assert {**mine.to_dict(), "seconds": 0} == {**theirs.to_dict(), "seconds": 0}


def test_ctrl_c_keeps_the_settings_that_are_finished() -> None:
    STOP_AT[0] = 3
    try:
        report = run(by_heart, points(30))
    finally:
        STOP_AT[0] = -1
    assert report.interrupted
    assert [row.name for row in report.rows] == ["true", "partial-labels"]
    assert len(report.remaining) == 4


def failing(data: cl.LabelledData, *, seed: int) -> Any:
    raise ArithmeticError("no convergence")


def test_an_error_is_raised_as_it_is_or_told_by_the_sweep(tmp_path: Path) -> None:
    with pytest.raises(ArithmeticError, match=r"^no convergence$"):
        run(failing, points(30))
    with pytest.raises(
        RuntimeError, match=r"^`model` must train on every setting, got 6 that .* no"
    ):
        run(failing, points(30), out=tmp_path)


def test_the_report_is_a_table_and_goes_through_json() -> None:
    report = run(Centroids(), points(30), points(20, seed=1), settings=["true"], data_name="points")
    row = report["true"]
    assert repr(report) == (
        f"LearnerReport(Centroids on points: true {row.train_accuracy:.1%}/{row.test_accuracy:.1%})"
    )
    lines = str(report).splitlines()
    assert lines[0].split() == ["labels", "accuracy"]
    assert "points, 30 training and 20 test examples, 2 classes" in str(report)
    told = json.loads(json.dumps(report.to_dict()))
    assert told["rows"][0]["test_accuracy"] == row.test_accuracy
    assert told["complete"]
    with pytest.raises(KeyError, match=r"`name` must be among the rows \(true\), got 'gaussian'\."):
        report["gaussian"]


@pytest.mark.parametrize(
    ("learner", "options", "error", "message"),
    [
        (LeastSquares(), {}, TypeError, r"^`model` must learn classes, as labels are corrupted to"),
        (torch.nn.Linear(3, 2), {}, TypeError, r"^`recipe` must be given with a torch\.nn\.Module"),
        (classes, {"device": "cpu"}, ValueError, r"^`device` must be left out with an estimator o"),
        (classes, {"on_epoch_end": print}, ValueError, r"^`on_epoch_end` must be left out with an"),
        (classes, {"seed": -1}, ValueError, r"^`seed` must be at least 0, got -1\.$"),
        (lambda data, *, seed: print, {"out": "x"}, TypeError, r"^`model` must be picklable where"),
        (
            torch.nn.Linear(3, 2),
            {"recipe": cl.Recipe(learning_rate=1.0, epochs=1), "executor": 2},
            ValueError,
            r"^`executor` must be left out with a network, whose settings .*`checkpoint`, got 2\.$",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    learner: Any, options: dict[str, Any], error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        run(learner, points(30), **options)
