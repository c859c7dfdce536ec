"""Augmentation: validated, frozen, JSON both ways."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corruptlab import Augmentation

from .cases import ALL, EACH

built = st.builds(
    Augmentation,
    random_crop=st.booleans(),
    flip=st.booleans(),
    rotation=st.floats(0, 180),
    brightness=st.floats(0, 1),
    saturation=st.floats(0, 1, exclude_max=True),
    hue=st.floats(0, 0.5),
)


@given(built)
def test_json_brings_back_the_same_augmentation(changes: Augmentation) -> None:
    assert Augmentation.from_dict(json.loads(json.dumps(changes.to_dict()))) == changes


def test_only_no_change_at_all_is_the_identity() -> None:
    assert Augmentation().is_identity
    assert Augmentation.from_dict({}).is_identity
    assert not any(changes.is_identity for changes in [*EACH, ALL])


def test_equal_augmentations_print_alike() -> None:
    assert repr(Augmentation(rotation=25)) == repr(Augmentation(rotation=np.float32(25)))  # type: ignore[arg-type]  # a number too


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rotation": -1}, r"^`rotation` must lie in \[0, 180\], got -1\.0\.$"),
        ({"rotation": 180.5}, r"^`rotation` must lie in \[0, 180\], got 180\.5\.$"),
        ({"rotation": math.nan}, r"^`rotation` must lie in \[0, 180\], got nan\.$"),
        ({"brightness": -0.1}, r"^`brightness` must lie in \[0, 1\], got -0\.1\.$"),
        ({"brightness": 63}, r"^`brightness` must lie in \[0, 1\], got 63\.0\.$"),
        ({"saturation": -0.1}, r"^`saturation` must lie in \[0, 1\), got -0\.1\.$"),
        ({"saturation": 1}, r"^`saturation` must lie in \[0, 1\), got 1\.0\.$"),
        ({"hue": -0.1}, r"^`hue` must lie in \[0, 0\.5\], got -0\.1\.$"),
        ({"hue": math.inf}, r"^`hue` must lie in \[0, 0\.5\], got inf\.$"),
        ({"hue": 0.6}, r"^`hue` must lie in \[0, 0\.5\], got 0\.6\.$"),
    ],
)
def test_values_out_of_range_are_quoted(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Augmentation(**changes)


def test_ends_of_the_ranges_are_allowed() -> None:
    Augmentation(rotation=180, brightness=1, saturation=math.nextafter(1, 0), hue=0.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flip": 1}, r"^`flip` must be True or False, got 1\.$"),
        ({"random_crop": 28}, r"^`random_crop` must be True or False, got 28\.$"),
        ({"rotation": "25"}, r"^`rotation` must be a number, got '25'\.$"),
        ({"brightness": True}, r"^`brightness` must be a number, got True\.$"),
        ({"saturation": None}, r"^`saturation` must be a number, got None\.$"),
        ({"hue": (0, 0.1)}, r"^`hue` must be a number, got \(0, 0\.1\)\.$"),
    ],
)
def test_wrong_kinds_are_quoted(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Augmentation(**changes)


def test_unknown_names_are_quoted() -> None:
    with pytest.raises(
        ValueError, match=r"^`values` must only name random_crop, .*, hue, got 'contrast'\.$"
    ):
        Augmentation.from_dict({"contrast": 0.5})
