"""The one protocol of learners, and the estimators that it is spoken for."""

import copy
import hashlib
import inspect
import pickle
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from corruptlab._json import KIND, Json, encode, identity_of, kind_of
from corruptlab._learners._answers import (
    Answers,
    EstimatorAnswers,
    FunctionAnswers,
    Wanted,
    scoring_method,
)
from corruptlab._learners._predictor import Predictor
from corruptlab._learners._rows import LabelledData, PairRows, Rows, Targets
from corruptlab._modules import first_line
from corruptlab._modules import kind_of as name_of_kind
from corruptlab._random_state import seed_generators
from corruptlab._types import Ids

RowsT = TypeVar("RowsT", bound=Rows)

_SEEDS = 2**32  # of NumPy's global generator, and of scikit-learn


class Learner(Protocol):
    """Protocol of a training function.

    A call must train from scratch, without state from earlier calls. All randomness must come from
    ``seed`` or from the global generators of Python, NumPy, and PyTorch, which are seeded with
    ``seed`` before the call and restored after it.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> def nearest(data: cl.LabelledData, *, seed: int):
        ...     seen, labels = data.inputs, data.labels
        ...     def predict(inputs):
        ...         distances = np.linalg.norm(inputs[:, None] - seen, axis=2)
        ...         return labels[distances.argmin(axis=1)]
        ...     return predict
        >>> learner: cl.Learner = nearest
        >>> x = np.arange(40.0)[:, None]
        >>> y = np.where(x[:, 0] < 20, "low", "high")
        >>> cl.permutation_test(learner, (x, y), folds=4, permutations=99).p_value
        0.01
    """

    def __call__(self, data: LabelledData, /, *, seed: int) -> Predictor:
        """Train on ``data`` and return a predictor.

        Args:
            data: The training set.
            seed: An integer >= 0, the same for every training run of a test.

        Returns:
            A network, or a function that maps a batch of inputs, in the container of
            ``data.inputs``, to classes ``(b,)``, scores ``(b, K)`` with one column per element of
            ``data.classes``, the probability ``(b,)`` of the second of two classes, or real numbers
            ``(b,)``.
        """


def is_learner(model: object) -> bool:
    """Return whether something is an estimator or a training function, and nothing else."""
    if isinstance(model, nn.Module | type):
        return False
    return hasattr(model, "fit") or (callable(model) and _takes_data(model, apart=True))


def trainable(model: Any) -> "Trainable":
    """Return an estimator or a training function as one kind of thing, or say what it lacks."""
    if isinstance(model, nn.Module):
        raise TypeError("`recipe` must be given with a torch.nn.Module, got None.")
    if isinstance(model, type):
        raise TypeError(
            f"`model` must be an estimator or a function, got {name_of_kind(model)}; "
            f"make one, {model.__name__}(...)."
        )
    if hasattr(model, "fit"):
        for method in ("fit", "predict"):
            if not callable(getattr(model, method, None)):
                raise TypeError(
                    f"`model` must have a method {method}, as estimators do, "
                    f"got {type(model).__name__}."
                )
        return EstimatorLearner(model)
    if not callable(model):
        raise TypeError(
            "`model` must be a torch.nn.Module with a recipe, an estimator with the methods fit "
            f"and predict, or a function train(data, *, seed), got {type(model).__name__}, "
            "which has no method fit."
        )
    if not _takes_data(model):
        raise TypeError(
            "`model` must be a function train(data, *, seed) where no recipe is given, got "
            f"{name_of(model)}{inspect.signature(model)}."
        )
    return FunctionLearner(model)


def predicted(answers: Answers, rows: Rows, at: Ids, wanted: Wanted) -> Tensor:
    """Return what a trained learner says of the examples at some positions."""
    size = max(1, len(at) if answers.at_once is None else answers.at_once)
    found = [
        answers.answer(rows.inputs(some), len(some), wanted)
        for some in (at[start : start + size] for start in range(0, len(at), size))
    ]
    return found[0] if len(found) == 1 else torch.cat(found)


@dataclass(frozen=True)
class FunctionLearner:
    """A function ``train(data, *, seed) -> predict``."""

    function: Learner
    numbers: bool | None = None

    @property
    def name(self) -> str:
        return name_of(self.function)

    def check(self, wanted: Wanted, purpose: str) -> None:
        """Accept anything: what it returns is known only when it does."""

    def rows(self, rows: RowsT) -> RowsT:
        return rows

    def trained(self, data: LabelledData, targets: Targets, *, seed: int) -> Answers:
        """Train on examples; whoever calls puts the global generators back."""
        seed_generators(seed % _SEEDS)
        predictor: Any = self.function(data, seed=seed)
        if isinstance(predictor, nn.Module) or callable(predictor):
            return FunctionAnswers(predictor, targets)
        if callable(getattr(predictor, "predict", None)):
            return EstimatorAnswers(predictor, targets)
        raise TypeError(
            "the learner must return a predictor, a network or a function of a batch of inputs, "
            f"got {type(predictor).__name__} from {self.name}."
        )

    def identity(self) -> Json:
        return {"function": identity_of(self.function, "model")}


@dataclass(frozen=True)
class EstimatorLearner:
    """An estimator of scikit-learn's protocol: a clone of it is fitted each time."""

    estimator: Any

    @property
    def name(self) -> str:
        steps = getattr(self.estimator, "steps", None)
        inside = [type(step).__name__ for _, step in steps] if isinstance(steps, list) else []
        return type(self.estimator).__name__ + (f"({', '.join(inside)})" if inside else "")

    @property
    def numbers(self) -> bool | None:
        """Whether it says that it learns numbers; None for whatever the labels are."""
        kind = _estimator_type(self.estimator) or ""
        return {"regressor": True, "classifier": False}.get(kind)

    def check(self, wanted: Wanted, purpose: str) -> None:
        needs = {
            "log-probabilities": "predict_proba",
            "scores": "predict_proba or decision_function",
        }
        if wanted in needs and scoring_method(self.estimator, wanted) is None:
            raise TypeError(
                f"`model` must have a method {needs[wanted]} for {purpose}, got {self.name}."
            )

    def rows(self, rows: Rows) -> PairRows:
        """Return rows of two axes, as estimators take them; data sets are read once."""
        if not isinstance(rows, PairRows):
            rows = PairRows(np.asarray(rows.inputs(np.arange(len(rows)))))
        whole = rows.whole
        if isinstance(whole, Tensor):
            whole = whole.detach().cpu().numpy()
        if isinstance(whole, np.ndarray) and whole.ndim > 2:
            whole = whole.reshape(len(whole), -1)
        return PairRows(whole)

    def trained(self, data: LabelledData, targets: Targets, *, seed: int) -> Answers:
        """Train on examples; whoever calls puts the global generators back."""
        own = _seeded(_cloned(self.estimator), seed % _SEEDS)
        seed_generators(seed % _SEEDS)
        try:
            own.fit(data.inputs, data.labels)
        except ValueError as error:
            self._explain(data, error)
            raise
        return EstimatorAnswers(own, targets)

    def _explain(self, data: LabelledData, error: ValueError) -> None:
        """Name the classes that are missing where an estimator cannot do without."""
        if data.classes is None:
            return
        missing = np.setdiff1d(data.classes, data.labels)
        if len(missing):
            raise ValueError(
                "`model` must accept training sets without examples of some class, here "
                f"{missing[0].item()!r}, got the error: {first_line(error)}"
            ) from error

    def identity(self) -> Json:
        return {"estimator": _described(self.estimator)}


Trainable: TypeAlias = EstimatorLearner | FunctionLearner
"""A learner that was checked."""


def _takes_data(function: Any, *, apart: bool = False) -> bool:
    """Return whether a function can be called as ``train(data, seed=seed)``, or in no other way."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions written in C have none
        return not apart
    if apart and _binds(signature, None, None):
        return False
    return _binds(signature, None, seed=0)


def _binds(signature: inspect.Signature, *args: object, **keywords: object) -> bool:
    try:
        signature.bind(*args, **keywords)
    except TypeError:
        return False
    return True


def name_of(function: Any) -> str:
    """Return the name of a function, also of a partial one, or else of its class."""
    if isinstance(function, partial):
        return name_of(function.func)
    return str(getattr(function, "__name__", type(function).__name__))


def _is_of_scikit_learn(estimator: object) -> bool:
    return any(kind.__module__.partition(".")[0] == "sklearn" for kind in type(estimator).__mro__)


def _estimator_type(estimator: Any) -> str | None:
    """Return "classifier", "regressor", or None where it does not say."""
    if _is_of_scikit_learn(estimator):
        from sklearn.base import is_classifier, is_regressor  # the object comes from there

        if is_classifier(estimator):
            return "classifier"
        return "regressor" if is_regressor(estimator) else None
    return getattr(estimator, "_estimator_type", None)


def _cloned(estimator: Any) -> Any:
    """Return an unfitted copy."""
    if "sklearn.base" in sys.modules and hasattr(estimator, "get_params"):
        from sklearn.base import clone

        return clone(estimator)
    return copy.deepcopy(estimator)


def _seeded(estimator: Any, seed: int) -> Any:
    """Set every ``random_state`` that is None, in what it is made of too."""
    if not hasattr(estimator, "get_params"):
        return estimator
    free = {
        name: seed
        for name, value in estimator.get_params(deep=True).items()
        if (name == "random_state" or name.endswith("__random_state")) and value is None
    }
    return estimator.set_params(**free) if free else estimator


def _described(value: Any) -> Json:
    """Return an estimator, or a parameter of one, as JSON that differs where it differs."""
    if hasattr(value, "get_params") and not isinstance(value, type):
        given = value.get_params(deep=False)
        return {KIND: kind_of(type(value)), **{str(k): _described(v) for k, v in given.items()}}
    if isinstance(value, list | tuple):
        return [_described(each) for each in value]
    if isinstance(value, type) or inspect.isroutine(value):
        return kind_of(value)
    try:
        return encode(value, "model")
    except (TypeError, ValueError):
        return {KIND: kind_of(type(value)), "sha256": hashlib.sha256(_pickled(value)).hexdigest()}


def _pickled(value: Any) -> bytes:
    try:
        return pickle.dumps(value)
    except Exception as error:  # a foreign `__reduce__` may raise anything
        raise TypeError(
            f"`model` must have parameters that can be pickled, got {type(value).__name__} "
            f"({first_line(error)})."
        ) from None
