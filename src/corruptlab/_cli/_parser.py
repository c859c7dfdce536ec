"""What can be typed."""

import argparse
from typing import NoReturn

from corruptlab._cli._reproduce_options import REPRODUCE
from corruptlab._cli._shell import MISTAKE
from corruptlab._cli._sweep_options import SWEEP
from corruptlab._cli._test_options import TEST
from corruptlab._version import __version__

_COMMANDS = {"test": TEST, "sweep": SWEEP, "reproduce": REPRODUCE}


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
