"""Monte Carlo estimates of a complexity: signs, sums, intervals, and bounds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corruptlab._checks import at_least, check_confidence, natural
from corruptlab._draws import Draws
from corruptlab._environment import Environment
from corruptlab._reports import Report, rows_of
from corruptlab._statistics import standard_error, t_quantile
from corruptlab.capacity.rademacher._bound import Bound, Convention, check_convention, factor

Interval: TypeAlias = tuple[float, float]
"""Lower and upper end."""

# Draws come in groups, each with a stream of its own: a further draw changes none before it.
_SIGNS_A_WORD = 64
_NORMALS_A_GROUP = 16


@dataclass(frozen=True, kw_only=True)
class Estimate(
    Report,
    kind="rademacher_estimate",
    derived=(
        "draws",
        "value",
        "standard_error",
        "t_interval",
        "bounded_differences_interval",
        "lipschitz_interval",
    ),
):
    """Monte Carlo estimate of a Rademacher or Gaussian complexity.

    The estimate is the mean, over draws of random signs, of the supremum of the correlation with
    the signs over the class. The supremum of each draw is exact, so the estimate is unbiased; two
    intervals describe its Monte Carlo error. The *t-interval* is narrow, and valid asymptotically.
    The *bounded-differences interval* is valid for every number of draws: changing the sign of
    example i changes a supremum by at most ``2 M_i / n``, where ``M_i`` is the largest
    ``abs(f(x_i))`` in the class. By McDiarmid's inequality, the mean of T draws deviates by more
    than ``scale * sqrt(2 log(2 / delta) / T)`` with probability at most delta, where
    ``scale = sqrt(sum_i M_i**2) / n``. For normal draws instead of signs, differences are
    unbounded, but the supremum is a Lipschitz function of the draws with the constant ``scale``,
    and Gaussian concentration gives the same formula (the *Lipschitz interval*).

    Attributes:
        name: Description of the class of functions.
        sups: Supremum of each draw, normalized according to ``convention``.
        scale: Constant of the concentration inequality; None for a statistic without one.
        lower_bound: Lower bound on the complexity; None if unknown.
        upper_bound: Upper bound on the complexity; None if unknown.
        n: Number of examples.
        convention: Definition that all values follow, see `Convention`.
        gaussian: Whether the draws are standard normal instead of signs.
        symmetric: Whether the class contains -f for every f; the two conventions then differ only
            by a factor of 2.
        confidence: Level of the intervals.
        seed: Seed of the draws.
        environment: Versions, machine, and device.

    Example:
        >>> import numpy as np
        >>> from corruptlab.capacity import rademacher
        >>> estimate = rademacher.linear(np.eye(4), draws=10)
        >>> estimate.value, estimate.standard_error  # every choice of signs gives 2 / 4
        (0.5, 0.0)
        >>> estimate.upper_bound
        Bound(0.5, n=4, convention='zhang'; second moment)

    Source: McDiarmid 1989, "On the method of bounded differences"; Boucheron, Lugosi, and Massart
    2013, Thm 5.6, for Gaussian concentration.
    """

    name: str
    sups: tuple[float, ...] = field(repr=False)
    scale: float | None
    lower_bound: Bound | None
    upper_bound: Bound | None
    n: int
    convention: Convention
    gaussian: bool
    symmetric: bool
    confidence: float
    seed: int
    environment: Environment

    @property
    def draws(self) -> int:
        """Number of draws."""
        return len(self.sups)

    @property
    def value(self) -> float:
        """Estimate of the complexity, the mean over draws."""
        return math.fsum(self.sups) / self.draws

    @property
    def standard_error(self) -> float:
        """Estimated standard deviation of ``value``."""
        return standard_error(self.sups)

    @property
    def t_interval(self) -> Interval:
        """Student's t-interval at ``confidence``, from the standard deviation of the draws."""
        return self._around(t_quantile(self.confidence, self.draws - 1) * self.standard_error)

    @property
    def bounded_differences_interval(self) -> Interval | None:
        """McDiarmid's interval at ``confidence`` for signs; None for normal draws."""
        return None if self.gaussian else self._concentration()

    @property
    def lipschitz_interval(self) -> Interval | None:
        """The concentration interval at ``confidence`` for normal draws; None for signs."""
        return self._concentration() if self.gaussian else None

    def upper_limit(self, confidence: float | None = None) -> Bound:
        """Return a one-sided upper confidence limit for the complexity.

        The limit is the estimate plus ``scale * sqrt(2 log(1 / (1 - confidence)) / draws)``, or the
        closed form ``upper_bound`` if that is smaller. The closed form always holds, but the draws
        decide which of the two is returned, so a union bound must count the same confidence for
        both. For a limit that holds with certainty, use ``upper_bound``.

        Args:
            confidence: Confidence level in ``(0, 1)``; None for the level of the intervals.

        Returns:
            The limit, in the convention of the estimate.

        Raises:
            TypeError: If ``confidence`` is not a number.
            ValueError: If it is outside ``(0, 1)``, or the estimate has no ``scale``.
        """
        confidence = self.confidence if confidence is None else confidence
        check_confidence(confidence)
        if self.scale is None:
            raise ValueError(
                f"`scale` must be known for a concentration bound, got None for {self.name}."
            )
        limit = Bound(
            self.value + self.scale * math.sqrt(-2 * math.log1p(-confidence) / self.draws),
            n=self.n,
            convention=self.convention,
            name="upper limit of an estimate",
            source="Gaussian concentration" if self.gaussian else "McDiarmid 1989",
            gaussian=self.gaussian,
            confidence=confidence,
        )
        closed = self.upper_bound
        if closed is None or limit.value < closed.value:
            return limit
        return replace(closed, confidence=confidence)

    def to_convention(self, convention: Convention) -> "Estimate":
        """Convert the estimate to another convention.

        Args:
            convention: Convention of the result.

        Returns:
            The estimate with all values multiplied by 2 or 1/2, or the estimate itself if it
            already follows ``convention``.

        Raises:
            ValueError: If ``convention`` is unknown, or the conventions differ and the class is not
                symmetric: they then differ by more than a factor.
        """
        check_convention(convention)
        if convention == self.convention:
            return self
        if not self.symmetric:
            raise ValueError(
                f"`convention` must be {self.convention!r} for a class that is not symmetric, "
                f"got {convention!r}; estimate it anew."
            )
        ratio = factor(convention) / factor(self.convention)

        def scaled(bound: Bound | None) -> Bound | None:
            if bound is None:
                return None
            return replace(bound, value=ratio * bound.value, convention=convention)

        return replace(
            self,
            sups=tuple(ratio * sup for sup in self.sups),
            scale=None if self.scale is None else ratio * self.scale,
            lower_bound=scaled(self.lower_bound),
            upper_bound=scaled(self.upper_bound),
            convention=convention,
        )

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        return rows_of(draw=range(self.draws), sup=self.sups)

    def __repr__(self) -> str:
        kind = "Gaussian" if self.gaussian else "Rademacher"
        low, high = self.t_interval
        return (
            f"Estimate({kind} complexity of {self.name}: {self.value:.6g}, "
            f"{100 * self.confidence:g}% t-interval [{low:.6g}, {high:.6g}], "
            f"bounds [{_shown(self.lower_bound)}, {_shown(self.upper_bound)}]; "
            f"n={self.n}, draws={self.draws}, seed={self.seed}, convention={self.convention!r})"
        )

    def _around(self, half_width: float) -> Interval:
        return self.value - half_width, self.value + half_width

    def _concentration(self) -> Interval | None:
        if self.scale is None:
            return None
        delta = 1 - self.confidence
        return self._around(self.scale * math.sqrt(2 * math.log(2 / delta) / self.draws))


def _listed(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)


def _shown(bound: Bound | None) -> str:
    return "unknown" if bound is None else f"{bound.value:.6g}"


@dataclass(frozen=True)
class Weights:
    """Random signs, or normal numbers, that depend on seed, draw, and example alone."""

    # The sign of example i in draw t is bit t % 64 (the lowest is bit 0) of the word of example i
    # in the stream "rademacher/signs/{t // 64}" of `Draws`: 1 means +1, 0 means -1. The normal
    # number is entry t % 16 of the 16 that `Draws.normals` gives example i in the stream
    # "rademacher/normals/{t // 16}". So neither the number of draws nor the way the examples are
    # cut into blocks changes any of them.
    seed: int
    draws: int
    gaussian: bool

    def rows(self, first: int, count: int) -> Tensor:
        """Return the numbers of examples ``first ..``, ``float32`` of shape ``(count, draws)``."""
        ids = np.arange(first, first + count)
        group = self._normals if self.gaussian else self._signs
        size = _NORMALS_A_GROUP if self.gaussian else _SIGNS_A_WORD
        rows = torch.empty((count, self.draws), dtype=torch.float32)
        for start in range(0, self.draws, size):
            some = rows[:, start : start + size]
            some.copy_(torch.from_numpy(group(start // size, ids))[:, : some.shape[1]])
        return rows

    def _signs(self, group: int, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        words = Draws(self.seed).words(f"rademacher/signs/{group}", ids)  # (count, 1)
        octets = words.astype("<u8", copy=False).view(np.uint8)  # (count, 8), lowest bits first
        return _signs_of_octets().take(octets, axis=0).reshape(-1, _SIGNS_A_WORD)

    def _normals(self, group: int, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        return Draws(self.seed).normals(f"rademacher/normals/{group}", ids, _NORMALS_A_GROUP)


@cache
def _signs_of_octets() -> NDArray[np.float32]:
    """Return the eight signs of each octet, shape ``(256, 8)``: a look-up instead of shifts."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    table: NDArray[np.float32] = 2 * bits.astype(np.float32) - 1
    table.flags.writeable = False
    return table


class SignedSums:
    """Accumulates ``sum_i w_ti x_i`` for every draw t over blocks of examples."""

    # One block costs one matrix product, (draws, b) times (b, d), in the precision of the block,
    # with signs made for it on the spot; blocks are added in float64. So how the examples are cut
    # into blocks changes a result by no more than the rounding of a product of one block.

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._sums: Tensor | None = None
        self.n = 0

    def add(self, block: Tensor) -> None:
        """Add the next examples, shape ``(b, d)``."""
        rows = self._weights.rows(self.n, len(block)).to(block)  # (b, draws)
        sums = (rows.T @ block).to(torch.float64)  # (draws, d)
        self._sums = sums if self._sums is None else self._sums.add_(sums)
        self.n += len(block)

    @property
    def sums(self) -> Tensor:
        """The sums so far, ``float64`` of shape ``(draws, d)``."""
        assert self._sums is not None, "a reader of blocks yields one or complains"
        return self._sums


@dataclass(frozen=True, kw_only=True)
class MonteCarlo:
    """The arguments that every estimate takes, checked once."""

    draws: int
    seed: int
    convention: Convention
    gaussian: bool
    confidence: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "draws", at_least(2, "draws", self.draws))
        object.__setattr__(self, "seed", natural("seed", self.seed))
        check_convention(self.convention)
        check_confidence(self.confidence)

    @property
    def weights(self) -> Weights:
        """The signs or normal numbers."""
        return Weights(self.seed, self.draws, self.gaussian)

    def estimate(
        self,
        sups: Tensor,
        *,
        name: str,
        n: int,
        scale: float,
        bounds: tuple[Bound, Bound],
        symmetric: bool,
        device: torch.device,
        radius: float | None = None,
    ) -> Estimate:
        """Return the estimate from the suprema of ``(1/n) sum_i w_i f(x_i)`` over the unit ball."""
        # Here the radius of the ball and the factor of the convention come in; an absolute value,
        # if the convention takes it, is the caller's.
        times = factor(self.convention) * (1.0 if radius is None else radius)

        def scaled(bound: Bound) -> Bound:
            return replace(
                bound, value=times * bound.value, convention=self.convention, gaussian=self.gaussian
            )

        values: list[float] = (times * sups).tolist()
        return Estimate(
            name=name if radius is None else f"{name} of radius {radius:g}",
            sups=tuple(values),
            scale=times * scale,
            lower_bound=scaled(bounds[0]),
            upper_bound=scaled(bounds[1]),
            n=n,
            convention=self.convention,
            gaussian=self.gaussian,
            symmetric=symmetric,
            confidence=float(self.confidence),
            seed=self.seed,
            environment=Environment.here(device),
        )
