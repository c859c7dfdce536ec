"""Errors of the library in the words of the command line."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from corruptlab._errors import MissingExtraError

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
}


MISTAKES = (ValueError, TypeError, OSError, MissingExtraError)
"""What the library raises where something cannot be done as it was asked for."""


class UserError(Exception):
    """Something the user asked for cannot be done; the message is one line."""


@contextmanager
def as_user_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Turn errors of some kinds into a `UserError` that names options instead of arguments.

    Args:
        kinds: What to turn; anything else is a bug and keeps its traceback.

    Yields:
        Nothing.

    Raises:
        UserError: If an error of these kinds is raised inside.
    """
    try:
        yield
    except kinds as error:
        raise UserError(in_options(" ".join(str(error).split()))) from error


def in_options(message: str) -> str:
    """Return a message with the argument it starts with as an option of the command line."""
    named = re.match(r"`(\w+)` must ", message)
    if named and named[1] in _OPTIONS:
        return message.replace(f"`{named[1]}`", _OPTIONS[named[1]], 1)
    return message
