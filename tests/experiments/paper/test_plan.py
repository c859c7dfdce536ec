"""What will be run is checked and estimated before any of it is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import corruptlab as cl
from corruptlab.experiments import paper
from corruptlab.experiments.paper import _training
from corruptlab.experiments.paper._plan import duration
from tests.cli.trees import idx_tree

DATA = "fashion-mnist-mini"


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """How long a step of each network takes."""
    known = {"mlp-1x512": 0.5, "mlp-3x512": 0.25}

    def a_step(model: str, *others: Any) -> float:
        return known[model]

    monkeypatch.setattr(_training, "seconds_per_step", a_step)
    return known


def test_an_estimate_is_epochs_times_steps_times_the_time_of_a_step(
    seconds: dict[str, float],
) -> None:
    plan = paper.plan("table1", rows=["mlp-1x512 plain"], data=DATA, epochs=7)
    assert plan.seconds == 7 * 63 * seconds["mlp-1x512"]  # 4,000 images, 64 at a time


def test_accuracies_after_every_epoch_cost_a_pass_forward_more(seconds: dict[str, float]) -> None:
    row = paper.exhibit("fig2")["fig2b small-inception"]
    own = {**row.parameters, "model": "mlp-1x512", "data": DATA, "device": "cpu"}
    own["recipe"] = {**own["recipe"], "epochs": 2, "batch_size": 100}
    assert row.work.seconds(**own) == 2 * (40 + 50 // 3) * 0.5


def test_every_row_and_what_takes_long_is_announced(seconds: dict[str, float]) -> None:
    plan = paper.plan("table1", rows=["mlp"], data=DATA, seeds=[0, 3])
    lines = str(plan).splitlines()
    assert len(lines) == 1 + 12 + 1
    assert any(
        line.split() == ["mlp-1x512", "plain,", "seed", "3", "about", "52", "min"] for line in lines
    )
    assert plan.seconds == 6 * 100 * 63 * (0.5 + 0.25)
    assert lines[-1].split() == ["in", "all", "about", "7.9", "h"]
    seconds["mlp-1x512"] = 1.0
    assert str(paper.plan("table1", rows=["mlp-1x512 plain"], data=DATA)).endswith("1.8 h  LONG")


def test_what_takes_longer_than_is_allowed_is_left_out_and_named(
    seconds: dict[str, float],
) -> None:
    plan = paper.plan("table1", rows=["mlp"], data=DATA, most_hours=0.5)
    assert [each.row.name.split()[0] for each in plan.trials] == ["mlp-3x512"] * 3
    reason = "would take about 52 min, more than 0.5 h"
    assert plan.left_out == dict.fromkeys(
        [f"mlp-1x512 {how}" for how in ("weight-decay", "plain", "random-labels")], reason
    )
    assert f"mlp-1x512 plain           skipped: {reason}" in str(plan)


def test_what_is_finished_is_not_estimated(tmp_path: Path, seconds: dict[str, float]) -> None:
    asked: dict[str, Any] = {
        "rows": ["mlp-1x512 plain"],
        "data": f"idx:{idx_tree(tmp_path / 'i', side=28)}",
    }
    asked |= {"epochs": 1, "out": tmp_path / "out"}
    assert paper.plan("table1", **asked).seconds > 0
    cl.reproduce("table1", progress=False, **asked)
    plan = paper.plan("table1", **asked)
    assert plan.seconds == 0
    assert "finished before" in str(plan)


def test_what_is_finished_and_damaged_is_estimated_again(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"rows": ["2"], "data": f"idx:{idx_tree(tmp_path / 'i', side=28)}"}
    cl.reproduce("theorem1", out=tmp_path / "out", progress=False, **asked)
    assert paper.plan("theorem1", out=tmp_path / "out", **asked).trials[0].kept
    (trial,) = tmp_path.glob("out/interpolate_labels/trials/*.json")
    trial.write_text(trial.read_text()[:100])
    plan = paper.plan("theorem1", out=tmp_path / "out", **asked)
    assert not plan.trials[0].kept
    assert plan.seconds > 0


def test_a_batch_larger_than_the_data_is_all_of_them(
    tmp_path: Path, seconds: dict[str, float]
) -> None:
    asked: dict[str, Any] = {"data": f"idx:{idx_tree(tmp_path / 'i', side=28)}", "epochs": 7}
    asked |= {"rows": ["mlp-1x512 plain"], "changes": {"recipe.batch_size": 10**9}}
    assert paper.plan("table1", **asked).seconds == 7 * seconds["mlp-1x512"]


def test_no_more_examples_are_timed_than_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed: list[int] = []

    def a_step(model: str, recipe: cl.Recipe, *others: Any) -> float:
        timed.append(recipe.batch_size)
        return 1.0

    monkeypatch.setattr(_training, "seconds_per_step", a_step)
    asked: dict[str, Any] = {"data": f"idx:{idx_tree(tmp_path / 'i', side=28)}"}
    for size in (10**9, 16):
        paper.plan("table4", rows=["mlp"], changes={"recipe.batch_size": size}, **asked)
    assert sorted(set(timed)) == [16, 80]


def test_ctrl_c_ends_the_timing_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: Any, **options: Any) -> Any:
        return replace(cl.fit(*arguments, **options), stopped_by="interrupted")

    _training.seconds_per_step.cache_clear()
    monkeypatch.setattr(_training, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        paper.plan("table1", rows=["mlp-1x512 plain"], data=DATA)


def test_only_seeds_that_are_not_finished_count_and_one_stands_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = f"idx:{idx_tree(tmp_path / 'i', side=28)}"
    asked: dict[str, Any] = {"rows": ["mlp-1x512 plain"], "data": data, "epochs": 1}
    asked |= {"out": tmp_path / "out"}
    cl.reproduce("table1", seeds=[1], progress=False, **asked)
    timed: list[str] = []

    def a_step(model: str, *others: Any) -> float:
        timed.append(model)
        return 0.5

    monkeypatch.setattr(_training, "seconds_per_step", a_step)
    plan = paper.plan("table1", seeds=[2, 1, 0, 2], **asked)
    assert timed == ["mlp-1x512"]
    assert [(each.seed, each.kept, each.seconds) for each in plan.trials] == [
        (2, False, 1.0), (1, True, 0.0), (0, False, 1.0),
    ]  # fmt: skip
    lines = str(plan).splitlines()
    assert [line.split(None, 2)[-1] for line in lines[1:4]] == [
        "seed 2   about 1 s", "seed 1   finished before", "about 1 s",
    ]  # fmt: skip
    assert lines[4].split() == ["in", "all", "about", "2", "s"]
    short = paper.plan("table1", seeds=[1, 0], most_hours=1e-4, **asked)
    assert short.left_out == {"mlp-1x512 plain": "would take about 1 s, more than 0.0001 h"}


def test_the_command_of_a_trial_repeats_it() -> None:
    changes = {"recipe.learning_rate": 0.5, "stop": {"accuracy": 0.9}}
    row = "mlp-1x512 plain"
    plan = paper.plan("table1", rows=[row], data=DATA, seeds=[0, 2], changes=changes)
    first, third = (each.command for each in plan.trials)
    assert first == (
        f"corruptlab reproduce table1 --rows '{row}' --data fashion-mnist-mini "
        """--set recipe.learning_rate=0.5 --set 'stop={"accuracy": 0.9}' --out out"""
    )
    assert third == first.replace("-mini ", "-mini --seeds 3 ")


def test_timing_steps_trains_the_network_of_the_row() -> None:
    _training.seconds_per_step.cache_clear()
    plain = cl.Recipe(learning_rate=1e-3, epochs=1, batch_size=8, crop=28, whiten=True, decay=0.95)
    small = _training.seconds_per_step("mlp-1x16", plain, (3, 32, 32), 10, "cpu")
    assert small > 0


def test_rows_that_do_not_fit_the_memory_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from corruptlab.capacity.kernels import _interpolant

    monkeypatch.setattr(_interpolant, "available_memory", lambda place: 1e6)
    plan = paper.plan("table3", data=f"{DATA}", rows=["cifar10"])
    assert plan.left_out["cifar10"].startswith("`memory` must be at least ")


@pytest.mark.slow(seconds=1)
def test_more_random_filters_take_longer() -> None:
    row = paper.exhibit("table3")["cifar10-conv"]
    own = {**row.parameters, "gamma": 4.0, "points": 500, "data": DATA, "device": "cpu"}
    few, many = (row.work.seconds(**{**own, "filters": n}) for n in (10, 1000))
    assert many > 2 * few


def test_changes_reach_the_settings_and_spoil_what_is_kept(seconds: dict[str, float]) -> None:
    changes = {"recipe.batch_size": 100, "recipe.learning_rate": 0.5}
    plan = paper.plan("table1", rows=["mlp-1x512 plain"], data=DATA, changes=changes)
    recipe = plan.trials[0].settings["recipe"]
    assert (recipe["batch_size"], recipe["learning_rate"], recipe["epochs"]) == (100, 0.5, 100)
    assert not plan.own_recipes
    assert paper.exhibit("table1")["mlp-1x512 plain"].parameters["recipe"]["batch_size"] == 64
    assert paper.plan("table1", rows=["mlp-1x512 plain"], data=DATA).own_recipes


def test_a_change_to_what_a_row_has_is_none() -> None:
    asked: dict[str, Any] = {"data": DATA, "rows": ["cifar10"]}
    assert paper.plan("table3", changes={"gamma": 0.012}, **asked).own_recipes
    assert not paper.plan("table3", changes={"gamma": 0.013}, **asked).own_recipes


def test_numbers_of_numpy_are_changes_like_those_of_python(seconds: dict[str, float]) -> None:
    asked: dict[str, Any] = {"rows": ["mlp-1x512 plain"], "data": DATA}
    ours, plain = (
        paper.plan("table1", changes={"recipe.batch_size": size}, **asked).trials[0]
        for size in (np.int64(32), 32)
    )
    assert ours == plain
    assert "--set recipe.batch_size=32 " in ours.command


def test_settings_are_spelled_in_one_way_so_that_the_same_trial_has_one_name(
    seconds: dict[str, float],
) -> None:
    asked: dict[str, Any] = {"rows": ["mlp-1x512 plain"], "data": DATA, "device": "cpu:0"}
    (one,) = paper.plan("table1", changes={"recipe.learning_rate": 1}, **asked).trials
    (same,) = paper.plan("table1", changes={"recipe.learning_rate": 1.0}, **asked).trials
    assert repr(one.settings) == repr(same.settings)
    assert one.settings["device"] == "cpu:0"


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"what": "table5"}, r"^`what` must be one of table1, .*theorem1, got 'table5'\.$"),
    ({"rows": ["vgg"]}, r"^`rows` must be among .*, got 'vgg'\."),
    ({"data": "cifar10:nowhere"}, r"nowhere: expected .*, found no such folder\.$"),
    ({"data": "mnist"}, r"^`spec` must be one of .*, got 'mnist'\.$"),
    ({"data": []}, r"^`data` must be CIFAR-10 \(cifar10:FOLDER\), got none\.$"),
    ({"data": "imagenet:x"}, r"^`data` must be CIFAR-10 \(cifar10:FOLDER\), got 'imagenet:x'\.$"),
    ({"data": ["cifar10:a", "cifar10:b"]}, r"^`data` must be CIFAR-10 once, got 'cifar10:a' and "),
    ({"seeds": []}, r"^`seeds` must hold at least one seed, got none\.$"),
    ({"seeds": [-1]}, r"^`seeds` must be at least 0, got -1\.$"),
    ({"epochs": 0}, r"^`epochs` must be at least 1, got 0\.$"),
    (
        {"changes": {"width": 3}},
        r"^`changes` must name parameters of the rows \(.*recipe\.epochs.*\), got 'width'\.$",
    ),
    ({"changes": {"recipe.decay": 2}}, r"^`decay` must lie in \(0, 1\], got 2\.0\.$"),
    ({"changes": {"seed": 2}}, r"got 'seed'\.$"),
    (
        {"epochs": 3, "changes": {"recipe.epochs": 9}},
        r"^`epochs` must be given once, got 3 and 9 among the changes\.$",
    ),
    ({"changes": {"setting": "noise"}}, r"^`settings` must be among true, .*, got 'noise'\.$"),
    ({"changes": {"p": 7}}, r"^`p` must lie in \[0, 1\], got 7\.$"),
    ({"changes": {"record": "all"}}, r"^`record` must be one of losses, accuracies, got 'all'\.$"),
    ({"changes": {"stop": {"time": 1}}}, r"^`stop` must only name accuracy, loss, got 'time'\.$"),
    ({"changes": {"stop": {"loss": -1}}}, r"^`loss` must be at least 0, got -1\.$"),
    ({"device": "toaster"}, r"^`device` must be usable on this machine, got 'toaster'"),
    ({"what": "theorem1", "rows": ["2"], "device": "toaster"}, r"^`device` must be usable on"),
    ({"most_hours": 0}, r"^`most_hours` must be above 0, got 0\.$"),
]


@pytest.mark.parametrize(("wrong", "message"), MISTAKES, ids=[str(w) for w, _ in MISTAKES])
def test_a_mistake_is_found_before_any_work(
    wrong: dict[str, Any], message: str, tmp_path: Path
) -> None:
    asked = {"what": "table1", "rows": ["mlp-1x512"], "data": DATA, **wrong}
    with pytest.raises(ValueError, match=message):
        cl.reproduce(out=tmp_path / "out", progress=False, **asked)
    assert not (tmp_path / "out").exists()


KINDS: list[tuple[dict[str, Any], str]] = [
    ({"what": 5}, r"^`what` must be a name or an Exhibit, got 5\.$"),
    ({"data": 5}, r"^`data` must be text such as 'cifar10:FOLDER', got 5\.$"),
    ({"data": [3]}, r"^`data` must be text such as 'cifar10:FOLDER', got 3\.$"),
    ({"seeds": 3}, r"^`seeds` must be a sequence of integers, got 3\.$"),
    ({"changes": "x"}, r"^`changes` must map names of parameters to values, got 'x'\.$"),
    ({"changes": {"model": object}}, r"^`changes` must hold JSON values, .*, got type\.$"),
    ({"changes": {"model": 5}}, r"^`model` must be text, got 5\.$"),
    ({"changes": {"stop": 5}}, r"^`stop` must map names of rules to numbers, got 5\.$"),
    ({"out": 5}, r"^`out` must be a folder, got 5\.$"),
]


@pytest.mark.parametrize(("wrong", "message"), KINDS, ids=[str(w) for w, _ in KINDS])
def test_what_is_of_another_kind_is_refused(
    wrong: dict[str, Any], message: str, tmp_path: Path
) -> None:
    asked = {"what": "table1", "rows": ["mlp-1x512"], "data": DATA, "out": tmp_path / "out"}
    with pytest.raises(TypeError, match=message):
        cl.reproduce(progress=False, **{**asked, **wrong})


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"held_out": "False"}, TypeError, r"^`held_out` must be True or False, got 'False'\.$"),
        ({"ridge": -1}, ValueError, r"^`ridge` must be at least 0, got -1\.$"),
        ({"features": "hog"}, ValueError, r"^`features` must be one of pixels, .*, got 'hog'\.$"),
        ({"filters": 0}, ValueError, r"^`filters` must be at least 1, got 0\.$"),
        ({"threshold": -1}, ValueError, r"^`threshold` must be at least 0.*, got -1\.$"),
    ],
)
def test_mistakes_in_kernels_are_found_before_they_are_solved(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        paper.plan("table3", rows=["cifar10-conv"], data=DATA, changes={"gamma": 4.0, **changes})


def test_epochs_are_for_rows_that_are_trained() -> None:
    message = r"^`epochs` must be None for rows that are not trained, got 3\.$"
    with pytest.raises(ValueError, match=message):
        paper.plan("theorem1", data=DATA, epochs=3)


def test_an_out_that_is_a_file_is_found_before_anything_is_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_training, "seconds_per_step", None)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"^`out` must be a folder, got '.*out', and .*file is a "):
        cl.reproduce("table1", data=DATA, out=tmp_path / "file" / "out", progress=False)


def test_only_a_single_set_stands_in_and_none_for_imagenet() -> None:
    with pytest.raises(ValueError, match=r"^`data` must be ImageNet \(imagenet:FOLDER\), got"):
        paper.plan("table2", data=DATA)
    with pytest.raises(ValueError, match=r"^`data` must be MNIST .* or CIFAR-10 .*, got 'fashion"):
        paper.plan("table3", data=DATA)


def test_folders_are_not_shown(tmp_path: Path) -> None:
    folder = idx_tree(tmp_path / "mine", side=28)
    for spec, shown in ((f"idx:{folder}", "idx:FOLDER"), (DATA, DATA)):
        (one,) = paper.plan("theorem1", rows=["2"], data=spec).trials
        assert f"--data {shown} " in one.command


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (89, "89 s"),
        (240, "4.0 min"),
        (3600, "60 min"),
        (9000, "2.5 h"),
        (1e6, "12 days"),
    ],
)
def test_times_are_rough(seconds: float, words: str) -> None:
    assert duration(seconds) == f"about {words}"
