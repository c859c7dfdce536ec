"""One training run: everything that changes from step to step."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from corruptlab._progress import Progress
from corruptlab.training._accuracy import FullPass, Measuring
from corruptlab.training._checkpoint import Checkpoint, is_finite
from corruptlab.training._choice import Choice, candidates, choose
from corruptlab.training._execution import Execution
from corruptlab.training._history import EpochEnd, Interpolation, State
from corruptlab.training._losses import LossLog
from corruptlab.training._modes import layer_seeds, seed_layers
from corruptlab.training._optimizers import set_rate
from corruptlab.training._processes import Processes
from corruptlab.training._recipe import Recipe
from corruptlab.training._report import Measure
from corruptlab.training._source import Batch, Source
from corruptlab.training._stepper import Loss, Stepper
from corruptlab.training._stopping import StoppingRule, budget

# Batches of a pass that keeps nothing for a gradient can be larger, which is faster; but not
# so much larger that a network whose training fits in the memory is too large for it.
_MEASURED_AT_ONCE, _TIMES_A_BATCH = 256, 8

# Settings of PyTorch's optimizers that change speed and last digits, but not what is meant.
_HOW = ("foreach", "fused", "capturable")

# Reading a loss makes the processor wait for the device: often enough to watch, too rare to cost.
_SECONDS_BETWEEN_LOOKS = 0.5
# A first look at the speed, when it has settled.
_SECONDS_BEFORE_CHOOSING, _STEPS_BEFORE_CHOOSING = 1.0, 10


@dataclass(frozen=True)
class Plan:
    """All that does not change during a fit.

    Args:
        recipe: The hyper-parameters.
        seed: Decides the data order, the augmentation, and what layers draw.
        loss: Mean loss of a batch.
        rules: When to stop before the recipe's epochs are over.
        measure: What is measured after every epoch.
        train: The training examples.
        validation: The examples that early stopping looks at, or None.
        test: The test examples, or None.
        processes: Who takes part.
        execution: How the user wants the machine to be used.
        checkpoint_seconds: Seconds between two checkpoints.
    """

    recipe: Recipe
    seed: int
    loss: Loss
    rules: tuple[StoppingRule, ...]
    measure: Measure
    train: Source
    validation: Source | None
    test: Source | None
    processes: Processes
    execution: Execution
    checkpoint_seconds: float


class Training:
    """A network on its way from its first step to wherever the fit stops.

    Args:
        model: The network, on the device.
        optimizer: What changes it.
        plan: All that does not change.
        start: How to begin: the user's execution with everything open switched off.
        checkpoint: Where to keep the state, or None.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        plan: Plan,
        *,
        start: Execution,
        checkpoint: Checkpoint | None,
    ) -> None:
        self.model, self.optimizer, self.plan = model, optimizer, plan
        self.steps_per_epoch = -(-len(plan.train) // plan.recipe.batch_size)
        self.log = LossLog(self.steps_per_epoch, plan.recipe.learning_rate, plan.processes)
        self.state = State()
        self.choice: Choice | None = None
        self.checkpoint = checkpoint
        self.passed: tuple[int, FullPass] | None = None  # a whole pass over train, and its step
        self._start = start
        self._running_since: float | None = None
        self._looked = self._saved = time.perf_counter()
        self._next_look = 0  # the step of the next look, which several processes agree on
        batch = plan.recipe.batch_size
        at_once = max(batch, min(_MEASURED_AT_ONCE, _TIMES_A_BATCH * batch))
        self._measuring = Measuring(plan.loss, at_once, plan.processes)

    # ---------------------------------------------------------------- what stopping rules may know

    @property
    def epochs(self) -> int:
        """Finished epochs."""
        return self.state.epochs

    @property
    def seconds(self) -> float:
        """Seconds spent training."""
        running = self._running_since
        since = 0.0 if running is None else time.perf_counter() - running
        return self.plan.processes.agreed(self.state.seconds + since)

    @property
    def epoch_losses(self) -> Sequence[float]:
        """Mean loss over the batches of each finished epoch."""
        return [end.loss for end in self.state.history]

    @property
    def test_accuracies(self) -> Sequence[float]:
        """Test accuracy after each finished epoch; empty if not measured."""
        return [end.test for end in self.state.history if end.test is not None]

    @property
    def validation_accuracies(self) -> Sequence[float]:
        """Validation accuracy after each finished epoch; empty if not measured."""
        return [end.validation for end in self.state.history if end.validation is not None]

    def reaches(self, accuracy: float) -> bool:
        """Tell whether the network is right on at least this share of the training examples."""
        if self.passed is None or self.passed[0] != self.log.steps:
            found = self._pass_that_reaches(accuracy)
            if found is None:
                return False
            self.passed = self.log.steps, found
        return self.passed[1].accuracy >= accuracy

    # ----------------------------------------------------------------------------------- the loop

    @property
    def execution(self) -> Execution:
        """How it is done now."""
        return self._start if self.choice is None else self.choice.execution

    @property
    def steps_at_most(self) -> int:
        """Steps of all the epochs that the recipe allows."""
        return self.steps_per_epoch * self.plan.recipe.epochs

    def run(self, line: Progress) -> str:
        """Train until a rule says stop or the epochs are over.

        Args:
            line: Is told how it goes.

        Returns:
            The name of the rule, or ``"epochs"``.
        """
        self.model.train()
        self._use(self.execution)
        at_boundary = self.log.steps == self.epochs * self.steps_per_epoch
        rules = self.plan.rules if at_boundary else self._budgets
        if self.log.steps and (rule := self._met(rules)):  # resumed after the last step
            return rule.name
        for epoch in range(self.epochs, self.plan.recipe.epochs):
            with self._clock():
                stopped_by = self._epoch(epoch, line)
            if stopped_by:
                return stopped_by
            self._end_epoch(epoch)
            if rule := self._met(self.plan.rules):
                return rule.name
            self._save_if_due()
        return "epochs"

    def measure(self, source: Source) -> FullPass:
        """Measure the network, as it stands, on all of some examples.

        Args:
            source: The examples.

        Returns:
            Accuracy and loss.
        """
        if source is self.plan.train and self.passed and self.passed[0] == self.log.steps:
            return self.passed[1]
        self.plan.processes.share_buffers(self.model)
        with self._stepper.autocast():
            return self._measuring.full_pass(self.model, source)

    def _pass_that_reaches(self, accuracy: float) -> FullPass | None:
        self.plan.processes.share_buffers(self.model)
        with self._stepper.autocast():
            return self._measuring.pass_that_reaches(accuracy, self.model, self.plan.train)

    def _epoch(self, epoch: int, line: Progress) -> str | None:
        """Do the steps of one epoch that are left, and tell which rule ended it in the middle."""
        recipe, first = self.plan.recipe, epoch * self.steps_per_epoch
        set_rate(self.optimizer, recipe, epoch)
        steps = range(self.log.steps, first + self.steps_per_epoch)
        seeds = layer_seeds(self.plan.seed, steps, self.plan.processes.rank)
        batches = self.plan.train.shuffled(epoch, recipe.batch_size, steps.start - first)
        for seed, batch in zip(seeds, batches, strict=True):
            seed_layers(seed, self.plan.processes.device)
            self.log.add(self._stepper.step(batch))
            if self._time_to_look():
                self._look(epoch, line)
                self._choose_if_due(batch)
                self._save_if_due()
                if rule := self._met(self._budgets):
                    return rule.name
        self._look(epoch, line)
        return None

    def _end_epoch(self, epoch: int) -> None:
        """Measure what is asked for after every epoch, and remember it in one act."""
        losses = self.log.since(epoch * self.steps_per_epoch)
        end = EpochEnd(
            loss=math.fsum(losses) / len(losses),
            train=self._accuracy_of(self.plan.train, self.plan.measure == "all"),
            validation=self._accuracy_of(self.plan.validation, True),
            test=self._accuracy_of(self.plan.test, self.plan.measure != "loss"),
        )
        reached = self.state.interpolation
        if reached is None and self.reaches(1.0):
            reached = Interpolation(self.log.steps, self.seconds)
        history = (*self.state.history, end)
        self.state = replace(self.state, epochs=epoch + 1, history=history, interpolation=reached)

    def _accuracy_of(self, source: Source | None, wanted: bool) -> float | None:
        if source is None or not wanted:
            return None
        found = self.measure(source)
        if source is self.plan.train:
            self.passed = self.log.steps, found
        return found.accuracy

    @property
    def _budgets(self) -> list[StoppingRule]:
        """The rules that can be met in the middle of an epoch."""
        return [rule for rule in self.plan.rules if isinstance(rule, budget)]

    def _met(self, rules: Sequence[StoppingRule]) -> StoppingRule | None:
        # All rules are asked everywhere, because asking may be an exchange between processes.
        met = [rule for rule in rules if self.plan.processes.agreed(bool(rule.met(self)))]
        return met[0] if met else None

    # ---------------------------------------------------------------- looking, choosing, and saving

    def _time_to_look(self) -> bool:
        if self.plan.processes.size > 1:
            return self.log.steps >= self._next_look
        return time.perf_counter() - self._looked >= _SECONDS_BETWEEN_LOOKS

    def _look(self, epoch: int, line: Progress) -> None:
        steps, looked = self.log.unchecked, self._looked
        mean = self.log.check()
        line.update(self.log.steps, f"epoch {epoch + 1}  loss {mean:.4f}")
        self._looked = time.perf_counter()
        if self.plan.processes.size > 1:
            pace = _SECONDS_BETWEEN_LOOKS / (self._looked - looked)
            ahead = self.plan.processes.agreed(max(1, round(steps * pace)))
            self._next_look = self.log.steps + ahead

    def _choose_if_due(self, batch: Batch) -> None:
        """Measure once, when the speed is known, whether another way of doing it is faster."""
        seconds = self.seconds
        if self.choice is not None or seconds < _SECONDS_BEFORE_CHOOSING:
            return
        if self.log.steps < _STEPS_BEFORE_CHOOSING:
            return
        plan, start = self.plan, self._start
        left = seconds / self.log.steps * (self.steps_at_most - self.log.steps)
        changes = candidates(
            plan.execution, plan.recipe.precision, self.model, plan.processes.device, left
        )
        if not changes:
            self.choice = Choice(start, {})
            return
        begun = time.perf_counter()
        own = replace(batch, inputs=batch.inputs.clone(), targets=batch.targets.clone())
        self.choice = choose(
            start,
            changes,
            model=self.model,
            loss=plan.loss,
            optimizer=self.optimizer,
            batch=own,
            processes=plan.processes,
        )
        self._use(self.choice.execution)
        if self._running_since is not None:  # what was spent on choosing is no training
            self._running_since += time.perf_counter() - begun

    def _use(self, execution: Execution) -> None:
        self.plan.train.lay_out(channels_last=execution.channels_last is True)
        self._stepper = Stepper(
            self.model,
            self.plan.loss,
            self.optimizer,
            execution=execution,
            processes=self.plan.processes,
        )

    def _save_if_due(self) -> None:
        if self.checkpoint is None:
            return
        due = time.perf_counter() - self._saved >= self.plan.checkpoint_seconds
        if self.plan.processes.agreed(due):
            self.save()

    def save(self) -> None:
        """Write a checkpoint of a network that is still finite, if there is a place for it."""
        if self.checkpoint is None:
            return
        kept = self._kept()
        if self.plan.processes.first and is_finite(self.model, self.optimizer):
            self.checkpoint.save(kept)
        self._saved = time.perf_counter()

    def _kept(self) -> dict[str, Any]:
        """Return all that a resumption needs."""
        losses, choice = self.log.since(0), self.choice
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "losses": torch.tensor(losses, dtype=torch.float64, device="cpu"),
            "state": replace(self.state, seconds=self.seconds).to_dict(),
            "wanted": self._wanted(),
            "execution": None if choice is None else choice.execution.to_dict(),
            "seconds_per_step": {} if choice is None else choice.seconds_per_step,
        }

    def resume(self) -> None:
        """Go back to the last checkpoint, if there is one."""
        if self.checkpoint is None:
            return
        processes, checkpoint, fresh = self.plan.processes, self.checkpoint, self._kept()
        kept = processes.from_first(checkpoint.load)
        if kept is None:
            processes.from_first(lambda: checkpoint.try_out(fresh))
            return
        self.model.load_state_dict(kept["model"])
        # How the update is computed is for this run to say.
        for group, own in zip(
            kept["optimizer"]["param_groups"], self.optimizer.param_groups, strict=True
        ):
            group.update({name: own[name] for name in _HOW if name in own})
        self.optimizer.load_state_dict(kept["optimizer"])
        self.log.resume(kept["losses"].tolist())
        self.state = State.from_dict(kept["state"])
        if kept["execution"] is not None and kept["wanted"] == self._wanted():
            chosen, start = Execution.from_dict(kept["execution"]), self._start
            chosen = replace(chosen, data=start.data, workers=start.workers)
            self.choice = Choice(chosen, kept["seconds_per_step"])

    def _wanted(self) -> dict[str, object]:
        """Return what a choice of the execution depends on: made for other wishes, it is void."""
        execution = replace(self.plan.execution, data="auto", workers=0)
        return {**execution.to_dict(), "device": self.plan.processes.device.type}

    @contextmanager
    def _clock(self) -> Iterator[None]:
        self._running_since = time.perf_counter()
        try:
            yield
        finally:
            spent = self.state.seconds + time.perf_counter() - self._running_since
            self.state, self._running_since = replace(self.state, seconds=spent), None
