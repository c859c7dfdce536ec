"""Reports go to JSON and back, with numbers of NumPy among the arguments as with Python's."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

import corruptlab as cl

Number = Callable[[Any], Any]

POINTS = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
DATA = TensorDataset(POINTS, torch.arange(40) % 2)
MODEL = cl.mlp(4, input_shape=(2,), num_classes=2)


def audit(whole: Number, real: Number) -> Any:
    return cl.audit(DATA, DATA, sample=whole(5), seed=whole(1), workers=whole(0))


def recipe(whole: Number, real: Number) -> cl.Recipe:
    return cl.Recipe(
        learning_rate=real(0.125),
        epochs=whole(2),
        batch_size=whole(10),
        weight_decay=real(0.5),
        whiten=True,
        decay=0.95,
    )


def randomization_test(whole: Number, real: Number) -> Any:
    own = cl.Setting(name="own", corruptions=(cl.GaussianPixels(mean=real(0.5), std=real(2.0)),))
    return cl.randomization_test(
        MODEL,
        DATA,
        DATA,
        recipe=recipe(whole, real),
        settings=["true", "partial-labels", own],
        p=real(0.5),
        seed=whole(2),
        num_classes=whole(2),
    )


def permutation_test(whole: Number, real: Number) -> Any:
    return cl.permutation_test(
        MODEL,
        DATA,
        folds=whole(2),
        recipe=recipe(whole, real),
        permutations=whole(9),
        statistic=lambda logits, labels: real(float(logits.mean())),
        stop_after=whole(5),
        baselines=[cl.ShuffledPixels()],
        repeats=whole(2),
        level=real(0.25),
        confidence=real(0.75),
        seed=whole(1),
    )


def memorization_report(whole: Number, real: Number) -> Any:
    def train(dataset: Any, epoch_end: Any) -> Any:
        epoch_end(sign)
        return sign

    return cl.memorization_report(
        train,
        DATA,
        canaries=whole(5),
        held_out=whole(6),
        num_classes=whole(3),
        seed=whole(1),
        confidence=real(0.75),
        batch_size=whole(7),
    )


def share_of_canaries(whole: Number, real: Number) -> Any:
    return cl.memorization_report(lambda *_: sign, DATA, canaries=real(0.25))


def sign(x: Any) -> Any:
    return (x[:, 0] > 0).long()


def without_times(values: Any) -> Any:
    """Return what two runs have in common."""
    if isinstance(values, dict):
        timed = [name for name in values if "seconds" in name]
        return {name: without_times(each) for name, each in values.items() if name not in timed}
    return [without_times(each) for each in values] if isinstance(values, list) else values


@pytest.mark.parametrize(
    "make",
    [audit, randomization_test, permutation_test, memorization_report, share_of_canaries],
    ids=lambda make: make.__name__,
)
@pytest.mark.parametrize("real", [np.float64, np.float32], ids=["float64", "float32"])
def test_numbers_of_numpy_make_the_report_that_numbers_of_python_make(
    make: Callable[[Number, Number], Any], real: Number
) -> None:
    usual, found = make(int, float), make(np.int64, real)
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert values == json.loads(json.dumps(found.to_dict()))
    assert "np." not in str(found) + repr(found)
    if make is not permutation_test or real is np.float64:  # a statistic of float32 is rounded
        assert without_times(values) == without_times(json.loads(json.dumps(usual.to_dict())))


@pytest.mark.parametrize("make", [audit, randomization_test, permutation_test, memorization_report])
def test_what_comes_back_from_json_is_what_went_in(make: Callable[[Number, Number], Any]) -> None:
    values = make(int, float).to_dict()
    assert json.loads(json.dumps(values)) == values
