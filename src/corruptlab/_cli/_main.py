"""From arguments to exit code."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from corruptlab._cli._output import DONE, INTERRUPTED, MISTAKE, UserError, say
from corruptlab._cli._reproduce import REPRODUCE
from corruptlab._cli._sweep import SWEEP
from corruptlab._cli._test import TEST
from corruptlab._version import __version__

_COMMANDS = {"test": TEST, "sweep": SWEEP, "reproduce": REPRODUCE}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What follows the name of the command; by default the process's own.

    Returns:
        Exit code: 0 done, 1 done but not written or not all of it, 2 a mistake in what was asked,
            130 Ctrl-C.
    """
    options = parser().parse_args(arguments)
    if options.command is None:
        parser().print_help()
        return DONE
    try:
        code: int = options.run(options)
    except UserError as error:
        say(f"error: {error}")
        return MISTAKE
    except KeyboardInterrupt:
        say("interrupted.")
        return INTERRUPTED
    return code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(MISTAKE, f"corruptlab: error: {message} (try '{self.prog} --help')\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    main = _Parser(
        prog="corruptlab",
        description="Randomization tests for learning machines.",
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
        one.set_defaults(run=command.run)
    return main
