"""However the points come, the network is the same; equal ones are merged."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from torch.utils.data import DataLoader, TensorDataset

from corruptlab.capacity import interpolate
from tests.capacity.interpolation.naive import (
    Twice,
    points,
    same,
    signs,
    values,
)


@pytest.mark.parametrize("direction", ["auto", "random", "best"])
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int16])
def test_order_of_the_points_changes_no_bit(direction: Any, kind: type) -> None:
    x: NDArray[Any] = (1000 * points(400, 12)).astype(kind)
    y = points(400, 2, seed=1)
    shuffled = np.random.default_rng(3).permutation(400)
    one = interpolate(x, y, direction=direction)
    same(one, interpolate(x[shuffled], y[shuffled], direction=direction))


@pytest.mark.parametrize("direction", ["auto", "random", "best"])
def test_blocks_give_what_the_whole_gives(direction: Any) -> None:
    x, y = points(100, 8), signs(100)
    whole = interpolate(x, y, direction=direction)
    same(whole, interpolate(Twice(x, y, 1, 0, 60, 39), direction=direction))
    same(whole, interpolate([[x[:50], y[:50]], [x[50:], y[50:]]], direction=direction))


def test_iterator_is_read_once_and_gets_the_best_direction() -> None:
    x, y = points(100, 8), signs(100)
    best = interpolate(x, y, direction="best")
    same(best, interpolate(iter(Twice(x, y, 30, 70))))
    assert best.report is not None
    assert best.report.direction == "best of 32"


@pytest.mark.parametrize(("direction", "readings"), [("auto", 2), ("random", 1), ("best", 1)])
def test_points_are_read_as_often_as_needed(direction: Any, readings: int) -> None:
    blocks = Twice(points(100, 8), signs(100), 100)
    interpolate(blocks, direction=direction)
    assert blocks.readings == readings


def test_every_kind_of_container_gives_the_same_network(tmp_path: Path) -> None:
    x, y = points(60, 12).astype(np.float32), signs(60)
    whole = interpolate(x, y)
    np.save(tmp_path / "x.npy", x)
    loader = DataLoader(TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), batch_size=7)
    same(whole, interpolate(np.load(tmp_path / "x.npy", mmap_mode="r"), y.tolist()))
    same(whole, interpolate(torch.from_numpy(x).requires_grad_(), torch.from_numpy(y)))
    same(whole, interpolate(x.reshape(60, 3, 4), y.astype(np.float16)))
    same(whole, interpolate(x.astype(">f4"), y))
    same(whole, interpolate(x[:, ::-1].copy()[:, ::-1], y))
    same(whole, interpolate(x.astype(np.longdouble), y))
    same(whole, interpolate(loader))


@pytest.mark.parametrize("direction", ["auto", "random", "best"])
def test_bytes_give_what_the_same_numbers_give_as_floats(direction: Any) -> None:
    x = np.random.default_rng(0).integers(0, 256, (300, 40), np.uint8)
    whole = interpolate(x, signs(300), direction=direction)
    assert whole.report is not None
    assert whole.report.direction == {"auto": "separated", "best": "best of 32"}.get(
        direction, "random"
    )
    same(whole, interpolate(x.astype(np.float64), signs(300), direction=direction))
    same(whole, interpolate(Twice(x, signs(300), 7, 293), direction=direction))


def test_unsigned_integers_are_what_they_are() -> None:
    x = np.arange(12).reshape(6, 2)
    for kind in (np.uint8, np.uint16, np.uint32, np.uint64):
        same(interpolate(x, signs(6)), interpolate(x.astype(kind), signs(6)))
        same(interpolate(x, signs(6)), interpolate(torch.from_numpy(x.astype(kind)), signs(6)))
        labels = np.arange(6)
        same(
            interpolate(x, labels, num_classes=6),
            interpolate(x, torch.from_numpy(labels.astype(kind)), num_classes=6),
        )
        same(
            interpolate(x, labels, num_classes=6),
            interpolate(x, labels.astype(kind), num_classes=6),
        )


@pytest.mark.parametrize("n", [1, 6])
@pytest.mark.parametrize("kind", ["int64", "int16", "uint8", "uint32", "float32", "bool"])
def test_points_of_one_number_may_lie_in_memory_in_any_way(kind: str, n: int) -> None:
    n = min(n, 2) if kind == "bool" else n
    x = np.arange(n).astype(kind)
    column = np.stack([x, x, x], 1)[:, 1:2]
    whole = interpolate(x[:, None].astype(float), signs(n))
    for each in (x[:, None], x.reshape(n, 1), x[None].T, column, x[::-1].copy()[::-1, None]):
        same(whole, interpolate(each, signs(n)))
        same(whole, interpolate(torch.from_numpy(each.copy()), signs(n)))
        same(whole, interpolate([(each, signs(n))]))
    for tensor in (torch.from_numpy(x)[:, None], torch.from_numpy(x).reshape(1, n).T):
        same(whole, interpolate(tensor, signs(n)))
        same(whole, interpolate(tensor.expand(n, 3)[:, 2:], signs(n)))
    same(whole, interpolate(torch.from_numpy(column.copy()).as_strided((n, 1), (1, 7)), signs(n)))


@pytest.mark.slow
def test_memory_map_is_never_held_whole(tmp_path: Path) -> None:
    n, d = 4000, 3000
    mapped = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float64, (n, d))
    mapped[:, 0] = np.arange(n)  # the rest is 0, and takes no space
    del mapped
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    tracemalloc.start()  # which knows of NumPy's arrays
    try:
        interpolate(x, signs(n), direction=np.ones(d))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert x.nbytes / 10 < peak < x.nbytes / 2


def test_seed_decides_the_direction_and_no_global_generator_moves() -> None:
    x, y = points(60, 5), signs(60)
    states = torch.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    for direction in ("auto", "random", "best"):
        one, again, other = (interpolate(x, y, seed=s, direction=direction) for s in (1, 1, 2))
        same(one, again)
        assert not torch.equal(one.a, other.a)
        assert one.report == again.report != other.report
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]  # type: ignore[index]  # noqa: NPY002


def test_given_direction_is_taken_as_it_is() -> None:
    x, y = points(20, 3), signs(20)
    net = interpolate(x, y, direction=[0, -2.5, 0])
    assert_array_equal(net.a, [0, -2.5, 0])
    assert net.report is not None
    assert (net.report.direction, net.report.directions_tried) == ("given", 0)
    assert_allclose(values(net, x), y, atol=1e-12)


def test_given_direction_may_be_a_tensor_in_training() -> None:
    x, y = points(20, 3), signs(20)
    direction = torch.tensor([1.0, -2.5, 0.5], requires_grad=True)
    same(interpolate(x, y, direction=direction), interpolate(x, y, direction=[1.0, -2.5, 0.5]))


@pytest.mark.parametrize("direction", ["auto", "random", "best"])
@pytest.mark.parametrize("kind", [np.float64, np.int16])
def test_equal_points_with_equal_targets_are_merged_and_counted(direction: Any, kind: type) -> None:
    x: NDArray[Any] = (1000 * points(30, 4)).astype(kind)
    y = signs(30)
    again = [3, 17, 3, 29, 3]
    more = np.concatenate([x, x[again]]), np.concatenate([y, y[again]])
    shuffled = np.random.default_rng(0).permutation(35)
    net = interpolate(more[0][shuffled], more[1][shuffled], direction=direction)
    same(net, interpolate(x, y, direction=direction))
    assert net.report is not None
    assert (net.report.n, net.report.duplicates) == (30, 5)


@pytest.mark.parametrize("direction", ["auto", "random", "best"])
@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_points_that_differ_by_one_in_one_number_are_different(direction: Any, kind: type) -> None:
    x: NDArray[Any] = np.concatenate([np.zeros((2, 200)), np.eye(200)]).astype(kind)
    y = signs(201)
    net = interpolate(x, np.append(y[0], y), direction=direction)
    assert net.report is not None
    assert (net.report.n, net.report.duplicates) == (201, 1)


@pytest.mark.parametrize("d", [1, 2, 30])
def test_the_two_zeros_are_one_number(d: int) -> None:
    x = np.array([[0.0] * d, [1.0] * d, [-0.0] * d])
    net = interpolate(x, np.array([1.0, 2.0, 1.0]))
    assert net.report is not None
    assert net.report.duplicates == 1


@pytest.mark.parametrize("d", [1, 2, 30])
@pytest.mark.parametrize("kind", [np.float64, np.int16])
def test_equal_points_with_different_targets_are_named(d: int, kind: type) -> None:
    x: NDArray[Any] = (10_000 * points(30, d)).astype(kind)
    y = np.arange(30.0)
    x[21] = x[4]
    x[28] = x[4]
    with pytest.raises(
        ValueError,
        match=r"^`y` must be equal on equal points, got 4\.0 and 21\.0 for points 4 and 21 of "
        r"`x`, which are the same\.$",
    ):
        interpolate(x, y)


def test_equal_points_with_different_rows_or_classes_are_named() -> None:
    x = np.zeros((3, 2)) + np.array([[0], [1], [0]])
    with pytest.raises(ValueError, match=r"got \[1\.0, 2\.0\] and \[1\.0, 3\.0\] for points 0 and"):
        interpolate(x, np.array([[1.0, 2], [0, 0], [1, 3]]))
    with pytest.raises(ValueError, match=r"got 2 and 1 for points 0 and 2 of `x`"):
        interpolate([(x[:2], [2, 2]), (x[2:], [1])], num_classes=3)


def test_all_points_equal_is_one_point() -> None:
    net = interpolate(np.ones((5, 3)), np.full(5, 7.0))
    assert len(net.b) == 1
    assert_allclose(values(net, np.ones((1, 3))), 7)
