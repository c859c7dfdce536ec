"""What tests of the command line share."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from tests.cli.trees import idx_tree


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Images of a few pixels, as ``--data`` takes them."""
    return f"idx:{idx_tree(tmp_path / 'images')}"


@pytest.fixture
def no_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the import of matplotlib to fail as if it were not installed."""
    real = importlib.import_module

    def missing(name: str, package: str | None = None) -> Any:
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError(f"No module named {name!r}", name="matplotlib")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", missing)
