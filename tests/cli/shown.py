"""What a command has shown."""

import re

import pytest


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
