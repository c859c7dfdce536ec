"""Rows as text and as JSON: no figure is rounded to say more than was found."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from torch import nn

from corruptlab import (
    GivenLabels,
    RandomizationReport,
    Recipe,
    Setting,
    ShuffledPixels,
    Specification,
    SymmetricLabels,
    mlp,
)
from corruptlab.experiments import paper_settings
from corruptlab.training import Augmentation

from .cases import run


@pytest.fixture(scope="module")
def report() -> RandomizationReport:
    return run(settings=["true", "shuffled-pixels"])


def shown(report: RandomizationReport, **fit: Any) -> list[str]:
    """Return the cells of the last row after changes to its fit."""
    row = report.rows[-1]
    changed = replace(report, rows=(replace(row, fit=replace(row.fit, **fit)),))
    return table(changed)[-1].removeprefix(row.setting.label).split()


def table(report: RandomizationReport) -> list[str]:
    """Return the lines above the notes."""
    return str(report).split("\n\n")[0].splitlines()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.123, "0.12"), (12.34, "12.3"), (123.4, "123"), (4567.0, "4,567")]
)
def test_seconds_have_about_three_digits(
    report: RandomizationReport, seconds: float, text: str
) -> None:
    assert shown(report, seconds_to_interpolation=seconds)[5] == text


def test_long_labels_and_numbers_widen_the_columns(report: RandomizationReport) -> None:
    row = report.rows[-1]
    long = replace(
        row,
        setting=Setting(name="x", label="a label that is longer than any of the paper's six"),
        fit=replace(row.fit, steps_to_interpolation=123_456_789_012),
    )
    lines = table(replace(report, rows=(*report.rows, long)))
    assert len({len(line) for line in lines[1:]}) == 1
    assert "123,456,789,012" in lines[-1]


def test_table_is_plain_ascii_for_any_terminal(report: RandomizationReport) -> None:
    assert str(report).isascii()
    assert max(map(len, str(report).splitlines())) <= 100


def test_repr_is_one_line(report: RandomizationReport) -> None:
    assert repr(report) == (
        "RandomizationReport(Sequential on TensorDataset: "
        "true 100.0%/100.0%, shuffled-pixels 100.0%/100.0%)"
    )


def test_specification_in_the_report_makes_the_setting_again(report: RandomizationReport) -> None:
    clean, shuffled = report.to_dict()["rows"]
    assert clean["specification"] is None
    again = Specification.parse(shuffled["specification"])
    assert (again.corruptions, again.seed) == ((ShuffledPixels(),), 0)


def test_corruptions_that_hold_data_are_named_in_json() -> None:
    given = Setting(name="given", corruptions=(GivenLabels(np.array([0, 1])),))
    (value,) = json.loads(json.dumps(given.to_dict()))["corruptions"]
    assert value["kind"] == "GivenLabels"
    assert given.specification(seed=0) is None


def test_numbers_of_numpy_in_a_corruption_are_values_in_json() -> None:
    rate: Any = np.float32(0.25)
    noise = SymmetricLabels(rate=rate)
    (value,) = json.loads(json.dumps(Setting(name="own", corruptions=(noise,)).to_dict()))[
        "corruptions"
    ]
    assert (value["kind"], value["rate"]) == ("SymmetricLabels", 0.25)


def test_partial_labels_show_their_p() -> None:
    assert paper_settings(p=0.2)[1].label == "partial labels (p=0.2)"


def recipe_line(*, side: int = 6, **changes: Any) -> str:
    """Return what a report says about a recipe that a fit really took."""
    given: dict[str, Any] = {"learning_rate": 0.001, "epochs": 1, "batch_size": 20, **changes}
    model = nn.Sequential(*mlp(8, input_shape=(1, side, side), num_classes=2), nn.Dropout(0.1))
    text = str(run(model=model, recipe=Recipe(**given), settings=["true"]))
    return " ".join(text[text.index("recipe  ") : text.index("run     ")].split()[1:])


@pytest.mark.parametrize(
    ("optimizer", "told"),
    [
        ("sgd", "SGD, learning rate 0.001, momentum 0.8,"),
        ("nesterov", "SGD, learning rate 0.001, Nesterov momentum 0.8,"),
        ("adam", "Adam, learning rate 0.001, first beta 0.8,"),
        ("adamw", "AdamW, learning rate 0.001, first beta 0.8,"),
        ("rmsprop", "RMSprop, learning rate 0.001, momentum 0.8,"),
    ],
)
def test_the_optimizer_that_is_printed_is_the_one_that_ran(optimizer: str, told: str) -> None:
    line = recipe_line(optimizer=optimizer, momentum=0.8)
    assert line == f"{told} batch 20, at most 1 epoch, inputs plain"


def test_whatever_else_a_recipe_sets_is_printed_too() -> None:
    assert recipe_line(
        weight_decay=0.01,
        dropout=0.0,
        augmentation=Augmentation(flip=True, rotation=5.0),
        precision="bfloat16",
        whiten=True,
        decay=0.95,
    ).endswith(
        "at most 1 epoch, weight decay 0.01, dropout 0, augmentation (flip, rotation 5), "
        "inputs whitened, precision bfloat16"
    )
    assert recipe_line(augmentation=Augmentation(), precision="auto").endswith(
        "at most 1 epoch, inputs plain"
    )
    line = recipe_line(side=4, crop=4, decay=0.95, epochs=2)
    assert line.startswith("SGD, learning rate 0.001 (x 0.95 an epoch), momentum 0.9, batch 20,")
    assert "at most 2 epochs, crop 4" in line
