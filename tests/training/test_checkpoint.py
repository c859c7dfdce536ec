"""Checkpoints: a fit that was interrupted ends as if it had not been, to the bit."""

import copy
import itertools
import os
import pickle
import random
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import TensorDataset

from corruptlab import Execution, FitReport, RandomLabels, Recipe, corrupt, fit, stopping
from corruptlab.datasets import DataFileError
from corruptlab.training import NonFiniteLossError
from tests import waiting
from tests.damage import NO_FILES
from tests.fresh import Fresh

from .cases import network, points
from .clock import Clock, Timed
from .programs.problem import RECIPE, Watched, images, lasting, same_bits

_ROOT = Path(__file__).parents[2]
STEPS = 6  # an epoch: five of 10 images, and one of 6
UNMEASURED = Execution(channels_last=False, compile=False)
PLAIN = Recipe(learning_rate=0.05, epochs=3, batch_size=10, whiten=False, decay=0.95)


class PowerError(Exception):
    """What ends a run before its time."""


def fails_at(wanted: int) -> Callable[[int], None]:
    def fail(step: int) -> None:
        if step == wanted:
            raise PowerError

    return fail


def run(model: nn.Module, **changes: Any) -> FitReport:
    values: dict[str, Any] = {"recipe": RECIPE, "seed": 3, "stop": (), "measure": "all"}
    values["execution"] = UNMEASURED
    return fit(model, images(), images(seed=1), **{**values, **changes})


def interrupted(model: Watched, folder: Path, **changes: Any) -> None:
    with pytest.raises(PowerError):
        run(model, checkpoint=folder, checkpoint_seconds=0, **changes)


OPTIMIZERS = ["sgd", "nesterov", "adam", "adamw", "rmsprop"]


@pytest.mark.slow(seconds=1)
@pytest.mark.usefixtures("always_looking")
@pytest.mark.parametrize("step", [4, STEPS + 1, 3 * STEPS - 1])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_resumed_fit_has_the_bits_of_an_uninterrupted_one(
    optimizer: Any, step: int, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, optimizer=optimizer)
    whole = run(one := Watched(), recipe=recipe)
    interrupted(Watched(before_training=fails_at(step)), tmp_path, recipe=recipe)
    resumed = run(two := Watched(seed=1), recipe=recipe, checkpoint=tmp_path)
    assert two.steps == whole.steps - (step - 1)  # it went on, and with the weights it had
    assert lasting(resumed) == lasting(whole)
    assert same_bits(one, two)


@pytest.mark.usefixtures("always_looking")
def test_what_is_measured_at_the_end_of_an_epoch_is_made_up_for(tmp_path: Path) -> None:
    whole = run(one := Watched())
    interrupted(Watched(before_measuring=fails_at(2 * STEPS)), tmp_path)
    assert steps_kept(tmp_path) == 2 * STEPS
    resumed = run(two := Watched(seed=1), checkpoint=tmp_path)
    assert two.steps == whole.steps - 2 * STEPS
    assert lasting(resumed) == lasting(whole)
    assert same_bits(one, two)


@pytest.mark.slow(seconds=1)
@pytest.mark.usefixtures("always_looking")
def test_any_number_of_interruptions_leaves_no_trace(tmp_path: Path) -> None:
    whole = run(one := Watched())
    for step in (2, 3, 8, 2, 5):
        interrupted(Watched(before_training=fails_at(step)), tmp_path)
    resumed = run(two := Watched(seed=1), checkpoint=tmp_path)
    assert two.steps == whole.steps - (1 + 2 + 7 + 1 + 4)
    assert lasting(resumed) == lasting(whole)
    assert same_bits(one, two)


@pytest.mark.usefixtures("always_looking")
@pytest.mark.parametrize("before", ["device", "stream"])
def test_a_fit_can_go_on_from_a_stream_and_back(before: Any, tmp_path: Path) -> None:
    after: Any = {"device": "stream", "stream": "device"}[before]
    whole = run(one := Watched())
    model = Watched(before_training=fails_at(9))
    interrupted(model, tmp_path, execution=replace(UNMEASURED, data=before))
    resumed = run(two := Watched(), checkpoint=tmp_path, execution=replace(UNMEASURED, data=after))
    assert two.steps == whole.steps - 8
    assert (resumed.losses, resumed.history) == (whole.losses, whole.history)
    assert same_bits(one, two)


def test_ctrl_c_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    def press(step: int) -> None:
        if step == 2 * STEPS + 3:
            raise KeyboardInterrupt

    whole = run(one := Watched())
    first = run(Watched(before_training=press), checkpoint=tmp_path, checkpoint_seconds=0)
    assert first.stopped_by == "interrupted"
    resumed = run(two := Watched(seed=1), checkpoint=tmp_path)
    assert two.steps == whole.steps - 2 * STEPS
    assert lasting(resumed) == lasting(whole)
    assert same_bits(one, two)


@pytest.mark.slow(seconds=20)
def test_kills_at_random_moments_leave_no_trace(fresh: Fresh, tmp_path: Path) -> None:
    """Three `kill -9` at random steps, and one when a checkpoint has just been written."""
    done = fresh.module("tests.training.programs.killed", tmp_path)
    assert done.status == 0, done.errors
    found = torch.load(tmp_path / "found.pt", weights_only=True)
    assert [signal for signal, _, _ in found["kills"]] == [9, 9, 9]
    for (_, _, kept), (_, resumed_at, _) in itertools.pairwise(found["kills"]):
        assert resumed_at == kept > 0  # each run goes on where the last checkpoint was made
    assert found["left_behind"] == [".partial", ".pt"]
    assert found["lost_while_writing"] == 0
    assert found["steps_at_the_end"] == found["steps_in_all"] - found["kills"][-1][2]
    (report, weights), (whole, never_killed) = found["killed"], found["whole"]
    assert report == whole
    assert all(torch.equal(weights[name], value) for name, value in never_killed.items())
    assert [path.name for path in (tmp_path / "checkpoint").iterdir()] == ["fit.pt"]


def steps_kept(folder: Path) -> int:
    """Return the steps of the checkpoint in a folder; 0 if there is none."""
    path = folder / "fit.pt"
    return len(torch.load(path, weights_only=True)["losses"]) if path.exists() else 0


def test_no_more_than_the_interval_is_ever_at_risk(tmp_path: Path, clock: Clock) -> None:
    """Steps of 0.3 s, looks at least 0.5 s apart, checkpoints at least 1 s apart."""
    kept: list[int] = []

    def note(step: int) -> None:
        kept.append(steps_kept(tmp_path))
        clock.forward(0.3)

    run(Watched(before_training=note), checkpoint=tmp_path, checkpoint_seconds=1)
    # Looks at 2, 4, 6, and the like; the end of an epoch is one, too.
    assert kept == [step // 4 * 4 for step in range(4 * STEPS)]


def test_a_checkpoint_less_often_than_the_fit_ends_is_made_at_the_end(tmp_path: Path) -> None:
    run(Watched(), checkpoint=tmp_path, checkpoint_seconds=1e9)
    assert steps_kept(tmp_path) == 4 * STEPS


# ----------------------------------------------------------------------------- finished fits, again


@pytest.mark.parametrize("rule", ["epochs", "interpolated", "patience", "target"])
def test_a_finished_fit_returns_at_once_with_an_equal_report(rule: str, tmp_path: Path) -> None:
    rules: dict[str, Any] = {
        "epochs": (),
        "interpolated": stopping.interpolated(),
        "patience": stopping.patience(2, on="test"),
        "target": stopping.target(0.5),
    }
    recipe = replace(RECIPE, epochs=30, augmentation=None, learning_rate=0.05)
    changes = {"recipe": recipe, "stop": rules[rule], "checkpoint": tmp_path}
    first = run(one := Watched(), **changes)
    again = run(two := Watched(seed=1), **changes)
    assert first.stopped_by == rule
    assert again == first
    assert two.steps == 0 < one.steps
    assert same_bits(one, two)


def test_a_spent_budget_is_spent(tmp_path: Path, clock: Clock) -> None:
    changes = {"stop": stopping.budget(2.0), "checkpoint": tmp_path}
    first = run(one := Watched(before_training=lambda step: clock.forward(0.25)), **changes)
    again = run(two := Watched(seed=1), **changes)
    assert (first.stopped_by, first.steps, first.seconds) == ("budget", 8, 2.0)
    assert again == first
    assert two.steps == 0
    assert same_bits(one, two)


def test_the_clock_of_a_budget_goes_on(tmp_path: Path, clock: Clock) -> None:
    def run_until(budget: float) -> FitReport:
        model = Watched(before_training=lambda step: clock.forward(0.25))
        return run(model, stop=stopping.budget(budget), checkpoint=tmp_path)

    assert run_until(1.0).steps == 4
    more = run_until(2.0)
    assert (more.steps, more.seconds) == (8, 2.0)


def test_a_finished_fit_can_be_given_more_epochs(tmp_path: Path) -> None:
    longer = replace(RECIPE, epochs=RECIPE.epochs + 2)
    whole = run(one := Watched(), recipe=longer)
    run(Watched(), checkpoint=tmp_path)
    more = run(two := Watched(seed=1), recipe=longer, checkpoint=tmp_path)
    assert two.steps == 2 * STEPS
    assert lasting(more) == lasting(whole)
    assert same_bits(one, two)


def test_a_finished_fit_can_be_given_another_end(tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=30, augmentation=None, learning_rate=0.05)
    changes = {"recipe": recipe, "checkpoint": tmp_path}
    first = run(Watched(), stop=stopping.target(0.5), **changes)
    whole = run(one := Watched(), recipe=recipe, stop=stopping.interpolated())
    more = run(two := Watched(), stop=stopping.interpolated(), **changes)
    assert first.epochs < more.epochs
    assert lasting(more) == lasting(whole)
    assert same_bits(one, two)


# -------------------------------------------------------------------------- what was measured, kept


def measured(clock: Clock, **changes: Any) -> Timed:
    """Return a network that is faster with the channels last, in a fit that is worth measuring."""
    return Timed(clock, plain=5.0, channels_last=2.5, **changes)


def until_the_power_fails(clock: Clock, folder: Path) -> None:
    model = measured(clock, fails_at=15)
    with pytest.raises(InterruptedError):
        run(model, checkpoint=folder, checkpoint_seconds=0, execution=Execution())


def test_what_was_measured_is_not_measured_again(clock: Clock, tmp_path: Path) -> None:
    until_the_power_fails(clock, tmp_path)
    kept, begun = steps_kept(tmp_path), clock.now
    resumed = run(measured(clock), checkpoint=tmp_path, execution=Execution())
    assert clock.now - begun == (4 * STEPS - kept) * 2.5  # no steps but its own
    assert resumed.execution.channels_last is True
    assert resumed.seconds_per_step == {"plain": 5.0, "channels_last": 2.5}


def test_other_wishes_than_before_come_before_what_was_measured(
    clock: Clock, tmp_path: Path
) -> None:
    until_the_power_fails(clock, tmp_path)
    wanted = Execution(channels_last=False, deterministic=True)
    resumed = run(measured(clock), checkpoint=tmp_path, execution=wanted)
    assert resumed.execution.channels_last is False
    assert resumed.execution.deterministic is True
    assert resumed.seconds_per_step == {}


# -------------------------------------------------------------------------------- the file, damaged


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The checkpoint of a finished fit."""
    run(Watched(), checkpoint=tmp_path)
    return tmp_path / "fit.pt"


def test_the_file_holds_no_code(kept: Path) -> None:
    state = torch.load(kept, weights_only=True)
    model, optimizer = Watched(seed=1), torch.optim.SGD(Watched().parameters(), momentum=0.9)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    assert len(state["losses"]) == 4 * STEPS


@pytest.mark.parametrize("left", [0, 1, 100, -1000, -1])
def test_a_truncated_file_is_an_error_that_names_it(kept: Path, left: int) -> None:
    kept.write_bytes(kept.read_bytes()[:left])
    message = rf"^{re.escape(str(kept))}: expected a checkpoint of `fit`, found .+[^.]\.$"
    with pytest.raises(DataFileError, match=message):
        run(Watched(), checkpoint=kept.parent)


@pytest.mark.parametrize(("make", "found"), NO_FILES, ids=[found for _, found in NO_FILES])
def test_what_is_no_file_is_named_and_never_waited_for(
    make: Callable[[Path], None], found: str, tmp_path: Path
) -> None:
    make(tmp_path / "fit.pt")
    with pytest.raises(DataFileError, match=rf"fit\.pt: expected a checkpoint .*, found {found}"):
        run(Watched(), checkpoint=tmp_path)


class Trap:
    """What runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_foreign_file_is_refused_and_nothing_in_it_is_run(tmp_path: Path) -> None:
    kept, sprung = tmp_path / "fit.pt", tmp_path / "sprung"
    torch.save({"model": Watched().state_dict()}, tmp_path / "weights.pt")
    torch.save({"format": 1, "trap": Trap(sprung)}, tmp_path / "trap.pt")
    for foreign, found in [
        (b"", "File is not a zip file"),
        (b"learning rate: 0.1\n" * 50, "File is not a zip file"),
        (pickle.dumps({"trap": Trap(sprung)}), "File is not a zip file"),
        ((tmp_path / "trap.pt").read_bytes(), "posix.mkdir, which is no tensor, number, or name"),
        ((tmp_path / "weights.pt").read_bytes(), "something else"),
    ]:
        kept.write_bytes(foreign)
        with pytest.raises(DataFileError, match=f": expected a checkpoint of `fit`, found {found}"):
            run(Watched(), checkpoint=tmp_path)
    assert not sprung.exists()


def parts(state: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where every part of a state is, however deep."""
    if not isinstance(state, dict | list):
        return
    for key, value in state.items() if isinstance(state, dict) else enumerate(state):
        yield (*where, key)
        yield from parts(value, (*where, key))


@pytest.mark.slow
def test_a_part_that_is_missing_or_of_another_kind_is_an_error_that_names_the_file(
    tmp_path: Path,
) -> None:
    recipe, data = replace(PLAIN, epochs=2), points(20)

    def act() -> FitReport:
        plane = nn.Linear(6, 3)  # a part of each kind, and no more
        return fit(plane, data, recipe=recipe, checkpoint=tmp_path, stop=())

    def inside(state: Any, where: tuple[Any, ...]) -> Any:
        for key in where[:-1]:
            state = state[key]
        return state

    expected = act().losses
    path = tmp_path / "fit.pt"
    whole = torch.load(path, weights_only=True)
    assert {where[0] for where in parts(whole)} > {"model", "optimizer", "losses", "state"}
    for where in parts(whole):
        if where[0] in ("format", "identity"):  # which have errors of their own
            continue
        other: list[Any] = [None, "text", 7.5, [None], {"x": "y"}, "missing"]
        if where[0] != "optimizer":  # some remember tensors of shapes of their own
            other.append(torch.zeros(2, 2))
        for value in other:
            damaged = copy.deepcopy(whole)
            if isinstance(value, str) and value == "missing":
                del inside(damaged, where)[where[-1]]
            else:
                inside(damaged, where)[where[-1]] = value
            torch.save(damaged, path)
            # And no other error; what is possible there is believed, other bits with a warning.
            with suppress(DataFileError), warnings.catch_warnings():
                warnings.filterwarnings("ignore", "the checkpoint in .* was written with")
                act()
    for name in set(whole) - {"format", "identity", "standardize", "bits"}:
        torch.save({key: value for key, value in whole.items() if key != name}, path)
        with pytest.raises(DataFileError, match=f"found no part '{name}'"):
            act()
    torch.save(whole, path)
    assert act().losses == expected


def test_a_damaged_checkpoint_leaves_the_network_as_it_was(kept: Path) -> None:
    whole = torch.load(kept, weights_only=True)
    torch.save({**whole, "state": {**whole["state"], "epochs": "two"}}, kept)
    model = Watched()
    with pytest.raises(DataFileError, match="found str for epochs"):
        run(model, checkpoint=kept.parent)
    assert same_bits(model, Watched())


@pytest.mark.slow
def test_one_wrong_bit_is_found_wherever_it_matters(kept: Path) -> None:
    whole, bits = kept.read_bytes(), random.Random(0)
    expected, found = run(one := Watched(), checkpoint=kept.parent), 0
    for _ in range(100):
        wrong = bytearray(whole)
        wrong[bits.randrange(len(wrong))] ^= 1 << bits.randrange(8)
        kept.write_bytes(wrong)
        try:  # the bit was in what nobody reads
            assert run(two := Watched(seed=1), checkpoint=kept.parent) == expected
            assert same_bits(one, two)
        except DataFileError:
            found += 1
    assert found > 50


def when_writing(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], object]) -> None:
    """Do something when a checkpoint is written, before it takes the place of the old one."""
    fsync, calls = os.fsync, itertools.count(1)

    def acting(file: int) -> None:
        fsync(file)
        if next(calls) == number:
            act()

    monkeypatch.setattr(os, "fsync", acting)


# What is written first is tried out and thrown away; then comes the checkpoint of each epoch.
THIRD = 4


def test_a_failed_write_leaves_the_old_checkpoint_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space() -> None:
        raise OSError(28, "No space left on device")

    when_writing(monkeypatch, THIRD, no_space)
    with pytest.raises(OSError, match="No space left on device"):
        run(Watched(), checkpoint=tmp_path, checkpoint_seconds=0)
    assert [path.name for path in tmp_path.iterdir()] == ["fit.pt"]
    assert steps_kept(tmp_path) == 2 * STEPS


def test_what_a_killed_process_has_left_is_ignored_and_thrown_away(kept: Path) -> None:
    (kept.parent / "fit.4711.partial").write_bytes(kept.read_bytes()[:500])
    assert run(Watched(), checkpoint=kept.parent).steps == 4 * STEPS
    assert [path.name for path in kept.parent.iterdir()] == ["fit.pt"]


# ----------------------------------------------------------------------------- another fit's folder

OTHERS: dict[str, dict[str, Any]] = {
    "learning rate": {"recipe": replace(PLAIN, learning_rate=0.01)},
    "batch size": {"recipe": replace(PLAIN, batch_size=20)},
    "seed": {"seed": 1},
    "width": {"model": nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))},
    "names of layers": {"model": nn.Sequential(nn.Identity(), *network())},
    "labels": {"train": points(classes=2)},
    "one label": {"train": points()},
    "inputs": {"train": TensorDataset(points().tensors[0] + 1, points().tensors[1])},
    "number of examples": {"train": points(50)},
    "noise": {"train": corrupt(points(), RandomLabels(), seed=5)},
    "loss": {"loss": nn.CrossEntropyLoss()},
    "optimizer": {"optimizer": lambda parameters: torch.optim.Adagrad(parameters, lr=0.05)},
    "optimizer's rate": {"optimizer": lambda parameters: torch.optim.SGD(parameters, lr=0.06)},
    "kinds of layers": {
        "model": nn.Sequential(nn.Flatten(), nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, 3))
    },
}
OTHERS["one label"]["train"].tensors[1][37] += 1
OTHERS["one label"]["train"].tensors[1].remainder_(3)


@pytest.mark.parametrize("data", ["device", "stream"])
@pytest.mark.parametrize("what", OTHERS)
def test_another_fit_is_refused_by_the_folder_s_name(what: str, data: Any, tmp_path: Path) -> None:
    def run(**changes: Any) -> FitReport:
        values: dict[str, Any] = {"model": network(), "train": points(), **changes}
        execution = Execution(data=data)
        model, train = values.pop("model"), values.pop("train")
        values = {"recipe": PLAIN, "execution": execution, "checkpoint": tmp_path, **values}
        return fit(model, train, **values)

    first = run()
    message = rf"^`checkpoint` must be a folder of this fit alone, got '{re.escape(str(tmp_path))}'"
    with pytest.raises(ValueError, match=message):
        run(**OTHERS[what])
    assert run() == first  # and it is still there


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"momentum": 0.9}, {"momentum": 0.5}),
        ({"weight_decay": 0.0}, {"weight_decay": 0.1}),
    ],
)
def test_other_numbers_of_an_optimizer_make_another_fit(
    first: dict[str, Any], second: dict[str, Any], tmp_path: Path
) -> None:
    def run(numbers: dict[str, Any]) -> FitReport:
        optimizer = partial(torch.optim.SGD, lr=0.1, **numbers)
        return fit(network(), points(), recipe=PLAIN, optimizer=optimizer, checkpoint=tmp_path)

    report = run(first)
    with pytest.raises(ValueError, match="which holds one of another recipe, seed, network, loss"):
        run(second)
    assert run(first) == report


def test_a_resumed_fit_computes_updates_as_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether they are fused is a switch for speed, and the checkpoint's does not count."""
    made: list[torch.optim.Optimizer] = []

    class Noted(torch.optim.SGD):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr(torch.optim, "SGD", Noted)
    for epochs, deterministic in [(1, False), (2, True), (3, False)]:
        recipe = replace(PLAIN, epochs=epochs)
        execution = Execution(deterministic=deterministic)
        fit(network(), points(), recipe=recipe, stop=(), execution=execution, checkpoint=tmp_path)
    assert [optimizer.param_groups[0]["fused"] for optimizer in made] == [True, None, True]


def test_losses_in_float64_are_kept_to_the_last_digit(tmp_path: Path) -> None:
    def exact(outputs: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(outputs.double(), targets)

    def run(epochs: int, folder: Path | None) -> FitReport:
        recipe = replace(PLAIN, epochs=epochs)
        return fit(network(), points(), recipe=recipe, loss=exact, stop=(), checkpoint=folder)

    run(1, tmp_path)
    assert run(2, tmp_path).losses == run(2, None).losses
    assert any(loss != torch.tensor(loss).item() for loss in run(1, None).losses)


# --------------------------------------------------- what would be lost is found before it is made


class Counting(nn.Module):
    """A network that counts its training passes."""

    def __init__(self, settings: object = None) -> None:
        super().__init__()
        self.body, self.steps, self.settings = network(), 0, settings

    def forward(self, x: Tensor) -> Tensor:
        self.steps += self.training
        out: Tensor = self.body(x)
        return out


class Extra(Counting):
    """One with a state beside its tensors."""

    def get_extra_state(self) -> object:
        return self.settings

    def set_extra_state(self, state: object) -> None:
        self.settings = state


def test_a_state_that_could_not_be_read_again_is_refused_before_the_first_step(
    tmp_path: Path,
) -> None:
    message = (
        r"^`model` and `optimizer` must have states of tensors, numbers, and names to be kept in a "
        r"checkpoint, got numpy\S*\.scalar, which is no tensor, number, or name\.$"
    )
    decay = partial(torch.optim.SGD, lr=0.1, weight_decay=np.float64(1e-4))
    odd, plain = Extra(np.float64(1.0)), Counting()
    with pytest.raises(ValueError, match=message):
        fit(odd, points(), recipe=PLAIN, checkpoint=tmp_path)
    with pytest.raises(ValueError, match=message):
        fit(plain, points(), recipe=PLAIN, optimizer=decay, checkpoint=tmp_path)
    assert odd.steps == plain.steps == 0
    assert list(tmp_path.iterdir()) == []
    fine = Extra({"numbers": [1.0, "two"]})
    report = fit(fine, points(), recipe=PLAIN, checkpoint=tmp_path)
    assert fit(fine, points(), recipe=PLAIN, checkpoint=tmp_path) == report


@contextmanager
def room(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as on a disk that is full."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [10, 1000, 5000])
def test_a_full_disk_is_named_before_the_first_step(size: int, tmp_path: Path) -> None:
    """PyTorch hides the reason behind an error about positions in its archive."""
    model = Counting()
    with (
        room(size),
        pytest.raises(OSError, match=rf"File too large: '{re.escape(str(tmp_path / 'fit.pt'))}'$"),
    ):
        fit(model, points(), recipe=PLAIN, checkpoint=tmp_path)
    assert model.steps == 0
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (file := tmp_path / "model.pt").touch()
    message = rf"^`checkpoint` must be a folder, got the file '{re.escape(str(file))}'\.$"
    with pytest.raises(ValueError, match=message):
        fit(network(), points(), recipe=PLAIN, checkpoint=file)


# --------------------------------------------------------------------------- two fits in one folder


def test_one_that_is_disturbed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one takes what is just being written for what a killed process has left."""

    def other() -> None:
        run(Watched(), checkpoint=tmp_path)

    when_writing(monkeypatch, THIRD, other)
    message = r"^`checkpoint` must be a folder of this fit alone, got '.*', where another one is at"
    with pytest.raises(ValueError, match=message):
        run(Watched(), checkpoint=tmp_path, checkpoint_seconds=0)
    assert steps_kept(tmp_path) == 4 * STEPS  # the other's


_OTHER = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
import torch
torch.set_num_threads(1)
from tests.training.test_checkpoint import run
from tests.training.programs.problem import Watched
from tests.waiting import until

def wait(step):
    Path({begun!r}).touch()
    until(Path({written!r}).exists, "a checkpoint that another process writes")

run(Watched(before_training=wait), checkpoint={folder!r})
"""


def test_two_that_write_at_once_do_not_mix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: Callable[[str], str]
) -> None:
    """The other one, in another process, has begun first, and ends while this one writes."""
    folder, begun, written = (tmp_path / name for name in ("fit", "begun", "written"))
    paths = {"begun": begun, "written": written, "folder": folder, "root": _ROOT}
    program = _OTHER.format(**{name: str(path) for name, path in paths.items()})

    def end_the_other() -> None:
        written.touch()
        assert other.result(waiting.HANG) == ""
        assert steps_kept(folder) == 4 * STEPS

    kept: list[int] = []

    def note(step: int) -> None:
        if step == STEPS + 1:
            kept.append(steps_kept(folder))

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(fresh, program)
        waiting.until(lambda: begun.exists() or other.done(), "a fit in another process")
        when_writing(monkeypatch, 2, end_the_other)
        run(Watched(before_training=note), checkpoint=folder, checkpoint_seconds=0)
    assert kept == [STEPS]


def test_a_folder_is_made_and_may_be_given_as_text(tmp_path: Path) -> None:
    run(Watched(), checkpoint=str(tmp_path / "new" / "one"))
    assert (tmp_path / "new" / "one" / "fit.pt").exists()


@pytest.mark.parametrize(
    ("seconds", "kind", "message"),
    [
        (-1, ValueError, r"^`checkpoint_seconds` must be at least 0, got -1\.$"),
        ("often", TypeError, r"^`checkpoint_seconds` must be a number, got 'often'\.$"),
    ],
)
def test_a_wrong_interval_is_one_clear_error(
    seconds: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        run(Watched(), checkpoint_seconds=seconds)


# ------------------------------------------------------------------------------- losses gone astray


def losing(at: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a loss that is infinite in one training pass."""
    steps = 0

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        nonlocal steps
        steps += outputs.requires_grad
        return cross_entropy(outputs, targets) * (torch.inf if steps == at else 1.0)

    return loss


@pytest.mark.usefixtures("always_looking")
def test_a_loss_gone_astray_names_the_last_good_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLossError) as caught:
        run(Watched(), loss=losing(9), checkpoint=tmp_path, checkpoint_seconds=0)
    assert caught.value.step == 9
    assert caught.value.checkpoint == tmp_path / "fit.pt"
    assert str(caught.value).endswith(f" The last good checkpoint is {tmp_path / 'fit.pt'}.")
    state = torch.load(tmp_path / "fit.pt", weights_only=True)
    assert len(state["losses"]) == 8
    assert state["losses"].isfinite().all()
    assert all(value.isfinite().all() for value in state["model"].values())
    assert state["losses"].tolist() == list(run(Watched()).losses[:8])


def test_without_a_checkpoint_none_is_named() -> None:
    with pytest.raises(NonFiniteLossError) as caught:
        run(Watched(), loss=losing(9))
    assert caught.value.checkpoint is None
    assert "checkpoint" not in str(caught.value)


def test_no_checkpoint_is_named_when_none_was_made_yet(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLossError) as caught:
        run(Watched(), loss=losing(2), checkpoint=tmp_path)
    assert caught.value.checkpoint is None


@pytest.mark.usefixtures("always_looking")
def test_a_network_that_is_no_longer_finite_is_not_kept(tmp_path: Path) -> None:
    """The first step is fine; its update is not, and only the second loss shows it."""
    recipe = replace(PLAIN, learning_rate=3e38)
    data = TensorDataset(points().tensors[0] * 1e3, points().tensors[1])
    with pytest.raises(NonFiniteLossError) as caught:
        fit(network(), data, recipe=recipe, checkpoint=tmp_path, checkpoint_seconds=0)
    assert caught.value.step == 2
    assert caught.value.checkpoint is None


@pytest.mark.usefixtures("always_looking")
@pytest.mark.parametrize("where", ["parameter", "running statistic", "momentum", "mask", "nowhere"])
def test_what_counts_as_finite(where: str, tmp_path: Path) -> None:
    """A nan appears after the third step, where its loss cannot show it."""
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    model.register_buffer("mask", torch.tensor([0.0, 0.0]))

    class Poisoned(torch.optim.SGD):
        done = 0

        @torch.no_grad()
        def step(self, closure: Any = None) -> Any:
            super().step()
            self.done += 1
            places = {
                "parameter": model.get_parameter("0.weight"),
                "running statistic": model.get_buffer("1.running_var"),
                "momentum": self.state[model.get_parameter("0.bias")]["momentum_buffer"],
                "mask": model.get_buffer("mask"),
            }
            if self.done == 3 and where in places:
                places[where].view(-1)[1] = torch.nan

    def poisoned() -> FitReport:
        return fit(
            model,
            points(),
            recipe=PLAIN,
            optimizer=lambda parameters: Poisoned(parameters, lr=0.05, momentum=0.9),
            checkpoint=tmp_path,
            checkpoint_seconds=0,
        )

    if where in ("mask", "nowhere"):
        assert steps_kept(tmp_path) == 0
        assert poisoned().steps == steps_kept(tmp_path)
    else:
        with pytest.raises(NonFiniteLossError):
            poisoned()
        assert steps_kept(tmp_path) == 2


# ------------------------------------------------------------------------------------- and no trace

_WRITTEN: list[str] = []
_listening = False


def _note_writes(event: str, arguments: tuple[Any, ...]) -> None:
    opened = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if _listening and (opened or event in ("os.mkdir", "os.rename")):
        _WRITTEN.append(str(arguments[0]))


def test_without_a_folder_nothing_is_written_anywhere(tmp_path: Path) -> None:
    def written(**changes: Any) -> list[str]:
        global _listening
        _WRITTEN.clear()
        _listening = True
        try:
            run(Watched(), checkpoint_seconds=0, **changes)
        finally:
            _listening = False
        return _WRITTEN.copy()

    sys.addaudithook(_note_writes)  # cannot be taken back, but told not to listen
    assert written() == []
    assert written(checkpoint=tmp_path) != []
