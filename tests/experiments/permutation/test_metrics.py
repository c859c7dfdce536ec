"""Metrics with `update`, `compute`, and `reset`, as torchmetrics has them, as statistics."""

import functools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import Tensor

import corruptlab as cl

from . import learners
from .learners import Centroids, LeastSquares, points

X, Y = points(40)
FOLDS = np.arange(40) % 4


class Accuracy:
    """It gathers batches, and cannot be called."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset
        self._right = self._all = 0

    def reset(self) -> None:
        self._right = self._all = 0

    def update(self, predictions: Tensor, labels: Tensor) -> None:
        self._right += int((predictions.argmax(dim=1) == labels).sum())
        self._all += len(labels)

    def compute(self) -> Tensor:
        return torch.tensor(self._right / self._all + self.offset)


class Error(Accuracy):
    """Of which less is better."""

    higher_is_better = False

    def compute(self) -> Tensor:
        return 1 - super().compute()


class BinaryLikelihood(Accuracy):
    """It takes probabilities of the second class."""

    def update(self, predictions: Tensor, labels: Tensor) -> None:
        assert predictions.shape == labels.shape
        shares = torch.where(labels == 1, predictions, 1 - predictions)
        self._right += float(shares.log().sum())  # type: ignore[assignment]  # a sum of logs
        self._all += len(labels)


class Closeness(Accuracy):
    def update(self, predictions: Tensor, labels: Tensor) -> None:
        assert predictions.shape == labels.shape
        self._right -= float(((predictions - labels) ** 2).sum())  # type: ignore[assignment]
        self._all += len(labels)


def measured(statistic: Any, model: Any = None, data: Any = None, **options: Any) -> Any:
    given = {"folds": FOLDS, "permutations": 19, "statistic": statistic, **options}
    return cl.permutation_test(model or Centroids(), (X, Y) if data is None else data, **given)


def test_a_metric_gives_what_the_statistic_gives_and_is_not_changed() -> None:
    metric = Accuracy()
    metric.update(torch.eye(2), torch.tensor([0, 0]))
    found, expected = measured(metric), measured("accuracy")
    assert_allclose(found.null, expected.null)
    assert found.observed == pytest.approx(expected.observed)
    assert found.statistic == "Accuracy"
    assert metric.compute() == 0.5


def test_a_network_s_scores_are_measured() -> None:
    network = cl.mlp(4, input_shape=(3,), num_classes=2)
    recipe = cl.Recipe(learning_rate=0.1, epochs=3, batch_size=10, whiten=False)
    options: dict[str, Any] = {"model": network, "recipe": recipe, "permutations": 3, "level": 0.5}
    data = X.astype(np.float32), Y
    found = measured(Accuracy(), data=data, **options)
    assert_allclose(found.null, measured("accuracy", data=data, **options).null)
    found = measured(BinaryLikelihood(), data=data, **options)
    expected = measured("log-likelihood", data=data, **options)
    assert_allclose(found.null, expected.null, rtol=1e-4)


def test_the_negative_is_taken_where_less_is_better() -> None:
    found, expected = measured(Error()), measured("accuracy")
    assert found.statistic == "-Error"
    assert_allclose(found.null, expected.null - 1, atol=1e-6)
    assert found.p_value == expected.p_value


@pytest.mark.parametrize("model", [Centroids(), learners.probabilities])
def test_a_binary_metric_takes_probabilities_of_the_second_class(model: Any) -> None:
    found = measured(BinaryLikelihood(), model)
    assert_allclose(found.null, measured("log-likelihood", model).null, rtol=1e-5)


def test_a_metric_of_numbers() -> None:
    x, _ = points(40)
    y = x[:, 0] + np.random.default_rng(0).normal(size=40)

    def closeness(predictions: Tensor, targets: Tensor) -> float:
        return -float(((predictions - targets) ** 2).mean())

    data = x, y
    found, expected = (measured(each, LeastSquares(), data) for each in (Closeness(), closeness))
    assert_allclose(found.null, expected.null, rtol=1e-5)


def test_threads_do_not_share_a_metric(tmp_path: Path) -> None:
    expected = measured(Accuracy())
    with ThreadPoolExecutor(4) as executor:
        assert_array_equal(
            measured(Accuracy(), executor=executor, out=tmp_path).null, expected.null
        )


def test_a_folder_tells_metrics_by_class_and_settings(tmp_path: Path) -> None:
    measured(Accuracy(), out=tmp_path)
    used = Accuracy()
    used.update(torch.eye(2), torch.tensor([0, 0]))
    measured(used, out=tmp_path)
    for other in (Accuracy(offset=1.0), Error(), "accuracy"):
        with pytest.raises(ValueError, match=r"^`out` must be a folder of this sweep alone"):
            measured(other, out=tmp_path)


class Foreign(Accuracy):
    def update(self, predictions: Tensor, labels: Tensor) -> None:
        raise RuntimeError("Expected `preds` to be one-hot.\nSee the manual.")


class Vector(Accuracy):
    def compute(self) -> Tensor:
        return torch.tensor([0.5, 0.5])


@pytest.mark.parametrize(
    ("statistic", "options", "kind", "message"),
    [
        (
            Foreign(),
            {},
            ValueError,
            r"^`statistic` must accept predictions of shape \(10, 2\) and labels of shape \(10,\), "
            r"got the error of Foreign: Expected `preds` to be one-hot\.$",
        ),
        (
            Vector(),
            {},
            TypeError,
            r"^`statistic` must return a number, got Tensor of shape \(2,\) from Vector\.$",
        ),
        (
            BinaryLikelihood(),
            {"data": (X, np.arange(40) % 3)},
            ValueError,
            r"^`statistic` must be a metric of 3 classes, got BinaryLikelihood, of 2\.$",
        ),
        (
            BinaryLikelihood(),
            {"model": learners.classes},
            TypeError,
            r"^the predictor must return probabilities of shape \(n, K\) for ",
        ),
        (
            Accuracy,
            {},
            TypeError,
            r"^`statistic` must be a name, a function, or a metric, got the class Accuracy\.$",
        ),
    ],
)
def test_bad_metrics_are_one_clear_error(
    statistic: Any, options: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        measured(statistic, **options)


def test_a_partial_metric_class_is_a_function_and_no_metric() -> None:
    own = functools.partial(torch.nn.functional.cross_entropy)
    assert measured(own).statistic == "cross_entropy"
