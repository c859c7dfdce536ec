"""What a training function calls after each epoch."""

from dataclasses import dataclass

import numpy as np

from corruptlab._global_generators import generators_kept
from corruptlab.experiments.memorizing._epoch import MemorizationEpoch
from corruptlab.experiments.memorizing._fitted import Fitted
from corruptlab.experiments.memorizing._gap import Gap
from corruptlab.experiments.memorizing._planting import Planting
from corruptlab.experiments.memorizing._predicting import Predictor, check_inputs, predicted
from corruptlab.experiments.memorizing._ratt import Ratt
from corruptlab.training import stopping


class MemorizationMeter:
    """Measures a predictor and keeps what it found; the ``epoch_end`` of a training function.

    A call measures all groups, a full pass over the training data, and returns the row that it
    adds. Networks are put in evaluation mode for it and back, and the global generators are put
    back too, so that training goes on as if nothing had been measured.

    Args:
        planting: The data.
        confidence: Level of intervals and bounds.
        batch_size: Examples at a time.

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

    def __init__(self, planting: Planting, *, confidence: float, batch_size: int) -> None:
        self._planting, self._confidence, self._batch_size = planting, confidence, batch_size
        self.epochs: tuple[MemorizationEpoch, ...] = ()
        check_inputs(planting.train, planting.fields)

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
            predictor: What to measure: the network that is fitted, `Prepared` by its recipe.

        Returns:
            The rule; hand it to ``stop=`` together with the rules that stop.
        """
        return _Measured(self, predictor)

    def measured(self, predictor: Predictor, *, epoch: int) -> MemorizationEpoch:
        """Measure a predictor without keeping the row.

        Args:
            predictor: See above.
            epoch: Number of the row.

        Returns:
            What was found.
        """
        data = self._planting
        with generators_kept():
            seen, unseen = (
                predicted(
                    predictor,
                    part,
                    fields=data.fields,
                    num_classes=data.train.num_classes,
                    batch_size=self._batch_size,
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
            noisy_true=Fitted.of(seen, train.clean_targets, data.noisy),
            gap=Gap.of(planted, held_out, confidence=self._confidence),
            ratt=Ratt.of(
                planted_wrong=Fitted.of(seen, train.targets, data.planted & train.is_corrupted),
                held_out_wrong=Fitted.of(unseen, out.targets, out.is_corrupted),
                held_out_true=held_out_true,
                num_classes=train.num_classes,
                confidence=self._confidence,
            ),
        )


@dataclass(frozen=True)
class _Measured:
    """A rule that only looks."""

    meter: MemorizationMeter
    predictor: Predictor
    name: str = "measured"

    def met(self, now: stopping.FitProgress, /) -> bool:
        self.meter(self.predictor)
        return False
