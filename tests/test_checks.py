"""Numbers that no float can hold are one clear error, whatever they are given to."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

import corruptlab as cl

HUGE = 10**400


@pytest.mark.parametrize("value", [HUGE, -HUGE, Fraction(HUGE, 3)], ids=["int", "-int", "fraction"])
@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("p", lambda value: cl.UniformLabels(p=value)),
        ("rate", lambda value: cl.SymmetricLabels(rate=value)),
        ("learning_rate", lambda value: cl.Recipe(learning_rate=value, epochs=1)),
        ("brightness", lambda value: cl.Augmentation(brightness=value)),
    ],
)
def test_a_number_that_is_too_large_is_named(
    name: str, act: Callable[[Any], object], value: Any
) -> None:
    with pytest.raises(ValueError, match=rf"`{name}` must "):
        act(value)
