"""How much a training procedure memorizes, by canaries: any procedure, in one call."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

from torch import nn

from corruptlab._by_name import describe
from corruptlab._checks import at_least, check_confidence
from corruptlab._data import Key
from corruptlab._environment import Environment
from corruptlab._fits import watched_fits
from corruptlab._random_state import preserve_rng_state
from corruptlab._types import MapDataset
from corruptlab.corruptions import Corrupted
from corruptlab.experiments.memorizing._canaries import Planting
from corruptlab.experiments.memorizing._meter import MemorizationMeter, Predictor
from corruptlab.experiments.memorizing._report import MemorizationReport

TrainFunction: TypeAlias = Callable[[Corrupted, MemorizationMeter], Predictor | None]
"""Training data and what to call after each epoch in, a predictor out."""


def memorization_report(
    train_function: TrainFunction,
    train: MapDataset[Any],
    *,
    canaries: int | float = 0.05,
    held_out: int | None = None,
    num_classes: int | None = None,
    input_key: Key | None = None,
    label_key: Key | None = None,
    seed: int = 0,
    confidence: float = 0.95,
    batch_size: int = 256,
) -> MemorizationReport:
    """Plant random-label canaries in a copy of the data, train, and see how well they are fitted.

    Some examples get labels drawn uniformly from all K classes. Part of them, the planted canaries,
    stay in the training data; the others are held out. On the random labels of the held-out ones
    every network is right once in K by luck, whatever it has learned, so what it does
    better on those of the planted ones it owes to having seen them: it is memorization, and nothing
    else. Your own data set is not changed.

    ``train_function(dataset, epoch_end)`` trains in whichever way you like on ``dataset``, a
    `Corrupted` of the same items, and returns a predictor: a network, or a function from a batch of
    inputs to scores ``(b, K)`` or classes ``(b,)``. Inputs come as the data set serves them (its
    transforms included), stacked: images of PIL as bytes with the channels first; a network that
    `fit` trained gets them as that fit prepared them. If it calls ``epoch_end(predictor)`` after
    each epoch, there is a row for each (see `MemorizationMeter`).

    Ctrl-C during training gives the report of what was measured until then. An error (or an exit,
    into which some trainers turn Ctrl-C) passes through as it is; the report so far, if an epoch
    was measured, is its attribute ``report``.

    Copies of an input count as different examples: if a canary has one elsewhere in the data, with
    its true label, that speaks against the random one. `audit` finds them.

    Args:
        train_function: Trains on a data set and returns a predictor.
        train: Any map-style data set of (input, label) items, each example once. If it is
            `Corrupted`, its clean labels are used too, to tell noisy examples from clean ones.
        canaries: How many to plant: a number >= 2, or a share of the examples in ``(0, 1)``, which
            is rounded to a number. Intervals shrink like one over its root.
        held_out: How many to hold out, >= 2; by default as many.
        num_classes: Number of classes K, if the data set does not tell.
        input_key: Position or name of the input in an item.
        label_key: Position or name of the label in an item.
        seed: Decides which examples are canaries, and their labels; an integer >= 0.
        confidence: Level of intervals and bounds, in ``(0, 1)``.
        batch_size: Examples that a predictor gets at a time, >= 1.

    Returns:
        Fit of every group by epoch, the gap with its interval, and the bound of RATT where its
        assumptions hold; a table when printed, and a figure.

    Raises:
        TypeError: If an argument is of a wrong kind, or ``train_function`` gives no predictor.
        ValueError: If a number is out of its range, the data does not fit, or a predictor
            returns NaN or a wrong shape. What can be seen before the training is.
        KeyboardInterrupt: If Ctrl-C comes before anything was measured.
        SystemExit: If ``train_function`` exits.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> train = torch.utils.data.Subset(cl.datasets.fashion_mnist_mini("train"), range(500))
        >>> def nearest(dataset, epoch_end):
        ...     images, labels = cl.materialize(dataset)
        ...     seen = images.flatten(1).float()
        ...     return lambda x: labels[torch.cdist(x.flatten(1).float(), seen).argmin(dim=1)]
        >>> report = cl.memorization_report(nearest, train, canaries=100)
        >>> report
        MemorizationReport(nearest on Subset: planted 100.0%, held out ...%, gap in [...])

    Source: Zhang et al. 2017, §2.1 (random labels); Carlini et al. 2019, "The secret sharer"
    (canaries); Garg et al. 2021, "RATT" (the bound, see `Ratt`).
    """
    if isinstance(train_function, nn.Module) or not callable(train_function):
        raise TypeError(
            "`train_function` must be a function of a data set and `epoch_end` that returns a "
            f"predictor, got {type(train_function).__name__}."
        )
    check_confidence(confidence)
    confidence = float(confidence)
    batch_size = at_least(1, "batch_size", batch_size)
    with watched_fits() as fits:
        with preserve_rng_state():  # random transforms of the data set would move them
            planting = Planting.of(
                train,
                canaries=canaries,
                held_out=held_out,
                num_classes=num_classes,
                input_key=input_key,
                label_key=label_key,
                seed=seed,
            )
            meter = MemorizationMeter(
                planting, confidence=confidence, batch_size=batch_size, fits=fits
            )
        run = _Run(
            meter,
            planting,
            train_function=getattr(train_function, "__name__", type(train_function).__name__),
            data=describe(train),
            confidence=confidence,
        )
        try:
            predictor = train_function(planting.train, run.meter)
            return run.report(predictor)
        except KeyboardInterrupt:
            if not run.meter.epochs:
                raise
            return run.report(interrupted=True)
        except (Exception, SystemExit) as error:  # some trainers turn Ctrl-C into an exit
            if run.meter.epochs:
                with suppress(AttributeError):  # an error of a frozen class keeps nothing
                    error.report = run.report(interrupted=True)  # type: ignore[union-attr]  # documented
            raise


class _Run:
    """All that a report is made of besides its rows."""

    def __init__(
        self,
        meter: MemorizationMeter,
        planting: Planting,
        *,
        train_function: str,
        data: str,
        confidence: float,
    ) -> None:
        self.meter, self._planting = meter, planting
        self._train_function, self._data = train_function, data
        self._confidence = confidence

    def report(
        self, predictor: Predictor | None = None, *, interrupted: bool = False
    ) -> MemorizationReport:
        """Measure a predictor, if there is one, and report it as the end."""
        epochs = self.meter.epochs
        if predictor is not None:
            final = self.meter.measured(predictor, epoch=len(epochs))
        elif epochs:
            final = epochs[-1]
        else:
            raise TypeError(
                "`train_function` must return a predictor or call `epoch_end` with one, got None."
            )
        data = self._planting
        return MemorizationReport(
            epochs=epochs,
            final=final,
            interrupted=interrupted,
            train_function=self._train_function,
            data=self._data,
            n_train=len(data.train),
            canaries=int(data.planted.sum()),
            held_out=len(data.held_out),
            wrong_canaries=final.ratt.planted_wrong.total,
            noisy=int(data.noisy.sum()),
            num_classes=int(data.train.num_classes),
            confidence=self._confidence,
            seed=data.train.seed,
            fingerprint=data.train.fingerprint,
            environment=Environment.here(),
        )
