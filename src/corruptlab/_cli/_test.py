"""``corruptlab test``: the randomization test."""

import argparse
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from torch import nn

from corruptlab._by_name import default_model, device_for, loaded, network_for, recipe_for
from corruptlab._cli import _output as cli
from corruptlab._cli._output import DONE, INTERRUPTED, MISTAKES, NOT_ALL, Output, UserError
from corruptlab.datasets import Images, Table
from corruptlab.experiments import (
    RandomizationReport,
    SeedsReport,
    SeedsResult,
    Setting,
    SettingResult,
    iter_randomization_test,
    paper_settings,
    token_settings,
)

AnyReport: TypeAlias = RandomizationReport | SeedsReport
"""Of one seed, or of several."""

_DESCRIPTION = """\
Train a network on differently corrupted copies of a data set, with the same initial weights
and the same recipe, and compare: a network that fits random labels as well as true labels can
memorize the training set. (Zhang et al. 2017, "Understanding deep learning requires
rethinking generalization".)"""

_EXAMPLES = """\
settings:
  true              no corruption
  partial-labels    each label is replaced, with probability P, by a random class
  random-labels     every label is replaced by a random class
  shuffled-pixels   the pixels are permuted, with the same permutation for all images
  random-pixels     the pixels are permuted, with a different permutation for each image
  gaussian          pixels are Gaussian noise with the mean and variance of the data

for tokens, the last three are (token 0 is padding and stays in place):
  shuffled-positions, random-positions   as for pixels
  resampled-tokens  each token is drawn from the tokens at the same position

for a table, shuffled-pixels and random-pixels permute its columns; resampled-tokens, which is
not one of the six, draws each value from the values of the same column

examples:
  corruptlab test --out out
  corruptlab test --settings true,random-labels --model mlp-3x512 --seed 1
  corruptlab test --settings true,random-labels --seeds 3 --out out
  corruptlab test --data cifar10:data --settings true,partial-labels --p 0.2
  corruptlab test --data idx:/data/mnist --epochs 50 --learning-rate 0.02
  corruptlab test --data torchvision:SVHN:data --device cuda
  corruptlab test --data csv:patients.csv:diagnosis --model mlp-2x64
  corruptlab test --data hf:reviews --epochs 30

Ctrl-C ends the test and reports the finished settings. With --out, report.json is saved after
every setting, so that finished settings survive a crash."""


def _add(test: argparse.ArgumentParser) -> None:
    what = test.add_argument_group("test")
    cli.add_data(what)
    what.add_argument(
        "--model",
        metavar="MODEL",
        help="mlp-1x512, mlp-3x512, any other mlp-DEPTHxWIDTH, small-inception, "
        "small-inception-no-bn, or small-alexnet; for tables an MLP, for tokens text-transformer "
        "(default: mlp-1x512, for tokens text-transformer)",
    )
    what.add_argument(
        "--settings",
        metavar="A,B,...",
        help="settings to run (default: all six, see below)",
    )
    what.add_argument(
        "--p",
        type=float,
        default=0.5,
        metavar="P",
        help="probability that partial-labels redraws a label (default: %(default)s)",
    )
    how = test.add_argument_group("training")
    how.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="seed of weights, corruptions, and data order (default: %(default)s)",
    )
    how.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="run the test with N seeds from --seed on, and show means with 95%% intervals "
        "(default: one seed, with the time to interpolation)",
    )
    cli.add_device(how)
    cli.add_epochs(
        how,
        default="by data and model",
        note="; a fit stops when every training example is classified correctly",
    )
    cli.add_learning_rate(how)
    test.add_argument(
        "--out",
        metavar="FOLDER",
        help="folder for report.json and figure.png, which replace those of an earlier run "
        "(default: only print the table)",
    )


def run_test(options: argparse.Namespace) -> int:
    """Run a randomization test, show its table, and write its files."""
    with cli.as_user_errors(*MISTAKES):
        reports = _reports(options)
        output = Output(options.out) if options.out else None
    return follow(reports, output)


def _reports(options: argparse.Namespace) -> Iterator[AnyReport]:
    """Check everything that was typed, and get ready to start."""
    train, test = loaded(options.data)
    model = options.model or default_model(train)
    recipe = recipe_for(
        model,
        train,
        options.data,
        epochs=options.epochs,
        learning_rate=options.learning_rate,
    )

    def network() -> nn.Module:
        return network_for(model, train, recipe, seed=torch.initial_seed())  # that of the test

    run: Any = iter_randomization_test  # whose overloads tell one seed from several
    reports: Iterator[AnyReport] = run(
        network,
        train,
        test,
        recipe=recipe,
        settings=_settings(options, train),
        p=options.p,
        seed=options.seed,
        seeds=options.seeds,
        num_classes=len(train.classes),
        device=device_for(options.device),
        progress=True,
        model_name=model,
        data_name=train.name,
    )
    return reports


def _settings(options: argparse.Namespace, train: Images | Table) -> list[str | Setting]:
    """Return the settings that were typed, or all six, as they suit the data."""
    suited, others = paper_settings(p=options.p), token_settings(p=options.p)
    if isinstance(train, Table):
        if train.num_tokens is not None:
            suited, others = token_settings(p=options.p, keep=(0,)), ()
        else:
            suited, others = _of_columns(suited), _of_columns(others)
    if options.settings is None:
        return list(suited)
    known = {setting.name: setting for setting in (*others, *suited)}
    return [known.get(name, name) for name in cli.words(options.settings)]


def _of_columns(settings: Iterable[Setting]) -> tuple[Setting, ...]:
    """Return settings with labels that suit a table."""
    return tuple(
        replace(each, label=re.sub("pixels|positions|tokens", "columns", each.label))
        for each in settings
    )


def follow(reports: Iterator[AnyReport], output: Output | None) -> int:
    """Run a test to its end, by itself, by Ctrl-C, or by an error."""
    last, interrupted, written = None, False, True
    try:
        # A loss that is not finite, data that does not fit the network or the memory: no bug.
        with cli.as_user_errors(ValueError, ArithmeticError, MemoryError, torch.OutOfMemoryError):
            for last in reports:
                written = output is None or output.save_report(last.to_dict())
    except KeyboardInterrupt:  # between fits; during one, the report itself says so
        interrupted = True
    except UserError:
        _show(last, output)
        raise
    if last is not None and interrupted:
        last = _interrupted(last)
        written = output is None or output.save_report(last.to_dict())
    written = _show(last, output) and written
    if last is None or last.interrupted:
        cli.say(f"interrupted; {_interruption_note(last, output)}")
        return INTERRUPTED
    return DONE if written else NOT_ALL


def _interrupted(report: AnyReport) -> AnyReport:
    if isinstance(report, RandomizationReport):
        return replace(report, interrupted=True)
    *done, last = report.reports
    return replace(report, reports=(*done, replace(last, interrupted=True)))


def _show(report: AnyReport | None, output: Output | None) -> bool:
    """Print the table and write the figure, if there is a row; return whether all was written."""
    if report is None or not report.rows:
        return True
    cli.show(report)
    if output is None:
        return True
    return output.save_figure(report.plot, done=f"wrote {output.report} and {output.figure}")


def _interruption_note(report: AnyReport | None, output: Output | None) -> str:
    rows: Sequence[SettingResult | SeedsResult] = ()
    if report is not None:
        rows = report.finished if isinstance(report, RandomizationReport) else report.rows
    done = [row.setting.label for row in rows]
    if not done:
        return "no setting was finished."
    where = f" in {output.report}" if output else ""
    return f"saved the finished settings{where}: {', '.join(done)}."


TEST = cli.Command(
    "train on true and on corrupted data, and compare", _DESCRIPTION, _EXAMPLES, _add, run_test
)
