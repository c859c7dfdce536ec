"""The randomization test of estimators and training functions."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from corruptlab import _learners
from corruptlab import _text as text
from corruptlab._by_name import describe
from corruptlab._environment import Environment
from corruptlab._json import Json, digest
from corruptlab._progress import Progress
from corruptlab._random_state import preserve_rng_state, seeded_generators
from corruptlab._records import Record
from corruptlab._reports import Report, Rows, scalars
from corruptlab._sweeps import sweep
from corruptlab._types import Array, Labels
from corruptlab.corruptions import Corrupted, LabelCorruption, is_input_corruption
from corruptlab.experiments.randomization._pair import Pair
from corruptlab.experiments.randomization._report import (
    GROUPS,
    LEAST,
    accuracies,
    cells_of,
    row_line,
    sizes_of,
)
from corruptlab.experiments.randomization._settings import Setting, default_settings

_MEASURED = ("train_accuracy", "test_accuracy", "labels_changed", "fingerprint", "seconds")


@dataclass(frozen=True, kw_only=True, repr=False)
class LearnerResult(Record, derived=("generalization_gap", "interpolated")):
    """Result of a learner on one setting of a randomization test.

    Attributes:
        setting: The setting.
        train_accuracy: Accuracy on the training set, with corrupted labels.
        test_accuracy: Accuracy on the test set, with clean labels; None without a test set.
        labels_changed: Realized share of training labels that differ from the clean labels.
        fingerprint: Fingerprint of the corrupted training set; see `Corrupted.fingerprint`.
        seconds: Time of training and evaluation.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> def by_heart(data: cl.LabelledData, *, seed):
        ...     known = {tuple(x): label for x, label in data}
        ...     return lambda inputs: np.array([known.get(tuple(x), 0) for x in inputs])
        >>> x, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
        >>> report = cl.randomization_test(by_heart, (x, y), settings=["true", "random-labels"])
        >>> report["random-labels"].interpolated, report["random-labels"].labels_changed
        (True, 0.65)
    """

    setting: Setting
    train_accuracy: float
    test_accuracy: float | None
    labels_changed: float
    fingerprint: str
    seconds: float

    @property
    def name(self) -> str:
        """Name of the setting."""
        return self.setting.name

    @property
    def generalization_gap(self) -> float | None:
        """Training accuracy minus test accuracy; None without a test set."""
        return None if self.test_accuracy is None else self.train_accuracy - self.test_accuracy

    @property
    def interpolated(self) -> bool:
        """Whether every training example is classified correctly after training."""
        return self.train_accuracy == 1.0

    def __repr__(self) -> str:
        return f"LearnerResult({row_line(self)})"


@dataclass(frozen=True, kw_only=True, repr=False)
class LearnerReport(
    Report,
    Rows[LearnerResult],
    kind="randomization_test of a learner",
    derived=("complete",),
):
    """Report of the randomization test of an estimator or a training function.

    ``print(report)`` prints a table with one row per setting. ``report["random-labels"]`` is one
    row, and ``list(report)`` are all.

    Attributes:
        rows: Results, true labels first.
        remaining: Settings that were not run.
        default_settings: Which settings were selected by default, and why; empty if they were
            given.
        interrupted: Whether Ctrl-C ended the test early.
        learner: Name of the learner.
        data: Name of the data.
        n_train: Number of training examples.
        n_test: Number of test examples; 0 without a test set.
        num_classes: Number of classes.
        seed: Seed of corruptions and of the learner.
        environment: Versions and machine.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> def constant(data: cl.LabelledData, *, seed):
        ...     return lambda inputs: np.zeros(len(inputs), int)
        >>> x, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
        >>> cl.randomization_test(constant, (x, y), settings=["true"])
        LearnerReport(constant on (ndarray, ndarray): true 50.0%/-)
    """

    rows: tuple[LearnerResult, ...]
    remaining: tuple[Setting, ...]
    interrupted: bool
    learner: str
    data: str
    n_train: int
    n_test: int
    num_classes: int
    seed: int
    environment: Environment
    default_settings: str = ""

    @property
    def complete(self) -> bool:
        """Whether every setting was run."""
        return not self.remaining

    def _named(self) -> Mapping[str, LearnerResult]:
        return {row.name: row for row in self.rows}

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        return [{"name": row.name, **scalars(row)} for row in self.rows]

    def __repr__(self) -> str:
        """Return a line: a row is training / test accuracy."""
        state = ", interrupted" if self.interrupted else ""
        return f"LearnerReport({self.learner} on {self.data}: {accuracies(self.rows)}{state})"

    def __str__(self) -> str:
        """Return a table, with what made it below."""
        lines = ["Training accuracy refers to the corrupted labels, test accuracy to clean labels."]
        if self.default_settings:
            lines.append(self.default_settings)
        if self.remaining:
            lines.append(f"Not run: {', '.join(setting.label for setting in self.remaining)}.")
        facts = facts_of_learner(self, f"seed {self.seed}")
        table = text.grouped(GROUPS, [cells_of(row) for row in self.rows], least=LEAST)
        return "\n".join([*table, "", *lines, "", *text.facts(facts)])


def facts_of_learner(report: LearnerReport, seeds: str) -> dict[str, str]:
    """Say what made the rows."""
    sizes, made = sizes_of(report.n_train, report.n_test), report.environment
    return {
        "learner": report.learner,
        "data": f"{report.data}, {sizes}, {text.counted(report.num_classes, 'class', 'classes')}",
        "run": f"{seeds}, {text.counted(made.threads, 'thread')}, {made.platform}",
        "with": made.versions,
    }


@dataclass(frozen=True, eq=False)
class LearnedSetting:
    """Trains and measures a learner on one setting: a trial of a sweep."""

    learner: _learners.Trainable
    rows: _learners.Rows  # of the training set
    new_rows: _learners.Rows | None  # of the test set
    targets: _learners.Targets  # of the training examples, then of the test examples
    pair: Pair  # of the same examples, to be corrupted
    seed: int

    def __call__(self, *, setting: Setting) -> dict[str, Any]:
        """Return what `LearnerResult` holds besides the setting."""
        start = time.perf_counter()
        train, rows, new = self.corrupted(setting)
        at, codes = np.arange(len(rows)), self._codes(train)
        data = _learners.LabelledData(rows, at, codes, self.targets)
        with preserve_rng_state():
            answers = self.learner.trained(data, self.targets, seed=self.seed)
            right = _learners.predicted(answers, rows, at, "classes")
            test = None
            if new is not None:
                told = _learners.predicted(answers, new, np.arange(len(new)), "classes")
                test = _share(told, self.targets.codes[len(rows) :])
        return {
            "train_accuracy": _share(right, codes),
            "test_accuracy": test,
            "labels_changed": train.realized_rate,
            "fingerprint": train.fingerprint,
            "seconds": time.perf_counter() - start,
        }

    def check(self, setting: Setting) -> None:
        """Corrupt the data, or say which setting does not suit them."""
        try:
            self.corrupted(setting)
        except (TypeError, ValueError) as error:
            if str(error).startswith("`settings`"):
                raise
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(
                f"`settings` must suit the data, got {setting.name!r}, for which {error}"
            ) from error

    def corrupted(
        self, setting: Setting
    ) -> tuple[Corrupted, _learners.Rows, _learners.Rows | None]:
        """Return the corrupted training set, and the rows of both sets as the learner has them."""
        of_labels = all(isinstance(each, LabelCorruption) for each in setting.corruptions)
        if not of_labels and not _has_inputs(self.rows):
            raise TypeError(
                "`settings` must corrupt labels alone where inputs are no array of numbers, got "
                f"{setting.name!r}."
            )
        train, test, done = self.pair.corrupted(setting)
        rows, new = self.rows, self.new_rows
        if any(is_input_corruption(each) for each in done.corruptions):
            rows, new = rows.like(train), None if new is None else new.like(test)
        own = self.learner.rows
        return train, own(rows), None if new is None else own(new)

    def _codes(self, train: Corrupted) -> Labels:
        """Return labels of corrupted data as codes."""
        if isinstance(self.rows, _learners.PairRows):  # they are codes there
            return train.targets
        encoding = train.provenance.encoding
        labels = train.targets
        return self.targets.coded(
            labels if encoding is None else np.array(encoding.classes)[labels], "train"
        )

    def to_dict(self) -> dict[str, Json]:
        """Return what tells this test from others; a folder holds the trials of one."""
        return self._identity

    @cached_property
    def _identity(self) -> dict[str, Json]:
        what: dict[str, Json] = {
            "learner": self.learner.identity(),
            "inputs": [
                None if each is None else each.digest() for each in (self.rows, self.new_rows)
            ],
            "codes": self.targets.codes.tolist(),
            "values": self.targets.values.tolist(),
            "seed": self.seed,
        }
        return {"learner": self.learner.name, "sha256": digest(what)}


def _has_inputs(rows: _learners.Rows) -> bool:
    """Return whether inputs can be corrupted."""
    return not isinstance(rows, _learners.PairRows) or rows.is_numeric


def _first_input(rows: _learners.Rows) -> Array | None:
    """Return a batch of one input; None if inputs are no array of numbers."""
    at = np.zeros(1, np.int64)
    if isinstance(rows, _learners.PairRows):
        return np.asarray(rows.inputs(at)) if rows.is_numeric else None
    try:
        return rows.examples.inputs_at(at)
    except (TypeError, ValueError):
        return None


def _clean(rows: _learners.Rows, codes: Labels) -> Any:
    """Return a data set of these examples: with their inputs, or positions in place of them."""
    if _has_inputs(rows):
        return rows.dataset(codes, "settings")
    return np.arange(len(codes))[:, None], codes


def _share(predicted: torch.Tensor, codes: Labels) -> float:
    return int((predicted.numpy() == codes).sum()) / len(codes)


@dataclass(frozen=True)
class LearnerTest:
    """All that is fixed during the randomization test of a learner."""

    trial: LearnedSetting
    start: LearnerReport
    executor: Executor | int | None
    out: str | os.PathLike[str] | None
    progress: bool

    @classmethod
    def of(
        cls,
        learner: _learners.Trainable,
        train: Any,
        test: Any,
        settings: tuple[Setting, ...] | None,
        *,
        p: float,
        seed: int,
        num_classes: int | None,
        keys: dict[str, Any],
        executor: Executor | int | None,
        out: str | os.PathLike[str] | None,
        progress: bool,
        names: tuple[str, str],
    ) -> "LearnerTest":
        """Read the data, and try every corruption before the first training."""
        new = None
        with seeded_generators(seed % 2**32):  # what random transforms draw
            rows, labels, known = _learners.read_examples(train, "train", **keys)
            if test is not None:
                new, truth, _ = _learners.read_examples(test, "test", **keys)
                labels = _learners.joined(labels, truth)
        targets = _learners.code(
            labels, "train", numbers=learner.numbers, num_classes=num_classes, known=known
        )
        if targets.are_numbers:
            raise TypeError(
                "`model` must learn classes, as labels are corrupted to other classes, got a "
                "learner of real-valued targets."
            )
        n, k = len(rows), len(targets.values)
        pair = Pair.of(
            _clean(rows, targets.codes[:n]),
            None if new is None else _clean(new, targets.codes[n:]),
            seed=seed,
            num_classes=k if isinstance(rows, _learners.PairRows) else num_classes,
            **({} if isinstance(rows, _learners.PairRows) else keys),
        )
        why = ""
        if settings is None:
            settings, why = default_settings(_first_input(rows), p=p)
        trial = LearnedSetting(learner, rows, new, targets, pair, seed)
        for setting in settings:
            trial.check(setting)
        start = LearnerReport(
            rows=(),
            remaining=settings,
            default_settings=why,
            interrupted=False,
            learner=names[0] or learner.name,
            data=names[1] or describe(train),
            n_train=len(rows),
            n_test=0 if new is None else len(new),
            num_classes=len(targets.values),
            seed=seed,
            environment=Environment.here(),
        )
        if executor is not None or out is not None:
            _learners.check_pickles(model=learner)
        return cls(trial, start, executor, out, progress)

    def reports(self) -> Iterator[LearnerReport]:
        """Yield the report so far after every setting."""
        with _learners.kept_in(self.executor, self.out) as folder:
            results = self._here() if folder is None else self._swept(folder)
            report = self.start
            for setting, found in results:
                if found is None:
                    yield replace(report, interrupted=True)
                    return
                row = LearnerResult(setting=setting, **found)
                rest = tuple(each for each in report.remaining if each.name != row.name)
                report = replace(report, rows=(*report.rows, row), remaining=rest)
                yield report

    def _here(self) -> Iterator[tuple[Setting, dict[str, Any] | None]]:
        settings = self.start.remaining
        with Progress(len(settings), "randomization test", show=self.progress) as line:
            for done, setting in enumerate(settings, 1):
                try:
                    found = self.trial(setting=setting)
                except KeyboardInterrupt:
                    yield setting, None
                    return
                line.update(done)
                yield setting, found

    def _swept(self, folder: Any) -> Iterator[tuple[Setting, dict[str, Any] | None]]:
        settings, trial = self.start.remaining, self.trial
        grid = [{"setting": setting} for setting in settings]
        done = sweep(grid, trial, self.executor, out=folder, progress=self.progress)
        if done.failures:
            raise RuntimeError(
                f"`model` must train on every setting, got {done.failed} that failed, such as "
                f"{done.failures[0].error}; the others are kept where `out` is given."
            )
        table = done.table()
        for row in range(table.num_rows):
            name = table["setting.name"][row]
            found = {each: table[each][row] for each in _MEASURED}
            yield next(one for one in settings if one.name == name), _plain(found)
        if done.interrupted:
            yield settings[-1], None


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    """Return the cells of a table as they were before."""
    numbers = {name: value for name, value in found.items() if name != "fingerprint"}
    missing = {name for name, value in numbers.items() if value is None or np.isnan(value)}
    return {
        name: None if name in missing else value if name == "fingerprint" else float(value)
        for name, value in found.items()
    }
