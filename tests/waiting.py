"""How tests wait: for the thing itself, and no longer than a hang would take to be sure of."""

import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

# Seconds after which something that is waited for is taken to hang. Far above what the slowest
# machine needs: a test that runs into it has found a hang, not a slow machine.
HANG = 600.0


def run(command: Sequence[str], **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, with its output as text; fail if it hangs."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=HANG, **options
        )
    except subprocess.TimeoutExpired as expired:
        raise AssertionError(
            f"hang: {list(command)} did not end in {HANG:.0f} s; it said\n"
            f"{expired.stdout!r}\n{expired.stderr!r}"
        ) from None


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds; `what` names it when it never does."""
    deadline = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < deadline, f"hang: {what} did not happen in {HANG:.0f} s"
        time.sleep(0.01)


def communicate(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Wait for a process to end and return its output; kill it and fail if it hangs."""
    try:
        return process.communicate(timeout=HANG)
    except subprocess.TimeoutExpired:
        process.kill()
        shown, told = process.communicate()
        raise AssertionError(
            f"hang: {process.args!r} did not end in {HANG:.0f} s; it said\n{shown}\n{told}"
        ) from None
