"""``corruptlab test``: the randomization test."""

import argparse
from collections.abc import Iterator

from corruptlab._by_name import device_for, network_for, recipe_for
from corruptlab._cli._errors import MISTAKES, as_user_errors
from corruptlab._cli._follow import follow
from corruptlab._cli._options import words
from corruptlab._cli._output import Output
from corruptlab.datasets import load
from corruptlab.experiments import RandomizationReport, iter_randomization_test


def run_test(options: argparse.Namespace) -> int:
    """Run a randomization test, show its table, and write its files.

    Args:
        options: What was typed, parsed.

    Returns:
        Exit code.

    Raises:
        UserError: If something asked for cannot be done.
    """
    with as_user_errors(*MISTAKES):
        reports = _reports(options)
        output = Output(options.out) if options.out else None
    return follow(reports, output)


def _reports(options: argparse.Namespace) -> Iterator[RandomizationReport]:
    """Check everything that was typed, and get ready to start."""
    train, test = load(options.data)
    recipe = recipe_for(
        options.model,
        train,
        options.data,
        epochs=options.epochs,
        learning_rate=options.learning_rate,
    )
    return iter_randomization_test(
        network_for(options.model, train, recipe, seed=options.seed),
        train,
        test,
        recipe=recipe,
        settings=words(options.settings),
        p=options.p,
        seed=options.seed,
        num_classes=len(train.classes),
        device=device_for(options.device),
        progress=True,
        model_name=options.model,
        data_name=train.name,
    )
