"""A missing extra is one clear error that names it."""

import json
from pathlib import Path

import pytest

from corruptlab._errors import MissingExtraError, require


def test_an_installed_module_is_returned() -> None:
    assert require("json", extra="plot") is json


def test_a_missing_package_names_its_extra() -> None:
    message = (
        r"^`no_such_package` is not installed; "
        r"install it with: pip install 'corruptlab\[plot\]'\.$"
    )
    with pytest.raises(MissingExtraError, match=message) as caught:
        require("no_such_package.figure", extra="plot")
    assert caught.value.name == "no_such_package"


def test_an_installed_package_that_misses_something_says_so_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_installed.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_package'"):
        require("half_installed", extra="plot")
