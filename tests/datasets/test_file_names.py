"""Labels by file name are those of the files, or are refused."""

from pathlib import Path
from typing import Any

import pytest
from numpy.testing import assert_array_equal

from corruptlab.datasets import DataFileError, label_file

PATHS = ["pets/cats/tom.jpg", "pets/cats/a, b.jpg", "pets/dogs/rex.jpg", "pets/dogs/tom.jpg"]


def written(folder: Path, content: str) -> Path:
    path = folder / "x.csv"
    path.write_text(content)
    return path


class Folder:
    """As torchvision's `ImageFolder` lists its files."""

    def __init__(self, **listed: Any) -> None:
        vars(self).update(listed)


@pytest.mark.parametrize(
    "match",
    [
        PATHS,
        [Path(path) for path in PATHS],
        Folder(samples=[(path, 0) for path in PATHS], classes=["a"]),
        Folder(imgs=[[path, 0] for path in PATHS]),
        Folder(paths=PATHS),
    ],
    ids=["list", "paths", "samples", "imgs", "paths of ours"],
)
@pytest.mark.parametrize(
    "content",
    [
        'file,label\ndogs/tom.jpg,3\n"a, b.jpg",0\ncats/tom.jpg,12\n./rex.jpg,7\n',
        "/pets/dogs/tom.jpg\t3\na, b.jpg\t0\npets/cats/tom.jpg\t12\nrex.jpg\t7\n",
        "dogs\\tom.jpg;3\na, b.jpg;0\ncats\\tom.jpg;12\nrex.jpg;7\n",
    ],
)
def test_file_names_number_the_examples(tmp_path: Path, match: Any, content: str) -> None:
    read = label_file(written(tmp_path, content), match=match, num_examples=4)
    assert_array_equal(read.labels, [3, 0, 12, 7])
    assert read.ids is not None
    assert_array_equal(read.ids, [3, 1, 0, 2])


def test_file_names_may_stand_before_a_space(tmp_path: Path) -> None:
    path = written(tmp_path, "rex.jpg 65\ncats/tom.jpg 970\n")
    read = label_file(path, match=PATHS)
    assert (read.labels.tolist(), read.ids.tolist()) == ([65, 970], [2, 0])  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("content", "expected", "found"),
    [
        ("rex.jpg,1\nbob.jpg,2\n", "names of the 4 files in `match`", "'bob.jpg' in line 2"),
        ("ex.jpg,1\n", "names of the 4 files in `match`", "'ex.jpg' in line 1"),
        ("/,1\n", "names of the 4 files in `match`", "'/' in line 1"),
        ("tom.jpg,1\n", "names that each are the end of one path in `match`",
         "'tom.jpg' in line 1, of several"),
        ("rex.jpg,1\nrex.jpg,1\n", "every example once", "2 again in line 2"),
        ("name,label\nrex.jpg,cat\n", "rows `name,label` with an integer label",
         "'rex.jpg,cat' in line 2"),
        ("rex.jpg,1,2\n", "rows `name,label` with an integer label", "'rex.jpg,1,2' in line 1"),
        ("rex.jpg,1\na\0,1\n", "names of the 4 files in `match`", r"'a\x00' in line 2"),
        ("3\n1\n", "rows `name,label`", "one column"),
        ("name,label\n", "at least one label", "none"),
    ],
)  # fmt: skip
def test_file_names_that_do_not_match_are_refused(
    tmp_path: Path, content: str, expected: str, found: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(DataFileError) as caught:
        label_file(path, match=PATHS)
    assert str(caught.value) == f"{path}: expected {expected}, found {found}."


@pytest.mark.parametrize("match", [[], "pets", 3, [3], [b"a"], [("a", 0), 3], Folder(), [[]]])
def test_what_lists_no_paths_cannot_be_matched(tmp_path: Path, match: Any) -> None:
    path = written(tmp_path, "a.jpg,1\n")
    with pytest.raises(TypeError, match=r"^`match` must list paths of files as `samples`, .*, got"):
        label_file(path, match=match)
