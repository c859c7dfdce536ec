"""Tables of comma-separated values: what they hold, how they are split, and what is refused."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from corruptlab import corrupt, materialize
from corruptlab.datasets import DataFileError, Table, csv_table, load_table

ROWS = [(k, f"{k / 4}", ("red", "blue")[k % 2], ("yes", "no")[k % 3 == 0]) for k in range(30)]


def written(tmp_path: Path, text: str | bytes, name: str = "x.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def table_text(separator: str = ",") -> str:
    rows = [("size", "weight", "color", "ill"), *ROWS]
    return "".join(separator.join(map(str, row)) + "\n" for row in rows)


def both(parts: tuple[Table, Table]) -> Any:
    """All rows, sorted by the first column."""
    inputs = torch.cat([part.inputs for part in parts])
    targets = torch.cat([part.targets for part in parts])
    order = inputs[:, 0].argsort()
    return inputs[order].numpy(), targets[order].tolist()


def test_numbers_and_categories_become_standardized_columns(tmp_path: Path) -> None:
    train, test = csv_table(written(tmp_path, table_text()))
    assert train.columns == ("size", "weight", "color=blue", "color=red")
    assert train.classes == ("no", "yes")
    inputs, targets = both((train, test))
    assert targets == [int(row[3] == "yes") for row in ROWS]
    raw = np.array([(k, k / 4, k % 2, 1 - k % 2) for k in range(30)])
    kept = np.isin(inputs[:, 0], train.inputs[:, 0].numpy())
    mean, std = raw[kept].mean(0), raw[kept].std(0)
    assert_allclose(inputs, (raw - mean) / std, atol=1e-6)
    assert train.inputs.dtype is torch.float32
    assert_allclose(train.inputs.mean(0), 0, atol=1e-6)
    assert_allclose(train.inputs.std(0, correction=0), 1, atol=1e-6)


def test_a_fifth_of_each_class_is_held_out_and_always_the_same(tmp_path: Path) -> None:
    path = written(tmp_path, table_text())
    train, test = csv_table(path)
    labels = [row[3] for row in ROWS]
    for k, name in enumerate(train.classes):
        assert int((test.targets == k).sum()) == labels.count(name) // 5
    assert len(train) + len(test) == 30
    sizes = both((train, test))[0][:, 0]
    published = [2, 3, 8, 9, 13, 17]  # they must not move
    assert np.flatnonzero(np.isin(sizes, test.inputs[:, 0])).tolist() == published
    again = csv_table(path)
    assert torch.equal(again[1].inputs, test.inputs)
    for part in (train, test):
        sizes = part.inputs[:, 0]
        assert bool((sizes.diff() > 0).all())  # in the order of the file


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_quotes_blank_lines_and_a_byte_order_mark_are_read(
    tmp_path: Path, separator: str
) -> None:
    plain = csv_table(written(tmp_path, table_text()))
    text = "\ufeff\n" + table_text(separator).replace("red", ' "red" ').replace("\n3", "\n\n3")
    other = csv_table(written(tmp_path, text.replace(' "red" ', '"red"').replace("\n", "\r\n")))
    assert other[0].columns == plain[0].columns
    assert torch.equal(other[0].inputs, plain[0].inputs)


def test_first_row_is_a_header_unless_it_has_a_number(tmp_path: Path) -> None:
    bare = written(tmp_path, table_text().partition("\n")[2])
    train, test = csv_table(bare)
    assert train.columns == ("0", "1", "2=blue", "2=red")
    named = csv_table(written(tmp_path, table_text(), "named.csv"))
    assert torch.equal(train.inputs, named[0].inputs)
    assert len(train) + len(test) == 30
    with_years = table_text().replace("weight", "2019", 1)
    read = csv_table(written(tmp_path, with_years), header=True)
    assert read[0].columns[1] == "2019"
    texts = "a,b\n" * 5 + "c,d\n" * 6
    assert sum(map(len, csv_table(written(tmp_path, texts), header=False))) == 11
    assert sum(map(len, csv_table(written(tmp_path, texts)))) == 10


def test_label_column_is_named_or_the_last(tmp_path: Path) -> None:
    path = written(tmp_path, table_text(), "a:b.csv")
    assert csv_table(path, label="color")[0].classes == ("blue", "red")
    assert load_table(f"csv:{path}")[0].classes == ("no", "yes")
    assert load_table(f"csv:{path}:color")[0].classes == ("blue", "red")
    bare = written(tmp_path, table_text().partition("\n")[2])
    assert csv_table(bare, label="2")[0].classes == ("blue", "red")


def test_integer_classes_are_in_the_order_of_their_values(tmp_path: Path) -> None:
    train, test = csv_table(written(tmp_path, "".join(f"{k}.5,{k % 13 - 1}\n" for k in range(99))))
    assert train.classes == tuple(map(str, range(-1, 12)))
    assert set(test.targets.tolist()) == set(range(13))


def test_a_constant_column_becomes_zero(tmp_path: Path) -> None:
    train, test = csv_table(written(tmp_path, "".join(f"7,{k},{k % 2}\n" for k in range(20))))
    assert not train.inputs[:, 0].any()
    assert not test.inputs[:, 0].any()


def test_a_constant_column_becomes_zero_whatever_the_rounding(tmp_path: Path) -> None:
    rows = "".join(f"0.1,{k},{k % 2}\n" for k in range(23))
    assert np.full(19, 0.1).std() > 0
    for table in csv_table(written(tmp_path, rows)):
        assert not table.inputs[:, 0].any()


@pytest.mark.parametrize("exponent", [-320, -200, 200, 306])
def test_very_large_and_small_numbers_are_standardized(exponent: int, tmp_path: Path) -> None:
    rows = "".join(f"{k}e{exponent},{k},{k % 2}\n" for k in range(100))
    for table in csv_table(written(tmp_path, rows)):
        assert torch.allclose(table.inputs[:, 0], table.inputs[:, 1], atol=1e-3)


def test_a_test_row_out_of_range_is_named(tmp_path: Path) -> None:
    train, test = csv_table(written(tmp_path, "".join(f"{k},{k % 2}\n" for k in range(20))))
    at = int((torch.cat([train.inputs, test.inputs]) < test.inputs[0]).sum())
    rows = [f"{1e60 if k == at else k},{k % 2}\n" for k in range(20)]
    message = rf"in column '0' that float32 can hold after .*, found 1e\+60 in line {at + 1}\.$"
    with pytest.raises(DataFileError, match=message):
        csv_table(written(tmp_path, "".join(rows)))


def test_classes_may_have_thousands_of_digits(tmp_path: Path) -> None:
    large, rows = "9" * 5000, [f"{k}.5,{k % 2}" for k in range(20)]
    text = "\n".join(row.replace(",1", f",{large}").replace(",0", ",-3") for row in rows)
    assert csv_table(written(tmp_path, text))[0].classes == ("-3", large)


def test_a_table_is_a_data_set(tmp_path: Path) -> None:
    train, _ = csv_table(written(tmp_path, table_text()))
    noisy = corrupt(train)
    assert torch.equal(materialize(noisy)[0], train.inputs)
    assert noisy.targets.tolist() == train.targets.tolist()
    assert noisy.num_classes == 2
    row, label = train[3]
    assert torch.equal(row, train.inputs[3])
    assert label == int(train.targets[3])


HEAD = "size,color,ill\n1,red,no\n"
BAD: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "empty": ("", {}, "expected a table, found an empty file"),
    "blank": ("\n \n", {}, "expected a table, found an empty file"),
    "header alone": ("a,b\n", {}, "expected a row below the names of the columns, found none"),
    "gap": (
        HEAD + "2,,yes\n", {},
        "expected a value in every cell, found '' in column 'color', line 3",
    ),
    "nan": (
        HEAD + "\n2,red,yes\nNaN,red,no\n", {},
        "expected a value in every cell, found 'NaN' in column 'size', line 5",
    ),
    "label gap": (HEAD + "2,red,?\n", {}, "found '?' in column 'ill', line 3"),
    "unequal": (HEAD + "2,red\n", {}, "expected 3 cells in every row, found 2 in line 3"),
    "long": (HEAD + "2,red,no,7\n", {}, "expected 3 cells in every row, found 4 in line 3"),
    "mixed": (
        HEAD + "2,red,yes\n1O,blue,no\n" * 5, {},
        "expected either numbers or texts in column 'size', found 1 in line 2 and '1O' in line 4",
    ),
    "infinite": (
        "size,ill\n" + "1,no\n1e999,yes\n" * 5, {},
        "expected finite numbers in column 'size', found inf in line 3",
    ),
    "no column": (
        HEAD, {"label": "sick"},
        "expected a label column 'sick', found the columns size, color, ill",
    ),
    "one column": ("ill\nyes\nno\n", {}, "expected a column beside that of the labels, found none"),
    "one class": (HEAD, {}, "expected at least two classes, found 1: ['no']"),
    "few rows": (
        HEAD + "2,red,yes\n", {},
        "expected a class of at least 5 rows to hold one out, found 2 classes of at most 1 row",
    ),
    "real labels": (
        "a,y\n1,0.5\n", {},
        "expected integers or texts as labels in column 'y', found 0.5 in line 2 (the last column; "
        "another can be named).",
    ),
    "twice": ("a,b,a\n1,2,3\n", {}, "expected different names of the columns, found 'a' twice"),
    "no name": (
        ",a,y\n0,1,2\n", {},
        "expected a name for every column, found none for column 0 (an index? write the file with",
    ),
    "twice with a category": (
        "color,color=red,y\n" + "red,1,0\nblue,2,1\n" * 5, {},
        "expected different names of the columns, found 'color=red' twice, once of a category",
    ),
    "decimal comma": (
        "size;weight;ill\n" + "1;2,5;0\n2;-3,25;1\n" * 5, {},
        "expected numbers with a decimal point in column 'weight', found '2,5' in line 2",
    ),
    "ids": (
        "name,ill\n" + "".join(f"n{k:03},{k % 2}\n" for k in range(200)), {},
        "expected at most 100 categories in column 'name', found 200, such as 'n000' in line 2 "
        "(leave out names and identifiers; of sentences, save the tokens).",
    ),
    "bytes": (
        HEAD.encode() + b"2,\xff,no\n", {},
        "expected UTF-8 text, found other bytes in line 3",
    ),
    "quote": (
        HEAD + '2,"red,no\n', {},
        "expected comma-separated values, found unexpected end of data, line 3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_table_is_one_clear_error(case: str, tmp_path: Path) -> None:
    text, options, message = BAD[case]
    path = written(tmp_path, text)
    with pytest.raises(DataFileError) as caught:
        csv_table(path, **options)
    assert str(caught.value).startswith(f"{path}: expected ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_does_not_fit_the_memory_is_not_read(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD)
    os.truncate(path, (1 << 30) + 1)  # sparse: it takes no space
    with pytest.raises(DataFileError, match=r"at most 1,073,741,824 bytes, found 1,073,741,825"):
        csv_table(path)


def test_classes_of_one_value_have_a_fixed_order(tmp_path: Path) -> None:
    path = written(tmp_path, "".join(f"{k}.5,{('1', '01', '+1')[k % 3]}\n" for k in range(30)))
    assert csv_table(path)[0].classes == ("+1", "01", "1")


def test_missing_files_and_other_specifications_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"expected a CSV file, found no such file\.$"):
        csv_table(tmp_path / "x.csv")
    with pytest.raises(DataFileError, match=r"expected a CSV file, found a folder\.$"):
        load_table(f"csv:{tmp_path}")
    for spec in ("csv:", "hf:", "csw:x"):
        with pytest.raises(ValueError, match=rf"^`spec` must be csv:FILE, .* got '{spec}'\.$"):
            load_table(spec)
    with pytest.raises(ValueError, match=r"got 'idx:x'\. Images are read by `load`\.$"):
        load_table("idx:x")
    with pytest.raises(TypeError, match=r"^`spec` must be a string such as 'csv:FILE', got 3\.$"):
        load_table(3)  # type: ignore[arg-type]
