"""What one look at a predictor found."""

from dataclasses import asdict, dataclass
from typing import Any

from corruptlab.experiments.memorizing._fitted import Fitted
from corruptlab.experiments.memorizing._gap import Gap
from corruptlab.experiments.memorizing._ratt import Ratt


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
