"""Signs and normal numbers are where their layout says, and follow their laws."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.stats import binomtest, kstest

from corruptlab import Draws
from corruptlab.capacity.rademacher import finite
from tests.capacity.rademacher.naive import Floats


def weights(draws: int, n: int, *, seed: int = 0, gaussian: bool = False) -> Floats:
    """The number of each draw (a row) and example, from the complexity of single functions."""
    if gaussian:  # the supremum over the one function that is n at example i is the number of i
        functions = [row[None] for row in n * np.eye(n)]
        sups = [finite(f, draws=draws, seed=seed, gaussian=True).sups for f in functions]
        return np.array(sups).T
    signs = np.empty((draws, n))
    for first in range(0, n, 40):  # 40 signs can be read off the sum of +-1, +-2, +-4, ...
        count = min(40, n - first)
        function = np.zeros((1, n))
        function[0, first : first + count] = 2.0 ** np.arange(count)
        sums = np.array(finite(function, draws=draws, seed=seed).sups) * n
        words = ((sums.round() + 2.0**count - 1) / 2).astype(np.int64)  # bit i is 1 for +1
        signs[:, first : first + count] = 2 * (words[:, None] >> np.arange(count) & 1) - 1
    return signs


def test_sign_is_the_bit_of_the_word_that_the_layout_names() -> None:
    drawn = weights(130, 50, seed=7)
    for t in (0, 1, 7, 8, 63, 64, 127, 128, 129):
        words = Draws(7).words(f"rademacher/signs/{t // 64}", np.arange(50))[:, 0]
        bits = [(int(word) >> (t % 64)) & 1 for word in words]
        assert_array_equal(drawn[t], 2 * np.array(bits) - 1)


def test_normal_number_is_the_one_that_the_layout_names() -> None:
    drawn = weights(35, 20, seed=7, gaussian=True)
    for t in (0, 1, 15, 16, 34):
        group = Draws(7).normals(f"rademacher/normals/{t // 16}", np.arange(20), 16)
        np.testing.assert_allclose(drawn[t], group[:, t % 16], rtol=1e-6)


@pytest.mark.parametrize("gaussian", [False, True])
def test_more_draws_and_more_examples_change_no_number(gaussian: bool) -> None:
    whole = weights(100, 40, seed=3, gaussian=gaussian)
    few = weights(9, 16, seed=3, gaussian=gaussian)
    np.testing.assert_allclose(few, whole[:9, :16], rtol=1e-6)
    assert (weights(100, 40, seed=4, gaussian=gaussian) != whole).any()


def test_signs_are_fair_and_those_of_two_draws_or_two_examples_unrelated() -> None:
    drawn = weights(128, 2_000)
    assert set(drawn.flatten().tolist()) == {-1.0, 1.0}
    for agreeing in (drawn > 0, drawn[1:] == drawn[:-1], drawn[:, 1:] == drawn[:, :-1]):
        assert binomtest(int(agreeing.sum()), agreeing.size, 0.5).pvalue > 1e-4


def test_normal_numbers_are_normal() -> None:
    assert kstest(weights(200, 100, gaussian=True).ravel(), "norm").pvalue > 1e-4
