"""The installed command, and what it has shown."""

import re
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points

import pytest

(_command,) = entry_points(group="console_scripts", name="corruptlab")
main: Callable[[Sequence[str]], int] = _command.load()


def rows(shown: str) -> list[list[str]]:
    """Return the cells of a table below its two lines of header."""
    lines = shown.splitlines()
    return [re.split(r"\s{2,}", line.strip()) for line in lines[2 : lines.index("")]]


def check_mistake(capsys: pytest.CaptureFixture[str], message: str) -> None:
    """See that nothing but one line was shown, and that it says what is wrong."""
    shown, told = capsys.readouterr()
    assert shown == ""
    assert re.search(rf"^corruptlab: error: .*{message}", told, re.MULTILINE)
    assert len(told.strip().splitlines()) == 1
