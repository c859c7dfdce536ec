"""Follow a test while it runs: keep what is finished, show it at the end, however it ends."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from corruptlab._cli._errors import UserError, as_user_errors
from corruptlab._cli._output import Output
from corruptlab._cli._shell import DONE, INTERRUPTED, NOT_ALL, say, show
from corruptlab.experiments import RandomizationReport


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
                written = output is None or output.save_report(last.to_dict())
    except KeyboardInterrupt:  # between fits; during one, the report itself says so
        interrupted = True
    except UserError:
        _show(last, output)
        raise
    if last is not None and interrupted:
        last = replace(last, interrupted=True)
        written = output is None or output.save_report(last.to_dict())
    written = _show(last, output) and written
    if last is None or last.interrupted:
        say(f"interrupted; {_kept(last, output)}")
        return INTERRUPTED
    return DONE if written else NOT_ALL


def _show(report: RandomizationReport | None, output: Output | None) -> bool:
    """Print the table and write the figure, if there is a row; return whether all was written."""
    if report is None or not report.rows:
        return True
    show(report)
    if output is None:
        return True
    return output.save_figure(report.figure, done=f"wrote {output.report} and {output.figure}")


def _kept(report: RandomizationReport | None, output: Output | None) -> str:
    done = [] if report is None else [s.setting.label for s in report.finished]
    if not done:
        return "no setting was finished."
    where = f" in {output.report}" if output else ""
    return f"kept what was finished{where}: {', '.join(done)}."
