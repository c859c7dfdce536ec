"""Measuring predictors: what a training function calls after each epoch."""

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.utils.data import default_collate

from corruptlab._arrays import to_numpy
from corruptlab._data import Fields, stacked
from corruptlab._fits import Fits
from corruptlab._modules import evaluating
from corruptlab._random_state import preserve_rng_state
from corruptlab._types import Labels
from corruptlab.corruptions import Corrupted
from corruptlab.experiments.memorizing._canaries import Fitted, Gap, Planting, Ratt
from corruptlab.training import Recipe, stopping

Predictor: TypeAlias = nn.Module | Callable[[Any], Any]
"""A network, or any function from a batch of inputs to scores ``(b, K)`` or classes ``(b,)``."""

_DEEPEST = 6  # steps from a function to its networks
_MOST_PARTS = 10_000  # things looked at on the way
_DIFFER_IN_TRAINING = _NormBase, _DropoutNd, nn.RNNBase, nn.MultiheadAttention


@dataclass(frozen=True, kw_only=True)
class MemorizationEpoch:
    """The fit of every group of examples after some training.

    Attributes:
        epoch: How often the training function had called ``epoch_end`` by then.
        planted: Planted canaries, right on their random labels: what was memorized, and luck.
        planted_true: Planted canaries, right on their true labels, which were never shown.
        held_out: Held-out canaries, right on their random labels: luck alone, for every network.
        held_out_true: Held-out canaries, right on their true labels: the accuracy on unseen data.
        clean: Other training examples with clean labels.
        noisy: Other training examples with labels known to be wrong, right on these labels.
        noisy_true: The same examples, right on their true labels.
        gap: ``planted`` against ``held_out``.
        ratt: What the canaries say about the true error.

    Example:
        >>> import corruptlab as cl
        >>> points = [(float(i), i % 2) for i in range(40)]
        >>> report = cl.memorization_report(lambda data, _: lambda x: x.long() % 2, points)
        >>> report.final.held_out_true, report.final.clean  # a function that was never trained
        (Fitted(right=2, total=2), Fitted(right=36, total=36))
    """

    epoch: int
    planted: Fitted
    planted_true: Fitted
    held_out: Fitted
    held_out_true: Fitted
    clean: Fitted
    noisy: Fitted
    noisy_true: Fitted
    gap: Gap
    ratt: Ratt

    def to_dict(self) -> dict[str, Any]:
        """Return everything as a dictionary that JSON can hold; groups have their share too."""
        values = asdict(self)
        for name, value in vars(self).items():
            if isinstance(value, Fitted):
                values[name]["share"] = value.share
        values["gap"]["interval"] = list(self.gap.interval)
        values["ratt"]["vacuous"] = self.ratt.vacuous
        return values


class Prepared(nn.Module):
    """A network that crops and whitens inputs as `fit` does before the network sees them.

    `fit` prepares inputs on its own, so the network that it trained is a predictor for prepared
    inputs only; this one takes them as the data set serves them. `memorization_report` does this
    by itself for a network that was fitted in it.

    Args:
        network: The network, which is not copied.
        recipe: What it is trained by.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> recipe = cl.Recipe(learning_rate=0.1, epochs=1)
        >>> whole = cl.experiments.Prepared(cl.mlp(input_shape=(1, 8, 8)), recipe)
        >>> whole(torch.zeros(3, 1, 8, 8, dtype=torch.uint8)).shape
        torch.Size([3, 10])
    """

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.network = network
        self._recipe = recipe

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the scores of inputs as they are stored.

        Args:
            inputs: Stored inputs, shape ``(n, ...)``.

        Returns:
            Scores, shape ``(n, num_classes)``.
        """
        scores: Tensor = self.network(self._recipe.prepare(inputs))
        return scores


class MemorizationMeter:
    """Measures a predictor and keeps what it found; the ``epoch_end`` of a training function.

    A call measures all groups, a full pass over the training data, and returns the row that it
    adds. Networks are put in evaluation mode for it and back, those that a function uses too: the
    networks in its closure, in its arguments (``partial``), among the globals that it names, and in
    the attributes of its object. The global generators are put back, so that training goes on as if
    nothing had been measured. A network that `fit` trains gets its inputs as that fit prepares
    them: cropped and whitened by its recipe.

    Args:
        planting: The data.
        confidence: Level of intervals and bounds.
        batch_size: Examples at a time.
        fits: The recipes of the fits so far.

    Attributes:
        epochs: The rows so far.

    Example:
        >>> import corruptlab as cl
        >>> points = [(float(i), i % 2) for i in range(40)]
        >>> def train_function(dataset, epoch_end: cl.experiments.MemorizationMeter):
        ...     print(epoch_end(lambda x: 0 * x.long()).held_out_true.total, len(epoch_end.epochs))
        ...     return lambda x: x.long() % 2
        >>> report = cl.memorization_report(train_function, points)
        2 1
    """

    def __init__(
        self, planting: Planting, *, confidence: float, batch_size: int, fits: Fits
    ) -> None:
        self._planting, self._confidence, self._batch_size = planting, confidence, batch_size
        self._fits, self._has_warned = fits, False
        self.epochs: tuple[MemorizationEpoch, ...] = ()
        _check_inputs(planting.train, planting.fields)

    def __call__(self, predictor: Predictor) -> MemorizationEpoch:
        """Measure a predictor at the end of an epoch.

        Args:
            predictor: A network, or a function from a batch of inputs, as the data set serves
                them, stacked, to scores of shape ``(b, K)`` or classes of shape ``(b,)``.

        Returns:
            What was found, for instance to stop early by it.

        Raises:
            TypeError: If the predictor is none, or returns neither scores nor classes.
            ValueError: If what it returns has a wrong shape, or a score is not a number.
        """
        row = self.measured(predictor, epoch=len(self.epochs) + 1)
        self.epochs += (row,)
        return row

    def rule(self, predictor: Predictor) -> stopping.StoppingRule:
        """Return a stopping rule for `fit` that measures after every epoch and never stops.

        Args:
            predictor: What to measure, such as the network that is fitted.

        Returns:
            The rule; hand it to ``stop=`` together with the rules that stop.
        """
        return _Measured(self, predictor)

    def measured(self, predictor: Predictor, *, epoch: int) -> MemorizationEpoch:
        """Measure a predictor without adding the row to ``epochs``.

        Args:
            predictor: A network or a function, as above.
            epoch: Number of the row.

        Returns:
            What was found.
        """
        data = self._planting
        if isinstance(predictor, nn.Module) and predictor in self._fits:
            predictor = Prepared(predictor, self._fits[predictor])
        with preserve_rng_state():
            seen, unseen = (
                _predicted(
                    predictor,
                    part,
                    fields=data.fields,
                    num_classes=data.train.num_classes,
                    batch_size=self._batch_size,
                    on_unknown=self._warn_of,
                )
                for part in (data.train, data.held_out)
            )
        train, out = data.train, data.held_out
        every = np.ones(len(out), np.bool_)
        planted = Fitted.of(seen, train.targets, data.planted)
        held_out = Fitted.of(unseen, out.targets, every)
        held_out_true = Fitted.of(unseen, out.clean_targets, every)
        return MemorizationEpoch(
            epoch=epoch,
            planted=planted,
            planted_true=Fitted.of(seen, train.clean_targets, data.planted),
            held_out=held_out,
            held_out_true=held_out_true,
            clean=Fitted.of(seen, train.targets, data.clean),
            noisy=Fitted.of(seen, train.targets, data.noisy),
            noisy_true=Fitted.of(seen, train.clean_targets, data.clean_label_known),
            gap=Gap.of(planted, held_out, confidence=self._confidence),
            ratt=Ratt.of(
                planted_wrong=Fitted.of(seen, train.targets, data.planted & train.is_corrupted),
                held_out_wrong=Fitted.of(unseen, out.targets, out.is_corrupted),
                held_out_true=held_out_true,
                num_classes=int(train.num_classes),
                confidence=self._confidence,
            ),
        )

    def _warn_of(self, network: nn.Module) -> None:
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(
                "the predictor calls a network in training mode that cannot be found from it, got "
                f"{type(network).__name__}; give the network itself, or call its `eval()`.",
                stacklevel=2,
            )


@dataclass(frozen=True)
class _Measured:
    """A rule that measures and never stops."""

    meter: MemorizationMeter
    predictor: Predictor
    name: str = "measured"

    def met(self, now: stopping.FitProgress, /) -> bool:
        self.meter(self.predictor)
        return False


def _predicted(
    predictor: Predictor,
    dataset: Corrupted,
    *,
    fields: Fields,
    num_classes: int,
    batch_size: int,
    on_unknown: Callable[[nn.Module], None],
) -> Labels:
    """Return the predicted class of every example."""
    if not callable(predictor):
        raise TypeError(
            "`train_function` must give a predictor, a network or a function of a batch of inputs "
            "(of a scikit-learn model, its method `predict`), "
            f"got {type(predictor).__name__}."
        )
    with _evaluating(predictor, on_unknown):
        found = [
            _predicted_classes(_call_predictor(predictor, inputs), size, num_classes)
            for inputs, size in _batches(dataset, fields, batch_size)
        ]
    return np.concatenate(found)


def _check_inputs(dataset: Corrupted, fields: Fields) -> None:
    """Reject inputs that cannot be stacked before any training."""
    next(_batches(dataset, fields, 2))


def _batches(dataset: Corrupted, fields: Fields, size: int) -> Iterator[tuple[Any, int]]:
    for start in range(0, len(dataset), size):
        at = range(start, min(start + size, len(dataset)))
        items = dataset.__getitems__(at)
        yield _collate([item[fields.input] for item in items]), len(at)


def _collate(inputs: list[Any]) -> Any:
    try:
        if any(kind.__module__ == "PIL.Image" for kind in type(inputs[0]).__mro__):
            return torch.from_numpy(stacked(inputs))
        return default_collate(inputs)
    except (RuntimeError, TypeError, ValueError) as error:
        raise TypeError(
            "`train` must serve inputs that can be stacked to a batch (numbers, arrays, tensors, "
            f"or images of one shape), got {type(inputs[0]).__name__}: {error}"
        ) from error


@contextmanager
def _evaluating(predictor: Predictor, on_unknown: Callable[[nn.Module], None]) -> Iterator[None]:
    """Put all networks of a predictor in evaluation mode, or tell which one was not found."""
    networks = [predictor] if isinstance(predictor, nn.Module) else _networks(predictor)
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        for network in networks:
            stack.enter_context(evaluating(network))
        if not networks:
            stack.enter_context(_watched_modes(on_unknown))
        yield


@contextmanager
def _watched_modes(on_unknown: Callable[[nn.Module], None]) -> Iterator[None]:
    """Tell of each network that this thread calls in training mode, if that matters to it."""
    thread = threading.get_ident()

    def look(module: nn.Module, _: object) -> None:
        matters = any(isinstance(layer, _DIFFER_IN_TRAINING) for layer in module.modules())
        if module.training and matters and threading.get_ident() == thread:
            on_unknown(module)

    hook = register_module_forward_pre_hook(look)
    try:
        yield
    finally:
        hook.remove()


def _networks(function: object) -> list[nn.Module]:
    """Return the networks that can be reached from a function, breadth first."""
    found: list[nn.Module] = []
    seen: dict[int, object] = {}  # by id, and kept, so that no id is given out twice
    level: list[object] = [function]
    for _ in range(_DEEPEST):
        following: list[object] = []
        for value in level:
            if id(value) in seen or len(seen) > _MOST_PARTS:
                continue
            seen[id(value)] = value
            if isinstance(value, nn.Module):
                found.append(value)
            else:
                following += _reachable(value)
        level = following
    return found


def _reachable(value: Any) -> list[object]:
    """Return what a function, a container, or an object holds."""
    if isinstance(value, MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, FunctionType):
        return _held_by_function(value)
    if isinstance(value, Mapping):
        return list(value.values()) if len(value) <= _MOST_PARTS else []
    if isinstance(value, list | tuple | set | frozenset):
        return list(value) if len(value) <= _MOST_PARTS else []
    if isinstance(value, type | ModuleType | Tensor | np.ndarray | torch.utils.data.Dataset):
        return []
    kinds = type(value).__mro__
    slots = [name for kind in kinds for name in getattr(kind, "__slots__", ())]
    held = [getattr(value, name, None) for name in slots if not name.startswith("__")]
    calls = [vars(kind)["__call__"] for kind in kinds if "__call__" in vars(kind)]
    return [*getattr(value, "__dict__", {}).values(), *held, *calls[:1]]


def _held_by_function(function: FunctionType) -> list[object]:
    """Return closure, defaults, attributes, and the globals that a function names."""
    held: list[object] = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    held += vars(function).values()
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # a variable that has no value yet
            held.append(cell.cell_contents)
    names = _global_names(function.__code__)
    for name in names & function.__globals__.keys():
        value = function.__globals__[name]
        inside = vars(value) if isinstance(value, ModuleType) else {}
        held += [value, *(inside[each] for each in names & inside.keys() if each != name)]
    return held


def _global_names(code: CodeType) -> set[str]:
    inner = (_global_names(each) for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*inner)


def _call_predictor(predictor: Predictor, inputs: Any) -> Any:
    if isinstance(predictor, nn.Module):
        inputs = _to_device(inputs, _device(predictor))
    return predictor(inputs)


def _device(network: nn.Module) -> torch.device:
    for held in (*network.parameters(), *network.buffers()):
        return held.device
    return torch.device("cpu")


def _to_device(inputs: Any, device: torch.device) -> Any:
    if isinstance(inputs, Tensor):
        return inputs.to(device)
    if isinstance(inputs, Mapping):
        return {key: _to_device(value, device) for key, value in inputs.items()}
    if isinstance(inputs, list | tuple):
        return [_to_device(value, device) for value in inputs]
    return inputs


def _predicted_classes(answer: Any, size: int, num_classes: int) -> Labels:
    """Return classes as given, or as the argmax of scores."""
    if not isinstance(answer, Tensor | np.ndarray | list | tuple):
        raise TypeError(
            "the predictor must return a tensor or an array of scores or classes, "
            f"got {type(answer).__name__}."
        )
    values = _array(answer)
    if values.dtype.kind not in "iuf":
        raise TypeError(f"the predictor must return numbers, got {values.dtype}.")
    if values.shape == (size,) and values.dtype.kind in "iu":
        return values.astype(np.int64)
    if values.ndim != 2 or len(values) != size or values.shape[1] < num_classes:
        raise ValueError(
            f"the predictor must return scores of shape ({size}, {num_classes}) or integer classes "
            f"of shape ({size},) for {size} inputs, got {values.dtype} of shape {values.shape}."
        )
    _check_scores(values)
    best: Labels = values.argmax(axis=1).astype(np.int64)
    return best


def _array(answer: Any) -> NDArray[Any]:
    if isinstance(answer, Tensor):
        return to_numpy(answer)
    try:
        return np.asarray(answer)
    except (RuntimeError, TypeError, ValueError):  # several tensors, rows of different lengths
        raise TypeError(
            "the predictor must return one tensor or array of scores or classes, "
            f"got a {type(answer).__name__} of {len(answer)} that do not make one."
        ) from None


def _check_scores(scores: NDArray[Any]) -> None:
    bad = np.isnan(scores).any(axis=1)
    if bad.any():
        raise ValueError(
            f"the predictor must return scores that are numbers, got NaN for {int(bad.sum())} of "
            f"{len(scores)} inputs; has the training diverged?"
        )
