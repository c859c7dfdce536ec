"""Several processes under `torchrun`'s agent: one fit, whoever does it, and whoever dies meanwhile.

Two processes do all scenarios of `programs.together` in one start, because a start costs seconds.
What one process finds is found here, by the same functions.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from corruptlab import Draws
from tests import once
from tests.fresh import Fresh

from .cases import network
from .programs import together
from .programs.launch import launched, left
from .programs.problem import RECIPE as PIXELS
from .programs.together import SCENARIOS

pytestmark = pytest.mark.slow

# What two processes and one do alike; the others differ on purpose, or are compared by themselves.
ALIKE = [
    "plain",
    "uneven",
    "too_few",
    "one_example",
    "adam",
    "until_interpolated",
    "until_target",
    "until_patience",
    "until_own_rule",
    "chosen",
]

OTHERS = ["until_budget", "batch_norm", "other_weights", "too_few_with_heads"]


@pytest.fixture(scope="module")
def launch(fresh: Fresh, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What two processes found, and what they said."""

    def fill(folder: Path) -> None:
        done = launched(fresh, "together", 2, 1, folder)
        assert done.status == 0, done.errors
        (folder / "said.json").write_text(json.dumps([done.output, done.errors]))

    folder = once.folder_of(tmp_path_factory, "together", fill)
    assert left(folder, 0)["failure"] == ""
    found = [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]
    return found, json.loads((folder / "said.json").read_text())


@pytest.fixture(scope="module")
def found(launch: Any) -> Any:
    """What each of two processes found, by scenario."""
    return launch[0]


@cache
def alone(scenario: str) -> Any:
    """What one process finds."""
    return SCENARIOS[scenario]()


def alike(one: Any, two: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict):
        return list(one) == list(two) and all(alike(one[name], two[name]) for name in one)
    return bool(one == two)


@pytest.mark.parametrize("scenario", [*ALIKE, *OTHERS])
def test_all_processes_return_the_same_report_and_weights(scenario: str, found: Any) -> None:
    one, two = (each[scenario] for each in found)
    assert one["report"]["processes"] == 2
    assert one["report"] == two["report"]  # seconds included
    assert alike(one["weights"], two["weights"])


@pytest.mark.parametrize("scenario", ALIKE)
def test_two_processes_do_what_one_does_but_for_rounding(scenario: str, found: Any) -> None:
    one, two = alone(scenario), found[0][scenario]
    for name in ("stopped_by", "epochs", "steps", "steps_to_interpolation"):
        assert two["report"][name] == one["report"][name], name
    assert two["report"]["losses"] == pytest.approx(one["report"]["losses"], rel=1e-4, abs=1e-6)
    assert two["report"]["train_loss"] == pytest.approx(one["report"]["train_loss"], rel=1e-4)
    for name in ("train_accuracy", "test_accuracy", "best_test_accuracy"):
        assert two["report"][name] == one["report"][name], name
    for mine, theirs in zip(one["report"]["history"], two["report"]["history"], strict=True):
        assert {**theirs, "loss": None} == {**mine, "loss": None}
        assert theirs["loss"] == pytest.approx(mine["loss"], rel=1e-4, abs=1e-6)
    for name, value in one["weights"].items():
        torch.testing.assert_close(two["weights"][name], value, rtol=1e-3, atol=1e-5)


def test_heads_count_each_example_once_an_epoch_and_change_no_bit(found: Any) -> None:
    for each in found:
        without, with_heads = each["too_few"], each["too_few_with_heads"]
        assert with_heads["report"]["heads"]["total"] == [2 * 61] * 5
        assert alike(with_heads["weights"], without["weights"])


def test_each_rule_ended_the_fit_it_should_end(found: Any) -> None:
    ends = {name: found[0][name]["report"]["stopped_by"] for name in ALIKE}
    assert ends["until_interpolated"] == "interpolated"
    assert ends["until_target"] == "target"
    assert ends["until_patience"] == "patience"
    assert ends["until_own_rule"] == "third"
    assert ends["plain"] == "epochs"


def test_a_budget_ends_all_at_one_step_whatever_their_clocks(found: Any) -> None:
    one, two = (each["until_budget"]["report"] for each in found)
    assert one["stopped_by"] == two["stopped_by"] == "budget"
    # Steps take 0.25 s by the first clock, which decides, and 0.5 s by the second.
    assert one["steps"] == two["steps"] == 5
    assert one["seconds"] == two["seconds"] == 1.25


def test_the_weights_of_the_first_process_count(found: Any) -> None:
    started_alike = alone("other_weights")
    assert not alike(network(seed=0).state_dict(), network(seed=1).state_dict())
    for name, value in started_alike["weights"].items():
        torch.testing.assert_close(found[1]["other_weights"]["weights"][name], value)


def test_running_statistics_are_the_same_everywhere_and_saw_data(found: Any) -> None:
    one, two = (each["batch_norm"]["weights"] for each in found)
    steps = PIXELS.epochs * 6
    assert one["body.1.num_batches_tracked"] == two["body.1.num_batches_tracked"] == steps
    assert (one["body.1.running_var"] != 1).all()


def test_dropout_differs_between_processes_and_the_first_draws_as_one_alone(found: Any) -> None:
    one, two = (each["dropout"]["masks"] for each in found)
    assert len(one) == len(two) == 6
    assert not any(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(one, alone("dropout")["masks"], strict=True))


# -------------------------------------------------------------------------------- streams, by share


def test_each_process_reads_its_share_of_a_stream_and_no_more(found: Any) -> None:
    read = [each["stream"]["read"] for each in found]
    order = Draws(3).permutations("fit/order", [0], 55)[0].tolist()
    batches = [order[first : first + 10] for first in range(0, 55, 10)]
    own = [[i for b in batches for i in part(b, rank)] for rank in range(2)]
    for rank in range(2):
        # One epoch; then the pass over its share of the training set, which may give up early.
        assert read[rank]["train"][: len(own[rank])] == own[rank]
        rest = set(read[rank]["train"][len(own[rank]) :])
        assert rest <= set(part(list(range(55)), rank)) | set(SPOTS)
        assert set(read[rank]["test"]) == set(part(list(range(21)), rank))
    assert sorted(own[0] + own[1]) == list(range(55))


SPOTS = [k * 54 // 7 for k in range(8)]  # a diagnosis reads these labels again


def part(ids: list[int], rank: int) -> list[int]:
    half = len(ids) // 2
    return ids[:half] if rank == 0 else ids[half:]


def test_a_stream_of_two_processes_learns_what_whole_data_would(found: Any) -> None:
    one, two = (each["stream"]["report"] for each in found)
    assert one["execution"]["data"] == "stream"
    assert one == two


# ---------------------------------------------------------------------------------- only one speaks


def test_only_the_first_process_shows_progress(launch: Any) -> None:
    _, (output, errors) = launch
    assert errors.count("shown  30/30  epoch 5") == 1
    assert "Warning" not in errors
    assert output == ""


def test_only_the_first_process_writes_checkpoints(found: Any) -> None:
    assert set(found[0]["written"]["saved"]) == {0}
    assert found[1]["written"]["saved"] == []


def test_the_first_process_alone_is_told_of_epochs_and_its_error_is_everyone_s(found: Any) -> None:
    one, two = (each["followed"] for each in found)
    assert one == {"told": [1, 2], "error": "no answer", "epochs": 2}
    assert two == {**one, "told": []}


def test_too_little_memory_in_one_process_streams_in_all_and_one_says_so(found: Any) -> None:
    one, two = (each["warned"] for each in found)
    assert one["report"]["execution"]["data"] == two["report"]["execution"]["data"] == "stream"
    assert len(one["warnings"]) == 1
    assert "`train` needs 0.0 GiB of memory on cpu" in one["warnings"][0]
    assert two["warnings"] == []
    assert one["report"] == two["report"]


EXPECTED_ERRORS = {
    "seed": "ValueError: `seed` must be the same in every process, got 0, 1.",
    "recipe": "ValueError: `recipe` must be the same in every process, got Recipe(",
    "length": "ValueError: `len(train)` must be the same in every process, got 60, 59.",
    "damaged": (
        f"DataFileError: {Path('FOLDER', 'damaged', 'fit.pt')}: expected a checkpoint of `fit`, "
        "found File is not a zip file."
    ),
    "another": "ValueError: `checkpoint` must be a folder of this fit alone, got 'FOLDER",
    "diverged": "NonFiniteLossError: The loss is ",
}


def test_what_one_process_sees_is_an_error_in_all(found: Any) -> None:
    one, two = (each["errors"]["errors"] for each in found)
    assert one == two
    assert list(one) == list(EXPECTED_ERRORS)
    for name, start in EXPECTED_ERRORS.items():
        assert one[name].startswith(start), one[name]


# ---------------------------------------------------------------------------------- killed, resumed


def test_two_processes_resume_to_the_same_bits(found: Any) -> None:
    for each in found:
        assert each["resumed"]["same"]
        assert each["resumed"]["steps"] == PIXELS.epochs * 6 - 8
    assert alike(found[0]["resumed"]["weights"], found[1]["resumed"]["weights"])


@pytest.mark.slow(seconds=30)
def test_the_death_of_one_process_ends_all_and_the_same_command_goes_on(
    fresh: Fresh, tmp_path: Path
) -> None:
    done = launched(fresh, "killed_together", 3, 2, tmp_path)
    assert done.status == 0, done.errors
    killed, again = (left(tmp_path, time) for time in range(2))
    assert "exitcode  : -9" in killed["failure"]
    assert not any(name.endswith(".pt") for name in killed["files"])  # without it no other finishes
    assert again["failure"] == ""
    results = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(3)]
    for finished, never_killed in results:
        assert 0 < finished["passes"] <= 20 < never_killed["passes"] == 40
        assert finished["report"] == never_killed["report"] == results[0][0]["report"]
        assert alike(finished["weights"], never_killed["weights"])
        assert alike(finished["weights"], results[0][0]["weights"])


def test_scenarios_are_done_alone_where_they_are_compared() -> None:
    assert together.rank() == 0
    assert alone("plain")["report"]["processes"] == 1
