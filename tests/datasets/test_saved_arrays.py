"""Files of torch.save: arrays come back, and nothing in a file is run."""

import builtins
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from corruptlab.datasets import DataFileError
from corruptlab.datasets._cifar_n import integers, saved_arrays

VALUES = np.array([3, 0, -1, 2**62])


def archive(path: Path, program: bytes, method: int = zipfile.ZIP_STORED) -> Path:
    """What torch.save writes, around any pickle."""
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("archive/data.pkl", program)
        file.writestr("archive/version", "3\n")
    return path


def roundtrip(path: Path, value: Any) -> Any:
    torch.save({"labels": value}, path)
    return integers(saved_arrays(path)["labels"])


@pytest.mark.parametrize("dtype", ["<i8", ">i8", "<i4", "|u1", "<u2", ">i2", "|i1"])
def test_arrays_of_integers_come_back(tmp_path: Path, dtype: str) -> None:
    values = np.array([3, 0, 1, 100], dtype)
    back = roundtrip(tmp_path / "x.pt", values)
    assert back.dtype == np.int64
    assert_array_equal(back, values)


def test_lists_of_integers_come_back(tmp_path: Path) -> None:
    assert_array_equal(roundtrip(tmp_path / "x.pt", VALUES.tolist()), VALUES)


@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_files_of_numpy_1_and_of_numpy_2_are_read(tmp_path: Path, module: bytes) -> None:
    program = pickle.dumps({"labels": VALUES}, protocol=2)
    old, new = b"cnumpy.core.multiarray\n", b"cnumpy._core.multiarray\n"
    assert old in program or new in program
    for name in (old, new):
        program = program.replace(name, b"c" + module + b"\n")
    content = saved_arrays(archive(tmp_path / "x.pt", program))
    assert_array_equal(integers(content["labels"]), VALUES)


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(3),
        np.zeros(3, bool),
        np.zeros((3, 1), np.int64),
        np.array([1, None], object),
        np.array(["a"]),
        np.zeros(2, [("a", "<i8")]),
        [1, True],
        [1, 2.0],
        [1, [2]],
        [2**63],
        "labels",
        None,
        torch.arange(3),
    ],
)
def test_other_things_are_no_integers(tmp_path: Path, value: Any) -> None:
    assert roundtrip(tmp_path / "x.pt", value) is None


class Call:
    """Pickles as a call of anything with anything."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.what = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> Any:
        return self.what


def refusal(path: Path) -> str:
    with pytest.raises(DataFileError) as caught:
        saved_arrays(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("function", "name"),
    [(os.mkdir, f"{os.mkdir.__module__}.mkdir"), (os.system, f"{os.system.__module__}.system")],
)
def test_hostile_file_is_refused_and_nothing_of_it_runs(
    tmp_path: Path, function: Any, name: str
) -> None:
    mark, path = tmp_path / "mark", tmp_path / "x.pt"
    argument = str(mark) if function is os.mkdir else f"touch {mark}"
    torch.save({"clean_label": VALUES, "more": Call(function, argument)}, path)
    assert refusal(path) == (
        f"{path}: expected arrays and lists saved with torch.save, "
        f"found one that asks for {name} (nothing of it was run)."
    )
    assert not mark.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("wrapped", [True, False])
def test_hostile_pickle_of_any_protocol_does_not_run(
    tmp_path: Path, protocol: int, wrapped: bool
) -> None:
    mark, path = tmp_path / "mark", tmp_path / "x.pt"
    program = pickle.dumps(Call(builtins.eval, f"open({str(mark)!r}, 'w')"), protocol)
    if wrapped:
        archive(path, program)
    else:
        path.write_bytes(program)
    assert refusal(path).startswith(f"{path}: expected arrays and lists saved with torch.save, ")
    assert not mark.exists()


@pytest.mark.parametrize(
    "state",
    [
        (1, (4,), np.dtype("i8"), False, b"\0" * 31),  # a byte short
        (1, (1 << 60,), np.dtype("i8"), False, b"\0" * 8),  # larger than any memory
        (1, (-1,), np.dtype("i8"), False, b"\0" * 8),
        (1, (2,), np.dtype("O"), False, [1, 2]),
        (1, (2,), np.dtype("O"), False, b"\0" * 16),  # addresses of objects
        (1, (2,), "i8", False, b"\0" * 16),
        (1, 2, np.dtype("i8"), False, b"\0" * 16),
        (1,),
        "state",
    ],
)
def test_states_that_would_harm_numpy_do_not_reach_it(tmp_path: Path, state: Any) -> None:
    path = tmp_path / "x.pt"
    reconstruct = np.zeros(1).__reduce__()[0]
    torch.save({"labels": Call(reconstruct, np.ndarray, (0,), b"b", state=state)}, path)
    assert integers(saved_arrays(path)["labels"]) is None


def opened(path: str) -> object:
    return Path(path).open("w")


def test_what_users_allowed_is_not_allowed_here_and_stays_allowed_there(tmp_path: Path) -> None:
    mark, path = tmp_path / "mark", tmp_path / "x.pt"
    torch.save({"labels": Call(opened, str(mark))}, path)
    theirs: list[Any] = [opened, (np.ndarray, "numpy.ndarray"), np.dtype]
    with torch.serialization.safe_globals(theirs):
        before = set(torch.serialization.get_safe_globals())
        assert before >= set(theirs)
        assert f"found one that asks for {__name__}.opened (nothing of it was run)" in refusal(path)
        assert not mark.exists()
        assert set(torch.serialization.get_safe_globals()) == before
        assert_array_equal(roundtrip(path, VALUES), VALUES)
        assert set(torch.serialization.get_safe_globals()) == before


def test_damaged_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    start = f"{path}: expected arrays and lists saved with torch.save, found "
    assert refusal(path) == f"{start}no such file."
    torch.save({"labels": VALUES}, path)
    whole = path.read_bytes()
    for cut in (0, 1, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert refusal(path).startswith(f"{start}unreadable data (")
    archive(path, b"")
    assert refusal(path).startswith(f"{start}unreadable data (")
    assert refusal(tmp_path).startswith(f"{tmp_path}: expected arrays and lists saved with")


def test_every_changed_byte_is_a_data_file_error_or_harmless(tmp_path: Path) -> None:
    program = pickle.dumps({"labels": VALUES}, protocol=2)
    for position in range(len(program)):
        changed = bytearray(program)
        changed[position] ^= 0x15
        path = archive(tmp_path / "x.pt", bytes(changed))
        try:
            for value in saved_arrays(path).values():
                integers(value)
        except DataFileError:
            pass


def test_something_else_than_a_dictionary_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    torch.save([1, 2], path)
    assert refusal(path) == (
        f"{path}: expected a dictionary of arrays and lists saved with torch.save, found list."
    )


@pytest.mark.slow(seconds=1)
def test_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.pt", bytes(1 << 26), zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    assert refusal(path) == (
        f"{path}: expected at most 67,108,864 bytes, found an archive that unpacks to 67,108,866."
    )


def test_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    path.touch()
    os.truncate(path, (1 << 26) + 1)
    assert refusal(path) == f"{path}: expected at most 67,108,864 bytes, found 67,108,865."
