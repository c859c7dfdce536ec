"""Data sets that Hugging Face's `save_to_disk` wrote: tokens, tables, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch

from corruptlab.datasets import DataFileError, csv_table, load_table, saved_dataset

hf: Any = pytest.importorskip("datasets", exc_type=ImportError)

TOKENS = [[7, 3], [7, 5, 6, 2], [9]] * 10
LABELS = [0, 1, 1] * 10


@pytest.fixture(autouse=True)
def quiet() -> Any:
    hf.disable_progress_bars()
    yield
    hf.enable_progress_bars()


def saved(folder: Path, columns: Any, **features: Any) -> Path:
    hf.Dataset.from_dict(columns, **features).save_to_disk(str(folder))
    return folder


def test_tokens_are_filled_with_padding_and_split(tmp_path: Path) -> None:
    texts = ["x"] * 30  # ignored
    train, test = saved_dataset(
        saved(tmp_path / "a", {"input_ids": TOKENS, "label": LABELS, "text": texts})
    )
    assert (len(train), len(test), train.num_tokens) == (24, 6, 10)
    assert train.inputs.dtype is torch.int64
    rows = {(7, 3, 0, 0): 0, (7, 5, 6, 2): 1, (9, 0, 0, 0): 1}
    for part in (train, test):
        assert [rows[tuple(row.tolist())] for row in part.inputs] == part.targets.tolist()
    assert train.classes == ("0", "1")
    assert train.columns == ()


def test_masked_tokens_are_padding(tmp_path: Path) -> None:
    masks = [[1] * (len(row) - 1) + [0] for row in TOKENS]
    columns = {"input_ids": TOKENS, "label": LABELS, "attention_mask": masks}
    train, _ = saved_dataset(saved(tmp_path / "a", columns))
    assert set(map(tuple, train.inputs.tolist())) == {(7, 0, 0, 0), (7, 5, 6, 0), (0, 0, 0, 0)}


def test_parts_of_a_dictionary_are_kept_apart(tmp_path: Path) -> None:
    names = hf.Features(
        {"input_ids": [hf.Value("int32")], "label": hf.ClassLabel(names=["n", "p"])}
    )
    parts = {
        "train": hf.Dataset.from_dict({"input_ids": [[1, 2], [3, 4]], "label": [0, 1]}, names),
        "validation": hf.Dataset.from_dict({"input_ids": [[5, 6, 7]], "label": [1]}, names),
    }
    hf.DatasetDict(parts).save_to_disk(str(tmp_path / "a"))
    train, test = saved_dataset(tmp_path / "a")
    assert train.inputs.tolist() == [[1, 2, 0], [3, 4, 0]]
    assert test.inputs.tolist() == [[5, 6, 7]]
    assert (train.classes, test.targets.tolist(), test.num_tokens) == (("n", "p"), [1], 8)


def test_columns_of_numbers_and_texts_are_those_of_a_csv_file(tmp_path: Path) -> None:
    columns = {
        "size": [k / 4 for k in range(30)],
        "color": ["red", "blue"] * 15,
        "label": ["yes", "no", "no"] * 10,
    }
    hf.Dataset.from_dict(columns).to_csv(str(tmp_path / "x.csv"))
    mine, theirs = saved_dataset(saved(tmp_path / "a", columns)), csv_table(tmp_path / "x.csv")
    for one, other in zip(mine, theirs, strict=True):
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.targets, other.targets)
        assert (one.columns, one.classes) == (other.columns, other.classes)


def test_the_column_of_labels_can_be_named(tmp_path: Path) -> None:
    columns = {"input_ids": TOKENS, "label": [0, 1, 2] * 10, "stars": LABELS}
    folder = saved(tmp_path / "a", columns)
    train, test = saved_dataset(folder, label="stars")
    for part, other in zip((train, test), load_table(f"hf:{folder}:stars"), strict=True):
        assert part.targets.tolist() == other.targets.tolist()
        assert part.inputs.tolist() == other.inputs.tolist()
    assert sorted([*train.targets.tolist(), *test.targets.tolist()]) == sorted(LABELS)
    with pytest.raises(
        DataFileError, match=r"expected a column 'star', found the columns input_ids, label"
    ):
        load_table(f"hf:{folder}:star")
    colon = saved(tmp_path / "b:label", columns)
    assert len(load_table(f"hf:{colon}")[0].classes) == 3
    assert len(load_table(f"hf:{colon}:stars")[0].classes) == 2


BAD: dict[str, tuple[Any, str]] = {
    "no label": (
        {"input_ids": TOKENS},
        "expected one column of labels (label, labels, target, .*), found the columns input_ids",
    ),
    "two labels": (
        {"input_ids": TOKENS, "label": LABELS, "target": LABELS},
        "expected one column of labels .* found the columns input_ids, label, target",
    ),
    "label alone": ({"label": LABELS}, "expected a column beside that of the labels, found none"),
    "missing label": (
        {"input_ids": TOKENS, "label": [*LABELS[:-1], None]},
        "expected integers or texts as labels in column 'label', found None in row 29",
    ),
    "real labels": (
        {"input_ids": TOKENS, "label": [0.5] * 30},
        "expected integers or texts as labels in column 'label', found 0.5 in row 0",
    ),
    "missing value": (
        {"size": [1.0] * 29 + [None], "label": LABELS},
        "expected a value in every row, found none in column 'size', row 29",
    ),
    "sentences": (
        {"text": [f"sentence {k}" for k in range(120)], "label": [0, 1] * 60},
        "expected at most 100 categories in column 'text', found 120, such as 'sentence 0' in",
    ),
    "lists": (
        {"x": [[1.0, 2.0]] * 30, "label": LABELS},
        "expected either numbers or texts in a column, or input_ids, found list in column 'x'",
    ),
    "real tokens": (
        {"input_ids": [[0.5]] * 30, "label": LABELS},
        r"expected a list of integers in column 'input_ids', found '\[0.5\]' in row 0",
    ),
    "negative": (
        {"input_ids": [[1, -1]] * 30, "label": LABELS},
        "expected integers of 0 or more in column 'input_ids', found less in row 0",
    ),
    "no tokens": (
        {"input_ids": [None] * 30, "label": LABELS},
        "expected tokens, at most 134,217,728 in all, found 30 rows of 0",
    ),
    "mask": (
        {"input_ids": [[1, 2]] * 30, "attention_mask": [[1]] * 30, "label": LABELS},
        "expected as many entries of a mask as tokens, found 1 and 2 in row 0",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_one_clear_error(case: str, tmp_path: Path) -> None:
    columns, message = BAD[case]
    with pytest.raises(DataFileError, match=message.replace("(l", r"\(l").replace("*)", r"*\)")):
        saved_dataset(saved(tmp_path / "a", columns))


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"expected a folder that save_to_disk wrote, found no"):
        saved_dataset(tmp_path / "nowhere")
    with pytest.raises(DataFileError, match=r"expected a data set that save_to_disk wrote, found"):
        saved_dataset(tmp_path)
    part = hf.Dataset.from_dict({"input_ids": TOKENS, "label": LABELS})
    hf.DatasetDict({"train": part}).save_to_disk(str(tmp_path / "a"))
    with pytest.raises(DataFileError, match=r"expected the parts train and test, found train\.$"):
        saved_dataset(tmp_path / "a")
    other = part.rename_column("input_ids", "x")
    hf.DatasetDict({"train": part, "test": other}).save_to_disk(str(tmp_path / "b"))
    with pytest.raises(DataFileError, match=r"the same columns in both parts, found the columns"):
        saved_dataset(tmp_path / "b")
    unlabelled = hf.Features({"x": hf.Value("int64"), "label": hf.ClassLabel(names=["a", "b"])})
    rows = {"x": list(range(10)), "label": [0] * 9 + [-1]}
    with pytest.raises(DataFileError, match=r"expected a label for every row, found none in row 9"):
        saved_dataset(saved(tmp_path / "c", rows, features=unlabelled))
