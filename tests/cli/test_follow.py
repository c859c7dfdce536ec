"""However a test ends, what is finished is shown and kept, and the exit code says how it ended."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from corruptlab._cli._errors import UserError
from corruptlab._cli._follow import follow
from corruptlab._cli._output import Output
from corruptlab.datasets import load
from corruptlab.experiments import RandomizationReport, iter_randomization_test
from corruptlab.models import mlp
from corruptlab.training import Recipe
from tests.cli.trees import idx_tree


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[RandomizationReport]:
    """The reports after each of two settings."""
    train, test = load(f"idx:{idx_tree(tmp_path_factory.mktemp('data') / 'images')}")
    recipe = Recipe(learning_rate=0.1, epochs=1)
    network = mlp(4, input_shape=(1, 6, 6))
    return list(
        iter_randomization_test(network, train, test, recipe=recipe, settings=["true", "gaussian"])
    )


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(str(tmp_path / "out"))


def then(reports: list[RandomizationReport], error: BaseException) -> Iterator[RandomizationReport]:
    """Give reports, and end with an error."""
    yield from reports
    raise error


def test_ctrl_c_between_two_fits_is_kept_as_an_interruption(
    reports: list[RandomizationReport], output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    assert follow(then(reports[:1], KeyboardInterrupt()), output) == 130
    shown, told = capsys.readouterr()
    assert "true labels" in shown
    assert f"interrupted; kept what was finished in {output.report}: true labels." in told
    assert json.loads(output.report.read_text())["interrupted"]
    assert follow(then(reports[:1], KeyboardInterrupt()), None) == 130
    assert "interrupted; kept what was finished: true labels." in capsys.readouterr().err


def test_ctrl_c_before_the_first_setting_is_done_leaves_nothing(
    output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    assert follow(then([], KeyboardInterrupt()), output) == 130
    assert capsys.readouterr() == ("", "corruptlab: interrupted; no setting was finished.\n")
    assert list(output.folder.iterdir()) == []


def test_ctrl_c_during_the_first_fit_shows_no_empty_table(
    reports: list[RandomizationReport], output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    assert follow(iter([replace(reports[0], rows=(), interrupted=True)]), output) == 130
    assert capsys.readouterr() == ("", "corruptlab: interrupted; no setting was finished.\n")
    assert not output.figure.exists()


@pytest.mark.parametrize(
    "error",
    [
        ValueError("the images do not fit"),
        FloatingPointError("the loss is not finite"),
        MemoryError("no room"),
        torch.OutOfMemoryError("no room there"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_fit_that_fails_for_what_was_asked_costs_none_before_it(
    error: Exception,
    reports: list[RandomizationReport],
    output: Output,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(UserError, match=f"^{error}$"):
        follow(then(reports[:1], error), output)
    assert "true labels" in capsys.readouterr().out
    assert len(json.loads(output.report.read_text())["rows"]) == 1


def test_a_bug_keeps_its_traceback(reports: list[RandomizationReport], output: Output) -> None:
    with pytest.raises(KeyError, match="a bug"):
        follow(then(reports[:1], KeyError("a bug")), output)


@pytest.mark.parametrize(("report", "figure"), [(True, True), (True, False), (False, True)])
def test_all_has_to_be_written_for_the_exit_code_0(
    report: bool,
    figure: bool,
    reports: list[RandomizationReport],
    output: Output,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Output, "save_report", lambda output, values: report)
    monkeypatch.setattr(Output, "save_figure", lambda output, draw, done: figure)
    assert follow(iter(reports), output) == (0 if report and figure else 1)
    assert follow(iter(reports), None) == 0


def test_the_last_report_alone_decides_whether_it_is_written(
    reports: list[RandomizationReport], output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, True])
    monkeypatch.setattr(Output, "save_report", lambda output, values: next(answers))
    monkeypatch.setattr(Output, "save_figure", lambda output, draw, done: True)
    assert follow(iter(reports), output) == 0
