"""Options that several commands share, and what they come to."""

import argparse
from collections.abc import Callable
from typing import NamedTuple

from corruptlab._checks import at_least


class Command(NamedTuple):
    """What a command says of itself, and what can be typed after it.

    Args:
        help: A line in the list of commands.
        description: What stands above its options.
        examples: What stands below them.
        add: Adds the options to a parser.
        run: Does what was typed, and returns the exit code.
    """

    help: str
    description: str
    examples: str
    add: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def add_device(group: argparse._ArgumentGroup) -> None:
    """Add ``--device``."""
    group.add_argument(
        "--device",
        default="auto",
        metavar="DEVICE",
        help="cpu, cuda, cuda:1, ...; auto is cuda where there is one (default: %(default)s)",
    )


def add_epochs(group: argparse._ArgumentGroup, *, default: str, note: str = "") -> None:
    """Add ``--epochs``, which is None if it is not typed.

    Args:
        group: Where to add it.
        default: What decides then.
        note: What else there is to say.
    """
    text = f"epochs at most{note} (default: {default})"
    group.add_argument("--epochs", type=int, metavar="N", help=text)


def add_learning_rate(group: argparse._ArgumentGroup) -> None:
    """Add ``--learning-rate``, which is None if it is not typed."""
    group.add_argument(
        "--learning-rate",
        type=float,
        metavar="X",
        help="learning rate of the first epoch (default: by data and model)",
    )


def add_seeds(group: argparse._ArgumentGroup, *, default: int, drawn: str) -> None:
    """Add ``--seeds``.

    Args:
        group: Where to add it.
        default: How many there are if it is not typed.
        drawn: What is drawn besides weights and data order.
    """
    group.add_argument(
        "--seeds",
        type=int,
        default=default,
        metavar="N",
        help=f"seeds 0 .. N-1 of weights, {drawn}, and data order (default: %(default)s)",
    )


def add_workers(group: argparse._ArgumentGroup, *, work: str) -> None:
    """Add ``--workers``.

    Args:
        group: Where to add it.
        work: What they share, such as ``"trials"``.
    """
    group.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help=f"processes that share the {work} and the cores (default: %(default)s)",
    )


def executor(options: argparse.Namespace) -> int | None:
    """Return ``--workers`` as `sweep` takes it: None if one process, this one, is enough."""
    workers = at_least(1, "workers", options.workers)
    return workers if workers > 1 else None


def seeds(options: argparse.Namespace) -> range:
    """Return ``--seeds`` as the seeds that are meant."""
    return range(at_least(1, "seeds", options.seeds))


def words(text: str) -> list[str]:
    """Return what stands between commas."""
    return [word.strip() for word in text.split(",") if word.strip()]
