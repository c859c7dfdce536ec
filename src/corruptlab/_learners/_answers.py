"""What a trained learner says of some inputs, checked, as tensors of one form."""

import warnings
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from corruptlab._arrays import from_numpy, to_numpy
from corruptlab._learners._predictor import Predictor, called, evaluating_networks
from corruptlab._learners._rows import Targets

Wanted: TypeAlias = Literal["classes", "scores", "log-probabilities", "numbers", "any"]
"""Codes ``(n,)``; scores ``(n, K)``, of which only the order within a class counts; logarithms of
probabilities ``(n, K)``; numbers ``(n,)``; or scores where there are any, else classes."""

_NEEDED = {
    "scores": ("scores", "an area under the ROC curve"),
    "log-probabilities": ("probabilities", "a log-likelihood or a cross-entropy"),
}

_SUM_TO_1 = 1e-3  # by how much probabilities may miss it: those of half precision are rounded
_LEAST = float(np.finfo(np.float64).eps)  # a probability below counts as this, as in scikit-learn


@dataclass(frozen=True)
class FunctionAnswers:
    """A function, or a network, that predicts."""

    predictor: Predictor
    targets: Targets
    at_once: int | None = 1024

    def answer(self, inputs: Any, n: int, wanted: Wanted) -> Tensor:
        if isinstance(self.predictor, nn.Module):
            inputs = _for_network(inputs, self.predictor)
        with evaluating_networks(self.predictor, _warn_of):
            found = called(self.predictor, inputs)
        values = _as_array(found)
        if self.targets.are_numbers:
            return _numbers(values, n)
        if isinstance(self.predictor, nn.Module):
            return from_logits(torch.from_numpy(self._scores(values, n)), wanted)
        if values.shape == (n,) and (values.dtype.kind != "f" or self._are_classes(values)):
            return _of_classes(self.targets.coded(values, "predictions"), wanted)
        return _of_scores(self._scores(values, n), wanted)

    def _are_classes(self, values: NDArray[Any]) -> bool:
        known = self.targets.values
        return len(known) != 2 and known.dtype.kind in "iuf" and bool(np.isin(values, known).all())

    def _scores(self, values: NDArray[Any], n: int) -> NDArray[np.float64]:
        k = len(self.targets.values)
        if values.shape == (n,) and values.dtype.kind == "f" and k == 2:
            if not ((values >= 0) & (values <= 1)).all():
                raise ValueError(
                    "the predictor must return probabilities of the second class in [0, 1] where "
                    f"it returns one float for each input, got {_worst(values, 0, 1)}."
                )
            values = np.stack([1 - values, values], axis=1)
        is_matrix = values.ndim == 2 and len(values) == n and values.shape[1] >= k
        if not is_matrix or values.dtype.kind not in "iuf":
            raise ValueError(
                f"the predictor must return scores of shape ({n}, {k}) or classes of shape ({n},) "
                f"for {n} inputs, got {values.dtype} of shape {values.shape}."
            )
        if (bad := int(np.isnan(values).any(axis=1).sum())) > 0:
            raise ValueError(
                f"the predictor must return scores that are numbers, got NaN for {bad} of {n} "
                "inputs; has the training diverged?"
            )
        return values.astype(np.float64)


@dataclass(frozen=True)
class EstimatorAnswers:
    """A fitted estimator of scikit-learn's protocol."""

    estimator: Any
    targets: Targets
    at_once: int | None = None

    def answer(self, inputs: Any, n: int, wanted: Wanted) -> Tensor:
        if self.targets.are_numbers:
            return _numbers(_as_array(self.estimator.predict(inputs)), n)
        method = scoring_method(self.estimator, wanted)
        if method is None:
            return _of_classes(self._classes(inputs, n), wanted)
        scores = _as_array(getattr(self.estimator, method)(inputs))
        if scores.shape == (n,):  # the decision function of two classes
            scores = np.stack([-scores, scores], axis=1)
        return _of_scores(self._by_code(scores, n, method), wanted)

    def _classes(self, inputs: Any, n: int) -> NDArray[np.int64]:
        found = _as_array(self.estimator.predict(inputs))
        if found.shape == (n, 1):  # as CatBoost has it
            found = found[:, 0]
        if found.shape != (n,):
            raise ValueError(
                f"`model`.predict must return one class for each input, shape ({n},), "
                f"got {found.dtype} of shape {found.shape}."
            )
        return self.targets.coded(found, "predictions")

    def _by_code(self, scores: NDArray[Any], n: int, method: str) -> NDArray[np.float64]:
        """Return scores with a column for each class; one that was not trained on comes last."""
        k = len(self.targets.values)
        known = getattr(self.estimator, "classes_", None)
        columns = k if known is None else len(known)
        if scores.ndim != 2 or scores.shape != (n, columns):
            raise ValueError(
                f"`model`.{method} must return a column for each of {columns} classes, shape "
                f"({n}, {columns}), got shape {scores.shape}; a class may be missing in a part "
                "that is trained on."
            )
        if known is None:
            return scores.astype(np.float64)
        worst = 0.0 if method == "predict_proba" else -np.inf
        whole = np.full((n, k), worst)
        whole[:, self.targets.coded(np.asarray(known), "classes_")] = scores
        return whole


Answers: TypeAlias = FunctionAnswers | EstimatorAnswers
"""A trained learner, which is asked about so many inputs at a time; None for all."""


def scoring_method(estimator: object, wanted: Wanted) -> str | None:
    """Return the method that gives the scores wanted; None for predictions."""
    names = {
        "classes": (),
        "numbers": (),
        "log-probabilities": ("predict_proba",),
    }.get(wanted, ("predict_proba", "decision_function"))
    return next((name for name in names if hasattr(estimator, name)), None)


def _numbers(values: NDArray[Any], n: int) -> Tensor:
    if values.shape == (n, 1):
        values = values[:, 0]
    if values.shape != (n,) or values.dtype.kind not in "iuf":
        raise ValueError(
            f"the predictor must return one number for each input, shape ({n},), "
            f"got {values.dtype} of shape {values.shape}."
        )
    numbers = torch.from_numpy(values.astype(np.float64))
    if (bad := int((~numbers.isfinite()).sum())) > 0:
        raise ValueError(
            f"the predictor must return finite numbers, got NaN or infinity for {bad} of {n} "
            "inputs; has the training diverged?"
        )
    return numbers


def _of_classes(codes: NDArray[np.int64], wanted: Wanted) -> Tensor:
    if wanted in _NEEDED:
        what, purpose = _NEEDED[wanted]
        raise TypeError(
            f"the predictor must return {what} of shape (n, K) for {purpose}, got classes."
        )
    return torch.from_numpy(codes)


def _of_scores(scores: NDArray[np.float64], wanted: Wanted) -> Tensor:
    values = torch.from_numpy(scores)
    if wanted == "classes":
        return values.argmax(dim=1)
    if wanted != "log-probabilities":
        return values
    sums = scores.sum(axis=1)
    off = np.flatnonzero(np.abs(sums - 1) > _SUM_TO_1)
    if len(off) or scores.min() < 0:
        got = f"a row that sums to {sums[off[0]]:.4g}" if len(off) else f"{scores.min():.4g}"
        raise ValueError(
            f"the predictor must return probabilities for {_NEEDED[wanted][1]}, rows that are at "
            f"least 0 and sum to 1, got {got}; take the softmax of logits first."
        )
    return values.clamp(_LEAST, 1.0).log()


def from_logits(logits: Tensor, wanted: Wanted) -> Tensor:
    """Return what is wanted of the outputs of a network, shape ``(n, K)``."""
    if wanted == "classes":
        return logits.argmax(dim=1)
    if wanted == "log-probabilities":
        return logits.double().log_softmax(dim=1)
    return _log_odds(logits.double()) if wanted == "scores" else logits


def _log_odds(logits: Tensor) -> Tensor:
    """Return the log-odds of each class, which do not saturate as probabilities do."""
    columns = []
    for k in range(logits.shape[1]):
        others = torch.cat([logits[:, :k], logits[:, k + 1 :]], dim=1)
        columns.append(logits[:, k] - others.logsumexp(dim=1))
    return torch.stack(columns, dim=1)


def _as_array(answer: Any) -> NDArray[Any]:
    answer = getattr(answer, "logits", answer)  # of Hugging Face's networks
    if isinstance(answer, Tensor):
        return to_numpy(answer)
    try:
        values = np.asarray(answer)
    except (RuntimeError, TypeError, ValueError):  # several tensors, rows of different lengths
        values = np.asarray(None)
    if values.dtype == object and values.ndim == 1:  # names, as pandas and scikit-learn hold them
        values = np.array(values.tolist())
    if values.dtype.kind not in "biufUS" or values.ndim == 0:
        raise TypeError(
            "the predictor must return a tensor or an array of scores or classes, "
            f"got {type(answer).__name__}."
        )
    return values


def _for_network(inputs: Any, network: nn.Module) -> Any:
    """Return rows of an array as a tensor of the network's own precision."""
    if isinstance(inputs, np.ndarray):
        inputs = from_numpy(inputs)
    first = next(network.parameters(), None)
    if isinstance(inputs, Tensor) and inputs.is_floating_point() and first is not None:
        return inputs.to(first.dtype)
    return inputs


def _worst(values: NDArray[Any], low: float, high: float) -> float:
    return float(values[np.argmax(np.maximum(low - values, values - high))])


def _warn_of(network: nn.Module) -> None:
    warnings.warn(
        "the predictor calls a network in training mode that cannot be found from it, got "
        f"{type(network).__name__}; give the network itself, or call its `eval()`.",
        stacklevel=2,
    )
