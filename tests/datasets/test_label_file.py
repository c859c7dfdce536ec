"""Labels in .npy, .npz, .csv, and .json: all agree, and nothing in them is taken on trust."""

import json
import os
import pickle
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from corruptlab import GivenLabels, corrupt
from corruptlab.datasets import DataFileError, label_file

LABELS = [3, 0, 12, 7]
IDS = [2, 0, 3, 1]


def text(name: str, content: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_text(content, encoding="utf-8")
        return folder / name

    return write


def npy(values: Any = LABELS, dtype: Any = np.int64) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        np.save(folder / "labels.npy", np.array(values, dtype))
        return folder / "labels.npy"

    return write


def npz(packed: bool = False, **arrays: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        save: Any = np.savez_compressed if packed else np.savez
        save(folder / "labels.npz", **{name: np.array(each) for name, each in arrays.items()})
        return folder / "labels.npz"

    return write


@pytest.mark.parametrize(
    "write",
    [
        npy(),
        npy(dtype=">i4"),
        npy(dtype=np.uint8),
        npy(dtype=np.uint64),
        npy([[each] for each in LABELS]),
        npz(labels=LABELS),
        npz(packed=True, labels=LABELS),
        text("labels.csv", "3\n0\n12\n7\n"),
        text("labels.csv", "label\r\n3\r\n\r\n0\r\n12\r\n7"),
        text("labels.CSV", '\ufeff"noisy label"\n"3"\n 0 \n+12\n7\n'),
        text("labels.json", "[3, 0, 12, 7]"),
        text("labels.txt", "3\n0\n12\n7\n"),
        text("labels", "3\n0\n12\n7"),
    ],
)
def test_labels_come_in_the_order_of_the_file(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    read = label_file(write(tmp_path))
    assert read.labels.dtype == np.int64
    assert_array_equal(read.labels, LABELS)
    assert read.ids is None
    assert repr(read) == f"FileLabels({read.path.name!r}: 4 labels, 0 .. 12)"


@pytest.mark.parametrize(
    "write",
    [
        text("labels.csv", "2,3\n0,0\n3,12\n1,7\n"),
        text("labels.csv", "index, label\n2, 3\n0, 0\n3, 12\n1, 7\n"),
        text("labels.csv", ",0.label\n2,3\n0,0\n3,12\n1,7\n"),  # as pandas writes it
        text("labels.csv", ",0\n2,3\n0,0\n3,12\n1,7\n"),  # likewise, a series without a name
        text("labels.csv", "index;label\n2;3\n0;0\n3;12\n1;7\n"),
        text("labels.tsv", "2\t3\n0\t0\n3\t12\n1\t7\n"),
        text("labels.tsv", "\t0\n2\t3\n0\t0\n3\t12\n1\t7\n"),  # as pandas writes it
        text("labels.json", '{"2": 3, "0": 0, "3": 12, "1": 7}'),
    ],
)
def test_labels_come_with_the_numbers_of_their_examples(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    read = label_file(write(tmp_path))
    assert_array_equal(read.labels, LABELS)
    assert_array_equal(read.ids, IDS)
    assert repr(read).endswith(": 4 labels, 0 .. 12, by example number)")
    noisy = corrupt([(0, 0)] * 4, GivenLabels(read.labels, ids=read.ids), num_classes=13)
    assert_array_equal(noisy.targets, [0, 7, 3, 12])


def test_what_is_read_is_read_only(tmp_path: Path) -> None:
    read = label_file(text("x.csv", "0,1\n")(tmp_path))
    assert read.ids is not None
    for values in (read.labels, read.ids):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 0


@pytest.mark.slow(seconds=1)
@given(st.dictionaries(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1), min_size=1))
def test_all_formats_agree(tmp_path_factory: pytest.TempPathFactory, pairs: dict[int, int]) -> None:
    folder = tmp_path_factory.getbasetemp()
    ids, labels = list(pairs), list(pairs.values())
    rows = "".join(f"{index},{label}\n" for index, label in pairs.items())
    for write in (
        npy(labels),
        npz(packed=True, labels=labels),
        text("x.csv", rows),
        text("x.json", json.dumps(pairs)),
    ):
        read = label_file(write(folder))
        assert_array_equal(read.labels, labels)
        assert read.ids is None or read.ids.tolist() == ids


def test_a_header_that_is_a_number_is_no_label_and_a_warning_tells(tmp_path: Path) -> None:
    path = text("x.csv", "0\n3\n0\n12\n7\n")(tmp_path)
    with pytest.warns(UserWarning, match=r"x\.csv: the first line, 0, is read as the header"):
        assert_array_equal(label_file(path).labels, LABELS)
    assert_array_equal(label_file(path, header=True).labels, LABELS)
    assert_array_equal(label_file(path, header=False).labels, [0, *LABELS])
    assert_array_equal(label_file(text("x.csv", "0\n")(tmp_path)).labels, [0])
    assert_array_equal(label_file(text("x.txt", "0\n3\n")(tmp_path)).labels, [0, 3])
    named = text("x.csv", "7\n3\n0\n")(tmp_path)
    assert_array_equal(label_file(named, header=True).labels, [3, 0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["x.csv", "x.txt"])
@pytest.mark.parametrize("first", [0, 7])
def test_the_number_of_examples_tells_headers_from_labels(
    tmp_path: Path, name: str, first: int
) -> None:
    path = text(name, f"{first}\n3\n0\n12\n7\n")(tmp_path)
    assert_array_equal(label_file(path, num_examples=4).labels, LABELS)
    assert_array_equal(label_file(path, num_examples=5).labels, [first, *LABELS])
    assert refusal(path, num_examples=3) == f"{path}: expected 3 labels, found 5."
    assert refusal(path, num_examples=5, header=True) == f"{path}: expected 5 labels, found 4."
    pairs = text(name, "0,1\n0,5\n1,6\n")(tmp_path)  # columns that pandas numbered
    read = label_file(pairs, num_examples=2)
    assert (read.labels.tolist(), read.ids.tolist()) == ([5, 6], [0, 1])  # type: ignore[union-attr]


def test_every_format_has_the_number_of_labels_that_is_asked_for(tmp_path: Path) -> None:
    for write in (npy(), npz(labels=LABELS), text("x.json", "[3, 0, 12, 7]")):
        path = write(tmp_path)
        assert_array_equal(label_file(path, num_examples=4).labels, LABELS)
        assert refusal(path, num_examples=5) == f"{path}: expected 5 labels, found 4."


@pytest.mark.slow
@pytest.mark.parametrize("numbered", [False, True])
def test_a_large_json_file_is_read_in_pieces(tmp_path: Path, numbered: bool) -> None:
    labels = np.arange(300_000) % 977
    content: Any = {str(i): int(y) for i, y in enumerate(labels)} if numbered else labels.tolist()
    path = text("x.json", json.dumps(content, indent=1 if numbered else None))(tmp_path)
    tracemalloc.start()
    try:
        read = label_file(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert_array_equal(read.labels, labels)
    if read.ids is not None:
        assert_array_equal(read.ids, np.arange(300_000))
    assert numbered == (read.ids is not None)
    assert peak < 60_000_000  # 5 million for the numbers, the rest for one piece


@pytest.mark.parametrize("end", ["", ",", ",]", "]]", "}", ", true]", ", [3]]", ', "a": 3]'])
def test_a_large_json_file_that_is_damaged_is_refused(tmp_path: Path, end: str) -> None:
    path = text("x.json", f"[{'12, ' * 400_000}12{end}")(tmp_path)
    assert refusal(path).startswith(f"{path}: expected ")


def test_one_of_several_arrays_is_named(tmp_path: Path) -> None:
    path = npz(clean=[1], noisy=[2])(tmp_path)
    assert label_file(path, array="noisy").labels.tolist() == [2]
    expected = f"{path}: expected `array` to be one of those in the file (clean, noisy), found "
    for name in (None, "labels"):
        with pytest.raises(DataFileError) as caught:
            label_file(path, array=name)
        assert str(caught.value) == f"{expected}{name!r}."


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("x.pkl", {}, r"^`path` must end in \.npy, \.npz, .*, or have no end, got 'x\.pkl'\.$"),
        ("x.npy", {"header": True}, r"^`header` must be left out for a \.npy file, got True\.$"),
        ("x.npy", {"match": ["a"]}, r"^`match` must be left out for a \.npy file, got \['a'\]\.$"),
        ("x.csv", {"num_examples": 0}, r"^`num_examples` must be at least 1, got 0\.$"),
        ("x.npy", {"array": "a"}, r"^`array` must be left out for a \.npy file, got 'a'\.$"),
        ("x.csv", {"num_classes": 0}, r"^`num_classes` must be at least 1, got 0\.$"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(name: str, arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        label_file(name, **arguments)


def refusal(path: Path, **arguments: Any) -> str:
    with pytest.raises(DataFileError) as caught:
        label_file(path, **arguments)
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["npy", "npz", "csv", "json"])
def test_missing_file_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    assert refusal(path) == f"{path}: expected a file of labels, found no such file."
    path.mkdir()
    assert refusal(path) == f"{path}: expected a file of labels, found a folder."


@pytest.mark.parametrize(
    ("write", "where"),
    [
        (npy([1, 5, 9]), "at position 1"),
        (npz(labels=[1, 5, 9]), "at position 1"),
        (text("x.csv", "label\n1\n\n5\n9\n"), "in line 4"),
        (text("x.csv", "7,1\n8,5\n9,9\n"), "in line 2"),
        (text("x.json", "[1, 5, 9]"), "at position 1"),
    ],
)
def test_label_out_of_range_is_named_with_its_place(
    tmp_path: Path, write: Callable[[Path], Path], where: str
) -> None:
    path = write(tmp_path)
    assert refusal(path, num_classes=5) == f"{path}: expected labels 0 .. 4, found 5 {where}."
    assert len(label_file(path, num_classes=10)) == 3


@pytest.mark.parametrize(
    ("write", "where"),
    [
        (npy([1, -1]), "at position 1"),
        (text("x.csv", "1\n-1\n"), "in line 2"),
        (text("x.json", "[1, -1]"), "at position 1"),
    ],
)
def test_negative_label_is_named_with_its_place(
    tmp_path: Path, write: Callable[[Path], Path], where: str
) -> None:
    path = write(tmp_path)
    assert refusal(path) == f"{path}: expected labels of 0 or more, found -1 {where}."


@pytest.mark.parametrize(
    ("write", "expected", "found"),
    [
        (text("x.csv", "i,y\n4,0\n5,0\n4,1\n5,1\n"), "every example once", "4 again in line 4"),
        (text("x.csv", "0,0\n-2,0\n"), "example numbers of 0 or more", "-2 in line 2"),
        (text("x.json", '{"4": 0, "4": 1}'), "every example once", "4 again at position 1"),
        (text("x.json", '{"-4": 0}'), "example numbers as keys", "the key '-4'"),
        (text("x.json", '{"04": 0}'), "example numbers as keys", "the key '04'"),
        (text("x.json", '{"a.jpg": 0}'), "example numbers as keys", "the key 'a.jpg'"),
        (text("x.json", '{"9999999999999999999": 0}'), "integers of 64 bits",
         "9999999999999999999"),
    ],
)  # fmt: skip
def test_numbers_of_examples_are_checked(
    tmp_path: Path, write: Callable[[Path], Path], expected: str, found: str
) -> None:
    path = write(tmp_path)
    assert refusal(path) == f"{path}: expected {expected}, found {found}."


@pytest.mark.parametrize(
    "write",
    [
        npy([]),
        npz(labels=np.zeros(0, int)),
        text("x.csv", ""),
        text("x.csv", "label\n"),
        text("x.csv", "index,label\n"),
        text("x.json", "[]"),
        text("x.json", "{}"),
    ],
)
def test_file_without_labels_is_refused(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    path = write(tmp_path)
    assert refusal(path) == f"{path}: expected at least one label, found none."


@pytest.mark.parametrize(
    ("content", "expected", "found"),
    [
        ("1\n2.0\n", "rows `label` of integers", "'2.0' in line 2"),
        ("label\n1\n\ncat\n", "rows `label` of integers", "'cat' in line 4"),
        ("1\n2,3\n", "rows `label` of integers", "'2,3' in line 2"),
        ("0,1\n1\n", "rows `index,label` of integers", "'1' in line 2"),
        ("a.jpg,0\n", "rows `index,label` of integers (`match` finds examples by file name)",
         "'a.jpg,0' in line 1"),
        ("0,cat\n1,dog\n", "rows `index,label` of integers", "'0,cat' in line 1"),
        ("1,2,3\n", "rows `index,label` of integers", "'1,2,3' in line 1"),
        ("1;2\n3,4\n", "rows `index,label` of integers", "'3,4' in line 2"),
        ("1\t2\n3 4\n", "rows `index,label` of integers", "'3 4' in line 2"),
        ("1_0\n1_1\n", "rows `label` of integers", "'1_1' in line 2"),
        ("index,noisy,clean\n1,2,3\n", "columns `label` or `index,label`",
         "the header 'index,noisy,clean'"),
        ("Label,Index\n1,2\n", "columns `label` or `index,label`", "the header 'Label,Index'"),
        ("1\n9223372036854775808\n", "integers of 64 bits", "'9223372036854775808' in line 2"),
        ("1\n" + "0" * 5_000, "lines of at most 4,096 bytes", "a longer one, line 2"),
    ],
)  # fmt: skip
def test_table_that_is_none_is_named_with_its_line(
    tmp_path: Path, content: str, expected: str, found: str
) -> None:
    path = text("x.csv", content)(tmp_path)
    assert refusal(path) == f"{path}: expected {expected}, found {found}."


def test_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"1\n\xff\n")
    assert refusal(path) == f"{path}: expected UTF-8 text, found other bytes in line 2."


JSON = "a JSON list of labels, or an object of example number and label"


@pytest.mark.parametrize(
    ("content", "expected", "found"),
    [
        ("[1, 2.0]", "labels that are integers", "'2.0' at position 1"),
        ("[true]", "labels that are integers", "'True' at position 0"),
        ("[1, null]", "labels that are integers", "'None' at position 1"),
        ("[NaN]", "labels that are integers", "'nan' at position 0"),
        ('{"0": [1]}', "labels that are integers", "'[1]' at position 0"),
        ("[9223372036854775808]", "integers of 64 bits", "9223372036854775808"),
        ('"labels"', JSON, "'labels'"),
        ("3", JSON, "'3'"),
        ("[1,\n2", JSON, "Expecting ',' delimiter in line 2, column 2"),
        ("", JSON, "Expecting value in line 1, column 1"),
    ],
)
def test_json_that_is_something_else_is_refused(
    tmp_path: Path, content: str, expected: str, found: str
) -> None:
    path = text("x.json", content)(tmp_path)
    assert refusal(path) == f"{path}: expected {expected}, found {found}."


@pytest.mark.parametrize("content", [b"[" * 100_000, b"[" + b"9" * 100_000 + b"]", b'["\xff"]'])
def test_json_without_end_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    assert refusal(path).startswith(f"{path}: expected {JSON}, found unreadable data (")


def test_json_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.touch()
    os.truncate(path, (1 << 28) + 1)
    assert refusal(path) == (
        f"{path}: expected at most 268,435,456 bytes of JSON, found 268,435,457."
    )


ARRAY = "an array of one integer for each example"


@pytest.mark.parametrize(
    ("write", "expected", "found"),
    [
        (npy(dtype=float), ARRAY, "one of type '<f8'"),
        (npy(dtype=bool), ARRAY, "one of type '|b1'"),
        (npy(["a"], str), ARRAY, "one of type '<U1'"),
        (npy([(1, 2)], "i8,i8"), ARRAY, "one of type \"[('f0', '<i8'), ('f1', '<i8')]\""),
        (npy([1], object), ARRAY, "one of type '|O'"),
        (npy([[1, 0], [0, 1]]), f"{ARRAY}, and at most 134,217,728 of them", "shape (2, 2)"),
        (npy(3), f"{ARRAY}, and at most 134,217,728 of them", "shape ()"),
        (npy([2**64 - 1], np.uint64), "integers of 64 bits", "18446744073709551615"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_arrays_of_other_things_are_refused(
    tmp_path: Path, write: Callable[[Path], Path], packed: bool, expected: str, found: str
) -> None:
    path = write(tmp_path)
    if packed:
        with zipfile.ZipFile(tmp_path / "labels.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(path, "labels.npy")
        path = tmp_path / "labels.npz"
    assert refusal(path) == f"{path}: expected {expected}, found {found}."


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("suffix", ["npy", "npz", "csv", "json"])
def test_file_with_code_does_not_run_it(tmp_path: Path, suffix: str) -> None:
    mark, path = tmp_path / "mark", tmp_path / f"x.{suffix}"
    np.save(tmp_path / "objects.npy", np.array([Hostile(mark)], object))
    np.savez(tmp_path / "objects.npz", labels=np.array([Hostile(mark)], object))
    for content in (
        pickle.dumps(Hostile(mark)),
        (tmp_path / "objects.npy").read_bytes(),
        (tmp_path / "objects.npz").read_bytes(),
    ):
        path.write_bytes(content)
        assert refusal(path).startswith(f"{path}: expected ")
        assert not mark.exists()


def header(text: bytes, length: int | None = None, version: bytes = b"\x01\x00") -> bytes:
    size = len(text) if length is None else length
    return b"\x93NUMPY" + version + size.to_bytes(2 if version[0] == 1 else 4, "little") + text


def described(shape: str, descr: str = "'<i8'") -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()


@pytest.mark.parametrize(
    ("content", "expected", "found"),
    [
        (b"", "a .npy array", "0 bytes that begin with b''"),
        (b"PK\x03\x04", "a .npy array", "4 bytes that begin with b'PK\\x03\\x04'"),
        (header(b"", version=b"\x04\x00"), "a .npy array",
         "8 bytes that begin with b'\\x93NUMPY\\x04\\x00'"),
        (header(b"", 1 << 31, b"\x02\x00"), "a header of at most 1,024 bytes", "2,147,483,648"),
        (header(b"{" * 1_000), "a .npy header", repr("{" * 60)),
        (header(b"-" * 1_000 + b"1"), "a .npy header", repr("-" * 60)),
        (header(b"{}"), "a .npy header", "'{}'"),
        (header(b"[]"), "a .npy header", "'[]'"),
        (header(described("3")), "a .npy header", repr(described("3").decode()[:60])),
        (header(described("(-1,)")), f"{ARRAY}, and at most 134,217,728 of them", "shape (-1,)"),
        (header(described("(True,)")), f"{ARRAY}, and at most 134,217,728 of them",
         "shape (True,)"),
        (header(described("(1 << 60,)")), "a .npy header",
         repr(described("(1 << 60,)").decode()[:60])),
        (header(described("(134217729,)")), f"{ARRAY}, and at most 134,217,728 of them",
         "shape (134217729,)"),
        (header(described("(134217728,)")), "1,073,741,824 bytes of values for 134,217,728 labels",
         "a file that can hold at most 0"),
        (header(described("(2,)")) + b"\0" * 15, "16 bytes of values for 2 labels",
         "a file that can hold at most 15"),
        (header(described("(2,)")) + b"\0" * 17, "16 bytes of values for 2 labels", "more"),
    ],
)  # fmt: skip
def test_array_that_is_damaged_or_hostile_is_refused(
    tmp_path: Path, content: bytes, expected: str, found: str
) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(content)
    assert refusal(path) == f"{path}: expected {expected}, found {found}."


@pytest.mark.parametrize("version", [b"\x01\x00", b"\x02\x00", b"\x03\x00"])
def test_every_version_of_the_format_is_read(tmp_path: Path, version: bytes) -> None:
    path = tmp_path / "x.npy"
    values = np.array(LABELS, "<i8")
    path.write_bytes(header(described("(4,)"), version=version) + values.tobytes())
    assert_array_equal(label_file(path).labels, LABELS)


def test_archive_that_unpacks_to_too_much_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        head = header(described("(100000000,)"))
        archive.writestr("labels.npy", head + bytes(1 << 20))
    tracemalloc.start()
    try:
        message = refusal(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert message.startswith(
        f"{path}: expected 800,000,000 bytes of values for 100,000,000 labels"
    )
    assert peak < 2_000_000


@pytest.mark.parametrize(
    ("n", "lie", "message"),
    [
        (1_000, 1_000, "a whole .npz archive, found a damaged one ("),
        (100_000_000, 900_000_000, "800,000,000 bytes of values for 100,000,000 labels, found a"),
    ],
)
def test_archive_that_lies_about_its_size_is_refused(
    tmp_path: Path, n: int, lie: int, message: str
) -> None:
    path = tmp_path / "x.npz"
    content = header(described(f"({n},)")) + bytes(8_000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.npy", content)
    size, lied = (each.to_bytes(4, "little") for each in (len(content), lie))
    assert path.read_bytes().count(size) == 2
    path.write_bytes(path.read_bytes().replace(size, lied))
    assert refusal(path).startswith(f"{path}: expected {message}")


@pytest.mark.parametrize("packed", [False, True])
def test_archive_cut_anywhere_is_refused(tmp_path: Path, packed: bool) -> None:
    path = npz(packed=packed, labels=LABELS)(tmp_path)
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        assert refusal(path).startswith(f"{path}: expected a whole .npz archive, found a damaged")


@pytest.mark.parametrize("packed", [False, True])
def test_archive_with_a_changed_byte_is_refused_or_unharmed(tmp_path: Path, packed: bool) -> None:
    path = npz(packed=packed, labels=LABELS)(tmp_path)
    whole = path.read_bytes()
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 0x81
        path.write_bytes(changed)
        try:
            labels = label_file(path).labels
        except DataFileError:
            continue
        assert_array_equal(labels, LABELS)


def test_archive_packed_in_another_way_is_refused(tmp_path: Path) -> None:
    npy()(tmp_path)
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.write(tmp_path / "labels.npy", "labels.npy")
    assert refusal(path) == f"{path}: expected a member as NumPy packs it, found method 12."


def test_archive_without_arrays_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w"):
        pass
    assert refusal(path) == (
        f"{path}: expected `array` to be one of those in the file (no array), found None."
    )
