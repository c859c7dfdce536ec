"""Items with the number of their example: the structure they had, the number they are known by."""

import pickle
from collections import namedtuple
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset

import corruptlab as cl

Named = namedtuple("Named", ["x", "y"])


@pytest.mark.parametrize(
    ("item", "served"),
    [
        (("a", 0), ("a", 0, 0)),
        (["a", 0], ["a", 0, 0]),
        (Named("a", 0), ("a", 0, 0)),
        (("a", 0, "more"), ("a", 0, "more", 0)),
        ({"x": "a", "y": 0}, {"x": "a", "y": 0, "example_id": 0}),
    ],
)
def test_item_keeps_its_structure(item: Any, served: Any) -> None:
    assert cl.with_ids([item])[0] == served
    assert type(cl.with_ids([item])[0]) is type(served)


def test_number_follows_the_example_through_cuts_and_joins() -> None:
    data = TensorDataset(torch.zeros(10, 2), torch.zeros(10, dtype=torch.int64))
    cut = Subset(cl.corrupt(data, cl.RandomLabels(), num_classes=3), [7, 2])
    assert [item[2] for item in cl.with_ids(cut)] == [7, 2]
    assert [item[2] for item in cl.with_ids(ConcatDataset([data, cut]))][-2:] == [17, 12]
    inside = Subset(cl.with_ids(data), [4, 4, 1])
    assert [inside[i][2] for i in range(3)] == [4, 4, 1]
    assert cl.with_ids(inside).ids.tolist() == [4, 4, 1]


def test_corruption_of_what_carries_ids_is_that_of_what_does_not() -> None:
    data = TensorDataset(torch.zeros(50, 2), torch.zeros(50, dtype=torch.int64))
    noise: dict[str, Any] = {"seed": 3, "num_classes": 9}
    plain = cl.corrupt(data, cl.RandomLabels(), **noise)
    numbered = cl.corrupt(cl.with_ids(data), cl.RandomLabels(), **noise)
    assert numbered.targets.tolist() == plain.targets.tolist()
    assert [item[2] for item in numbered] == list(range(50))


def test_pair_of_arrays_negative_positions_and_batches() -> None:
    data = cl.with_ids((np.eye(3), np.array([2, 0, 1])))
    assert len(data) == 3
    assert [data[-1][1:], *(item[1:] for item in data.__getitems__([0, 1]))] == [
        (1, 2),
        (2, 0),
        (0, 1),
    ]
    assert data.inputs_at([2]).tolist() == [[0, 0, 1]]
    with pytest.raises(TypeError, match=r"^`index` must be an integer, got 'a'\.$"):
        data["a"]  # type: ignore[index]
    with pytest.raises(IndexError, match=r"^`index` must lie in -3 \.\. 2, got 3\.$"):
        data[3]


def test_loader_in_worker_processes_serves_ids() -> None:
    data = cl.with_ids((np.eye(4), np.arange(4)))
    assert [b[2].tolist() for b in DataLoader(data, 2, num_workers=1)] == [[0, 1], [2, 3]]
    assert pickle.loads(pickle.dumps(data))[3][2] == 3


def test_field_that_is_taken_is_not_overwritten() -> None:
    data = cl.with_ids([{"x": 0, "y": 1, "example_id": "mine"}])
    with pytest.raises(
        ValueError, match=r"^`dataset` must have items without a field 'example_id', got one\.$"
    ):
        data[0]


def test_what_is_no_data_set_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^`dataset` must be map-style"):
        cl.with_ids(3)  # type: ignore[arg-type]
