"""``corruptlab test``: the randomization test."""

import argparse
from collections.abc import Iterator
from dataclasses import replace

import torch

from corruptlab._cli._errors import as_user_errors
from corruptlab._cli._follow import follow
from corruptlab._cli._output import Output
from corruptlab._errors import MissingExtraError
from corruptlab.datasets import Images, load
from corruptlab.experiments import RandomizationReport, iter_randomization_test
from corruptlab.models import by_name
from corruptlab.training import Recipe, recipes


def run_test(options: argparse.Namespace) -> int:
    """Run a randomization test, show its table, and write its files.

    Args:
        options: What was typed, parsed.

    Returns:
        Exit code.

    Raises:
        UserError: If something asked for cannot be done.
    """
    with as_user_errors(ValueError, TypeError, OSError, MissingExtraError):
        reports = _reports(options)
        output = Output(options.out) if options.out else None
    return follow(reports, output)


def _reports(options: argparse.Namespace) -> Iterator[RandomizationReport]:
    """Check everything that was typed, and get ready to start."""
    train, test = load(options.data)
    recipe = _recipe(options, train)
    model = by_name(
        options.model,
        input_shape=recipe.input_shape(train.images.shape[1:]),
        num_classes=len(train.classes),
        seed=options.seed,
    )
    return iter_randomization_test(
        model,
        train,
        test,
        recipe=recipe,
        settings=[name.strip() for name in options.settings.split(",") if name.strip()],
        p=options.p,
        seed=options.seed,
        num_classes=len(train.classes),
        device=_device(options.device),
        progress=True,
        model_name=options.model,
        data_name=train.name,
    )


def _recipe(options: argparse.Namespace, train: Images) -> Recipe:
    known = {"fashion-mnist-mini": recipes.fashion_mnist_mini, "cifar10": recipes.cifar10}
    kind = options.data.partition(":")[0]
    if kind in known:
        recipe = known[kind](options.model)
    else:
        shape = tuple(train.images.shape[1:])
        recipe = recipes.default(options.model, input_shape=shape, n=len(train))
    if options.epochs is not None:
        recipe = replace(recipe, epochs=options.epochs)
    if options.learning_rate is not None:
        recipe = replace(recipe, learning_rate=options.learning_rate)
    return recipe


def _device(name: str) -> str:
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"
