"""An audit as a whole: its report, its arguments, and what it leaves as it was."""

import json
import random
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import IterableDataset, TensorDataset

from corruptlab import ShuffledPixels, corrupt
from corruptlab.experiments import AuditReport, Finding, audit

from . import cases
from .cases import FORKS, HALF, Local, tensors


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    train = corrupt(tensors(), HALF, ShuffledPixels(), seed=3)
    other = TensorDataset(tensors().tensors[0] + 1000, tensors().tensors[1])
    report = audit(train, corrupt(other, ShuffledPixels(), seed=3), workers=0)
    unhappy = [each for each in report.findings if each.status in ("error", "warning")]
    assert unhappy == []
    assert report.ok
    statuses = {each.check: each.status for each in report.findings}
    assert [check for check, status in statuses.items() if status == "skipped"] == [
        "train: workers",
        "train: spawn",
        "test: workers",
        "test: spawn",
    ]
    assert len(report.findings) == 12 + 11 + 2


def test_one_error_is_enough_and_warnings_are_not() -> None:
    bad = audit(cases.Redrawn(), workers=0)
    assert not bad.ok
    warned = audit(tensors(labels=[0] * 59 + [1]), workers=0)
    assert any(each.status == "warning" for each in warned.findings)
    assert warned.ok


def test_skipped_checks_are_printed_in_one_paragraph() -> None:
    report = audit(tensors(), workers=0)
    skipped = [each.check for each in report if each.status == "skipped"]
    applied, _, last = str(report).split("\n\n")[1].partition("\nskipped  ")
    assert " ".join(last.split()) == ", ".join(skipped)
    assert max(map(len, str(report).splitlines())) <= 100
    heads = [line for line in applied.splitlines() if not line.startswith(" ")]
    assert len(heads) == len(report) - len(skipped) > 0
    kept = {each["check"]: each["message"] for each in report.to_dict()["findings"]}
    assert all(kept[check] for check in skipped)


def test_a_report_of_skipped_checks_alone_prints() -> None:
    report = audit(tensors(), workers=0)
    alone = [each for each in report if each.status == "skipped"]
    assert "\n\nskipped  train: " in str(replace(report, findings=tuple(alone)))
    assert "0 ok, 0 skipped" in str(replace(report, findings=()))


def test_checks_of_a_pair_are_skipped_without_a_test_set() -> None:
    report = audit(tensors(), workers=0)
    for check in ("both: overlap", "both: shuffled pixels"):
        assert report[check] == Finding(check, "skipped", "there is no test set.")
    assert not any(each.check.startswith("test") for each in report.findings)


@pytest.fixture
def report() -> AuditReport:
    """Each kind of finding: a training set that is wrong, and a test set of the same inputs."""
    test = corrupt(cases.Pictures(), ShuffledPixels(), seed=3)
    return audit(cases.Redrawn(), test, workers=0)


def test_report_prints_every_finding_in_at_most_100_columns(report: AuditReport) -> None:
    text = str(report)
    body = text.splitlines()[2:]
    assert max(map(len, body)) <= 100
    squeezed = " ".join(text.split())
    for each in report.findings:
        if each.status == "skipped":
            assert each.check in squeezed.partition(" skipped ")[2]
        else:
            assert f"{each.status} {each.check} {' '.join(each.message.split())}" in squeezed
    errors = sum(each.status == "error" for each in report.findings)
    assert errors > 0
    assert f"\n{errors} error{'s' * (errors > 1)}, " in text
    assert repr(report).startswith("AuditReport(Redrawn (60 examples), test set Pictures with Shuf")


def test_report_is_json_frozen_and_names_what_made_it(report: AuditReport) -> None:
    read = json.loads(json.dumps(report.to_dict()))
    assert read["kind"] == "audit"
    assert read["ok"] is False
    assert (read["n_train"], read["n_test"], read["sample"], read["seed"]) == (60, 60, 256, 0)
    assert read["environment"]["torch"] == torch.__version__
    assert len(read["findings"]) == len(report.findings)
    assert set(read["findings"][0]) == {"check", "status", "message"}
    with pytest.raises(FrozenInstanceError):
        report.seed = 1  # type: ignore[misc]


def test_unknown_check_lists_those_there_are() -> None:
    with pytest.raises(KeyError, match=r"`name` must be among the rows \(train: items, .*'x'"):
        audit(tensors(), workers=0)["x"]


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Any:
        return iter([])

    def __len__(self) -> int:
        return 3


@pytest.mark.parametrize(
    ("act", "kind", "message"),
    [
        (
            lambda: audit(iter([])),  # type: ignore[arg-type]
            TypeError,
            r"^`train` must be map-style, with __len__ and __getitem__, got list_iterator\.$",
        ),
        (
            lambda: audit(tensors(), Stream()),
            TypeError,
            r"^`test` must be map-style, with __len__ and __getitem__, got Stream\.$",
        ),
        (
            lambda: audit(tensors(), []),
            ValueError,
            r"^`test` must hold at least one example, got none\.$",
        ),
        (
            lambda: audit(tensors(), sample=0),
            ValueError,
            r"^`sample` must be at least 1, got 0\.$",
        ),
        (
            lambda: audit(tensors(), workers=1.5),  # type: ignore[arg-type]
            TypeError,
            r"^`workers` must be an integer, got 1\.5\.$",
        ),
        (lambda: audit(tensors(), seed=-1), ValueError, r"^`seed` must be at least 0, got -1\.$"),
    ],
    ids=["iterator", "stream", "empty", "sample", "workers", "seed"],
)
def test_bad_arguments_are_one_clear_error(act: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        act()


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    audit(tensors(), tensors(), workers=0)
    assert capsys.readouterr().err == ""
    audit(tensors(), tensors(), workers=0, progress=True)
    output = capsys.readouterr()
    assert "audit  120/120" in output.err
    assert output.out == ""


def test_global_generators_are_left_as_they_were() -> None:
    def states() -> Any:
        numpy = np.random.get_state()[1].tolist()  # type: ignore[index,union-attr,unused-ignore]  # noqa: NPY002
        return random.getstate(), numpy, torch.get_rng_state().tolist()

    before = states()
    audit(Local(cases.Augmented()), workers=2 if FORKS else 0, sample=4)
    assert states() == before


def test_a_pair_of_arrays_is_read_as_its_rows() -> None:
    inputs, labels = np.arange(120.0).reshape(60, 2), np.arange(60) % 3
    report = audit((inputs, labels), (inputs[:5], labels[:5]), workers=0)
    assert (report.n_train, report.n_test) == (60, 5)
    assert report["both: overlap"].status == "error"
    with pytest.raises(
        ValueError, match=r"^`test` must have one label for each .* 60 inputs and 9"
    ):
        audit((inputs, labels), (inputs, labels[:9]))


def test_classes_are_not_counted_where_no_label_can_be_read() -> None:
    soft = (np.arange(120.0).reshape(60, 2), np.full((60, 3), 0.5))
    report = audit(soft, workers=0)
    assert report["train: items"].status == "error"
    assert report["train: classes"].status == "skipped"
