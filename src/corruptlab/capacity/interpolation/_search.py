"""The search for a direction that tells all points apart."""

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from corruptlab._checks import reals
from corruptlab.capacity.interpolation._directions import Spacing, random_directions
from corruptlab.capacity.interpolation._distinct import distinct
from corruptlab.capacity.interpolation._separation import separate
from corruptlab.capacity.interpolation._survey import Survey

Floats = NDArray[np.float64]

Direction: TypeAlias = Literal["auto", "random", "best"]
"""How to find a direction: a random one; the best of some random ones; or one that is put together
from them so that the closest projections move apart, where the points can be read twice."""


@dataclass(frozen=True)
class Choice:
    """A direction that tells all points apart.

    Args:
        a: The direction, shape ``(d,)``.
        z: Projections of the different points, rising, shape ``(n,)``.
        order: Their numbers, in this order.
        spacing: How far apart they are.
        how: How the direction was found.
        tried: Random directions that were projected onto.
    """

    a: Floats
    z: Floats
    order: NDArray[np.int64]
    spacing: Spacing
    how: str
    tried: int


def check_direction(direction: Direction | ArrayLike) -> Direction | Floats:
    """Return the name of a way to find a direction, or a direction as ``float64``.

    Args:
        direction: What the user gave.

    Returns:
        The same, checked as far as it can be without the points.

    Raises:
        TypeError: If it is neither a name nor numbers.
        ValueError: If the name is unknown, or the numbers are no direction.
    """
    if isinstance(direction, str):
        if direction not in get_args(Direction):
            known = ", ".join(map(repr, get_args(Direction)))
            raise ValueError(f"`direction` must be {known}, or an array, got {direction!r}.")
        return direction  # type: ignore[return-value]  # one of the names
    if isinstance(direction, Tensor):
        direction = direction.detach().cpu()
    a = reals("direction", direction)
    if a.ndim != 1 or not np.isfinite(a).all() or not a.any():
        raise ValueError(f"`direction` must be a finite vector other than 0, got {direction!r}.")
    return a


class Search:
    """The way from points to a direction.

    Args:
        survey: The first reading of the points, on the first candidates.
        candidates: How many random directions may be tried.
        seed: Which ones.

    Raises:
        ValueError: If equal points have different targets.
    """

    def __init__(self, survey: Survey, *, candidates: int, seed: int) -> None:
        self._survey, self._candidates, self._seed = survey, candidates, seed
        n = len(survey.z)
        kept = distinct(survey.z[:, 0], survey.marks, survey.y)
        self.kept = np.arange(n) if kept is None else kept
        self.duplicates = n - len(self.kept)

    def find(self, way: Direction | Floats) -> Choice:
        """Return a direction that tells all points apart.

        Args:
            way: How to find it, or the direction itself.

        Returns:
            The direction.

        Raises:
            ValueError: If none of those that may be tried does it.
        """
        if not isinstance(way, str):
            return self._distinguishing(replace(self._choice(0, "given"), tried=0))
        if len(self._survey.directions) == 1:
            return self._distinguishing(self._choice(0, "only"))
        if way == "random":
            return self._random()
        if way == "auto" and self._survey.can_look_again:
            return self._separated()
        return self._best()

    def _random(self) -> Choice:
        """Return the first random direction that tells the points clearly apart.

        Where none does so clearly, it is the one with the largest of the smallest gaps.
        """
        in_hand = self._survey.z.shape[1]
        best = self._choice(0, "random")
        for number in range(1, self._candidates):
            if best.spacing.resolved or (number >= in_hand and not self._survey.can_look_again):
                break
            choice = self._choice(number, "random")
            if choice.spacing.resolved or choice.spacing.relative > best.spacing.relative:
                best = choice
            best = replace(best, tried=choice.tried)
        return self._distinguishing(best)

    def _best(self) -> Choice:
        """Return the random direction with the largest of the smallest gaps."""
        columns = range(self._survey.z.shape[1])
        shares = [self._spacing(number).relative for number in columns]
        return self._distinguishing(self._choice(int(np.argmax(shares)), f"best of {len(columns)}"))

    def _separated(self) -> Choice:
        """Return a combination of random directions with a larger smallest gap, or the best one."""
        columns = range(self._survey.z.shape[1])
        start = next((k for k in columns if self._spacing(k).resolved), None)
        if start is None:
            return self._best()
        begin = self._choice(start, "random")
        coefficients = separate(self._survey.z[begin.order], start)
        if coefficients is None:
            return self._best()
        a = self._survey.directions @ coefficients
        a *= 2.0 ** -math.ceil(math.log2(np.linalg.norm(a)))  # at most 1 long
        z = self._survey.project(a)
        end = self._sorted(a, z, "separated", len(columns))
        return end if end.spacing.relative > begin.spacing.relative else self._best()

    def _choice(self, number: int, how: str) -> Choice:
        """Return the random direction of some number, reading the points again if need be."""
        survey = self._survey
        if number < survey.z.shape[1]:
            a, z = survey.directions[:, number], survey.z[:, number]
        else:
            d = len(survey.directions)
            a = random_directions(1, d, seed=self._seed, first=number)[:, 0]
            z = survey.project(a)
        return self._sorted(a, z, how, max(number + 1, survey.z.shape[1]))

    def _sorted(self, a: Floats, z: Floats, how: str, tried: int) -> Choice:
        z = z[self.kept]
        order = np.argsort(z)
        return Choice(a, z[order], self.kept[order], Spacing.of(z[order]), how, tried)

    def _spacing(self, number: int) -> Spacing:
        return Spacing.of(np.sort(self._survey.z[self.kept, number]))

    def _distinguishing(self, choice: Choice) -> Choice:
        if choice.spacing.smallest_gap > 0:
            return choice
        at = int(np.argmin(np.diff(choice.z)))
        one, other = sorted(choice.order[at : at + 2].tolist())
        remedy = {"given": "; give another", "only": "; as `float64` they are one number"}.get(
            choice.how, f", with each of {choice.tried}; more `candidates` may do better"
        )
        raise ValueError(
            f"`direction` must tell all points apart, got the projection {choice.z[at]:g} for "
            f"points {one} and {other} of `x`, which differ{remedy}."
        )
