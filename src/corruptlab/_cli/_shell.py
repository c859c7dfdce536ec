"""What the shell gets to know: exit codes, and remarks on standard error."""

import sys

DONE, NOT_ALL, MISTAKE, INTERRUPTED = 0, 1, 2, 130  # 130 is 128 + SIGINT, as shells report it


def say(text: str) -> None:
    """Tell something on standard error."""
    print(f"corruptlab: {text}", file=sys.stderr, flush=True)
