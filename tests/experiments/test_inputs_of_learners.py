"""Inputs that no learner can take are refused wherever learners are: ragged rows, infinities."""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

import corruptlab as cl
from corruptlab import capacity

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)


def changed(value: float) -> Any:
    x = X.copy()
    x[3, 1] = value
    return x


def zeros(data: cl.LabelledData, *, seed: int) -> Any:
    return lambda inputs: np.zeros(
        inputs.shape[0] if hasattr(inputs, "shape") else len(inputs), int
    )


class Majority:
    """An estimator that takes anything, NaN too."""

    def fit(self, inputs: Any, labels: Any) -> "Majority":
        self.most = np.bincount(labels).argmax()
        return self

    def predict(self, inputs: Any) -> Any:
        return np.full(inputs.shape[0] if hasattr(inputs, "shape") else len(inputs), self.most)


CALLS: dict[str, Callable[[Any, Any], object]] = {
    "permutation_test": lambda model, x: cl.permutation_test(
        model, (x, Y), folds=2, permutations=19
    ),
    "test set": lambda model, x: cl.permutation_test(model, (X, Y), (x, Y), permutations=19),
    "randomization_test": lambda model, x: cl.randomization_test(model, (x, Y), settings=["true"]),
    "memorization_report": lambda model, x: cl.memorization_report(model, (x, Y), canaries=4),
    "effective_capacity": lambda model, x: capacity.effective_capacity(model, x),
    "memorization": lambda model, x: capacity.memorization(model, x, Y),
    "stability": lambda model, x: capacity.stability(
        model, x, Y, fresh=(X, Y), held_out=(X, Y), loss="zero_one"
    ),
}
every_call = pytest.mark.parametrize("call", CALLS)
every_learner = pytest.mark.parametrize("model", [zeros, Majority()], ids=["function", "estimator"])


def frame(x: Any) -> Any:
    return importlib.import_module("pandas").DataFrame(x)


CONTAINERS: dict[str, Callable[[Any], Any]] = {
    "array": np.asarray,
    "float32": lambda x: x.astype(np.float32),
    "objects": lambda x: x.astype(object),
    "list": lambda x: x.tolist(),
    "list of arrays": list,
    "tensor": torch.tensor,
    "list of tensors": lambda x: list(torch.tensor(x)),
    "frame": frame,
    "sparse": sparse.csr_matrix,
}


def held(container: str, x: Any) -> Any:
    if container == "frame":
        pytest.importorskip("pandas", exc_type=ImportError)
    return CONTAINERS[container](x)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("container", CONTAINERS)
@every_call
@every_learner
def test_infinite_numbers_are_refused(model: Any, call: str, container: str, value: float) -> None:
    row = "" if container == "sparse" else " in row 3"
    message = rf"^`\w+` must have inputs without infinite numbers, got {value}{row}\.$"
    with pytest.raises(ValueError, match=message):
        CALLS[call](model, held(container, changed(value)))


def ragged(as_objects: bool) -> Any:
    rows = [*X.tolist()[:5], [1.0], *X.tolist()[6:]]
    if not as_objects:
        return rows
    found = np.empty(len(rows), object)
    found[:] = [np.array(row) for row in rows]
    return found


@pytest.mark.parametrize("as_objects", [False, True], ids=["list", "objects"])
@every_call
@every_learner
def test_ragged_rows_are_refused(model: Any, call: str, as_objects: bool) -> None:
    message = r"^`\w+` must have inputs of one shape, got shape \(1,\) in row 5 and shape \(3,\)"
    with pytest.raises(ValueError, match=message):
        CALLS[call](model, ragged(as_objects))


def test_a_row_that_is_ragged_itself_is_refused() -> None:
    rows: Any = [[[1.0], [2.0]]] * 20 + [[[1.0], [2.0, 3.0]]] * 20
    with pytest.raises(ValueError, match=r"inputs of one shape, got a ragged list in row 20 and"):
        CALLS["permutation_test"](zeros, rows)


@pytest.mark.parametrize("container", ["array", "list", "frame", "objects"])
@every_learner
def test_missing_values_reach_the_learner(model: Any, container: str) -> None:
    CALLS["permutation_test"](model, held(container, changed(np.nan)))
    CALLS["effective_capacity"](model, held(container, changed(np.nan)))


def test_settings_that_need_numbers_are_named_where_one_is_missing() -> None:
    message = r"^`settings` must suit the data, got 'gaussian', for which `inputs` must be finite"
    with pytest.raises(ValueError, match=message):
        cl.randomization_test(zeros, (changed(np.nan), Y))


def test_texts_and_mixed_columns_reach_the_learner() -> None:
    texts = [("good" if y else "bad bad") for y in Y]
    mixed = np.array([[x, text] for x, text in zip(X[:, 0].tolist(), texts, strict=True)], object)
    for inputs in (texts, np.array(texts), np.array(texts, object), mixed):
        CALLS["permutation_test"](zeros, inputs)
