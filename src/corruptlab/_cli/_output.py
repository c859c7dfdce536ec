"""What commands share: exit codes, mistakes in one line, files, and options."""

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from corruptlab._checks import at_least
from corruptlab._errors import MissingExtraError
from corruptlab._io import whole_file
from corruptlab._json import write_json
from corruptlab._text import suggestion

DONE, NOT_ALL, MISTAKE = 0, 1, 2
INTERRUPTED, TERMINATED = 130, 143  # 128 + SIGINT and 128 + SIGTERM, as shells report them

# What the library calls an argument, and the option that sets it.
_OPTIONS = {
    "spec": "--data",
    "name": "--model",
    "model": "--model",
    "settings": "--settings",
    "out": "--out",
    "p": "--p",
    "seed": "--seed",
    "device": "--device",
    "epochs": "--epochs",
    "what": "WHAT",
    "data": "--data",
    "rows": "--rows",
    "changes": "--set",
    "most_hours": "--most",
    "learning_rate": "--learning-rate",
    "seeds": "--seeds",
    "workers": "--workers",
    "sample": "--sample",
}

MISTAKES = (ValueError, TypeError, OSError, MissingExtraError)
"""What the library raises where something cannot be done as it was asked for."""

_DOTS_PER_INCH = 160  # 1280 x 720 pixels: sharp where a page shows the figure 800 wide


def printable(text: str) -> str:
    """Return text with control characters escaped, so that no name commands the terminal."""
    return "".join(
        each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape").decode()
        for each in text
    )


def show(text: object) -> None:
    """Print a result on standard output, which may take less than it is given."""
    encoding = sys.stdout.encoding or "utf-8"
    shown = printable(str(text)).encode(encoding, "backslashreplace").decode(encoding)
    try:
        print(shown, flush=True)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # or else Python complains when it ends


def say(text: str) -> None:
    """Tell something on standard error."""
    print(f"corruptlab: {printable(text)}", file=sys.stderr, flush=True)


class UserError(Exception):
    """Something the user asked for cannot be done; the message is one line."""


@contextmanager
def as_user_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Turn errors of some kinds into a `UserError` that names options instead of arguments."""
    try:
        yield
    except kinds as error:
        message = in_options(" ".join(str(error).split()))
        raise UserError(message + _hint_in(message)) from error


def in_options(message: str) -> str:
    """Return a message with the argument it starts with as an option of the command line."""
    named = re.match(r"`(\w+)` must ", message)
    if named and named[1] in _OPTIONS:
        return message.replace(f"`{named[1]}`", _OPTIONS[named[1]], 1)
    return message


def _hint_in(message: str) -> str:
    known = r" must (?:be one of|be among|only name|name parameters) (.*), got"
    listed = re.search(known, message) or re.search(r"Expected one of ([^)]*) device", message)
    typed = re.search(r", got '([^':]*)[^']*'", message)  # of `cifar10:FOLDER` its kind
    if listed is None or typed is None or "Did you mean" in message:
        return ""
    return suggestion(typed[1], re.findall(r"[\w.-]*\w", listed[1]))


# -------------------------------------------------------------------------------------------- files


class Output:
    """A folder to which a report and its figure are written."""

    def __init__(self, folder: str) -> None:
        self.folder = writable("--out", folder)
        self.report, self.figure = self.folder / "report.json", self.folder / "figure.png"

    def write_report(self, values: dict[str, Any]) -> None:
        """Write ``report.json``."""
        write_json(self.report, values)

    def write_figure(self, figure: Any) -> None:
        """Write ``figure.png``."""
        with whole_file(self.figure) as beside:
            figure.savefig(beside, dpi=_DOTS_PER_INCH)

    def save_report(self, values: dict[str, Any]) -> bool:
        """Write ``report.json``, or tell why not: hours of training are worth more than that."""
        try:
            self.write_report(values)
        except OSError as error:
            say(f"{self.report} could not be written ({error.strerror or error}).")
            return False
        return True

    def save_figure(self, figure: Callable[[], Any], *, done: str) -> bool:
        """Draw a figure and write it, and tell how that went."""
        try:
            self.write_figure(figure())
        except (MissingExtraError, OSError, ValueError) as error:  # the last: nothing to draw
            old = "; the one there is of an earlier run" if self.figure.exists() else ""
            say(f"{self.figure} was not written{old}: {error}")
            return isinstance(error, MissingExtraError)
        say(done)
        return True


def figure_into(folder: Path, figure: Callable[[], Any], *, done: str) -> bool:
    """Draw a figure into a folder, which may be read-only, and tell how that went."""
    try:
        output = Output(str(folder))
    except UserError as error:
        say(f"{folder / 'figure.png'} was not written: {error}")
        return False
    return output.save_figure(figure, done=done)


def writable(option: str, folder: str) -> Path:
    """Make a folder if it is not there, and try whether files can be written to it."""
    path = Path(folder).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        reason = error.strerror or error
        text = f"{option} must be a folder to write to, got {folder!r} ({reason})."
        raise UserError(text) from None


# ------------------------------------------------------------------------------------------ options


class Command(NamedTuple):
    """What a command says of itself, and what can be typed after it."""

    help: str
    description: str
    examples: str
    add: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def add_data(group: argparse._ActionsContainer) -> None:
    """Add ``--data``."""
    group.add_argument(
        "--data",
        default="fashion-mnist-mini",
        metavar="DATA",
        help="fashion-mnist-mini (4,000 included images), cifar10:FOLDER, idx:FOLDER, "
        "torchvision:NAME:FOLDER, csv:FILE[:LABEL_COLUMN], or hf:FOLDER[:LABEL_COLUMN] of "
        "Hugging Face's save_to_disk; nothing is downloaded (default: %(default)s)",
    )


def add_device(group: argparse._ArgumentGroup) -> None:
    """Add ``--device``."""
    group.add_argument(
        "--device",
        default="auto",
        metavar="DEVICE",
        help="cpu, cuda, cuda:1, ...; auto is a GPU if there is one, and a GPU for each worker "
        "of a sweep (default: %(default)s)",
    )


def add_epochs(group: argparse._ArgumentGroup, *, default: str, note: str = "") -> None:
    """Add ``--epochs``, which is None if it is not typed."""
    text = f"maximum number of epochs{note} (default: {default})"
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
    """Add ``--seeds``."""
    group.add_argument(
        "--seeds",
        type=int,
        default=default,
        metavar="N",
        help=f"seeds 0 .. N-1 of weights, {drawn}, and data order (default: %(default)s)",
    )


def add_workers(group: argparse._ArgumentGroup, *, work: str) -> None:
    """Add ``--workers``."""
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
