"""From arguments to exit code."""

import sys
from collections.abc import Sequence

from corruptlab._cli._errors import UserError
from corruptlab._cli._parser import parser
from corruptlab._cli._reproduce import run_reproduce
from corruptlab._cli._sweep import run_sweep
from corruptlab._cli._test import run_test

_COMMANDS = {"test": run_test, "sweep": run_sweep, "reproduce": run_reproduce}
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


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
        return 0
    try:
        return _COMMANDS[options.command](options)
    except UserError as error:
        print(f"corruptlab: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("corruptlab: interrupted.", file=sys.stderr)
        return INTERRUPTED
