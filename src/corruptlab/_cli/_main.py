"""From arguments to exit code."""

import argparse
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from corruptlab._cli._audit import AUDIT
from corruptlab._cli._output import (
    DONE,
    INTERRUPTED,
    MISTAKE,
    TERMINATED,
    UserError,
    printable,
    say,
)
from corruptlab._cli._reproduce import REPRODUCE
from corruptlab._cli._sweep import SWEEP
from corruptlab._cli._test import TEST
from corruptlab._text import suggestion
from corruptlab._version import __version__

_COMMANDS = {"test": TEST, "sweep": SWEEP, "reproduce": REPRODUCE, "audit": AUDIT}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What follows the name of the command; by default the process's own.

    Returns:
        Exit code: 0 done, 1 done but not written, or not all of it, or an audit found an error, 2 a
            mistake in what was asked, 130 Ctrl-C, 143 the same by SIGTERM.
    """
    options = parser().parse_args(arguments)
    if options.command is None:
        parser().print_help()
        return DONE
    with _terminated_as_interrupted() as terminated:
        code = _run(options)
    return TERMINATED if code == INTERRUPTED and terminated else code


def _run(options: argparse.Namespace) -> int:
    try:
        code: int = options.run(options)
    except UserError as error:
        say(f"error: {error}")
        return MISTAKE
    except KeyboardInterrupt:
        say("interrupted.")
        return INTERRUPTED
    return code


@contextmanager
def _terminated_as_interrupted() -> Iterator[list[int]]:
    """Let SIGTERM, by which schedulers preempt, end the work in this block as Ctrl-C does."""
    seen: list[int] = []

    def terminate(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        interrupt = signal.getsignal(signal.SIGINT)
        assert callable(interrupt)
        interrupt(signal.SIGINT, frame)

    def deaf(number: int, frame: FrameType | None) -> None:
        if seen:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield seen  # which gets no signals
        return
    usual = signal.getsignal(signal.SIGINT), signal.signal(signal.SIGTERM, terminate)
    if not callable(usual[0]):  # a shell has made this process deaf to Ctrl-C, not to SIGTERM
        signal.signal(signal.SIGINT, deaf)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, usual[0])
        signal.signal(signal.SIGTERM, usual[1])


class _Parser(argparse.ArgumentParser):
    """A parser that says which options were probably meant by those that there are not."""

    _words: Sequence[str] = ()

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            known = found.parser if "parser" in found else self
            known.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self._words = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        choice = re.search(r"invalid choice: '([^']*)'", message)
        hint = suggestion(choice[1], _COMMANDS) if choice else self._meant()
        message += f".{hint}" if hint else ""
        text = f"corruptlab: error: {message} (try '{self.prog} --help')"
        self.exit(MISTAKE, f"{printable(text)}\n")

    def _meant(self) -> str:
        """Ask for the option that was probably meant by the first that there is not."""
        known = [name for name in self._option_string_actions if name.startswith("--")]
        typed = [word.partition("=")[0] for word in self._words if word.startswith("--")]
        wrong = [word for word in typed if not any(name.startswith(word) for name in known)]
        return next(filter(None, (suggestion(word, known) for word in wrong)), "")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    main = _Parser(
        prog="corruptlab",
        description="Randomization tests for machine learning.",
        epilog="Try 'corruptlab test --help', or just: corruptlab test",
    )
    main.add_argument("--version", action="version", version=f"corruptlab {__version__}")
    commands = main.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, command in _COMMANDS.items():
        one = commands.add_parser(
            name,
            help=command.help,
            description=command.description,
            epilog=command.examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add(one)
        one.set_defaults(run=command.run, parser=one)
    return main
