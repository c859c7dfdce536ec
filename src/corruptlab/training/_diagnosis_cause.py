"""One reason why a fit stopped short."""

from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

CauseName: TypeAlias = Literal[
    "augmentation",
    "conflicting_duplicates",
    "dropout",
    "inputs_not_whitened",
    "interrupted",
    "labels_redrawn",
    "learning_rate_decayed",
    "learning_rate_too_high",
    "learning_rate_too_low",
    "stopping_rule",
    "too_few_epochs",
    "too_few_parameters",
    "weight_decay",
]
"""The reasons that `diagnose` knows."""


@dataclass(frozen=True)
class Cause:
    """A reason, seen in the facts of a fit, why its training set is not interpolated.

    Args:
        name: Which of the known reasons it is.
        evidence: What was seen, with the number.
        remedy: What to do about it, an imperative sentence.

    Example:
        >>> print(Cause("dropout", "dropout layers drop 50% of their units", "Set `dropout=0`."))
        dropout: dropout layers drop 50% of their units. Set `dropout=0`.
    """

    name: CauseName
    evidence: str
    remedy: str

    def to_dict(self) -> dict[str, str]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.name}: {self.evidence}. {self.remedy}"
