"""Contact sheets: the right pictures, and labels that can be told apart without colour."""

import importlib
from typing import Any

import numpy as np
import pytest

from corruptlab.plotting import examples

pytest.importorskip("matplotlib")

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4) * 10
CLEAN = np.array([0, 1])


def drawn(axes: Any) -> Any:
    return np.asarray(axes.images[0].get_array())


def test_every_row_shows_its_own_images_in_order() -> None:
    figure = examples({"a": (IMAGES, CLEAN), "b": (IMAGES[::-1], CLEAN)}, clean=CLEAN)
    shown = [drawn(axes) for axes in figure.axes]
    expected = [IMAGES[0], IMAGES[1], IMAGES[1], IMAGES[0]]
    np.testing.assert_allclose(shown, np.array(expected) / 255)
    assert [axes.get_ylabel() for axes in figure.axes] == ["a", "", "b", ""]


def test_grey_is_absolute_and_not_stretched_to_each_image() -> None:
    axes = examples({"a": (IMAGES, CLEAN)}, clean=CLEAN).axes
    assert {each.images[0].get_clim() for each in axes} == {(0.0, 1.0)}


def test_a_channel_axis_of_one_is_dropped_and_one_of_three_comes_last() -> None:
    grey = examples({"a": (IMAGES[:, None], CLEAN)}, clean=CLEAN)
    np.testing.assert_allclose(drawn(grey.axes[1]), IMAGES[1] / 255)
    colour = np.stack([IMAGES, IMAGES + 1, IMAGES + 2], axis=1)
    figure = examples({"a": (colour, CLEAN)}, clean=CLEAN)
    np.testing.assert_allclose(drawn(figure.axes[1]), np.moveaxis(colour[1], 0, 2) / 255)


def test_bytes_of_one_row_set_the_limits_of_all() -> None:
    floats = IMAGES.astype(np.float32) + 0.5
    figure = examples({"a": (IMAGES, CLEAN), "b": (floats, CLEAN)}, clean=CLEAN)
    np.testing.assert_allclose(drawn(figure.axes[2]), (IMAGES[0] + 0.5) / 255)


def test_floats_are_from_0_to_1_and_clipped_there() -> None:
    floats = np.array([[[-0.5, 0.25], [0.75, 1.5]]])
    figure = examples({"a": (floats, [0])}, clean=[0])
    np.testing.assert_allclose(drawn(figure.axes[0]), [[0, 0.25], [0.75, 1]])


def test_limits_that_are_given_become_black_and_white() -> None:
    floats = np.array([[[-1.0, 0.0], [1.0, 3.0]]])
    figure = examples({"a": (floats, [0])}, clean=[0], limits=(-1, 3))
    np.testing.assert_allclose(drawn(figure.axes[0]), [[0, 0.25], [0.5, 1]])


def test_a_changed_label_is_bold_and_has_the_clean_one_in_brackets() -> None:
    figure = examples({"a": (IMAGES, [0, 0])}, clean=CLEAN, classes=["cat", "dog"])
    same, changed = figure.axes
    assert same.get_title() == "cat"
    assert same.title.get_fontweight() != "bold"
    assert same.get_xlabel().strip() == ""
    assert changed.get_title() == "cat"
    assert changed.title.get_fontweight() == "bold"
    assert changed.get_xlabel() == "(dog)"


def test_without_names_labels_are_numbers() -> None:
    changed = examples({"a": (IMAGES, [0, 7])}, clean=CLEAN).axes[1]
    assert (changed.get_title(), changed.get_xlabel()) == ("7", "(1)")


def test_the_sheet_grows_with_rows_and_images_and_has_its_title() -> None:
    small = examples({"a": (IMAGES, CLEAN)}, clean=CLEAN, title="two")
    wide = examples({"a": (IMAGES[[0, 1, 0]], [0, 1, 0])}, clean=[0, 1, 0])
    tall = examples({"a": (IMAGES, CLEAN), "b": (IMAGES, CLEAN)}, clean=CLEAN)
    assert small.get_suptitle() == "two"
    assert wide.get_figwidth() - small.get_figwidth() == pytest.approx(1.05)
    assert tall.get_figheight() > small.get_figheight()


BAD: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {}, r"^`rows` must hold at least one row, got none\.$"),
    ({"a": (IMAGES, CLEAN)}, {"clean": [[0, 1]]}, r"must have shape \(n,\), n >= 1, got \(1, 2\)"),
    ({"a": (IMAGES[:0], [])}, {"clean": []}, r"^`clean` must have shape .*, got \(0,\)\.$"),
    ({"a": (IMAGES, [0])}, {}, r"a label for each of 2 images, got shape \(1,\) for 'a'\.$"),
    ({"a": (IMAGES[:1], CLEAN)}, {}, r"\(2, height, width\) .*, got \(1, 3, 4\) for 'a'\.$"),
    ({"a": (IMAGES[0], CLEAN)}, {}, r"got \(3, 4\) for 'a'\.$"),
    ({"a": (np.zeros((2, 2, 3, 4)), CLEAN)}, {}, r"got \(2, 2, 3, 4\) for 'a'\.$"),
    ({"a": (IMAGES, CLEAN)}, {"classes": ["cat"]}, r"every label, got 1 names and label 1\.$"),
    ({"a": (IMAGES, [0, -1])}, {"classes": ["cat", "dog"]}, r"got 2 names and label -1\.$"),
    ({"a": (IMAGES, CLEAN)}, {"limits": (1, 1)}, r"^`limits` must be in order, got \(1, 1\)\.$"),
]


@pytest.mark.parametrize(("rows", "options", "message"), BAD)
def test_what_cannot_be_drawn_is_refused(rows: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        examples(rows, **{"clean": CLEAN, **options})


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name="matplotlib")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"corruptlab\[plot\]"):
        examples({"a": (IMAGES, CLEAN)}, clean=CLEAN)
