"""Labels of people: checked when made, and never changed."""

import pickle
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from corruptlab.datasets import HumanLabels


def people(noisy: Any = (0, 1, 2, 2), clean: Any = (0, 1, 1, 2)) -> HumanLabels:
    return HumanLabels(noisy=noisy, clean=clean, num_classes=3, name="few", licence="CC0 1.0")


def test_noise_rate_is_the_share_of_wrong_labels() -> None:
    assert people().noise_rate == 0.25
    assert len(people()) == 4
    assert repr(people()) == (
        "HumanLabels('few': 4 labels, 3 classes, 25.00% noisy, licence CC0 1.0)"
    )


def test_labels_are_copied_and_read_only() -> None:
    mine = np.array([0, 1, 2, 2])
    given = people(noisy=mine)
    mine[0] = 2
    assert_array_equal(given.noisy, [0, 1, 2, 2])
    with pytest.raises(ValueError, match="read-only"):
        given.clean[0] = 1


def test_labels_survive_pickling() -> None:
    again = pickle.loads(pickle.dumps(people()))
    assert_array_equal(again.noisy, people().noisy)
    assert repr(again) == repr(people())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"noisy": [0, 3, 0, 0]}, r"^`noisy` must lie in 0 \.\. 2, got 0 \.\. 3\.$"),
        ({"clean": [0, -1, 0, 0]}, r"^`clean` must lie in 0 \.\. 2, got -1 \.\. 0\.$"),
        ({"noisy": []}, r"^`noisy` must have shape \(n,\) with n > 0, got \(0,\)\.$"),
        ({"clean": [[0]]}, r"^`clean` must have shape \(n,\) with n > 0, got \(1, 1\)\.$"),
        ({"clean": [0]}, r"^`clean` must hold one label for each of the 4 in `noisy`, got 1\.$"),
    ],
)
def test_labels_that_do_not_fit_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        people(**arguments)
