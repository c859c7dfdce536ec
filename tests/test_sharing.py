"""What tests share is made once, and its failures are seen."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import once
from tests.fresh import Fresh


def test_a_folder_is_filled_once_and_again_only_after_a_failure(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    fills: list[Path] = []

    def fill(folder: Path) -> None:
        fills.append(folder)
        (folder / f"{len(fills)}").touch()
        if len(fills) == 1:
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        once.folder_of(tmp_path_factory, "sharing", fill)
    one, two = (once.folder_of(tmp_path_factory, "sharing", fill) for _ in range(2))
    assert len(fills) == 2
    assert one == two == fills[0]
    assert [path.name for path in one.iterdir()] == ["2"]


def test_a_fresh_process_has_imported_pytorch_and_nothing_of_ours(
    fresh: Callable[[str], str],
) -> None:
    told = "import sys; print('torch' in sys.modules, 'corruptlab' in sys.modules, __name__)"
    assert fresh("import corruptlab") == ""
    assert fresh(told) == "True False __main__\n"


@pytest.mark.parametrize(
    "program",
    ["raise OSError('broken')", "import sys; sys.exit(1)", "import warnings; warnings.warn('old')",
     "import sys; print('said', file=sys.stderr)"],
)  # fmt: skip
def test_what_a_fresh_process_complains_of_is_an_error(
    program: str, fresh: Callable[[str], str]
) -> None:
    with pytest.raises(AssertionError):
        fresh(program)


def test_a_module_runs_in_its_folder_with_its_arguments(fresh: Fresh, tmp_path: Path) -> None:
    told = "import os, sys; print(os.getcwd(), sys.argv[1:], __name__); sys.exit(3)"
    (tmp_path / "told.py").write_text(told)
    ended = fresh.module("told", 1, "two", folder=tmp_path)
    assert ended == (3, f"{tmp_path} ['1', 'two'] __main__\n", "")
