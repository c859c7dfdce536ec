"""What a permutation test found: the p-value with its limits, and a dictionary and a figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from corruptlab import _text as text
from corruptlab._environment import Environment
from corruptlab._records import Record
from corruptlab._reports import Report
from corruptlab._statistics import clopper_pearson
from corruptlab.plotting import null_distribution
from corruptlab.training import Recipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Means of fractions that are equal differ by rounding: relatively, and around 0 absolutely.
_TIE, _TIE_AT_0 = 1e-9, 1e-14


def at_least_as_good(null: NDArray[np.float64], observed: float) -> NDArray[np.bool_]:
    """Return which values are not below the observed one, up to rounding."""
    return null >= observed - max(_TIE * abs(observed), _TIE_AT_0)


@dataclass(frozen=True)
class _PValue:
    """A Monte Carlo p-value: Phipson and Smyth 2010; sequential: Besag and Clifford 1991."""

    exceedances: int  # C
    permutations: int  # B, those that were drawn
    stop_after: int | None = None  # h

    @property
    def stopped(self) -> bool:
        """Whether the sequential rule ended the test."""
        return self.exceedances == self.stop_after

    @property
    def value(self) -> float:
        """(C + 1) / (B + 1), or h / B where the h-th exceedance ended the test; both are valid."""
        if self.stopped:
            return self.exceedances / self.permutations
        return (self.exceedances + 1) / (self.permutations + 1)

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return exact limits on the p-value of infinitely many permutations."""
        # The limits invert exact tails of the chance q of an exceedance: binomial (Clopper and
        # Pearson) if all were drawn. If the h-th exceedance ended the test at draw l, the tails are
        # negative binomial: h or more among l draws below, fewer than h among l - 1 draws above.
        one_sided = (1 + confidence) / 2
        low, high = clopper_pearson(self.exceedances, self.permutations, confidence=one_sided)
        if self.stopped:  # the last draw is an exceedance by construction
            before = self.exceedances - 1, self.permutations - 1
            high = clopper_pearson(*before, confidence=one_sided)[1]
        return low, high


@dataclass(frozen=True, eq=False)
class Baseline(Record):
    """Statistic on corrupted inputs with the original labels, in a permutation test.

    Attributes:
        name: Name of the corruption.
        statistics: The statistic of each repeat, ``float64``, shape ``(r,)``.
        specification: Corruption and seeds of the first repeat, in one line; None if unavailable.

    Example:
        >>> import numpy as np
        >>> from corruptlab.experiments import Baseline
        >>> shuffled = Baseline("ShuffledPixels()", np.array([0.81, 0.84, 0.86]), None)
        >>> shuffled.p_value(observed=0.85)  # one of three is at least as good: (1 + 1) / (3 + 1)
        0.5

    Source: Zhang et al. 2017, §2.1.
    """

    name: str
    statistics: NDArray[np.float64]
    specification: str | None

    @property
    def mean(self) -> float:
        """Mean over the repeats."""
        return float(self.statistics.mean())

    def p_value(self, observed: float) -> float:
        """Return the p-value for the null hypothesis that the corruption has no effect.

        Args:
            observed: Statistic on the original inputs.

        Returns:
            ``(C + 1) / (r + 1)``, where C is the number of repeats with a statistic of at least
            ``observed``.
        """
        return _PValue(
            int(at_least_as_good(self.statistics, observed).sum()), len(self.statistics)
        ).value


@dataclass(frozen=True, kw_only=True, eq=False)
class PermutationTest(
    Report,
    kind="permutation_test",
    derived=("p_value", "interval", "exceedances", "ties", "stopped"),
):
    """Result of a permutation test: the observed statistic and its null distribution.

    Attributes:
        observed: Statistic with the original labels.
        null: Statistic of each permutation of the labels, ``float64``, shape ``(B,)``, in the order
            drawn.
        statistic: Name of the statistic.
        permutations: Requested number of permutations; fewer were drawn if ``stopped``.
        stop_after: Number of exceedances that stops the test; None for no limit.
        interrupted: Whether Ctrl-C ended the test. The finished permutations form a valid test.
        confidence: Confidence level of `interval`.
        baselines: Statistics on corrupted inputs.
        folds: Number of folds of the cross-validation; None with a test set.
        recipe: Hyper-parameters of a network; None for other learners.
        learner: Name of the estimator or training function; None for a network.
        seed: Seed of permutations, folds, data order, and baselines.
        seconds: Duration of the test in seconds.
        environment: Versions, machine, and device.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> train, test = cl.datasets.load("fashion-mnist-mini")
        >>> few = torch.utils.data.Subset(train, range(0, 4000, 100))  # 40 images
        >>> recipe = cl.Recipe(learning_rate=0.05, decay=1.0, epochs=5, batch_size=20)
        >>> model = cl.mlp(8, input_shape=(1, 28, 28))
        >>> found = cl.permutation_test(model, few, test, recipe=recipe, permutations=19)
        >>> found.null.shape, found.exceedances, found.p_value
        ((19,), 0, 0.05)

    Source: Phipson and Smyth 2010; Besag and Clifford 1991.
    """

    observed: float
    null: NDArray[np.float64] = field(repr=False)
    statistic: str
    permutations: int
    stop_after: int | None
    interrupted: bool
    confidence: float
    baselines: tuple[Baseline, ...]
    folds: int | None
    recipe: Recipe | None
    learner: str | None = None
    seed: int
    seconds: float
    environment: Environment

    @property
    def exceedances(self) -> int:
        """Number of permutations with a statistic of at least ``observed``; ties count."""
        return int(at_least_as_good(self.null, self.observed).sum())

    @property
    def ties(self) -> int:
        """Number of permutations with the observed statistic, up to nine digits."""
        return self.exceedances - int((~at_least_as_good(-self.null, -self.observed)).sum())

    @property
    def p_value(self) -> float:
        """P-value ``(C + 1) / (B + 1)``, or ``h / B`` if the h-th exceedance stopped the test.

        It is never 0.
        """
        return self._p_value.value

    @property
    def interval(self) -> tuple[float, float]:
        """Exact interval at level `confidence` for the p-value of infinitely many permutations."""
        return self._p_value.interval(self.confidence)

    @property
    def smallest_p_value(self) -> float:
        """Smallest possible p-value with these permutations, ``1 / (permutations + 1)``."""
        return 1 / (self.permutations + 1)

    @property
    def stopped(self) -> bool:
        """Whether the sequential rule ended the test before all permutations were drawn."""
        return self._p_value.stopped

    @property
    def _p_value(self) -> _PValue:
        return _PValue(self.exceedances, len(self.null), self.stop_after)

    def __repr__(self) -> str:
        low, high = self.interval
        sign = "p =" if not self.interrupted else "interrupted; p ="
        ended = (
            f", stopped at {text.counted(self.exceedances, 'exceedance')}" if self.stopped else ""
        )
        prepared = "" if self.recipe is None else f"; inputs {self._prepared}"
        return (
            f"PermutationTest({self.statistic} {self.observed:.4g}, on permuted labels "
            f"{self.null.mean():.4g} on average; {sign} {self.p_value:.4g} "
            f"({100 * self.confidence:.5g}% interval {low:.2g} to {high:.2g}), "
            f"{text.counted(len(self.null), 'permutation')}{ended}{prepared}; seed={self.seed})"
        )

    def __str__(self) -> str:
        """Return the numbers that count, a line each, with the baselines and what made them."""
        (low, high), made = self.interval, self.environment
        level = f"{100 * self.confidence:g}%"
        spread = f"{self.null.mean():.4g} on average, {self.null.max():.4g} at most"
        drawn = f"{len(self.null):,} of {text.counted(self.permutations, 'permutation')}"
        ended = ", interrupted" if self.interrupted else ", stopped early" if self.stopped else ""
        lines = [
            (self.statistic, f"{self.observed:.4g}"),
            ("on permuted labels", spread),
            ("p-value", f"{self.p_value:.4g}, {level} interval {low:.2g} .. {high:.2g}"),
            ("drawn", f"{drawn}{ended}; {self.exceedances:,} at least as good, {self.ties:,} tied"),
        ]
        lines += [
            (each.name, f"{each.mean:.4g} on average, p = {each.p_value(self.observed):.4g}")
            for each in self.baselines
        ]
        facts = {
            "learner": self.learner or f"network, inputs {self._prepared}",
            "split": "test set" if self.folds is None else text.counted(self.folds, "fold"),
            "run": f"seed {self.seed}, {self.seconds:,.1f} s, "
            f"{text.counted(made.threads, 'thread')}, {made.device}, {made.platform}",
            "with": made.versions,
        }
        return "\n".join([*text.aligned(lines, left=2), "", *text.facts(facts)])

    @property
    def _prepared(self) -> str:
        return "" if self.recipe is None else self.recipe.preparation

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, and a p-value for each baseline, as a JSON-serializable dictionary."""
        values = super().to_dict()
        for each, told in zip(self.baselines, values["baselines"], strict=True):
            told["p_value"] = each.p_value(self.observed)
        return values

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        groups = {"observed": [self.observed], "null": self.null.tolist()}
        groups |= {each.name: each.statistics.tolist() for each in self.baselines}
        return [
            {"labels_and_inputs": name, "repeat": i, "statistic": value}
            for name, values in groups.items()
            for i, value in enumerate(values)
        ]

    def plot(self, ax: "Axes | None" = None, *, title: str = "") -> "Figure":
        """Plot the null distribution, the observed value, and the baselines (extra ``plot``).

        Args:
            ax: Matplotlib axes to draw into; by default, the axes of a new figure.
            title: Title of the figure.

        Returns:
            A matplotlib figure.

        Raises:
            MissingExtraError: If matplotlib is not installed.
        """
        return null_distribution(
            self.null,
            self.observed,
            name=self.statistic,
            note=f"p = {self.p_value:.3g}, {text.counted(len(self.null), 'permutation')}",
            baselines={each.name: each.statistics for each in self.baselines},
            title=title,
            ax=ax,
        )
