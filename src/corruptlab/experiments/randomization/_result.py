"""What one setting of a randomization test came to."""

from dataclasses import dataclass
from typing import Any

from corruptlab.experiments.randomization._settings import Setting
from corruptlab.training import FitReport


@dataclass(frozen=True, kw_only=True)
class SettingResult:
    """How the network fared on one setting.

    Attributes:
        setting: What was done to the data, with estimated numbers filled in.
        fit: How the training went; its training accuracy is on the labels as corrupted, its test
            accuracy on clean ones.
        labels_changed: Share of the training labels that really differ from the clean ones.
        fingerprint: Hash of the training set's corruption, as `Corrupted.fingerprint` gives it.
        steps_ratio: Steps until interpolation over those on true labels; None if one of the two
            did not interpolate, or true labels were not among the settings.
        seconds_ratio: The same for seconds of training.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> points = [(torch.tensor([1.0, 0.0]), 0), (torch.tensor([0.0, 1.0]), 1)]
        >>> recipe = cl.Recipe(learning_rate=1.0, epochs=50, whiten=False)
        >>> report = cl.randomization_test(torch.nn.Linear(2, 2), points, recipe=recipe)
        >>> row = report["shuffled-pixels"]
        >>> row.interpolated, row.train_accuracy, row.test_accuracy, row.labels_changed
        (True, 1.0, None, 0.0)
    """

    setting: Setting
    fit: FitReport
    labels_changed: float
    fingerprint: str
    steps_ratio: float | None
    seconds_ratio: float | None

    @classmethod
    def of(
        cls,
        setting: Setting,
        fit: FitReport,
        *,
        labels_changed: float,
        fingerprint: str,
        baseline: FitReport | None,
    ) -> "SettingResult":
        """Compare a fit with the one on true labels, if there is one."""
        steps = seconds = None
        if baseline is not None:
            steps = _ratio(fit.steps_to_interpolation, baseline.steps_to_interpolation)
            seconds = _ratio(fit.seconds_to_interpolation, baseline.seconds_to_interpolation)
        return cls(
            setting=setting,
            fit=fit,
            labels_changed=labels_changed,
            fingerprint=fingerprint,
            steps_ratio=steps,
            seconds_ratio=seconds,
        )

    @property
    def name(self) -> str:
        """Name of the setting."""
        return self.setting.name

    @property
    def train_accuracy(self) -> float:
        """Share of the training examples that the network gets right, labels as corrupted."""
        return self.fit.train_accuracy

    @property
    def test_accuracy(self) -> float | None:
        """Share of the test examples, labels clean, of the last epoch; None without a test set."""
        return self.fit.test_accuracy

    @property
    def generalization_gap(self) -> float | None:
        """Training accuracy less test accuracy; None without a test set."""
        return self.fit.generalization_gap

    @property
    def interpolated(self) -> bool:
        """Whether the network came to be right on every training example."""
        return self.fit.steps_to_interpolation is not None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as a dictionary that JSON can hold."""
        return {
            "setting": self.setting.to_dict(),
            "specification": self.setting.specification(self.fit.seed),
            "labels_changed": self.labels_changed,
            "fingerprint": self.fingerprint,
            "train_accuracy": self.train_accuracy,
            "test_accuracy": self.test_accuracy,
            "generalization_gap": self.generalization_gap,
            "interpolated": self.interpolated,
            "steps_ratio": self.steps_ratio,
            "seconds_ratio": self.seconds_ratio,
            "fit": self.fit.to_dict(),
        }


def _ratio(value: float | None, reference: float | None) -> float | None:
    # A fit too short for the clock has no meaningful ratio either.
    return None if value is None or not reference else value / reference
