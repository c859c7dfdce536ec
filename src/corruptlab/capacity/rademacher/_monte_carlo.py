"""Monte Carlo over random signs or normal numbers: the draws, their sums, and the estimate."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corruptlab._checks import at_least, check_confidence, natural
from corruptlab._draws import Draws
from corruptlab._environment import Environment
from corruptlab.capacity.rademacher._bound import Bound, Convention, check_convention, factor
from corruptlab.capacity.rademacher._estimate import Estimate

# Draws come in groups, each with a stream of its own: a further draw changes none before it.
_SIGNS_A_WORD = 64
_NORMALS_A_GROUP = 16


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
