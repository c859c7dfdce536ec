"""The one error for broken data files."""

import pickle
from pathlib import Path

from corruptlab.datasets import DataFileError

ERROR = DataFileError(Path("a") / "b.gz", expected="12 bytes", found="3")


def test_message_names_file_expected_and_found() -> None:
    assert str(ERROR) == f"{Path('a') / 'b.gz'}: expected 12 bytes, found 3."


def test_error_is_a_value_error_with_its_parts() -> None:
    assert isinstance(ERROR, ValueError)
    assert (ERROR.path, ERROR.expected, ERROR.found) == (Path("a/b.gz"), "12 bytes", "3")


def test_error_survives_pickling() -> None:
    again = pickle.loads(pickle.dumps(ERROR))
    assert (type(again), str(again), again.path) == (DataFileError, str(ERROR), ERROR.path)
