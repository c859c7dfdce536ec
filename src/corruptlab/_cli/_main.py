"""From arguments to exit code."""

from collections.abc import Sequence

from corruptlab._cli._errors import UserError
from corruptlab._cli._parser import parser
from corruptlab._cli._shell import DONE, INTERRUPTED, MISTAKE, say


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
