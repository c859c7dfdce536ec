"""Results reach whoever reads them, and nothing is lost where nobody can."""

import io
import os
import sys

import pytest

from corruptlab._cli._shell import show


def test_characters_that_standard_output_lacks_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    show("51.37 ± 0.20")
    assert written.getvalue() == b"51.37 \\xb1 0.20\n"


def test_what_has_no_encoding_gets_every_character(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert sys.stdout.encoding is None
    show("51.37 ± 0.20")
    assert sys.stdout.getvalue() == "51.37 ± 0.20\n"


def test_a_reader_who_has_gone_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        show("a table")
        show("another")
