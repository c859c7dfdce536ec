"""``corruptlab sweep``: time to interpolation and test error against p, as in Fig. 1b and 1c."""

import argparse
import itertools
from typing import Any

from corruptlab._by_name import device_for, loaded, network_for, recipe_for
from corruptlab._checks import check_probability
from corruptlab._cli._errors import MISTAKES, UserError, as_user_errors
from corruptlab._cli._options import executor, seeds, words
from corruptlab._cli._output import Output
from corruptlab._cli._shell import DONE, INTERRUPTED, NOT_ALL, say, show
from corruptlab._cli._sweep_results import figure, table
from corruptlab._modules import resolve_device
from corruptlab.experiments.sweeps import SweepReport, partial_labels, sweep


def run_sweep(options: argparse.Namespace) -> int:
    """Run a sweep over p and seeds, show its table, and write its figure.

    Args:
        options: What was typed, parsed.

    Returns:
        Exit code.

    Raises:
        UserError: If something asked for cannot be done.
    """
    with as_user_errors(*MISTAKES):
        workers, grid = executor(options), _grid(options)
        report = sweep(grid, partial_labels, workers, out=options.out, progress=True)
    return _shown(report)


def _grid(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Check everything that was typed, before the first trial, and spell out the trials."""
    repeats = seeds(options)
    models, values = list(dict.fromkeys(words(options.model))), _probabilities(options.p)
    if not models:
        raise UserError("--model must name at least one network, got none.")
    typed = {"epochs": options.epochs, "learning_rate": options.learning_rate}
    typed = {name: value for name, value in typed.items() if value is not None}
    for model in models:
        _check(model, options, typed)
    fixed = {"data": options.data, "device": options.device, **typed}
    trials = itertools.product(models, values, repeats)
    return [{"model": model, "p": p, "seed": seed, **fixed} for model, p, seed in trials]


def _check(model: str, options: argparse.Namespace, typed: dict[str, Any]) -> None:
    """Find out now what would make every trial fail."""
    train, _ = loaded(options.data)
    recipe = recipe_for(model, train, options.data, **typed)
    resolve_device(network_for(model, train, recipe), device_for(options.device))


def _probabilities(text: str) -> list[float]:
    try:
        values = [float(word) for word in words(text)]
    except ValueError:
        raise UserError(f"--p must be numbers with commas between, got {text!r}.") from None
    if not values:
        raise UserError("--p must name at least one probability, got none.")
    for p in values:
        check_probability("p", p)
    return list(dict.fromkeys(values))


def _shown(report: SweepReport) -> int:
    """Print the table, write the figure, and tell what is missing."""
    if report.done + report.cached:
        show(table(report.table()))
    written = _write_figure(report)
    for failure in report.failures:
        say(f"failed: {failure}")
    if report.interrupted:
        say(f"interrupted; {report.remaining} trials are left to the same command.")
        return INTERRUPTED
    return DONE if written and report.complete else NOT_ALL


def _write_figure(report: SweepReport) -> bool:
    if not report.done + report.cached:
        return True
    output = Output(str(report.out))
    done = f"wrote {output.figure}; the trials are in {report.out / 'trials'}"
    return output.save_figure(lambda: figure(report), done=done)
