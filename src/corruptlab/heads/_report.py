"""Results of random label heads by layer and epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import deprecated

from corruptlab import _text as text
from corruptlab._checks import check_confidence, check_names
from corruptlab._reports import Report
from corruptlab._statistics import clopper_pearson
from corruptlab.plotting import layer_heatmap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CONFIDENCE = 0.95
_MOST_ROWS = 12


@dataclass(frozen=True, kw_only=True)
class HeadsReport(Report, kind="random_label_heads", derived=("accuracy", "chance")):
    """Accuracy of random label heads by layer and epoch; returned by `RandomLabelHeads.report`.

    Attributes:
        layers: Names of the layers.
        right: Number of correctly predicted random labels, by epoch and layer.
        total: Number of predicted random labels, by epoch.
        num_examples: Number of training examples.
        num_classes: Number of classes of a random label.
        num_labels: Number of random labels per example.
        factor: Weight of the regularizer; 0 if the heads only measured.
        seed: Seed of the labels.

    Example:
        >>> import corruptlab as cl
        >>> report = cl.heads.HeadsReport(
        ...     layers=("0", "2"), right=((52, 50), (80, 58)), total=(100, 100), num_examples=100,
        ...     num_classes=2, num_labels=1, factor=0.0, seed=0)
        >>> print(report)
        epoch  layer 0  layer 2
        -----------------------
            1    52.0%    50.0%
            2    80.0%    58.0%
        <BLANKLINE>
        Share of random labels that a head predicts at an example's k-th visit, before learning
        from that visit; chance 50.0%. Last epoch, 95% interval: 0 70.8% .. 87.3%, 2 47.7% .. 67.8%.
        100 examples with 1 random label of 2 classes, seed 0; heads only measure.
        >>> report.interval("0", 2, confidence=0.95)
        (0.708..., 0.873...)
    """

    layers: tuple[str, ...]
    right: tuple[tuple[int, ...], ...]
    total: tuple[int, ...]
    num_examples: int
    num_classes: int
    num_labels: int
    factor: float
    seed: int

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Share of correctly predicted labels, ``float64`` of shape ``(epochs, layers)``."""
        right = np.array(self.right, np.float64).reshape(len(self.total), len(self.layers))
        return right / np.array(self.total, np.float64)[:, None]

    @property
    def chance(self) -> float:
        """Expected accuracy of guessing: ``1 / num_classes``."""
        return 1 / self.num_classes

    def interval(
        self, layer: str, epoch: int, *, confidence: float = _CONFIDENCE
    ) -> tuple[float, float]:
        """Return the two-sided Clopper-Pearson interval of one accuracy.

        It is exact if the predictions are correct independently of one another. This holds at
        chance, so an interval above `chance` is evidence against chance.

        Args:
            layer: Name of the layer.
            epoch: Number of the epoch, from 1.
            confidence: Confidence level, in ``(0, 1)``.

        Returns:
            Lower and upper limit.

        Raises:
            TypeError: If ``confidence`` is not a number.
            ValueError: If ``layer``, ``epoch``, or ``confidence`` is out of range.
        """
        check_names("layer", [layer], self.layers)
        check_confidence(confidence)
        if not 1 <= epoch <= len(self.total):
            raise ValueError(f"`epoch` must lie in 1 .. {len(self.total)}, got {epoch}.")
        right = self.right[epoch - 1][self.layers.index(layer)]
        return clopper_pearson(right, self.total[epoch - 1], confidence=(1 + confidence) / 2)

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        rows = []
        for k, (counts, total) in enumerate(zip(self.right, self.total, strict=True), 1):
            for layer, right in zip(self.layers, counts, strict=True):
                low, high = self.interval(layer, k)
                row = {"epoch": k, "layer": layer, "right": right, "total": total}
                rows.append({**row, "accuracy": right / total, "low": low, "high": high})
        return rows

    def __repr__(self) -> str:
        """Return a line with the accuracies of the last epoch."""
        last = self.accuracy[-1] if self.total else []
        told = ", ".join(
            f"{name} {text.percent(float(share))}"
            for name, share in zip(self.layers, last, strict=bool(self.total))
        )
        epochs = text.counted(len(self.total), "epoch")
        return f"HeadsReport({epochs}, chance {self.chance:.1%}: {told or 'none'})"

    def __str__(self) -> str:
        """Return a table with at most 12 epochs and notes below it."""
        titles = ["epoch", *(f"layer {name}" for name in self.layers)]
        rows = [
            [f"{epoch + 1}", *(text.percent(float(share)) for share in self.accuracy[epoch])]
            for epoch in _some(len(self.total))
        ]
        return "\n".join([*text.ruled(text.aligned([titles, *rows], left=0)), "", *self._notes()])

    def _notes(self) -> list[str]:
        last = len(self.total)
        limits = [(name, *self.interval(name, last)) for name in self.layers] if last else []
        told = ", ".join(f"{name} {low:.1%} .. {high:.1%}" for name, low, high in limits)
        return text.paragraphs(
            [
                "Share of random labels that a head predicts at an example's k-th visit, before "
                f"learning from that visit; chance {self.chance:.1%}."
                + (f" Last epoch, {_CONFIDENCE:.0%} interval: {told}." if told else ""),
                f"{text.counted(self.num_examples, 'example')} with "
                f"{text.counted(self.num_labels, 'random label')} of "
                f"{text.counted(self.num_classes, 'class', 'classes')}, seed {self.seed}; "
                + (f"regularizer {self.factor:g}." if self.factor else "heads only measure."),
            ]
        )

    def plot(self, ax: "Axes | None" = None, *, confidence: float = _CONFIDENCE) -> "Figure":
        """Draw accuracy by layer and epoch, and mark cells whose interval contains chance.

        Args:
            ax: Axes of matplotlib to draw into; by default those of a new figure.
            confidence: Confidence level of the intervals, in ``(0, 1)``.

        Returns:
            The figure; see `corruptlab.plotting.layer_heatmap`.

        Raises:
            MissingExtraError: If matplotlib is not installed.
            ValueError: If `RandomLabelHeads.loss` has not been called.
        """
        if not self.total:
            raise ValueError("`loss` must have been called before there is a figure.")
        epochs = range(1, len(self.total) + 1)

        def holds_chance(name: str, epoch: int) -> bool:
            return self.interval(name, epoch, confidence=confidence)[0] <= self.chance

        return layer_heatmap(
            dict(zip(self.layers, self.accuracy.T.tolist(), strict=True)),
            chance=self.chance,
            marked={name: [holds_chance(name, k) for k in epochs] for name in self.layers},
            title=f"Random labels of {self.num_examples:,} examples "
            "(dots: not significantly above chance)",
            ax=ax,
        )

    @deprecated("`figure` is now called `plot`.")
    def figure(self, *, confidence: float = _CONFIDENCE) -> "Figure":
        """Return ``plot(confidence=confidence)``: the old name."""
        return self.plot(confidence=confidence)


def _some(n: int) -> list[int]:
    """Return at most twelve of ``0 .. n - 1``, evenly spaced, the ends among them."""
    return sorted({round(at) for at in np.linspace(0, n - 1, min(n, _MOST_ROWS))}) if n else []
