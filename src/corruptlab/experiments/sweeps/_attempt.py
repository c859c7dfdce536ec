"""One attempt at a trial, in whatever process it is made."""

import copy
import socket
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import torch

from corruptlab._environment import Environment
from corruptlab.experiments.sweeps._encoding import Json, encode
from corruptlab.experiments.sweeps._interrupts import seen_interrupts
from corruptlab.experiments.sweeps._trials import Function


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt; it travels from worker to sweep.

    Attributes:
        result: What the trial returned, as JSON; None if it failed.
        error: Kind, message, and traceback of what it raised; None if it did not.
        execution: Versions, machine, and seconds.
    """

    result: Json
    error: dict[str, str] | None
    execution: dict[str, Any]


def attempt(function: Function, settings: Mapping[str, Any]) -> Outcome:
    """Try once, and come back in any case but Ctrl-C, after which no result is whole.

    Args:
        function: The trial.
        settings: Its settings.

    Returns:
        Result or error.

    Raises:
        KeyboardInterrupt: If there was one, even if the trial has caught it.
    """
    start, result, error = time.perf_counter(), None, None
    with seen_interrupts() as interrupts:
        try:
            own = copy.deepcopy(dict(settings))  # what a trial does to them, no other trial sees
            result = _checked(function(**own), settings)
        except (Exception, SystemExit) as caught:  # a trial that calls `exit` ends itself alone
            error = described(caught)
    if interrupts:
        raise KeyboardInterrupt
    return Outcome(result, error, _execution(time.perf_counter() - start))


def described(error: BaseException) -> dict[str, str]:
    """Return kind, message, and traceback of an error, without this module's own lines."""
    below = error.__traceback__.tb_next if error.__traceback__ is not None else None
    lines = traceback.format_exception(type(error), error, below)
    return {"kind": type(error).__name__, "message": _text(error), "traceback": "".join(lines)}


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # an error's own `__str__` may raise one
        return "(it cannot be shown)"


def _checked(result: Any, settings: Mapping[str, Any]) -> Json:
    if not isinstance(result, Mapping):
        raise TypeError(
            f"`trial` must return a mapping of names to values, got {type(result).__name__}."
        )
    for name in result:
        if name in settings:
            raise ValueError(f"`trial` must return names that no setting has, got {name!r}.")
    return encode(result, "trial's result")


def _execution(seconds: float) -> dict[str, Any]:
    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # PyTorch's
    device = "cuda" if used else "cpu"
    return {
        "seconds": seconds,
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "host": socket.gethostname(),
        "environment": Environment.here(device).to_dict(),
    }
