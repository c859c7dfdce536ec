"""Measuring predictors: what a training function calls after each epoch."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from corruptlab._arrays import to_numpy
from corruptlab._data import Fields
from corruptlab._fits import Fits
from corruptlab._learners import (
    Predictor,
    called,
    collated,
    do_stack,
    evaluating_networks,
    positions_to_look_at,
)
from corruptlab._random_state import preserve_rng_state
from corruptlab._records import Record
from corruptlab._structured import ModelInputs, as_inputs, outputs_of
from corruptlab._types import Labels
from corruptlab.corruptions import Corrupted
from corruptlab.experiments.memorizing._canaries import Fitted, Gap, Planting, Ratt
from corruptlab.experiments.memorizing._learning_times import FirstEpochs, LearningTimes
from corruptlab.training import Recipe, stopping


@dataclass(frozen=True, kw_only=True)
class MemorizationEpoch(Record):
    """Fit of every group of examples at the end of an epoch.

    Attributes:
        epoch: Number of calls of ``epoch_end`` so far.
        planted: Planted canaries, compared with their random labels: memorization and chance.
        planted_true: Planted canaries, compared with their true labels, which are not in the
            training data.
        held_out: Held-out canaries, compared with their random labels: chance only, for every
            network.
        held_out_true: Held-out canaries, compared with their true labels: the accuracy on unseen
            data.
        clean: Other training examples with clean labels.
        noisy: Other training examples with labels known to be wrong, compared with these labels.
        noisy_true: The same examples, compared with their true labels.
        gap: Comparison of ``planted`` and ``held_out``.
        ratt: Bound on the true error from the canaries.

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


class Prepared(nn.Module):
    """Network that applies the cropping and whitening of a recipe to its inputs.

    `fit` prepares inputs itself, so a network that it trained is a predictor for prepared inputs
    only. This wrapper accepts inputs as the data set returns them. `memorization_report` applies it
    automatically to networks that are trained with `fit`.

    Args:
        network: The network; it is not copied.
        recipe: Recipe of the training.

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
        self.network: nn.Module = network
        self._recipe = recipe

    def forward(self, inputs: ModelInputs) -> Tensor:
        """Return the scores of stored inputs.

        Args:
            inputs: Stored inputs, shape ``(n, ...)``, or a dictionary or tuple of several fields.

        Returns:
            Scores, shape ``(n, num_classes)``.
        """
        scores: Tensor = outputs_of(self.network, self._recipe.prepare(as_inputs(inputs)))
        return scores


class MemorizationMeter:
    """Callable that measures a predictor at the end of an epoch: the argument ``epoch_end``.

    Each call measures all groups in a full pass over the training data and returns the new row.
    Networks are in evaluation mode during the pass and are then restored, including those that a
    function uses: networks in its closure, in its arguments (``partial``), among the global
    variables it refers to, and in the attributes of its object. The global random generators are
    restored, so that the measurement does not change the training. A network that `fit` trains
    receives inputs that are cropped and whitened by the recipe of that fit.

    Args:
        planting: The data set with canaries.
        confidence: Confidence level of intervals and bounds.
        batch_size: Number of examples per batch.
        fits: Recipes of the fits so far.

    Attributes:
        epochs: Rows so far, one per call.

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
        self._stack = _do_stack(planting.train, planting.fields)
        self.epochs: tuple[MemorizationEpoch, ...] = ()
        self._first = FirstEpochs(len(planting.train)), FirstEpochs(len(planting.held_out))

    def __call__(self, predictor: Predictor) -> MemorizationEpoch:
        """Measure a predictor at the end of an epoch.

        Args:
            predictor: A network, or a function from a batch of stacked inputs of the data set to
                scores of shape ``(b, K)`` or classes of shape ``(b,)``.

        Returns:
            The new row, for example for early stopping.

        Raises:
            TypeError: If the predictor is neither a network nor a function, or returns neither
                scores nor classes.
            ValueError: If the result of the predictor has the wrong shape, or a score is NaN.
        """
        epoch, parts = len(self.epochs) + 1, (self._planting.train, self._planting.held_out)
        predicted = self._predicted(predictor)
        row = self._row(*predicted, epoch)
        for first, classes, part in zip(self._first, predicted, parts, strict=True):
            first.note(epoch, classes, part.targets)
        self.epochs += (row,)
        return row

    @property
    def learning_times(self) -> dict[str, LearningTimes]:
        """Learning times of ``clean``, ``noisy``, ``planted``, and ``held_out`` examples."""
        data, epochs = self._planting, len(self.epochs)
        seen, unseen = self._first
        every = np.ones(len(data.held_out), np.bool_)
        return {
            "clean": seen.times(data.clean, epochs),
            "noisy": seen.times(data.noisy, epochs),
            "planted": seen.times(data.planted, epochs),
            "held_out": unseen.times(every, epochs),
        }

    def rule(self, predictor: Predictor) -> stopping.StoppingRule:
        """Return a stopping rule for `fit` that measures after every epoch and never stops.

        Args:
            predictor: Predictor to measure, such as the network passed to `fit`.

        Returns:
            The rule; pass it to ``stop=`` together with the rules that stop the fit.
        """
        return _Measured(self, predictor)

    def measured(self, predictor: Predictor, *, epoch: int) -> MemorizationEpoch:
        """Measure a predictor without adding the row to ``epochs``.

        Args:
            predictor: A network or a function, as in a call.
            epoch: Epoch of the row.

        Returns:
            The row.
        """
        return self._row(*self._predicted(predictor), epoch)

    def _predicted(self, predictor: Predictor) -> tuple[Labels, Labels]:
        """Return the predicted classes of training examples and held-out canaries."""
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
                    stack=self._stack,
                    on_unknown=self._warn_of,
                )
                for part in (data.train, data.held_out)
            )
        return seen, unseen

    def _row(self, seen: Labels, unseen: Labels, epoch: int) -> MemorizationEpoch:
        data = self._planting
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
    stack: bool,
    on_unknown: Callable[[nn.Module], None],
) -> Labels:
    """Return the predicted class of every example."""
    if not callable(predictor):
        raise TypeError(
            "`train_function` must give a predictor, a network or a function of a batch of inputs "
            "(of a scikit-learn model, its method `predict`), "
            f"got {type(predictor).__name__}."
        )
    with evaluating_networks(predictor, on_unknown):
        found = [
            _predicted_classes(called(predictor, inputs), size, num_classes)
            for inputs, size in _batches(dataset, fields, batch_size, stack)
        ]
    return np.concatenate(found)


def _batches(
    dataset: Corrupted, fields: Fields, size: int, stack: bool
) -> Iterator[tuple[Any, int]]:
    for start in range(0, len(dataset), size):
        at = range(start, min(start + size, len(dataset)))
        yield collated(_inputs(dataset, fields, at), stack=stack), len(at)


def _inputs(dataset: Corrupted, fields: Fields, at: Sequence[int]) -> list[Any]:
    items = zip(dataset.__getitems__(at), at, strict=True)
    return [fields.input_of(item, "train", i) for item, i in items]


def _do_stack(dataset: Corrupted, fields: Fields) -> bool:
    with preserve_rng_state():
        at = positions_to_look_at(len(dataset)).tolist()
        return do_stack(_inputs(dataset, fields, at))


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
