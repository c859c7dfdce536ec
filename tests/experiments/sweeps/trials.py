"""Trials of the tests: small, and at the top of a module, so that they can be pickled."""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.waiting import HANG


def double(*, x: float) -> dict[str, float]:
    return {"double": 2 * x}


def another(*, x: float) -> dict[str, float]:
    return {"double": 2 * x}


def echo(**settings: Any) -> dict[str, Any]:
    return {"got": repr(settings)}


def noted(*, x: int, log: str, seconds: float = 0.0) -> dict[str, int]:
    """Leave a line in a file, and take some time."""
    note(log, x)
    time.sleep(seconds)
    return {"square": x * x}


def note(log: str, x: int) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{x}\n".encode())
    os.close(descriptor)


def runs(log: Path | str) -> list[int]:
    path = Path(log)
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def fails(*, x: int, log: str, times: int) -> dict[str, int]:
    """Raise an error for odd x, the first ``times`` times."""
    note(log, x)
    if x % 2 and runs(log).count(x) <= times:
        raise ValueError(f"x is {x}, which is odd")
    return {"x_again": x}


def deadly(*, x: int, log: str, times: int) -> dict[str, int]:
    """Kill the worker for x = 3, the first ``times`` times."""
    note(log, x)
    if x == 3 and runs(log).count(x) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"square": x * x}


def interrupts(*, x: int) -> dict[str, int]:
    if x == 2:
        raise KeyboardInterrupt
    return {"square": x * x}


def makes_light_of_ctrl_c(*, x: int, number: int = signal.SIGINT) -> dict[str, int]:
    """Return what there is, as `fit` does."""
    if x == 2:
        try:
            os.kill(os.getpid(), number)
            time.sleep(HANG)
        except KeyboardInterrupt:
            return {"square": 0}
    return {"square": x * x}


def adds_to_its_settings(*, sizes: list[int], x: int) -> dict[str, int]:
    sizes.append(x)
    return {"length": len(sizes)}


def moves(*, to: str) -> dict[str, int]:
    """Change the working directory, as some programs do for every run."""
    os.chdir(to)
    return {"moved": 1}


class ShyError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def raises_what_cannot_be_shown(*, x: int) -> dict[str, int]:
    raise ShyError


def quits(*, x: int) -> dict[str, int]:
    raise SystemExit(x)


def returns(*, what: str) -> Any:
    values: Mapping[str, Any] = {
        "number": 3,
        "setting": {"what": 1},
        "object": {"thing": object()},
        "dollar": {"$kind": 1},
    }
    return values[what]


@dataclass(frozen=True)
class Power:
    exponent: int

    def __call__(self, *, x: int) -> dict[str, int]:
        return {"power": x**self.exponent}


class Opaque:
    def __call__(self, *, x: int) -> dict[str, int]:
        return {"x_again": x}


class Owner:
    @classmethod
    def kind(cls, *, x: int) -> dict[str, int]:
        return {"x_again": x}
