"""What a randomization test hands on to `fit`."""

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import corruptlab as cl
from corruptlab.training import Execution, stopping

from .cases import RECIPE, bars, network, run

TWO: dict[str, Any] = {"settings": ["true", "random-labels"]}
SHORT = cl.Recipe(learning_rate=0.05, decay=0.995, epochs=4, batch_size=10, whiten=True)
LONG = replace(RECIPE, epochs=100)
ADAM = functools.partial(torch.optim.Adam, lr=0.01)


def brier(outputs: Tensor, labels: Tensor) -> Tensor:
    return ((outputs.softmax(1) - torch.eye(2)[labels]) ** 2).sum(1).mean()


def by_hand(**options: Any) -> Any:
    noisy = cl.corrupt(bars(), cl.RandomLabels(), seed=0)
    return cl.fit(network(), noisy, recipe=SHORT, measure="loss", **options)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": ADAM},
        {"loss": brier},
        {"stop": stopping.target(0.6)},
        {"stop": ()},
        {"execution": Execution(deterministic=True)},
    ],
    ids=["optimizer", "loss", "rule", "no rule", "execution"],
)
def test_fits_are_those_of_fit_with_the_same_options(options: dict[str, Any]) -> None:
    report = run(recipe=SHORT, **TWO, **options)
    expected = by_hand(**options)
    found = report["random-labels"].fit
    assert found.losses == expected.losses
    assert (found.stopped_by, found.epochs) == (expected.stopped_by, expected.epochs)
    assert found.execution.deterministic == expected.execution.deterministic
    if "execution" not in options:
        default = by_hand()
        assert (default.losses, default.stopped_by) != (expected.losses, expected.stopped_by) or (
            options == {"stop": ()}
        )


@pytest.mark.slow
def test_the_default_stops_where_the_training_set_is_interpolated() -> None:
    usual, all_epochs = run(**TWO, recipe=LONG), run(**TWO, recipe=LONG, stop=())
    assert {row.fit.stopped_by for row in usual} == {"interpolated"}
    assert {row.fit.stopped_by for row in all_epochs} == {"epochs"}
    assert {row.fit.epochs for row in all_epochs} == {100}


def test_reports_name_what_replaces_the_recipe_s() -> None:
    plain, other = run(recipe=SHORT, **TWO), run(recipe=SHORT, optimizer=ADAM, loss=brier, **TWO)
    assert (plain.optimizer, plain.loss) == (None, None)
    assert (other.optimizer, other.loss) == ("Adam", "brier")
    assert "SGD, learning rate 0.05 (x 0.995 an epoch), momentum" in str(plain)
    assert "optimizer by Adam (x 0.995 an epoch), loss brier, batch 10" in str(other)
    assert other.to_dict()["optimizer"] == "Adam"


def test_checkpoints_resume_each_setting_where_it_stood(tmp_path: Path) -> None:
    expected = run(recipe=SHORT, **TWO)

    def interrupting(report: cl.training.EpochReport) -> None:
        if report.name == "random labels" and report.epoch == 2:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(recipe=SHORT, **TWO, checkpoint=tmp_path, on_epoch_end=interrupting)
    epochs: list[tuple[str, int]] = []
    found = run(
        recipe=SHORT,
        **TWO,
        checkpoint=tmp_path,
        on_epoch_end=lambda report: epochs.append((report.name, report.epoch)),
    )
    assert epochs == [("random labels", 3), ("random labels", 4)]
    assert [row.fit.losses for row in found] == [row.fit.losses for row in expected]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["random-labels", "true"]


def test_names_of_settings_are_names_of_folders(tmp_path: Path) -> None:
    odd = [cl.Setting(name="../a/b"), cl.Setting(name="..", corruptions=(cl.RandomLabels(),))]
    run(recipe=SHORT, settings=odd, checkpoint=tmp_path / "kept")
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == [
        "%2E%2E",
        "%2E%2E%2Fa%2Fb",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_function_makes_the_network_under_the_seed() -> None:
    def made() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(36, 2))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        expected = made()
    found = run(model=made, recipe=SHORT, seed=5, **TWO)
    by_network = run(model=expected, recipe=SHORT, seed=5, **TWO)
    assert [row.fit.losses for row in found] == [row.fit.losses for row in by_network]


class Items:
    """A data set whose fields have names that nobody knows, beside those that everybody knows."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> dict[str, Any]:
        x, y = self.data[index]
        return {"image": torch.zeros(3), "label": 0, "pixels": x, "kind": int(y)}


KEYS: dict[str, Any] = {"input_key": "pixels", "label_key": "kind"}
BOTH: dict[str, Any] = {"train": Items(bars()), "test": Items(bars(200, seed=1)), **KEYS}


def test_fields_are_those_that_the_keys_name() -> None:
    found, expected = run(recipe=SHORT, **BOTH, **TWO), run(recipe=SHORT, **TWO)
    for row, other in zip(found, expected, strict=True):
        assert row.fit.losses == other.fit.losses
        assert row.test_accuracy == other.test_accuracy


def nearest_mean(data: cl.LabelledData, *, seed: int) -> Any:
    rows = data.inputs.float().flatten(1)
    means = torch.stack([rows[torch.from_numpy(data.labels) == k].mean(0) for k in (0, 1)])
    return lambda inputs: -torch.cdist(inputs.float().flatten(1), means)


def test_fields_of_learners_are_those_that_the_keys_name() -> None:
    options = {**TWO, "recipe": None, "model": nearest_mean}
    found, expected = run(**BOTH, **options), run(**options)
    assert [row.train_accuracy for row in found] == [row.train_accuracy for row in expected]
    assert [row.test_accuracy for row in found] == [row.test_accuracy for row in expected]
    assert found["true"].train_accuracy > 0.9 > found["random-labels"].train_accuracy


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        (
            {"optimizer": 3},
            TypeError,
            r"^`optimizer` must be a function that makes one from .* int",
        ),
        (
            {"loss": "mse"},
            TypeError,
            r"^`loss` must be a function of outputs and labels, .* str\.$",
        ),
        ({"stop": 3}, TypeError, r"^`stop` must hold stopping rules, .* got 3\.$"),
        (
            {"stop": stopping.patience(2, on="test")},
            ValueError,
            r"^`stop` must only ask for what is measured after every epoch, got patience",
        ),
        ({"execution": 3}, TypeError, r"^`execution` must be an Execution, got int\.$"),
        ({"checkpoint": 3}, TypeError, r"^`checkpoint` must be the path of a folder, got 3\.$"),
        (
            {"label_key": "kind"},
            ValueError,
            r"^`label_key` must be a position in items of",
        ),
    ],
)
def test_bad_options_are_refused_before_any_training(
    changes: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        run(**changes)
    assert not hasattr(caught.value, "report")


@pytest.mark.parametrize(
    "option",
    [
        {"optimizer": ADAM},
        {"loss": brier},
        {"stop": ()},
        {"execution": Execution()},
        {"checkpoint": "folder"},
        {"device": "cpu"},
    ],
    ids=lambda option: next(iter(option)),
)
def test_options_of_fit_are_refused_with_other_learners(option: dict[str, Any]) -> None:
    name = next(iter(option))
    with pytest.raises(ValueError, match=rf"^`{name}` must be left out with an estimator or a f"):
        run(model=nearest_mean, recipe=None, **option)
