"""A Ray cluster of two nodes on this machine, one of which is killed in the middle."""

from typing import Any

import pytest

TRIALS = 40


@pytest.mark.slow(seconds=40)
def test_a_node_that_is_killed_in_the_middle_loses_no_trial(on_ray: dict[str, Any]) -> None:
    found = on_ray
    assert found["refused"] == (
        "`executor` must ask for what the cluster has, got 8 GPU where there are 2; if the cluster "
        "grows on demand, say how far by `max_workers`. False"
    )
    assert found["room"] == 2  # a CPU a node; of the GPUs there would be room for four
    assert found["done"] == TRIALS
    assert found["failed"] == []
    assert found["squares"] == [x * x for x in range(TRIALS)]
    assert found["nodes"] == 2  # both took part,
    assert found["alive"] == 1  # and one of them is dead
    assert found["gpus"] == [0.5]
    assert found["seen"] == ["0"]  # the one GPU of either node, to each of its trials
    assert found["runs"] == TRIALS + 2  # again: one with an error, and what the dead node had
    assert found["still_connected"]  # it was not the executor that connected
