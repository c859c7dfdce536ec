"""``corruptlab reproduce``: a table or figure of the paper, measured beside published."""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from corruptlab._cli import _output as cli
from corruptlab._cli._output import DONE, INTERRUPTED, MISTAKES, NOT_ALL, Output, UserError
from corruptlab.experiments.paper import EXHIBITS, Reproduction, kept_results, plan, reproduce
from corruptlab.experiments.paper._exhibits import can_draw

_DESCRIPTION = """\
Run the rows of a table or figure of Zhang et al. 2017, and compare the results with the
published numbers. The estimated time of each row is shown before the first row starts."""

_EXAMPLES = """\
examples:
  corruptlab reproduce table1 --rows mlp --data cifar10:data --out out
  corruptlab reproduce table1 --data cifar10:data --estimate
  corruptlab reproduce table3 --data idx:mnist --data cifar10:data --most 1 --out out
  corruptlab reproduce fig1b --rows mlp-1x512 --seeds 3 --data cifar10:data --out out
  corruptlab reproduce table3 --rows cifar10-conv --set filters=2000 --data cifar10:data --out out

The same command, repeated after Ctrl-C or a crash, runs only the missing trials."""


def _add(reproduce: argparse.ArgumentParser) -> None:
    what = reproduce.add_argument_group("rows")
    what.add_argument("what", metavar="WHAT", help=", ".join(EXHIBITS))
    what.add_argument(
        "--data",
        action="append",
        metavar="DATA",
        help="cifar10:FOLDER, idx:FOLDER for MNIST, imagenet:FOLDER with folders train and val, "
        "can be repeated; other images that 'corruptlab test' accepts can replace a single one",
    )
    what.add_argument(
        "--rows",
        action="append",
        metavar="A,B,...",
        help="rows by name, or by words or parts of words of their names (default: all)",
    )
    cli.add_seeds(what, default=1, drawn="corruptions")
    cli.add_epochs(what, default="by row")
    what.add_argument(
        "--set",
        action="append",
        metavar="NAME=VALUE",
        help="set a parameter of the rows, such as filters=2000 or recipe.batch_size=256",
    )
    how = reproduce.add_argument_group("execution")
    how.add_argument(
        "--estimate", action="store_true", help="only print the estimated time of each row"
    )
    how.add_argument(
        "--most", type=float, metavar="HOURS", help="skip rows with a longer estimated time"
    )
    cli.add_workers(how, work="rows")
    cli.add_device(how)
    how.add_argument(
        "--out", metavar="FOLDER", help="folder for the trials, report.json, and figure.png"
    )
    how.add_argument(
        "--keep",
        metavar="FOLDER",
        help="add the measurements to the results in this folder, such as docs/results, "
        "with the parameters that --set and --epochs changed",
    )
    how.add_argument(
        "--note", default="", metavar="TEXT", help="a note, saved with the measurements"
    )


def run_reproduce(options: argparse.Namespace) -> int:
    """Run rows of a table or figure, show the table, and write its files."""
    if not options.out and not options.estimate:
        raise UserError("--out must be a folder to keep trials in, got none.")
    with cli.as_user_errors(*MISTAKES):
        workers, asked = cli.executor(options), _asked(options)
        if options.estimate:
            cli.show(plan(out=options.out, progress=True, **asked))
            return DONE
        if options.note and not options.keep:
            raise UserError(f"--note must go with --keep, got {options.note!r} alone.")
        if options.keep:  # what cannot be added to is better found now
            kept_results(cli.writable("--keep", options.keep), options.what)
        found = reproduce(out=options.out, executor=workers, progress=True, **asked)
    return _shown(found, options)


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    rows = [word for text in options.rows or [] for word in cli.words(text)]
    return {
        "what": options.what,
        "data": options.data or [],
        "rows": rows if options.rows else None,
        "seeds": cli.seeds(options),
        "epochs": options.epochs,
        "changes": _changes(options.set or []),
        "device": options.device,
        "most_hours": options.most,
    }


def _changes(typed: Sequence[str]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name, value in map(_change, typed):
        if name in changes:
            raise UserError(f"--set must name {name} once, got {changes[name]!r} and {value!r}.")
        changes[name] = value
    return changes


def _change(text: str) -> tuple[str, Any]:
    """Return name and value of ``NAME=VALUE``; what is no JSON is text."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise UserError(f"--set must be NAME=VALUE, got {text!r}.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _shown(found: Reproduction, options: argparse.Namespace) -> int:
    """Print the table, write what was asked for, and tell what is missing."""
    if found.measurements:
        cli.show(found.table())
    for name, why in found.left_out.items():
        cli.say(f"left out: {name}: {why}")
    for failure in found.failures:
        cli.say(f"failed: {failure}")
    written = _written(found, options)
    if found.interrupted:
        cli.say("interrupted; repeat the command to resume.")
        return INTERRUPTED
    return DONE if written and found.complete else NOT_ALL


def _written(found: Reproduction, options: argparse.Namespace) -> bool:
    if not found.measurements:
        return True
    output = Output(str(found.out / found.exhibit.name))
    written = output.save_report(found.to_dict())
    if written:
        cli.say(f"wrote {output.report}")
    if can_draw(found.exhibit):
        written = output.save_figure(found.plot, done=f"wrote {output.figure}") and written
    if options.keep:
        with cli.as_user_errors(*MISTAKES):
            cli.say(f"saved in {found.keep(options.keep, note=options.note)}")
    return written


REPRODUCE = cli.Command(
    "measure a table or figure of the paper, and compare",
    _DESCRIPTION,
    _EXAMPLES,
    _add,
    run_reproduce,
)
