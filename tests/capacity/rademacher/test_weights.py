"""Signs and normal numbers are where their layout says, and follow their laws."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy.stats import binomtest, kstest

from corruptlab import Draws
from corruptlab.capacity.rademacher._monte_carlo import Weights


def signs(draws: int, n: int, *, seed: int = 0) -> torch.Tensor:
    return Weights(seed, draws, gaussian=False).rows(0, n)


def test_sign_is_the_bit_of_the_word_that_the_layout_names() -> None:
    drawn = signs(130, 50, seed=7).numpy()
    for t in (0, 1, 7, 8, 63, 64, 127, 128, 129):
        words = Draws(7).words(f"rademacher/signs/{t // 64}", np.arange(50))[:, 0]
        bits = [(int(word) >> (t % 64)) & 1 for word in words]
        assert_array_equal(drawn[:, t], 2 * np.array(bits) - 1)


def test_normal_number_is_the_one_that_the_layout_names() -> None:
    drawn = Weights(7, 35, gaussian=True).rows(0, 20).numpy()
    for t in (0, 1, 15, 16, 34):
        group = Draws(7).normals(f"rademacher/normals/{t // 16}", np.arange(20), 16)
        assert_array_equal(drawn[:, t], group[:, t % 16])


@pytest.mark.parametrize("gaussian", [False, True])
def test_more_draws_and_other_blocks_change_no_number(gaussian: bool) -> None:
    whole = Weights(3, 100, gaussian).rows(0, 40)
    assert torch.equal(Weights(3, 9, gaussian).rows(0, 40), whole[:, :9])
    assert torch.equal(Weights(3, 100, gaussian).rows(11, 5), whole[11:16])
    assert not torch.equal(Weights(4, 100, gaussian).rows(0, 40), whole)


def test_signs_are_fair_and_those_of_two_draws_or_two_examples_unrelated() -> None:
    drawn = signs(128, 10_000)
    assert set(drawn.flatten().tolist()) == {-1.0, 1.0}
    for agreeing in (drawn > 0, drawn[:, 1:] == drawn[:, :-1], drawn[1:] == drawn[:-1]):
        assert binomtest(int(agreeing.sum()), agreeing.numel(), 0.5).pvalue > 1e-4


def test_normal_numbers_are_normal() -> None:
    drawn = Weights(0, 20, gaussian=True).rows(0, 1000)
    assert kstest(drawn.numpy().ravel(), "norm").pvalue > 1e-4
