"""The command line: the main jobs without a line of Python."""

from corruptlab._cli._main import main

__all__ = ["main"]
