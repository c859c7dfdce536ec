"""Rows are run once each, with their own recipes, and come out beside what was published."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

import corruptlab as cl
from corruptlab import fit
from corruptlab.experiments import paper
from corruptlab.experiments.paper import (
    Exhibit,
    Measurement,
    Quantity,
    Row,
    _table3,
    _theorem1,
    _training,
    draw,
)
from corruptlab.experiments.paper._training import RunContext, run_context
from corruptlab.training import NonFiniteLossError
from tests.cli.trees import idx_tree
from tests.fresh import Fresh

pytestmark = pytest.mark.slow

FEW: dict[str, Any] = {"epochs": 2, "progress": False}


def measured(row: str, seed: int = 0, **others: Any) -> Measurement:
    """A measurement that nobody made."""
    machine: dict[str, Any] = {"machine": "here", "environment": {}, "seconds": 1.0, "command": ""}
    known = {"measured": {}, "sample": "some images", **machine, **others}
    return Measurement(row=row, seed=seed, **known)


def drawn(line: Any) -> tuple[list[float], list[float]]:
    """Both coordinates of a line of matplotlib."""
    return line.get_xdata().tolist(), line.get_ydata().tolist()


def odd(*, n: int, data: str, how: str = "", seed: int = 0, device: str = "cpu") -> dict[str, Any]:
    """A trial that takes no time, fails, or is interrupted."""
    if how == "fails":
        raise ValueError(f"{n} fails")
    if how == "stops" and n > 1:
        raise KeyboardInterrupt
    return {"measured": {"n": n}, "sample": data, "machine": device, "curves": {}}


def even(*, n: int, data: str, how: str = "", seed: int = 0, device: str = "cpu") -> dict[str, Any]:
    return odd(n=n, data=data, how=how, seed=seed, device=device)


KIND = paper.exhibit("table1").rows[0].work
ODD, EVEN = (replace(KIND, trial=trial, seconds=lambda **settings: 1.0) for trial in (odd, even))
TWO = Exhibit(
    name="two",
    title="two kinds of work by turns",
    source="nowhere",
    quantities=(Quantity("n", "number"),),
    rows=tuple(
        Row(name=f"row-{n}", published={"n": n}, parameters={"n": n}, work=ODD if n % 2 else EVEN)
        for n in range(5)
    ),
)


@pytest.fixture
def data(tmp_path: Path) -> str:
    return f"idx:{idx_tree(tmp_path / 'images', side=28)}"


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What was trained, without the steps that are only timed."""
    seen: list[Any] = []

    def counted(*arguments: Any, **options: Any) -> Any:
        if "seed" in options:
            seen.append((options["recipe"], options["seed"]))
        return fit(*arguments, **options)

    monkeypatch.setattr(_training, "fit", counted)
    _training.seconds_per_step.cache_clear()
    yield seen
    _training.seconds_per_step.cache_clear()


def test_a_row_is_the_fit_by_hand(data: str, tmp_path: Path) -> None:
    found = cl.reproduce(
        "table1", rows=["mlp-1x512 weight-decay"], data=data, out=tmp_path / "out", **FEW
    )
    train, test = cl.datasets.load(data)
    recipe = cl.recipes.cifar10("mlp-1x512", weight_decay=True)
    recipe = cl.Recipe.from_dict({**recipe.to_dict(), "epochs": 2})
    network = cl.mlp(512, input_shape=(1, 28, 28))
    report = fit(network, train, test, recipe=recipe, stop=(), measure="loss")
    (one,) = found.measurements
    assert one.measured["train"] == pytest.approx(100 * report.train_accuracy)
    assert one.measured["test"] == pytest.approx(100 * (report.test_accuracy or 0))
    assert one.measured["epochs"] == 2
    assert one.measured["steps"] is None  # the epochs were over first
    assert (one.row, one.seed, one.sample) == (
        "mlp-1x512 weight-decay",
        0,
        "images, 80 + 40 images",
    )
    assert one.environment["torch"] == torch.__version__
    assert one.seconds is not None
    assert one.seconds > 0
    assert one.command == (
        "corruptlab reproduce table1 --rows 'mlp-1x512 weight-decay' --data idx:FOLDER "
        "--set recipe.epochs=2 --out out"
    )


def test_random_labels_are_random_and_test_labels_are_clean(data: str, tmp_path: Path) -> None:
    found = cl.reproduce(
        "table1",
        rows=["mlp-1x512 random-labels"],
        data=data,
        out=tmp_path / "out",
        changes={"recipe.epochs": 60, "recipe.decay": 1.0},
        progress=False,
    )
    (one,) = found.measurements
    assert one.measured["train"] == 100
    assert one.measured["stopped_by"] == "target"
    assert one.measured["steps"] < 60 * 2
    assert one.measured["test"] < 50  # true labels give 100


def test_the_same_call_again_trains_nothing_and_more_seeds_only_what_is_new(
    data: str, tmp_path: Path, trained: list[Any]
) -> None:
    asked: dict[str, Any] = {"rows": ["mlp-1x512"], "data": data, "out": tmp_path / "out", **FEW}
    first = cl.reproduce("table1", **asked)
    assert len(trained) == 3
    trained.clear()
    again = cl.reproduce("table1", **asked)
    assert trained == []
    assert again.measurements == first.measurements
    assert again.table() == first.table()
    more = cl.reproduce("table1", seeds=range(2), **asked)
    assert [seed for _, seed in trained] == [1, 1, 1]
    assert [(each.row, each.seed) for each in more.measurements][:2] == [
        ("mlp-1x512 weight-decay", 0), ("mlp-1x512 weight-decay", 1),
    ]  # fmt: skip


def test_a_seed_is_that_of_weights_labels_and_order(data: str, tmp_path: Path) -> None:
    changes = {"model": "mlp-1x64"}
    asked: dict[str, Any] = {"data": data, "out": tmp_path / "out", "changes": changes, **FEW}
    (one,) = cl.reproduce("fig1a", rows=["random-labels"], seeds=[3], **asked).measurements
    train, _ = cl.datasets.load(data)
    recipe = paper.exhibit("fig1a")["small-inception random-labels"].parameters["recipe"]
    report = fit(
        cl.mlp(64, input_shape=(1, 28, 28), seed=3),
        cl.corrupt(train, cl.RandomLabels(), seed=3),
        recipe=cl.Recipe.from_dict({**recipe, "epochs": 2}),
        stop=(),
        measure="loss",
        seed=3,
    )
    assert one.curves["losses"] == pytest.approx(report.losses)


def test_every_trial_has_checkpoints_of_its_own(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []

    def watched(*arguments: Any, **options: Any) -> Any:
        if "checkpoint" in options:
            folders.append(options["checkpoint"])
        return fit(*arguments, **options)

    monkeypatch.setattr(_training, "fit", watched)
    asked: dict[str, Any] = {"data": data, "out": tmp_path, "epochs": 1, "progress": False}
    cl.reproduce("fig1b", rows=["mlp-1x512 p=0", "mlp-1x512 p=1"], seeds=[0, 1], **asked)
    assert len(set(folders)) == len(folders) == 4
    assert {folder.parent for folder in folders} == {tmp_path / "train" / "checkpoints"}
    assert run_context() == RunContext()  # nothing of it is left behind


def test_the_time_of_a_step_is_that_of_the_steps_after_one_to_warm_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    examples: list[int] = []

    def timed(network: Any, train: Any, **options: Any) -> Any:
        examples.append(len(train))
        return replace(fit(network, train, **options), seconds=8.0)

    monkeypatch.setattr(_training, "fit", timed)
    _training.seconds_per_step.cache_clear()
    recipe = cl.Recipe(learning_rate=1e-3, epochs=1, batch_size=8, whiten=True, decay=0.95)
    assert _training.seconds_per_step("mlp-1x16", recipe, (1, 6, 6), 3, "cpu") == 8.0 / 4
    assert examples == [8, 32]
    _training.seconds_per_step.cache_clear()


def test_fig_1c_finds_what_fig_1b_has_trained(
    data: str, tmp_path: Path, trained: list[Any]
) -> None:
    asked: dict[str, Any] = {"data": data, "out": tmp_path / "out", "progress": False}
    asked |= {"rows": ["mlp-1x512 p=0", "mlp-1x512 p=1"]}
    asked |= {"changes": {"recipe.epochs": 60, "recipe.decay": 1.0}}
    b = cl.reproduce("fig1b", **asked)
    assert len(trained) == 2
    c = cl.reproduce("fig1c", **asked)
    assert len(trained) == 2
    steps = [each.measured["steps"] for each in b.measurements]
    ratio = b.to_dict()["rows"][1]["measured"]["slowdown"]
    assert ratio == steps[1] / steps[0]
    assert b.to_dict()["rows"][0]["measured"]["slowdown"] == 1
    assert f"{ratio:.2f}" in b.table()
    low, high = (each.measured["test_error"] for each in c.measurements)
    assert low < high


def test_ctrl_c_keeps_what_is_done_and_the_same_call_goes_on(
    data: str, tmp_path: Path, trained: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"rows": ["mlp-1x512"], "data": data, "out": tmp_path / "out", **FEW}
    counted: Any = vars(_training)["fit"]

    def press(*arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return cross_entropy(*arguments)

    def pressed(*arguments: Any, **options: Any) -> Any:
        if len(trained) == 1:
            options["loss"] = press
        return counted(*arguments, **options)

    monkeypatch.setattr(_training, "fit", pressed)
    paper.plan("table1", **{**asked, "out": None})  # so that timing is done before Ctrl-C
    trained.clear()
    broken = cl.reproduce("table1", **asked)
    assert broken.interrupted
    assert not broken.complete
    assert [each.row for each in broken.measurements] == ["mlp-1x512 weight-decay"]
    monkeypatch.setattr(_training, "fit", counted)
    trained.clear()
    whole = cl.reproduce("table1", **asked)
    assert len(trained) == 2
    assert whole.complete
    assert whole.measurements[0] == broken.measurements[0]


def test_a_loss_that_is_not_finite_is_a_result(data: str, tmp_path: Path) -> None:
    found = cl.reproduce(
        "table4",
        rows=["mlp-1x512 weight-decay"],
        data=data,
        out=tmp_path / "out",
        changes={"recipe.learning_rate": 1e30},
        **FEW,
    )
    assert found.measurements[0].measured["train"] == "the loss is not finite"
    assert "the loss is not finite" in found.table()


def test_table_3_is_the_interpolant_by_hand(data: str, tmp_path: Path) -> None:
    found = cl.reproduce("table3", rows=["mnist"], data=data, out=tmp_path / "out", progress=False)
    train, test = cl.datasets.load(data)
    kernel = cl.capacity.kernels.GaussianKernel(0.02)
    by_hand = cl.KernelInterpolant(kernel).fit(train.images, train.targets, num_classes=10)
    (one,) = found.measurements
    error = 100 * by_hand.error(test.images, test.targets)
    assert one.measured["test_error"] == pytest.approx(error)
    assert one.measured["norm"] == pytest.approx(by_hand.norm, rel=1e-5)
    few = cl.reproduce(
        "table3",
        rows=["mnist"],
        data=data,
        out=tmp_path / "out",
        changes={"points": 30, "gamma": 0.5},
        progress=False,
    )
    assert few.measurements[0].sample == "images, 30 + 40 test images"
    assert not few.own_recipes


def test_features_of_table_3_are_those_of_their_functions(data: str, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"out": tmp_path / "out", "progress": False}
    gabor = cl.reproduce("table3", rows=["mnist-gabor"], data=data, **asked)
    conv = {"gamma": 4.0, "filters": 16, "size": 4}
    two = cl.reproduce("table3", rows=["cifar10-conv"], data=data, changes=conv, **asked)
    train, test = cl.datasets.load(data)
    kernels = cl.capacity.kernels
    x, new = (kernels.gabor_features(each.images) for each in (train, test))
    fitted = cl.KernelInterpolant(kernels.GaussianKernel(1.8)).fit(x, train.targets, num_classes=10)
    error = 100 * fitted.error(new, test.targets)
    assert gabor.measurements[0].measured["test_error"] == pytest.approx(error)
    x, new = (
        kernels.random_conv_features(
            each.images, num_filters=16, patches_from=train.images, size=4
        ).sqrt()
        / 4
        for each in (train, test)
    )
    fitted = cl.KernelInterpolant(kernels.GaussianKernel(4.0)).fit(x, train.targets, num_classes=10)
    error = 100 * fitted.error(new, test.targets)
    assert two.measurements[0].measured["test_error"] == pytest.approx(error)


def test_table_3_takes_ridge_corrections_points_and_seed(data: str, tmp_path: Path) -> None:
    train, test = cl.datasets.load(data)
    x, y = train.images[:30], train.targets[:30]
    asked: dict[str, Any] = {"data": data, "out": tmp_path, "progress": False}
    changes = {"points": 30, "ridge": 0.25, "refinements": 0}
    (one,) = cl.reproduce("table3", rows=["mnist"], changes=changes, **asked).measurements
    kernels = cl.capacity.kernels
    kernel = kernels.GaussianKernel(0.02)
    by_hand = cl.KernelInterpolant(kernel, ridge=0.25, refinements=0).fit(x, y, num_classes=10)
    assert one.measured["norm"] == pytest.approx(by_hand.norm, rel=1e-5)
    assert len(one.measured["residuals"]) == len(by_hand.residuals)
    changes = {"points": 30, "gamma": 4.0, "filters": 4, "size": 3, "threshold": 0.3}
    rows = ["cifar10-conv"]
    (one,) = cl.reproduce("table3", rows=rows, changes=changes, seeds=[2], **asked).measurements
    options: dict[str, Any] = {
        "num_filters": 4,
        "size": 3,
        "threshold": 0.3,
        "patches_from": x,
        "seed": 2,
    }
    kernel = kernels.GaussianKernel(4.0)
    seen, new = (
        kernels.random_conv_features(each, **options).sqrt() / 2 for each in (x, test.images)
    )
    by_hand = cl.KernelInterpolant(kernel, refinements=0).fit(seen, y, num_classes=10)
    assert one.measured["norm"] == pytest.approx(by_hand.norm, rel=5e-5)
    assert one.measured["test_error"] == pytest.approx(100 * by_hand.error(new, test.targets))


def test_held_out_images_are_the_last_ones_and_not_fitted(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_table3, "_HELD_OUT", 30)
    asked: dict[str, Any] = {"rows": ["mnist"], "data": data, "out": tmp_path, "progress": False}
    (one,) = cl.reproduce("table3", changes={"held_out": True}, **asked).measurements
    assert one.sample == "images, 50 + 30 held-out training images"
    train, _ = cl.datasets.load(data)
    (x, y), (new, truth) = (
        (train.images[part], train.targets[part]) for part in (slice(50), slice(50, None))
    )
    kernel = cl.capacity.kernels.GaussianKernel(0.02)
    by_hand = cl.KernelInterpolant(kernel).fit(x, y, num_classes=10)
    assert one.measured["norm"] == pytest.approx(by_hand.norm, rel=1e-5)
    assert one.measured["test_error"] == pytest.approx(100 * by_hand.error(new, truth))


def test_theorem_1_is_the_construction_by_hand_and_counts_what_comes_out(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"data": data, "progress": False, "seeds": [2], "rows": ["depth 3"]}
    (one,) = cl.reproduce("theorem1", out=tmp_path / "a", **asked).measurements
    train, _ = cl.datasets.load(data)
    labels = torch.tensor(cl.corrupt(train, cl.RandomLabels(), seed=2).targets)
    kind: dict[str, Any] = {"num_classes": 10, "encoding": "index", "depth": 3, "seed": 2}
    net = cl.capacity.interpolate(train.images, labels, **kind)
    assert net.report is not None
    assert (one.measured["width"], one.measured["weights"]) == (net.width, net.num_weights)
    assert one.measured["error"] == pytest.approx(net.report.residual)
    assert one.measured["condition_number"] == pytest.approx(net.report.condition_number)

    def wrong(*arguments: Any, **options: Any) -> Any:
        own = {"width": 1, "num_weights": 1, "report": net.report}
        return SimpleNamespace(classify=lambda x: torch.zeros(len(x), dtype=torch.long), **own)

    monkeypatch.setattr(_theorem1, "interpolate", wrong)
    (one,) = cl.reproduce("theorem1", out=tmp_path / "b", **asked).measurements
    assert one.measured["right"] == pytest.approx(100 * int((labels == 0).sum()) / 80)


def test_held_out_images_are_not_fitted(data: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^`held_out` must be False for 10,000 .*, got 80 of"):
        cl.reproduce("table3", rows=["mnist"], data=data, out=tmp_path, changes={"held_out": True})


def test_theorem_1_takes_every_label_with_2n_plus_d_weights(data: str, tmp_path: Path) -> None:
    found = cl.reproduce(
        "theorem1", data=data, out=tmp_path / "out", rows=["2", "3"], progress=False
    )
    two, three = found.measurements
    assert two.measured["weights"] == 2 * 80 + 28 * 28
    assert two.measured["right"] == three.measured["right"] == 100
    assert two.measured["error"] < 1e-6
    assert three.measured["width"] < two.measured["width"] == 80


def test_fig_1a_stops_at_a_loss_and_draws_its_curves(data: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = cl.reproduce(
        "fig1a",
        rows=["true", "gaussian"],
        data=data,
        out=tmp_path / "out",
        changes={"model": "mlp-1x64", "stop": {"loss": 0.5}, "recipe.learning_rate": 0.01},
        epochs=60,
        progress=False,
    )
    for each in found.measurements:
        assert each.measured["stopped_by"] == "loss"
        losses = each.curves["losses"]
        assert len(losses) == each.measured["steps"]
        assert losses[-1] <= 0.5  # 80 images are one batch an epoch
        assert losses[-2] > 0.5
    legend = found.plot().axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["true", "gaussian"]


def test_fig_2_measures_both_accuracies_after_every_epoch(data: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    asked: dict[str, Any] = {"changes": {"model": "mlp-1x64", "recipe.learning_rate": 0.01}}
    found = cl.reproduce(
        "fig2", rows=["fig2b small-inception"], data=data, out=tmp_path / "out", **FEW, **asked
    )
    (one,) = found.measurements
    assert [len(one.curves[name]) for name in ("train", "test")] == [2, 2]
    assert one.curves["test"][-1] == one.measured["test"]
    assert one.curves["train"][-1] == one.measured["train"]
    assert one.measured["best_test"] == max(one.curves["test"])
    labels = [axes.get_ylabel() for axes in found.plot().axes]
    assert labels == ["train accuracy, %", "test accuracy, %"]


def test_fig_1b_is_drawn_against_p(data: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = cl.reproduce("fig1c", rows=["mlp-1x512 p=0"], data=data, out=tmp_path / "out", **FEW)
    (axes,) = found.plot().axes
    assert axes.get_xlabel() == "probability p that a label is redrawn"


def test_kinds_of_work_are_done_apart_and_rows_come_in_the_order_of_the_table(
    tmp_path: Path,
) -> None:
    asked: dict[str, Any] = {"data": "imagined", "out": tmp_path, "progress": False}
    found = cl.reproduce(TWO, seeds=[1, 0], device="cpu", **asked)
    rows = [(f"row-{n}", seed, {"n": n}) for n in range(5) for seed in (1, 0)]
    assert [(each.row, each.seed, each.measured) for each in found.measurements] == rows
    assert {each.machine for each in found.measurements} == {"cpu"}
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["even", "odd"]
    assert found.complete
    (kept,) = (
        each for each in found.to_dict()["rows"] if (each["row"], each["seed"]) == rows[0][:2]
    )
    assert kept["published"] == {"n": 0}
    assert kept["finished"].startswith("20")
    assert 0 < kept["seconds"] < found.seconds


def test_what_is_finished_is_not_timed_again(tmp_path: Path) -> None:
    timed: list[int] = []

    def seconds(*, n: int, **others: Any) -> float:
        timed.append(n)
        return 1.0

    rows = (replace(row, work=replace(row.work, seconds=seconds)) for row in TWO.rows)
    counted = replace(TWO, rows=tuple(rows))
    for _ in range(2):
        cl.reproduce(counted, data="imagined", out=tmp_path, progress=False)
        assert timed == [0, 1, 2, 3, 4]


def test_failures_of_all_kinds_of_work_are_told(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"data": "imagined", "out": tmp_path, "progress": False}
    found = cl.reproduce(TWO, changes={"how": "fails"}, rows=["row-1", "row-2"], **asked)
    assert len(found.failures) == len(found.to_dict()["failures"]) == 2
    errors = [failure.error for failure in found.failures]
    assert errors == ["ValueError: 1 fails", "ValueError: 2 fails"]
    for line, error in zip(str(found).splitlines(), errors, strict=True):
        assert line.startswith("failed: ")
        assert error in line
    assert repr(found) == "Reproduction('two': 0 rows measured, 0 left out, 2 failed)"


def test_ctrl_c_ends_all_kinds_of_work(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"data": "imagined", "out": tmp_path, "progress": False}
    found = cl.reproduce(TWO, changes={"how": "stops"}, **asked)
    assert [each.row for each in found.measurements] == ["row-0"]  # row 2 was stopped
    assert repr(found).endswith("1 row measured, 0 left out, 0 failed, interrupted)")
    early = cl.reproduce(TWO, changes={"how": "stops"}, rows=["row-2"], **asked)
    assert str(early) == repr(early)
    late = cl.reproduce(TWO, changes={"how": "stops"}, rows=["row-1", "row-2"], **asked)
    assert (late.interrupted, [each.row for each in late.measurements]) == (True, ["row-1"])


def test_fig_1a_draws_the_first_seed_and_marks_where_it_stopped() -> None:
    pytest.importorskip("matplotlib")
    losses = {1: [9.0, 9.0, 9.0], 0: [3.0, 2.0, 1.0]}
    row = "small-inception gaussian"
    found = [
        measured(row, seed, measured={"steps": 3 - seed}, curves={"losses": losses[seed]})
        for seed in (1, 0)
    ]
    late = measured(
        "small-inception true", measured={"steps": None}, curves={"losses": [4.0, 4.0, 4.0]}
    )
    (axes,) = draw(paper.exhibit("fig1a"), [*found, late]).axes
    true, gaussian, mark = axes.lines  # in the order of the table
    assert (drawn(true)[1], drawn(gaussian)[1]) == ([4, 4, 4], [3, 2, 1])
    assert (drawn(mark)[0], mark.get_color()) == ([3], gaussian.get_color())
    (alone,) = draw(paper.exhibit("fig1a"), [replace(found[1], measured={})]).axes
    assert [line.get_color() for line in alone.lines] == [gaussian.get_color()]
    with pytest.raises(ValueError, match=r"must hold losses to draw, got none\.$"):
        draw(paper.exhibit("fig1a"), [replace(late, curves={})])


@pytest.mark.parametrize(("name", "means"), [("fig1b", [1, 4]), ("fig1c", [0, 20])])
def test_fig_1b_and_1c_draw_means_over_seeds_against_p(name: str, means: list[float]) -> None:
    pytest.importorskip("matplotlib")
    steps = {(0, 0): 100, (0, 1): 100, (1, 0): 300, (1, 1): 500}
    found = [
        measured(f"mlp-1x512 p={p}", seed, measured={"steps": value, "test_error": 20.0 * p})
        for (p, seed), value in steps.items()
    ]
    found += [measured("mlp-1x512 p=0.4", measured={"steps": None, "test_error": None})]
    figure = draw(paper.exhibit(name), found)
    curve = figure.axes[0].lines[0]
    assert drawn(curve)[0] == [0, 0.4, 1]
    assert np.array_equal(drawn(curve)[1], [means[0], np.nan, means[1]], equal_nan=True)
    assert figure.get_suptitle() == f"{name}: some images"


def test_fig_2_draws_means_over_seeds_from_the_first_epoch_on() -> None:
    pytest.importorskip("matplotlib")
    row = "fig2b small-inception"
    found = [
        measured(row, seed, curves={"train": [50.0, last], "test": [40.0, 60.0]})
        for seed, last in enumerate([70.0, 80.0])
    ]
    curves = [axes.lines[0] for axes in draw(paper.exhibit("fig2"), found).axes]
    assert [drawn(each)[0] for each in curves] == [[1, 2], [1, 2]]
    assert [drawn(each)[1] for each in curves] == [[50, 75], [40, 60]]
    with pytest.raises(ValueError, match=r"must hold curves to draw, got none\.$"):
        draw(paper.exhibit("fig2"), [measured(row)])


def test_a_gpu_is_told_before_the_machine_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace(name="Abacus X", total_memory=80 << 30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: found)
    machine = _training.machine
    assert machine("cuda:1") == f"Abacus X, 80 GiB; {machine()}"


def test_a_table_is_no_figure(data: str, tmp_path: Path) -> None:
    found = cl.reproduce("theorem1", rows=["2"], data=data, out=tmp_path / "out", progress=False)
    with pytest.raises(ValueError, match=r"^`what` must be one of fig1a, .*, got 'theorem1'\.$"):
        found.plot()
    with pytest.raises(ValueError, match=r" must hold at least one .*to draw, got none\.$"):
        draw(paper.exhibit("fig2"), [])


def test_a_trial_that_fails_is_told(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: Any, **options: Any) -> Any:
        if "seed" in options:
            raise MemoryError("no room")
        return fit(*arguments, **options)

    monkeypatch.setattr(_training, "fit", failing)
    found = cl.reproduce("table1", rows=["mlp-1x512 plain"], data=data, out=tmp_path / "out", **FEW)
    assert found.measurements == ()
    assert not found.complete
    assert "MemoryError: no room" in str(found)


def test_a_row_that_was_stopped_goes_on_from_its_checkpoint(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"rows": ["mlp-1x512 plain"], "data": data, "progress": False}
    asked |= {"epochs": 10}
    paper.plan("table1", **{name: asked[name] for name in ("rows", "data", "epochs")})
    whole = cl.reproduce("table1", out=tmp_path / "whole", **asked)
    losses: list[Any] = []

    def watched(outputs: Any, labels: Any) -> Any:
        if outputs.requires_grad:
            losses.append(outputs)
            if len(losses) == 13:
                os.kill(os.getpid(), signal.SIGINT)
        return cross_entropy(outputs, labels)

    def often(*arguments: Any, **options: Any) -> Any:
        kept = options.get("checkpoint") is not None
        changes: dict[str, Any] = {"loss": watched, "checkpoint_seconds": 0.0}
        return fit(*arguments, **{**options, **(changes if kept else {})})

    monkeypatch.setattr(_training, "fit", often)
    broken = cl.reproduce("table1", out=tmp_path / "out", **asked)
    assert broken.interrupted
    done = len(losses)
    found = cl.reproduce("table1", out=tmp_path / "out", **asked)
    assert len(losses) - done < 10  # of 20 steps
    assert found.measurements[0].measured == whole.measurements[0].measured
    assert list((tmp_path / "out" / "train" / "checkpoints").iterdir()) == []


def test_the_time_of_a_row_is_that_of_all_its_parts(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resumed(*arguments: Any, **options: Any) -> Any:
        report = fit(*arguments, **options)
        return replace(report, seconds=report.seconds + 1000)

    asked: dict[str, Any] = {"rows": ["mlp-1x512 plain"], "data": data, **FEW}
    (plain,) = cl.reproduce("table1", out=tmp_path / "whole", **asked).measurements
    assert (plain.seconds or 0) > 0
    paper.plan("table1", rows=["mlp-1x512 plain"], data=data)
    monkeypatch.setattr(_training, "fit", resumed)
    (one,) = cl.reproduce("table1", out=tmp_path / "out", **asked).measurements
    assert (one.seconds or 0) > 1000


def test_a_loss_that_is_not_finite_leaves_no_checkpoint(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverging(*arguments: Any, **options: Any) -> Any:
        if "checkpoint" in options:
            options["checkpoint"].mkdir(parents=True)
            raise NonFiniteLossError(3, float("inf"), "too fast")
        return fit(*arguments, **options)

    monkeypatch.setattr(_training, "fit", diverging)
    found = cl.reproduce("table1", rows=["mlp-1x512 plain"], data=data, out=tmp_path / "out", **FEW)
    assert found.measurements[0].measured["test"] == "the loss is not finite"
    assert list((tmp_path / "out" / "train" / "checkpoints").iterdir()) == []


def test_rows_that_changes_make_alike_share_a_trial(
    data: str, tmp_path: Path, trained: list[Any]
) -> None:
    found = cl.reproduce(
        "fig1c",
        rows=["mlp-1x512 p=0", "mlp-1x512 p=1"],
        data=data,
        out=tmp_path / "out",
        changes={"p": 0.5},
        **FEW,
    )
    assert len(trained) == 1
    assert [each.row for each in found.measurements] == ["mlp-1x512 p=0", "mlp-1x512 p=1"]
    assert found.measurements[0].measured == found.measurements[1].measured


def test_a_folder_that_later_rows_cannot_have_is_found_before_the_first_trial(
    data: str, tmp_path: Path, trained: list[Any]
) -> None:
    own = tmp_path / "out" / "interpolate_labels"
    own.mkdir(parents=True)
    (own / "letters").touch()
    rows = (paper.exhibit("table1")["mlp-1x512 plain"], *paper.exhibit("theorem1").rows[:1])
    both = replace(paper.exhibit("table1"), rows=rows)
    with pytest.raises(ValueError, match=r"^`out` must be a new folder or .* holds letters\.$"):
        cl.reproduce(both, data=data, out=tmp_path / "out", **FEW)
    assert trained == []


_KILLED = """
import os, signal, threading
from pathlib import Path
from corruptlab.__main__ import main
from tests.waiting import until

def kill():
    until(lambda: list(Path({out!r}).glob("train/trials/*.json")), "the end of the first trial")
    os.kill(os.getpid(), signal.SIGKILL)

threading.Thread(target=kill).start()
main({command})
"""


def test_a_killed_run_goes_on_and_runs_nothing_twice(
    data: str, fresh: Fresh, tmp_path: Path, trained: list[Any]
) -> None:
    out = tmp_path / "out"
    command = ["reproduce", "table1", "--data", data, "--rows", "mlp-1x512"]
    command += ["--epochs", "400", "--out", str(out)]
    assert fresh.run(_KILLED.format(command=command, out=str(out))).status == -9
    done = len(list(out.glob("train/trials/*.json")))
    assert done >= 1
    asked: dict[str, Any] = {"rows": ["mlp-1x512"], "data": data, "epochs": 400}
    found = cl.reproduce("table1", out=out, progress=False, **asked)
    assert found.complete
    assert len(trained) == 3 - done
