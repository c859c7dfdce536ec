"""``corruptlab reproduce``: a table or figure of the paper, measured beside published."""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from corruptlab._cli._errors import MISTAKES, UserError, as_user_errors
from corruptlab._cli._options import executor, seeds, words
from corruptlab._cli._output import Output, writable
from corruptlab._cli._shell import DONE, INTERRUPTED, NOT_ALL, say, show
from corruptlab.experiments import Reproduction
from corruptlab.experiments.paper import Plan, exhibit, kept_results, plan, reproduce
from corruptlab.experiments.paper._changes import own_recipe
from corruptlab.experiments.paper._figures import can_draw


def run_reproduce(options: argparse.Namespace) -> int:
    """Run rows of a table or figure, show the table, and write its files.

    Args:
        options: What was typed, parsed.

    Returns:
        Exit code.

    Raises:
        UserError: If something asked for cannot be done.
    """
    if not options.out and not options.estimate:
        raise UserError("--out must be a folder to keep trials in, got none.")
    with as_user_errors(*MISTAKES):
        workers, asked = executor(options), _asked(options)
        if options.estimate:
            return _estimated(plan(out=options.out, progress=True, **asked))
        if options.keep and not plan_keeps(asked):
            raise UserError("--keep must go with the rows' own recipes, got --epochs or --set.")
        if options.note and not options.keep:
            raise UserError(f"--note must go with --keep, got {options.note!r} alone.")
        if options.keep:  # what cannot be added to is better found now
            kept_results(writable("--keep", options.keep), options.what)
        found = reproduce(out=options.out, executor=workers, progress=True, **asked)
    return _shown(found, options)


def plan_keeps(asked: dict[str, Any]) -> bool:
    """Return whether nothing is changed but what the picked rows ask for."""
    rows = exhibit(asked["what"]).picked(asked["rows"])
    return asked["epochs"] is None and all(own_recipe(row, asked["changes"]) for row in rows)


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    rows = [word for text in options.rows or [] for word in words(text)]
    return {
        "what": options.what,
        "data": options.data or [],
        "rows": rows if options.rows else None,
        "seeds": seeds(options),
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


def _estimated(found: Plan) -> int:
    show(found)
    return DONE


def _shown(found: Reproduction, options: argparse.Namespace) -> int:
    """Print the table, write what was asked for, and tell what is missing."""
    if found.measurements:
        show(found.table())
    for name, why in found.left_out.items():
        say(f"left out: {name}: {why}")
    for failure in found.failures:
        say(f"failed: {failure}")
    written = _written(found, options)
    if found.interrupted:
        say("interrupted; the same command goes on from there.")
        return INTERRUPTED
    return DONE if written and found.complete else NOT_ALL


def _written(found: Reproduction, options: argparse.Namespace) -> bool:
    if not found.measurements:
        return True
    output = Output(str(found.out / found.exhibit.name))
    written = output.save_report(found.to_dict())
    if written:
        say(f"wrote {output.report}")
    if can_draw(found.exhibit):
        written = output.save_figure(found.figure, done=f"wrote {output.figure}") and written
    if options.keep:
        with as_user_errors(*MISTAKES):
            say(f"kept in {found.keep(options.keep, note=options.note)}")
    return written
