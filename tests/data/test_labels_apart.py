"""scikit-learn's `f(model, X, y)` where one argument holds inputs and labels."""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import corruptlab as cl
from corruptlab import capacity

X = np.random.default_rng(0).normal(size=(20, 3))
Y = (X[:, 0] > 0).astype(int)
RECIPE = cl.Recipe(learning_rate=0.1, epochs=2)


def zeros(data: cl.LabelledData, *, seed: int) -> Any:
    return lambda inputs: np.zeros(len(inputs), int)


def frame(values: Any) -> Any:
    return importlib.import_module("pandas").DataFrame(values)


def series(values: Any) -> Any:
    return importlib.import_module("pandas").Series(values)


def words(values: Any) -> Any:
    return np.where(values > 0, "a", "b")


FORMS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "arrays": lambda: (X, Y),
    "lists": lambda: (X.tolist(), Y.tolist()),
    "tensors": lambda: (torch.tensor(X), torch.tensor(Y)),
    "list of tensors": lambda: (list(torch.tensor(X)), list(torch.tensor(Y))),
    "names": lambda: (X, words(Y)),
    "list of names": lambda: (X, words(Y).tolist()),
    "numbers": lambda: (X, X[:, 0]),
    "booleans": lambda: (X, Y > 0),
    "objects": lambda: (X, words(Y).astype(object)),
    "a column": lambda: (X, Y[:, None]),
    "missing": lambda: (X, [None, *Y[1:].tolist()]),
    "frames": lambda: (frame(X), series(Y)),
    "categories": lambda: (frame(X), series(words(Y)).astype("category")),
    "frame as column": lambda: (frame(X), frame(Y)),
}

CALLS: dict[str, Callable[[Any, Any], object]] = {
    "permutation_test": lambda x, y: cl.permutation_test(zeros, x, y),
    "permutation_test with folds": lambda x, y: cl.permutation_test(zeros, x, y, folds=5),
    "permutation_test of a network": lambda x, y: cl.permutation_test(
        torch.nn.Linear(3, 2), x, y, recipe=RECIPE
    ),
    "randomization_test": lambda x, y: cl.randomization_test(zeros, x, y),
    "randomization_test of a network": lambda x, y: cl.randomization_test(
        torch.nn.Linear(3, 2), x, y, recipe=RECIPE
    ),
    "memorization_report": lambda x, y: cl.memorization_report(zeros, x, y),
    "fit": lambda x, y: cl.fit(torch.nn.Linear(3, 2), x, y, recipe=RECIPE),
    "audit": lambda x, y: cl.audit(x, y, workers=0),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("call", CALLS)
def test_labels_as_an_argument_of_their_own_are_told_where_they_belong(
    call: str, form: str
) -> None:
    if "frame" in form or form == "categories":
        pytest.importorskip("pandas", exc_type=ImportError)
    name, words = call.split()[0], r"a pair \(X, y\), as in "
    with pytest.raises(TypeError, match=rf"^`train` must be .*{words}{name}\(.*\(X, y\), ...\)"):
        CALLS[call](*FORMS[form]())


ITEMS = [(torch.zeros(3), 0), (torch.ones(3), 1)]
OBJECTS = np.empty(2, object)
OBJECTS[:] = ITEMS


@pytest.mark.parametrize(
    "test",
    [
        (X, Y),
        (X.tolist(), Y.tolist()),
        ITEMS,
        OBJECTS,
        [{"x": torch.zeros(3), "label": k} for k in (0, 1)],
        torch.utils.data.TensorDataset(torch.zeros(2, 3), torch.tensor([0, 1])),
    ],
    ids=lambda test: type(test).__name__,
)
def test_test_sets_are_no_labels(test: Any) -> None:
    report = cl.randomization_test(zeros, ITEMS, test, settings=["true"])
    assert report["true"].test_accuracy is not None


PAIRS: dict[str, Callable[[Any, Any], object]] = {
    "effective_capacity": lambda pair, _: capacity.effective_capacity(zeros, pair),
    "memorization": lambda pair, y: capacity.memorization(zeros, pair, y),
    "stability": lambda pair, y: capacity.stability(zeros, pair, y, fresh=(X, Y), held_out=(X, Y)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("call", PAIRS)
def test_a_pair_where_labels_are_an_argument_of_their_own(call: str, form: str) -> None:
    if "frame" in form or form == "categories":
        pytest.importorskip("pandas", exc_type=ImportError)
    x, y = FORMS[form]()
    with pytest.raises(TypeError, match=r"^`inputs` must be inputs alone, .*, got a pair\.$"):
        PAIRS[call]((x, y), y)


def test_a_tuple_of_two_inputs_is_no_pair() -> None:
    found = capacity.effective_capacity(zeros, ([0.0, 1.0], [1.0, 0.0]), [0, 0])
    assert found.value == 2


@pytest.mark.parametrize("labels", [Y, Y.tolist(), torch.tensor(Y), words(Y)])
def test_labels_are_no_radii(labels: Any) -> None:
    network = torch.nn.Linear(3, 2).double()
    with pytest.raises(ValueError, match=r"^`radii` must be .* 20 inputs; labels do not enter\.$"):
        capacity.critical_sample_ratio(network, X, labels)


def test_effective_capacity_takes_labels_as_its_siblings_do() -> None:
    found = capacity.effective_capacity(zeros, X, np.zeros(20, int))
    assert (found.labels, found.value) == ("given", 20)
