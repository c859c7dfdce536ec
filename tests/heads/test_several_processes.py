"""Heads on a network in `DistributedDataParallel`: all processes measure as one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests import once
from tests.fresh import Fresh
from tests.training.programs.launch import launched, left

from .two_processes import EPOCHS, N, frozen, network

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(fresh: Fresh, tmp_path_factory: pytest.TempPathFactory) -> Any:
    def fill(folder: Path) -> None:
        done = launched(fresh, "tests.heads.two_processes", 2, 1, folder)
        assert (done.status, left(folder, 0)["failure"]) == (0, ""), done.errors

    folder = once.folder_of(tmp_path_factory, "heads", fill)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def test_both_processes_report_the_same(found: Any) -> None:
    for name in ("frozen", "watched"):
        one, two = ([each[name], each[name].get("report")] for each in found)
        assert one[1] == two[1]
    assert found[0]["frozen"] == found[1]["frozen"]


def test_each_example_is_counted_once_an_epoch_whichever_process_has_it(found: Any) -> None:
    assert found[0]["watched"]["report"]["total"] == [N] * EPOCHS


def test_two_processes_find_what_one_finds_on_both_batches(found: Any) -> None:
    one = frozen(network(), [0, 1])
    two = found[0]["frozen"]
    assert two["total"] == list(one.total) == [3 * N] * EPOCHS
    np.testing.assert_allclose(two["accuracy"], one.accuracy, atol=3 / (3 * N))


def test_measuring_leaves_the_weights_the_same_to_the_bit(found: Any) -> None:
    for each in found:
        watched, alone = each["watched"]["weights"], each["alone"]["weights"]
        assert all(torch.equal(watched[name], alone[name]) for name in alone)
