"""Directions that will not do make for others, and better ones are found."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from torch.utils.data import DataLoader, TensorDataset

from corruptlab.capacity import interpolate
from tests.capacity.interpolation.naive import (
    Floats,
    Twice,
    points,
    signs,
    values,
)


def squares() -> Floats:
    """Points that both axes project onto the same places."""
    return np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])


def test_given_direction_that_mixes_points_up_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"^`direction` must separate all points, got the projection 0 for points 0 and 1 "
        r"of `x`, which differ; give another\.$",
    ):
        interpolate(squares(), signs(4), direction=[1.0, 0])


def first_directions(monkeypatch: pytest.MonkeyPatch, *bad: list[float]) -> None:
    """Put directions of our own before the random ones."""
    from corruptlab.capacity.interpolation import _direction, _interpolate

    real = _direction.random_directions

    def ours(count: int, d: int, *, seed: int, first: int = 0) -> Floats:
        random = real(count, d, seed=seed, first=first)
        for k in range(first, min(first + count, len(bad))):
            random[:, k - first] = bad[k]
        return random

    monkeypatch.setattr(_interpolate, "random_directions", ours)
    monkeypatch.setattr(_direction, "random_directions", ours)


@pytest.mark.parametrize("direction", ["auto", "random", "best"])
@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("kind", [np.float64, np.uint8])
def test_direction_that_mixes_points_up_makes_for_another(
    direction: Any, once: bool, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_directions(monkeypatch, [1.0, 0], [0, 1])
    x: NDArray[Any] = squares().astype(kind)
    blocks = [(x, signs(4))]
    net = interpolate(iter(blocks) if once else blocks, direction=direction)
    assert_allclose(values(net, squares()), signs(4), atol=1e-13)
    assert net.report is not None
    expected = 3 if direction == "random" and not once else 32
    assert net.report.directions_tried == expected


@pytest.mark.parametrize("direction", ["auto", "random", "best"])
@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("kind", [np.float64, np.uint8])
def test_bounded_number_of_directions_is_tried(
    direction: Any, once: bool, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_directions(monkeypatch, [1.0, 0], [0, 1], [2, 0])
    blocks = Twice(squares().astype(kind), signs(4), 4)
    with pytest.raises(
        ValueError,
        match=r"^`direction` must separate all points, got the projection 0 for points 0 and 1 "
        r"of `x`, which differ, with each of 3; more `candidates` may do better\.$",
    ):
        interpolate(iter(blocks) if once else blocks, direction=direction, candidates=3)


def test_projections_that_are_too_close_make_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.array([[2.0**51, 0], [2.0**51 + 100, 1], [2.0**51 + 200, 2]])
    first_directions(monkeypatch, [1.0, -99], [1.0, 0.25])  # the first: 1 apart, at 2**51
    net = interpolate(x, signs(3), direction="random")
    assert_array_equal(net.a, [1.0, 0.25])
    close = interpolate(x, signs(3), direction="random", candidates=1)
    assert_array_equal(close.a, [1.0, -99])  # there is no other, and it is enough
    for each in (net, close):
        assert_allclose(values(each, x), signs(3), atol=1e-12)


def test_blocks_that_change_between_readings_are_refused() -> None:
    x, y = torch.from_numpy(points(100, 4)), torch.from_numpy(signs(100))
    generator = torch.Generator().manual_seed(0)
    data = TensorDataset(x, y)
    shuffling = DataLoader(data, batch_size=10, shuffle=True, generator=generator)
    with pytest.raises(
        ValueError, match=r"^`x` must give the same blocks every time it is read, got others the"
    ):
        interpolate(shuffling)
    assert_allclose(interpolate(iter(shuffling))(x), y, atol=1e-11)


def test_projections_too_small_for_a_search_get_the_best_of_the_random_directions() -> None:
    x, y = points(6, 3), signs(6)
    net = interpolate(x * 1e-310, y * 1e-300)  # a warning, of an overflow, would be an error
    assert net.report is not None
    assert net.report.direction == "best of 32"
    assert_allclose(values(net, x * 1e-310), y * 1e-300, rtol=1e-12)
