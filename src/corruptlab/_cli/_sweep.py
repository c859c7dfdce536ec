"""``corruptlab sweep``: time to interpolation and test error against p, as in Fig. 1b and 1c."""

import argparse
import itertools
from typing import Any

import numpy as np

from corruptlab._by_name import default_model, device_for, loaded, network_for, recipe_for
from corruptlab._checks import check_probability
from corruptlab._cli import _output as cli
from corruptlab._cli._output import DONE, INTERRUPTED, MISTAKES, NOT_ALL, UserError
from corruptlab._modules import resolve_device
from corruptlab._statistics import mean_and_half_width
from corruptlab._text import aligned, counted, ruled
from corruptlab.experiments.sweeps import SweepReport, Table, partial_labels, sweep

_LEVEL = 0.95
_HEADER = ("model", "p", "seeds", "changed", "fitted", "steps", "over p=0", "test error")
_NOTE = (
    "Means over seeds, with 95% t-intervals. changed: labels that are wrong; fitted: seeds whose\n"
    "training set was interpolated; over p=0: steps to interpolation as a multiple of those on true"
    "\nlabels, same seed; test error: on clean labels."
)

_DESCRIPTION = """\
Measure the time to fit labels that are redrawn with probability p, and the test error after
the fit, as functions of p, with several seeds. (Zhang et al. 2017, Fig. 1b and 1c.)"""

_EXAMPLES = """\
examples:
  corruptlab sweep --out sweep
  corruptlab sweep --model mlp-1x512,mlp-3x512 --seeds 5 --workers 4 --out sweep
  corruptlab sweep --data cifar10:data --model small-inception --device cuda --out sweep
  corruptlab sweep --data csv:patients.csv:diagnosis --model mlp-1x64,mlp-2x64 --out sweep

Each finished trial is saved in its own file. The same command, repeated after Ctrl-C or a
crash, runs only the missing trials; started on several machines with a shared folder, it
divides the trials among them. --out also contains figure.png (extra 'plot')."""


def _add(sweep: argparse.ArgumentParser) -> None:
    what = sweep.add_argument_group("trials")
    cli.add_data(what)
    what.add_argument(
        "--model",
        metavar="A,B,...",
        help="networks as for 'corruptlab test', one curve each "
        "(default: mlp-1x512, for tokens text-transformer)",
    )
    what.add_argument(
        "--p",
        default="0,0.2,0.4,0.6,0.8,1",
        metavar="P,P,...",
        help="probabilities that a label is redrawn (default: %(default)s)",
    )
    cli.add_seeds(what, default=3, drawn="labels")
    how = sweep.add_argument_group("execution")
    cli.add_workers(how, work="trials")
    cli.add_device(how)
    cli.add_epochs(how, default="by data and model")
    cli.add_learning_rate(how)
    sweep.add_argument(
        "--out", required=True, metavar="FOLDER", help="folder for the trials and figure.png"
    )


def run_sweep(options: argparse.Namespace) -> int:
    """Run a sweep over p and seeds, show its table, and write its figure."""
    with cli.as_user_errors(*MISTAKES):
        workers, grid = cli.executor(options), _grid(options)
        report = sweep(grid, partial_labels, workers, out=options.out, progress=True)
    return _shown(report)


def _grid(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Check everything that was typed, before the first trial, and spell out the trials."""
    repeats = cli.seeds(options)
    values = _probabilities(options.p)
    named = default_model(loaded(options.data)[0]) if options.model is None else options.model
    models = list(dict.fromkeys(cli.words(named)))
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
        values = [float(word) for word in cli.words(text)]
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
        cli.show(_table(report.table()))
    written = _write_figure(report)
    for failure in report.failures:
        cli.say(f"failed: {failure}")
    if report.interrupted:
        cli.say(
            f"interrupted; {counted(report.remaining, 'trial')} left, repeat the command to resume."
        )
        return INTERRUPTED
    return DONE if written and report.complete else NOT_ALL


def _write_figure(report: SweepReport) -> bool:
    if not report.done + report.cached:
        return True
    done = f"wrote {report.out / 'figure.png'}; the trials are in {report.out / 'trials'}"
    return cli.figure_into(report.out, lambda: _figure(report), done=done)


def _table(found: Table) -> str:
    """Return one line for each network and p."""
    ratios = found.relative("steps_to_interpolation", p=0.0)
    groups: dict[tuple[str, float], list[int]] = {}
    for row in range(found.num_rows):
        groups.setdefault((str(found["model"][row]), float(found["p"][row])), []).append(row)
    lines = [list(_HEADER)]
    for (model, p), rows in groups.items():
        steps = _floats(found["steps_to_interpolation"][rows])
        lines.append(
            [
                model,
                f"{p:g}",
                f"{len(rows)}",
                f"{np.mean(found['labels_changed'][rows]):.1%}",
                f"{np.isfinite(steps).sum()}",
                _interval(steps, "{:,.0f}"),
                _interval(ratios[rows], "{:.2f}", "x"),
                _interval(100 * found["test_error"][rows], "{:.1f}", "%"),
            ]
        )
    return "\n".join([*ruled(aligned(lines)), "", _NOTE])


def _figure(report: SweepReport) -> Any:
    """Draw Fig. 1b and 1c side by side."""
    found = report.table()
    models = list(dict.fromkeys(found["model"].tolist()))
    several, data = len(models) > 1, loaded(str(found["data"][0]))[0].name
    return report.plot(
        "p",
        ["steps_to_interpolation", "test_error"],
        by="model" if several else (),
        relative_to={"p": 0.0} if 0.0 in found["p"] else None,
        labels={
            "p": "probability p that a label is redrawn",
            "steps_to_interpolation": "steps to interpolation",
            "test_error": "test error, labels clean",
        },
        title=data if several else f"{models[0]} on {data}",
    )


def _interval(values: Any, form: str, unit: str = "") -> str:
    """Return mean and half-width; ``-`` if a value is missing, for the mean would be too good."""
    if not np.isfinite(values).all():
        return "-"
    mean, half = mean_and_half_width(values, _LEVEL)
    spread = f" ± {form.format(half)}" if len(values) > 1 else ""
    return f"{form.format(mean)}{spread}{unit}"


def _floats(values: Any) -> Any:
    return np.array([np.nan if value is None else value for value in values], np.float64)


SWEEP = cli.Command(
    "time to interpolation and test error as functions of p",
    _DESCRIPTION,
    _EXAMPLES,
    _add,
    run_sweep,
)
