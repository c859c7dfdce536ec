"""A randomization test of a network: fits from the same weights, one for each setting."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from corruptlab._arrays import check_classes
from corruptlab._data import open_dataset
from corruptlab._modules import (
    ModelSource,
    copied,
    count_parameters,
    network_of,
    resolve_device,
    scores_of,
)
from corruptlab._random_state import preserve_rng_state
from corruptlab._types import Collate
from corruptlab.corruptions import Corrupted
from corruptlab.experiments.randomization._pair import Pair
from corruptlab.experiments.randomization._report import RandomizationReport, SettingResult
from corruptlab.experiments.randomization._settings import Setting
from corruptlab.training import EpochReport, Execution, fit, stopping

CorruptedSetting: TypeAlias = tuple[Corrupted, Corrupted | None, Setting]

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Outputs and labels of a batch in, their mean loss out."""

OptimizerFactory: TypeAlias = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
"""Parameters in, optimizer out."""

Stop: TypeAlias = stopping.StoppingRule | Sequence[stopping.StoppingRule]


@dataclass(frozen=True)
class FitOptions:
    """What `fit` is called with besides data, recipe, and seed; None stands for its default."""

    device: torch.device | str | None = None
    collate: Collate | None = None
    optimizer: OptimizerFactory | None = None
    loss: Loss | None = None
    stop: Stop | None = None
    execution: Execution | None = None
    checkpoint: str | os.PathLike[str] | None = None
    on_epoch_end: Callable[[EpochReport], object] | None = None

    def __post_init__(self) -> None:
        if self.checkpoint is not None and not isinstance(self.checkpoint, str | os.PathLike):
            raise TypeError(f"`checkpoint` must be the path of a folder, got {self.checkpoint!r}.")

    def within(self, folder: str) -> "FitOptions":
        """Return the same with checkpoints in a folder below."""
        return (
            self
            if self.checkpoint is None
            else replace(self, checkpoint=Path(self.checkpoint) / folder)
        )

    def of(self, setting: Setting) -> dict[str, Any]:
        """Return the arguments for one setting, whose checkpoints have a folder of their own."""
        folder = self.checkpoint
        if folder is not None:
            folder = Path(folder) / quote(setting.name, safe=" ").replace(".", "%2E")
        return {
            "device": self.device,
            "collate": self.collate,
            "optimizer": self.optimizer,
            "loss": cross_entropy if self.loss is None else self.loss,
            "stop": stopping.interpolated() if self.stop is None else self.stop,
            "checkpoint": folder,
            "on_epoch_end": self.on_epoch_end,
        }


class InitialModel:
    """Copies of one network, which may be made by a function: equal initial weights."""

    def __init__(self, source: ModelSource, *, seed: int) -> None:
        self._network = network_of(source, seed=seed)
        self.name = type(self._network).__name__
        self.num_parameters = count_parameters(self._network)

    def __call__(self) -> nn.Module:
        """Return a fresh copy."""
        return copied(self._network)


@dataclass(frozen=True)
class Run:
    """All that is fixed during a randomization test."""

    fresh: InitialModel
    data: Pair
    start: RandomizationReport
    options: FitOptions
    progress: bool
    suffix: str = ""  # of the names of fits

    def reports(self) -> Iterator[RandomizationReport]:
        report = self.start
        try:
            corrupted = self.tried_settings()
        except KeyboardInterrupt:
            yield replace(report, interrupted=True)
            return
        for data in corrupted:
            try:
                row = self.result(*data, report)
            except KeyboardInterrupt:  # while data was read: there is nothing of this one
                row = None
            except (Exception, SystemExit) as error:
                if report.rows:
                    with suppress(AttributeError):  # an error of a frozen class keeps nothing
                        error.report = report  # type: ignore[union-attr]  # documented
                raise
            report = _grown(report, row)
            yield report
            if report.interrupted:
                return

    def tried_settings(self) -> list[CorruptedSetting]:
        """Corrupt the data for every setting, and run a batch of each through the network."""
        model = self.fresh()
        model.to(resolve_device(model, self.options.device))
        with preserve_rng_state():  # random transforms of the data would move them
            self.check(model, self.data.train, self.data.test)
            return [self.tried(setting, model) for setting in self.start.remaining]

    def tried(self, setting: Setting, model: nn.Module) -> CorruptedSetting:
        try:
            train, test, done = self.data.corrupted(setting)
            if not setting.is_clean:
                self.check(model, train, test)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(
                "`settings` must serve what `model` and `recipe` accept, "
                f"got {setting.name!r}, for which {error}"
            ) from error
        return train, test, done

    def check(self, model: nn.Module, train: Corrupted, test: Corrupted | None) -> None:
        """Run a batch of both sets through the network, and compare its outputs with all labels."""
        recipe, size = self.start.recipe, self.start.recipe.batch_size
        device = next((each.device for each in model.parameters()), torch.device("cpu"))
        for role, dataset in {"train": train, "test": test}.items():
            if dataset is not None:
                at = range(min(size, len(dataset)))
                few, _ = open_dataset(dataset, role).batch_at(at, self.options.collate)
                recipe.check_inputs(few, name=role)
                tried = recipe.with_statistics_of(few, name=role)  # of all, in the fit
                scores = scores_of(model, tried.prepare(few.to(device)))
                labels = torch.tensor(dataset.targets)
                check_classes(labels, f"`{role}` labels", num_classes=scores.shape[1])

    def result(
        self,
        train: Corrupted,
        test: Corrupted | None,
        setting: Setting,
        report: RandomizationReport,
    ) -> SettingResult:
        fitted = fit(
            self.fresh(),
            train,
            test,
            recipe=report.recipe,
            measure="loss",
            seed=report.seed,
            # What the first fit found fastest holds for all, or their times could not be compared.
            execution=_executed_alike(report, self.options.execution or Execution()),
            progress=self.progress,
            name=setting.label + self.suffix,
            **self.options.of(setting),
        )
        return SettingResult.of(
            setting,
            fitted,
            labels_changed=train.realized_rate,
            fingerprint=train.fingerprint,
            baseline=fitted if setting.is_clean else report.baseline,
        )


def _executed_alike(report: RandomizationReport, asked: Execution) -> Execution:
    """Return how the first fit ran; whether data can be read once is for each setting to say."""
    if not report.rows:
        return asked
    first = report.rows[0].fit.execution
    return replace(first, data=asked.data) if first.data == "device" else first


def _grown(report: RandomizationReport, row: SettingResult | None) -> RandomizationReport:
    """Add a row; a fit that Ctrl-C ended stays among what remains, and without a step is no row."""
    interrupted = row is None or row.fit.stopped_by == "interrupted"
    if row is None or row.fit.steps == 0:
        return replace(report, interrupted=True)
    return replace(
        report,
        rows=(*report.rows, row),
        remaining=report.remaining if interrupted else report.remaining[1:],
        interrupted=interrupted,
        environment=row.fit.environment,
    )
