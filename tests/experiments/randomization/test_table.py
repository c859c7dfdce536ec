"""Rows as text and as JSON: no figure is rounded to say more than was found."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from corruptlab import GivenLabels, RandomizationReport, Setting, ShuffledPixels, Specification
from corruptlab.experiments import paper_settings

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


def test_partial_labels_show_their_p() -> None:
    assert paper_settings(p=0.2)[1].label == "partial labels (p=0.2)"
