"""The training loop: steps, measurements, stopping rules, and checkpoints."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from corruptlab._modules import preserve_mode
from corruptlab._progress import Progress
from corruptlab._threads import use_threads
from corruptlab.training._checkpoint import Checkpoint, check_kind, check_tensors, is_finite
from corruptlab.training._contexts import layer_seeds
from corruptlab.training._data import DataSource, DeviceData
from corruptlab.training._distributed import Processes
from corruptlab.training._epoch_report import EpochReport, OnEpochEnd
from corruptlab.training._execution import Execution
from corruptlab.training._fit_state import FitState, Interpolation, Stopwatch
from corruptlab.training._heads import FitHeads
from corruptlab.training._metrics import Evaluator, FullPass, Loss, LossLog, NonFiniteLossError
from corruptlab.training._optimizers import Movement, set_rate
from corruptlab.training._recipe import Recipe
from corruptlab.training._report import EpochEnd, Measure
from corruptlab.training._stepper import (
    EagerSteps,
    GraphSteps,
    Stepper,
    Tuned,
    candidates,
    tune,
    uncaptured,
)
from corruptlab.training._stopping import StoppingRule, budget

# Batches of a pass that keeps nothing for a gradient can be larger, which is faster: at most as
# many examples, and as many batches of training, for which a GPU most likely has room.
_MEASURED_AT_ONCE = {"cpu": (256, 8), "cuda": (4096, 32)}

# Settings of PyTorch's optimizers that change speed and last digits, but not what is meant.
_HOW = ("foreach", "fused", "capturable")

# Reading a loss makes the processor wait for the device: often enough to watch, too rare to cost.
_SECONDS_BETWEEN_LOOKS = 0.5
# A first look at the speed, when it has settled.
_SECONDS_BEFORE_TUNING, _STEPS_BEFORE_TUNING = 1.0, 10
# Steps after which parameters must have moved; an optimizer may gather gradients until then.
_STEPS_BEFORE_MOVEMENT = 64


@dataclass(frozen=True)
class FitConfig:
    """All that does not change during a fit."""

    recipe: Recipe
    seed: int
    loss: Loss
    rules: tuple[StoppingRule, ...]
    measure: Measure
    train: DataSource
    validation: DataSource | None
    test: DataSource | None
    processes: Processes
    execution: Execution
    checkpoint_seconds: float
    on_epoch_end: OnEpochEnd | None
    heads: FitHeads | None
    name: str

    @property
    def data(self) -> list[DataSource]:
        """The data sets that are there, the training set first."""
        return [data for data in (self.train, self.validation, self.test) if data is not None]


class Trainer:
    """A network on its way from its first step to wherever the fit stops."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        config: FitConfig,
        *,
        start: Execution,
        checkpoint: Checkpoint | None,
    ) -> None:
        self.model, self.optimizer, self.config = model, optimizer, config
        self.steps_per_epoch = -(-len(config.train) // config.recipe.batch_size)
        self.log = LossLog(self.steps_per_epoch, config.recipe.learning_rate, config.processes)
        self.state = FitState()
        self.tuned: Tuned | None = None
        self.checkpoint = checkpoint
        self.failure: Exception | None = None  # of `on_epoch_end`
        self._last_pass: tuple[int, FullPass | None] = -1, None  # over train, and its step
        self._missed = -1, math.inf  # a step, and an accuracy that was out of reach at it
        self._start = start
        self._watch = Stopwatch(0.0, 0.0)
        self._settled: tuple[int, float] | None = None  # steps and seconds of the first look
        self._steps: EagerSteps | GraphSteps  # from `begin` on
        self._uncaptured = "the fit was over before it knew how fast it is"
        self._looked = self._saved = time.perf_counter()
        self._next_look = 0  # the step of the next look, which several processes agree on
        batch, kind = config.recipe.batch_size, config.processes.device.type
        most, times = _MEASURED_AT_ONCE.get(kind, _MEASURED_AT_ONCE["cpu"])
        at_once = max(batch, min(most, times * batch))
        self._evaluator = Evaluator(config.loss, at_once, batch, config.processes)

    # ---------------------------------------------------------------- what stopping rules may know

    @property
    def epochs(self) -> int:
        """Finished epochs."""
        return self.state.epochs

    @property
    def seconds(self) -> float:
        """Seconds spent training."""
        return self.config.processes.agreed(self._watch.seconds)

    @property
    def seconds_of_tuning(self) -> float:
        """Seconds spent choosing and capturing how a step is done."""
        return self.config.processes.agreed(self._watch.apart_seconds)

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
        if (known := self._known_pass) is None:
            step, missed = self._missed
            if step == self.log.steps and accuracy >= missed:
                return False
            self.config.processes.share_buffers(self.model)
            with self._measuring():
                known = self._evaluator.pass_that_reaches(accuracy, self.model, self.config.train)
            if known is None:
                self._missed = self.log.steps, accuracy
                return False
            self._last_pass = self.log.steps, known
        return known.accuracy >= accuracy

    # ----------------------------------------------------------------------------------- the loop

    @property
    def execution(self) -> Execution:
        """How it is to be done now."""
        return self._start if self.tuned is None else self.tuned.execution

    @property
    def executed(self) -> tuple[Execution, str]:
        """How it is done, and why steps are not captured; empty if they are."""
        steps = self._steps
        captured = isinstance(steps, GraphSteps) and steps.captured
        refusal = steps.refusal if isinstance(steps, GraphSteps) else self._uncaptured
        compiled = steps.stepper.compiled
        return replace(self.execution, cuda_graphs=captured, compile=compiled), refusal

    @property
    def steps_at_most(self) -> int:
        """Steps of all the epochs that the recipe allows."""
        return self.steps_per_epoch * self.config.recipe.epochs

    def begin(self) -> None:
        """Make what does the steps; before that nothing can be measured either."""
        self.model.train()
        self._use(self.execution)

    def run(self, line: Progress) -> str:
        """Train until a rule says stop or the epochs are over."""
        at_boundary = self.log.steps == self.epochs * self.steps_per_epoch
        rules = self.config.rules if at_boundary else self._budgets
        if self.log.steps and (rule := self._met(rules)):  # resumed after the last step
            return rule.name
        movement = None if self.log.steps else Movement(self.optimizer)
        for epoch in range(self.epochs, self.config.recipe.epochs):
            with self._watch.running():
                stopped_by = self._epoch(epoch, line)
            if stopped_by:
                return stopped_by
            if movement and self.log.steps >= min(_STEPS_BEFORE_MOVEMENT, self.steps_at_most):
                movement.check(self.log.steps)
                movement = None
            self._end_epoch(epoch)
            self._tell_of_epoch(epoch)
            if rule := self._met(self.config.rules):
                return rule.name
            self._save_if_due()
        return "epochs"

    def measure(self, source: DataSource) -> FullPass:
        """Measure the network, as it stands, on all of some examples."""
        on_train = source is self.config.train
        if on_train and (known := self._known_pass) is not None:
            return known
        self.config.processes.share_buffers(self.model)
        with self._measuring():
            found = self._evaluator.full_pass(self.model, source)
        if on_train:
            self._last_pass = self.log.steps, found
        return found

    def not_finite_when_measured(self, loss: float) -> NonFiniteLossError:
        """Return the error for a full pass whose loss is not finite."""
        steps = self.log.steps
        if steps == 0 or not is_finite(self.model, self.optimizer):
            return self.log.error(steps, loss, done=steps)
        cause = (
            "every loss of the training was finite, but in evaluation mode the outputs are not; "
            "look at what differs there: batch norm's running statistics, and code that asks "
            "`self.training`."
        )
        return NonFiniteLossError(steps, loss, cause)

    @contextmanager
    def _measuring(self) -> Iterator[None]:
        known = self.config.heads
        paused = nullcontext() if known is None else known.heads.paused()
        with self._steps.stepper.autocast(), paused:
            yield

    @property
    def _known_pass(self) -> FullPass | None:
        """The last whole pass over the training examples, unless steps were done since."""
        return self._last_pass[1] if self._last_pass[0] == self.log.steps else None

    def _epoch(self, epoch: int, line: Progress) -> str | None:
        """Do the steps of one epoch that are left, and tell which rule ended it in the middle."""
        recipe, first = self.config.recipe, epoch * self.steps_per_epoch
        set_rate(self.optimizer, recipe, epoch)
        end = first + self.steps_per_epoch
        while self.log.steps < end:
            start, steps = self.log.steps, self._steps
            seeds = layer_seeds(self.config.seed, range(start, end), self.config.processes.rank)
            for _ in steps.epoch(epoch, start - first, seeds):
                if self._time_to_look():
                    self._look(epoch, line)
                    self._tune_if_due()
                    self._save_if_due()
                    if rule := self._met(self._budgets):
                        return rule.name
                if self._steps is not steps:  # and the rest of the epoch is done by others
                    break
        self._look(epoch, line)
        return None

    def _end_epoch(self, epoch: int) -> None:
        """Measure what is asked for after every epoch, and remember it in one act."""
        losses = self.log.since(epoch * self.steps_per_epoch)
        end = EpochEnd(
            loss=math.fsum(losses) / len(losses),
            train=self._accuracy_of(self.config.train, self.config.measure == "all"),
            validation=self._accuracy_of(self.config.validation, True),
            test=self._accuracy_of(self.config.test, self.config.measure != "loss"),
        )
        reached = self.state.interpolation
        if reached is None and self.reaches(1.0):
            reached = Interpolation(self.log.steps, self.seconds)
        history = (*self.state.history, end)
        self.state = replace(self.state, epochs=epoch + 1, history=history, interpolation=reached)

    def _tell_of_epoch(self, epoch: int) -> None:
        """Tell whoever follows the fit, in one process only; the modes of layers are put back."""
        tell, end = self.config.on_epoch_end, self.state.history[-1]
        if tell is None:
            return
        now = EpochReport(
            name=self.config.name,
            epoch=epoch + 1,
            step=self.log.steps,
            loss=end.loss,
            losses=tuple(self.log.since(epoch * self.steps_per_epoch)),
            train_accuracy=end.train,
            validation_accuracy=end.validation,
            test_accuracy=end.test,
            learning_rate=float(self.optimizer.param_groups[0]["lr"]),
            seconds=self.seconds,
        )

        def work() -> None:
            tell(now)

        try:
            with preserve_mode(self.model):
                self.config.processes.from_first(work)
        except Exception as error:
            self.failure = error
            raise

    def _accuracy_of(self, source: DataSource | None, wanted: bool) -> float | None:
        return self.measure(source).accuracy if source is not None and wanted else None

    @property
    def _budgets(self) -> list[StoppingRule]:
        """The rules that can be met in the middle of an epoch."""
        return [rule for rule in self.config.rules if isinstance(rule, budget)]

    def _met(self, rules: Sequence[StoppingRule]) -> StoppingRule | None:
        # All rules are asked everywhere, because asking may be an exchange between processes.
        met = [rule for rule in rules if self.config.processes.agreed(bool(rule.met(self)))]
        return met[0] if met else None

    # ------------------------------------------------------------------ looking, tuning, and saving

    def _time_to_look(self) -> bool:
        if self.config.processes.size > 1:
            return self.log.steps >= self._next_look
        return time.perf_counter() - self._looked >= _SECONDS_BETWEEN_LOOKS

    def _look(self, epoch: int, line: Progress) -> None:
        steps, looked = self.log.unchecked, self._looked
        mean = self.log.check()
        line.update(self.log.steps, f"epoch {epoch + 1}  loss {mean:.4f}")
        self._looked = time.perf_counter()
        if self.config.processes.size > 1:
            seconds = max(self._looked - looked, 1e-9)  # a clock may be coarse
            ahead = round(steps * _SECONDS_BETWEEN_LOOKS / seconds)
            ahead = self.config.processes.agreed(max(1, ahead))
            self._next_look = self.log.steps + ahead

    def _tune_if_due(self) -> None:
        """Measure once, when the speed is known, whether another way of doing it is faster."""
        if self.tuned is not None:
            return
        if self._settled is None:  # what came before includes the start of the device
            self._settled = self.log.steps, self.seconds
            return
        steps, seconds = self.log.steps - self._settled[0], self.seconds - self._settled[1]
        if seconds < _SECONDS_BEFORE_TUNING or steps < _STEPS_BEFORE_TUNING:
            return
        config, start = self.config, self._start
        left = seconds / steps * (self.steps_at_most - self.log.steps)
        precision, device = config.recipe.precision, config.processes.device
        refusal, wanted = self._refusal, config.execution
        if config.train.is_collated and wanted.compile == "auto":
            wanted = replace(wanted, compile=False)  # every new shape would be compiled
        changes = candidates(
            wanted,
            precision,
            self.model,
            device,
            left,
            capturable=not refusal,
        )
        if not changes:
            why = refusal or f"it is worth no measurement for the {left:.1f} s that were left"
            self.tuned, self._uncaptured = Tuned(start, {}), why
            return
        with self._watch.apart():
            self.tuned = tune(
                start,
                changes,
                model=self.model,
                loss=config.loss,
                optimizer=self.optimizer,
                batch=self._steps.batch(),
                processes=config.processes,
            )
            self._uncaptured = refusal or self.tuned.uncaptured
            self._use(self.tuned.execution, self._steps)

    def _use(self, execution: Execution, under_way: object = None) -> None:
        config = self.config
        use_threads(execution.threads)
        config.train.use_layout(channels_last=execution.channels_last is True)
        stepper = Stepper(
            self.model,
            config.loss,
            self.optimizer,
            execution=execution,
            processes=config.processes,
            heads=config.heads,
        )
        self._uncaptured = (refusal := self._refusal) or self._uncaptured
        if execution.cuda_graphs is True and not refusal and isinstance(config.train, DeviceData):
            batch_size = config.recipe.batch_size
            self._steps = GraphSteps(stepper, config.train, batch_size, self.log, self._watch.apart)
        elif isinstance(under_way, EagerSteps):
            under_way.stepper = stepper  # whoever loads batches goes on with it
        else:
            self._steps = EagerSteps(stepper, config.train, config.recipe.batch_size, self.log)

    @property
    def _refusal(self) -> str:
        """Why steps cannot be captured, as far as that is known beforehand; or nothing."""
        config, train = self.config, self.config.train
        return uncaptured(config.execution, train, self.model, self.optimizer, config.processes)

    def _save_if_due(self) -> None:
        if self.checkpoint is None:
            return
        due = time.perf_counter() - self._saved >= self.config.checkpoint_seconds
        if self.config.processes.agreed(due):
            self.save()

    def save(self) -> None:
        """Write a checkpoint of a network that is still finite, if there is a place for it."""
        if self.checkpoint is None:
            return
        kept = self._snapshot()
        if self.config.processes.first and is_finite(self.model, self.optimizer):
            self.checkpoint.save(kept)
        self._saved = time.perf_counter()

    def _snapshot(self) -> dict[str, Any]:
        """Return all that a resumption needs."""
        losses, tuned, heads = self.log.since(0), self.tuned, self.config.heads
        return {
            **({} if heads is None else {"heads": heads.heads.state_dict()}),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "losses": torch.tensor(losses, dtype=torch.float64, device="cpu"),
            "state": replace(
                self.state, seconds=self.seconds, seconds_of_tuning=self.seconds_of_tuning
            ).to_dict(),
            "wanted": self._wanted(),
            "execution": None if tuned is None else tuned.execution.to_dict(),
            "seconds_per_step": {} if tuned is None else tuned.seconds_per_step,
        }

    def resume(self) -> None:
        """Go back to the last checkpoint, if there is one."""
        if self.checkpoint is None:
            return
        processes, checkpoint, fresh = self.config.processes, self.checkpoint, self._snapshot()
        kept = processes.from_first(checkpoint.load)
        if kept is None:
            processes.from_first(lambda: checkpoint.try_out(fresh))
            return
        with checkpoint.understood():
            self._go_on_from(kept, fresh)

    def _go_on_from(self, kept: dict[str, Any], fresh: dict[str, Any]) -> None:
        """Take over a state; all of it is looked at before anything is changed."""
        for name, value in fresh.items():
            if name != "execution":
                check_kind(name, kept[name], type(value))
        check_tensors("weights", kept["model"], fresh["model"])
        state, losses = FitState.from_dict(kept["state"]), kept["losses"].double().tolist()
        if kept["losses"].ndim != 1 or not state.epochs * self.steps_per_epoch <= len(losses):
            raise ValueError(f"{len(losses)} losses for {state.epochs} epochs")
        for name, seconds in kept["seconds_per_step"].items():
            check_kind(f"seconds_per_step of {name}", seconds, float)
        tuned = None
        if kept["execution"] is not None:
            check_kind("execution", kept["execution"], dict)
            chosen = Execution.from_dict(kept["execution"])
            chosen = replace(chosen, data=self._start.data, workers=self._start.workers)
            tuned = Tuned(chosen, kept["seconds_per_step"])
        optimizer = self._completed(kept["optimizer"])
        if self.config.heads is not None:
            self.config.heads.heads.load_state_dict(kept["heads"])
        self.optimizer.load_state_dict(optimizer)
        self.model.load_state_dict(kept["model"])
        self.log.resume(losses)
        self.state, self._watch = state, Stopwatch(state.seconds, state.seconds_of_tuning)
        if kept["wanted"] == self._wanted():
            self.tuned = tuned

    def _completed(self, optimizer: dict[str, Any]) -> dict[str, Any]:
        """Return the state of an optimizer whose settings are of the kinds of this run's."""
        groups = []
        for group, own in zip(optimizer["param_groups"], self.optimizer.param_groups, strict=True):
            for name, value in own.items():
                if type(value) in (int, float, tuple):
                    found = group.get(name, value)
                    check_kind(f"optimizer, {name}", found, int, float, type(value))
            # How the update is computed is for this run to say.
            how = {name: own[name] for name in _HOW if name in own}
            groups.append({**own, **group, "params": list(group["params"]), **how})
            remembered = [optimizer["state"].get(at, {}) for at in group["params"]]
            kinds = [{name: type(value) for name, value in each.items()} for each in remembered]
            if any(kind != next(filter(None, kinds)) for kind in kinds if kind):
                raise TypeError("an optimizer that remembers other things of each parameter")
        if strays := optimizer["state"].keys() - {at for each in groups for at in each["params"]}:
            raise ValueError(f"an optimizer that remembers parameter {min(strays)}")
        return {**optimizer, "param_groups": groups}

    def _wanted(self) -> dict[str, object]:
        """Return what a choice of the execution depends on: made for other wishes, it is void."""
        execution = replace(self.config.execution, data="auto", workers=0)
        return {**execution.to_dict(), "device": self.config.processes.device.type}
