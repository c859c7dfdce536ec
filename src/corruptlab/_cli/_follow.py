"""Follow a test while it runs: keep what is finished, show it at the end, however it ends."""

import sys
from collections.abc import Iterator
from dataclasses import replace

import torch

from corruptlab._cli._errors import UserError, as_user_errors
from corruptlab._cli._output import Output
from corruptlab._errors import MissingExtraError
from corruptlab.experiments import RandomizationReport

DONE, NOT_WRITTEN, INTERRUPTED = 0, 1, 130  # 130 is 128 + SIGINT, as shells report it


def follow(reports: Iterator[RandomizationReport], output: Output | None) -> int:
    """Run a test to its end, by itself, by Ctrl-C, or by an error.

    Progress and remarks go to standard error, the table to standard output.

    Args:
        reports: The report so far, after every setting.
        output: Where to write, if anywhere.

    Returns:
        Exit code.

    Raises:
        UserError: If a fit failed for a reason that lies in what was asked for; the settings
            before it are shown and kept.
    """
    last, interrupted, written = None, False, True
    try:
        # A loss that is not finite, data that does not fit the network or the memory: no bug.
        with as_user_errors(ValueError, ArithmeticError, MemoryError, torch.OutOfMemoryError):
            for last in reports:
                written = _write_report(last, output)
    except KeyboardInterrupt:  # between fits; during one, the report itself says so
        interrupted = True
    except UserError:
        _show(last, output)
        raise
    if last is not None and interrupted:
        last = replace(last, interrupted=True)
        written = _write_report(last, output)
    written = _show(last, output) and written
    if last is None or last.interrupted:
        _say(f"interrupted; {_kept(last, output)}")
        return INTERRUPTED
    return DONE if written else NOT_WRITTEN


def _show(report: RandomizationReport | None, output: Output | None) -> bool:
    """Print the table and write the figure, if there is a row; return whether all was written."""
    if report is None or not report.rows:
        return True
    print(report, flush=True)
    return _write_figure(report, output)


def _write_report(report: RandomizationReport, output: Output | None) -> bool:
    if output is None:
        return True
    try:
        output.write_report(report.to_dict())
    except OSError as error:  # a full disk is no reason to throw away hours of training
        _say(f"{output.report} could not be written ({error.strerror or error}).")
        return False
    return True


def _write_figure(report: RandomizationReport, output: Output | None) -> bool:
    if output is None:
        return True
    try:
        output.write_figure(report.figure())
    except (MissingExtraError, OSError) as error:
        old = "; the one there is of an earlier run" if output.figure.exists() else ""
        _say(f"{output.figure} was not written{old}: {error}")
        return isinstance(error, MissingExtraError)  # it was never promised without the extra
    _say(f"wrote {output.report} and {output.figure}")
    return True


def _kept(report: RandomizationReport | None, output: Output | None) -> str:
    done = [] if report is None else [s.setting.label for s in report.finished]
    if not done:
        return "no setting was finished."
    where = f" in {output.report}" if output else ""
    return f"kept what was finished{where}: {', '.join(done)}."


def _say(text: str) -> None:
    print(f"corruptlab: {text}", file=sys.stderr, flush=True)
