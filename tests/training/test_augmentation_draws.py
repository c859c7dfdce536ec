"""What is drawn depends on seed, epoch, and example only, and is uniform."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from corruptlab._draws import Draws
from corruptlab._types import Array
from corruptlab.training._transforms import Augmentation, augment, augmentation_draws
from tests.training.test_augmentation_cases import ALL, EACH


def test_draws_are_the_upper_bits_of_the_words_of_their_streams() -> None:
    drawn = augmentation_draws(ALL, seed=3, epoch=2, n=5)
    assert drawn.dtype is torch.float32
    names = ["top", "left", "flip", "rotation", "brightness", "saturation", "hue"]
    for column, name in enumerate(names):
        words = Draws(3).words(f"fit/augmentation/{name}", range(10, 15))[:, 0].tolist()
        expected = [(word // 2**40) / 2**24 for word in words]
        assert drawn[:, column].tolist() == expected


def test_largest_word_does_not_become_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def largest(_: Draws, __: str, ids: Array) -> Array:
        return np.full((len(ids), 1), 2**64 - 1, np.uint64)

    monkeypatch.setattr(Draws, "words", largest)
    drawn = augmentation_draws(ALL, seed=0, epoch=0, n=2)
    assert (drawn == 1 - 2**-24).all()


def test_draws_are_uniform() -> None:
    drawn = augmentation_draws(ALL, seed=0, epoch=0, n=5_000)
    for column in drawn.unbind(1):
        assert kstest(column.numpy(), "uniform").pvalue > 1e-4


def test_changes_are_drawn_independently_of_one_another() -> None:
    correlation = np.corrcoef(augmentation_draws(ALL, seed=0, epoch=0, n=10_000).numpy().T)
    # Six standard deviations of a correlation of independent columns.
    assert np.abs(correlation - np.eye(7)).max() < 0.06


def test_epochs_continue_one_stream() -> None:
    whole = augmentation_draws(ALL, seed=0, epoch=0, n=6)
    first, second = (augmentation_draws(ALL, seed=0, epoch=epoch, n=3) for epoch in (0, 1))
    assert torch.equal(torch.cat((first, second)), whole)
    assert (first != second).all()


def test_seed_decides_the_draws_and_no_global_generator_moves() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    one, same, other = (augmentation_draws(ALL, seed=seed, epoch=0, n=4) for seed in (1, 1, 2))
    augment(torch.zeros(4, 3, 9, 8), one, augmentation=ALL, crop=5)
    assert torch.equal(one, same)
    assert (one != other).all()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # type: ignore[index]  # noqa: NPY002


def test_switching_a_change_on_does_not_disturb_the_others() -> None:
    together = augmentation_draws(ALL, seed=0, epoch=0, n=4)
    for columns, alone in zip([[0, 1], [2], [3], [4], [5], [6]], EACH, strict=True):
        drawn = augmentation_draws(alone, seed=0, epoch=0, n=4)
        assert torch.equal(drawn, together[:, columns])


def test_no_change_draws_nothing() -> None:
    assert augmentation_draws(Augmentation(), seed=0, epoch=0, n=4).shape == (4, 0)
    assert augmentation_draws(ALL, seed=0, epoch=0, n=0).shape == (0, 7)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"epoch": -1}, ValueError, r"^`epoch` must be at least 0, got -1\.$"),
        ({"epoch": 0.5}, TypeError, r"^`epoch` must be an integer, got 0\.5\.$"),
        ({"n": -2}, ValueError, r"^`n` must be at least 0, got -2\.$"),
        ({"n": "3"}, TypeError, r"^`n` must be an integer, got '3'\.$"),
        ({"seed": -3}, ValueError, r"^`seed` must be at least 0, got -3\.$"),
        ({"seed": None}, TypeError, r"^`seed` must be an integer, got None\.$"),
    ],
)
def test_bad_draws_are_quoted(
    arguments: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        augmentation_draws(ALL, **{"seed": 0, "epoch": 0, "n": 1, **arguments})


def test_draws_for_something_else_are_quoted() -> None:
    message = r"^`augmentation` must be an Augmentation, got 'flip'\.$"
    with pytest.raises(TypeError, match=message):
        augmentation_draws("flip", seed=0, epoch=0, n=1)  # type: ignore[arg-type]  # the point
