"""What an audit found: one finding a check, in plain words."""

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from corruptlab._environment import Environment
from corruptlab._reports import Report, Rows
from corruptlab._text import counted

Status: TypeAlias = Literal["ok", "warning", "error", "skipped"]
"""``"warning"``: may be meant, and should be known; ``"error"``: results would be wrong."""

_WIDTH = 100


@dataclass(frozen=True)
class Finding:
    """Result of one check of an audit.

    Args:
        check: Name of the check, such as ``"train: noise rate"``.
        status: ``"ok"``, ``"warning"``, ``"error"``, or ``"skipped"`` if it does not apply.
        message: Description of the result, with a remedy for problems.

    Example:
        >>> from corruptlab.experiments import Finding
        >>> Finding("train: classes", "ok", "10 classes with 400 examples each.").status
        'ok'
    """

    check: str
    status: Status
    message: str


@dataclass(frozen=True, kw_only=True, repr=False)
class AuditReport(Report, Rows[Finding], kind="audit", derived=("ok",)):
    """Report of an audit; ``print(report)`` shows it, ``report["train: items"]`` is one finding.

    Skipped checks are printed by name only; their messages state the reasons.

    Attributes:
        findings: One finding per check, in the order of the checks.
        train: Name of the training set.
        test: Name of the test set; empty without one.
        n_train: Number of training examples.
        n_test: Number of test examples; 0 without a test set.
        sample: Maximum number of items of each set that were read repeatedly.
        seed: Seed of the sample.
        workers: Number of worker processes that read the sample.
        environment: Versions and machine.

    Example:
        >>> import corruptlab as cl
        >>> report = cl.experiments.audit([([0.0], 0), ([1.0], 1), ([1.0], 0)], workers=0)
        >>> report.ok  # no errors; what there is are warnings
        True
        >>> report["train: duplicates"].message
        '2 of 3 inputs are copies of one another, and of these 2 have conflicting labels, as items 1
        (label 1) and 2 (label 0); no network can fit more than 66.67% of all labels.'
    """

    findings: tuple[Finding, ...]
    train: str
    test: str
    n_train: int
    n_test: int
    sample: int
    seed: int
    workers: int
    environment: Environment

    @property
    def ok(self) -> bool:
        """Whether no finding is an error; warnings and skipped checks do not count."""
        return all(finding.status != "error" for finding in self.findings)

    def _named(self) -> Mapping[str, Finding]:
        return {finding.check: finding for finding in self.findings}

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        return [vars(finding) for finding in self.findings]

    def __repr__(self) -> str:
        return f"AuditReport({self._data()}: {_counts(self.findings)})"

    def __str__(self) -> str:
        """Return one paragraph a check, the names of skipped checks, and the counts below."""
        return "\n".join(
            [
                f"audit of {self._data()}",
                "",
                *_lines(self.findings),
                "",
                _counts(self.findings),
                f"{counted(self.sample, 'item')} sampled with seed {self.seed}, "
                f"{counted(self.workers, 'worker')}",
                str(self.environment),
            ]
        )

    def _data(self) -> str:
        test = f", test set {self.test} ({counted(self.n_test, 'example')})" if self.n_test else ""
        return f"{self.train} ({counted(self.n_train, 'example')}){test}"


def _lines(findings: tuple[Finding, ...]) -> list[str]:
    """Return a paragraph for each check that applied, and one with the names of the others."""
    widest = max(len(status) for status in get_args(Status))
    applied = [finding for finding in findings if finding.status != "skipped"]
    names = max((len(finding.check) for finding in applied), default=0)
    lines = []
    for finding in applied:
        head = f"{finding.status.ljust(widest)}  {finding.check.ljust(names)}  "
        lines += _wrapped(head, finding.message)
    skipped = [finding.check for finding in findings if finding.status == "skipped"]
    return lines + _wrapped(f"{'skipped'.ljust(widest)}  ", ", ".join(skipped))


def _wrapped(head: str, message: str) -> list[str]:
    indent = " " * len(head)
    return textwrap.wrap(message, _WIDTH, initial_indent=head, subsequent_indent=indent)


def _counts(findings: tuple[Finding, ...]) -> str:
    counts = Counter(finding.status for finding in findings)
    errors, warnings = counts["error"], counts["warning"]
    return (
        f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}, "
        f"{counts['ok']} ok, {counts['skipped']} skipped"
    )
