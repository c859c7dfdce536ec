"""Learners that take no time to train, and are importable by other processes."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import corruptlab as cl


class Centroids:
    """An estimator of scikit-learn's protocol without scikit-learn: the nearest class mean."""

    def __init__(self, scale: float = 1.0, random_state: int | None = None) -> None:
        self.scale, self.random_state = scale, random_state

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {"scale": self.scale, "random_state": self.random_state}

    def set_params(self, **params: Any) -> "Centroids":
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def fit(self, x: Any, y: Any) -> "Centroids":
        assert not hasattr(self, "means_"), "it was fitted before"
        x, y = np.asarray(x), np.asarray(y)
        self.classes_ = np.unique(y)
        self.means_ = np.stack([x[y == name].mean(axis=0) for name in self.classes_])
        return self

    def predict(self, x: Any) -> NDArray[Any]:
        found: NDArray[Any] = self.classes_[self.predict_proba(x).argmax(axis=1)]
        return found

    def predict_proba(self, x: Any) -> NDArray[np.float64]:
        distances = ((np.asarray(x)[:, None] - self.means_) ** 2).sum(axis=2)
        scores = np.exp(-self.scale * (distances - distances.min(axis=1, keepdims=True)))
        shares: NDArray[np.float64] = scores / scores.sum(axis=1, keepdims=True)
        return shares


class LeastSquares:
    """A regressor."""

    _estimator_type = "regressor"

    def fit(self, x: Any, y: Any) -> "LeastSquares":
        self.slopes_ = np.linalg.lstsq(with_one(x), np.asarray(y, float), rcond=None)[0]
        return self

    def predict(self, x: Any) -> NDArray[np.float64]:
        found: NDArray[np.float64] = with_one(x) @ self.slopes_
        return found


def with_one(x: Any) -> NDArray[np.float64]:
    return np.concatenate([np.asarray(x, float), np.ones((len(x), 1))], axis=1)


def classes(data: cl.LabelledData, *, seed: int) -> Callable[[Any], Any]:
    """A training function: the same as `Centroids`, of which only classes are had."""
    return Centroids().fit(data.inputs, data.labels).predict


def probabilities(data: cl.LabelledData, *, seed: int) -> Callable[[Any], Any]:
    return Centroids().fit(data.inputs, data.labels).predict_proba


def slopes(data: cl.LabelledData, *, seed: int) -> Callable[[Any], Any]:
    return LeastSquares().fit(data.inputs, data.labels).predict


def drawn(data: cl.LabelledData, *, seed: int) -> Callable[[Any], Any]:
    """It draws its answers from a global generator while it trains."""
    table = np.random.permutation(1000)  # noqa: NPY002  # as foreign code does
    return lambda x: table[(100 * np.abs(np.asarray(x)[:, 0])).astype(int) % 1000] % 2


def points(n: int, *, seed: int = 0, signal: float = 1.0) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return normal points in 3 dimensions, and labels that follow the first coordinate."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, 3))
    return x, (signal * x[:, 0] + generator.normal(size=n) > 0).astype(int)


def copied(estimator: Any) -> Any:
    return copy.deepcopy(estimator)
