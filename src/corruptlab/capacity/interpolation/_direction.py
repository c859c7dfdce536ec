"""The search for a direction that tells all points apart, while they are read once or twice."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import scipy
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from corruptlab._checks import reals
from corruptlab._draws import Draws
from corruptlab.capacity.interpolation._points import (
    Classes,
    Encoding,
    Fingerprints,
    Points,
    distinct,
    fingerprints,
)
from corruptlab.capacity.interpolation._projection import Projector

Floats = NDArray[np.float64]

Direction: TypeAlias = Literal["auto", "random", "best"]
"""How to find a direction: a random one; the best of some random ones; or one that is put together
from them so that the closest projections move apart, where the points can be read twice."""

_PAIRS_FOR_EACH_COORDINATE = 8
_ROUNDS = 8


def check_direction(direction: Direction | ArrayLike) -> Direction | Floats:
    """Return a direction as ``float64``, or the name of a method, checked without the points."""
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


def random_directions(count: int, d: int, *, seed: int, first: int = 0) -> Floats:
    """Return directions with independent uniform coordinates, ``float64`` of shape (d, count)."""
    # A coordinate is an odd multiple of 2**-53 in (-1, 1), never 0, times the power of two that
    # makes every direction at most 1 long, and more than a quarter on average. In one dimension
    # there is one direction, 1.
    if d == 1:
        return np.ones((1, count))
    uniform = Draws(seed).uniforms("interpolate/direction", np.arange(first, first + count), d)
    odd = 2 * uniform - 1 + 2.0**-53
    return np.ascontiguousarray(odd.T) * 2.0 ** -math.ceil(math.log2(d) / 2)


class Spacing(NamedTuple):
    """How far apart projections are."""

    smallest_gap: float  # infinite if there is one only
    range: float
    # Whether the smallest gap is at least 8 units in the last place of the largest projection, so
    # that a matrix product, too, tells all points apart.
    resolved: bool

    @classmethod
    def of(cls, z: Floats) -> "Spacing":
        """Measure projections, shape ``(n,)``, in rising order."""
        if len(z) == 1:
            return cls(math.inf, 0.0, True)
        with np.errstate(over="ignore"):
            gap = float(np.diff(z).min())
            width = float(z[-1] - z[0])
        return cls(gap, width, gap >= 8 * float(np.spacing(max(abs(z[0]), abs(z[-1])))))

    @property
    def relative(self) -> float:
        """Smallest gap as a share of the range, at best ``1 / (n - 1)``; 1 for one point."""
        if math.isinf(self.smallest_gap):
            return 1.0
        return self.smallest_gap / self.range if self.range > 0 else 0.0


@dataclass(frozen=True)
class Projected:
    """The different points in the order of their projections onto a direction."""

    a: Floats  # the direction, (d,)
    z: Floats  # projections, rising, (n,)
    order: NDArray[np.int64]  # the numbers of the points, in this order
    spacing: Spacing
    how: str  # the direction was found
    tried: int  # random directions that were projected onto


class Sample:
    """A few of the points as they came, the same ones whatever the order of all."""

    numbers: NDArray[np.int64]
    rows: Tensor  # (m, d)

    def __init__(self) -> None:
        self._read = 0

    def add(self, x: Tensor, marks: Fingerprints) -> None:
        """Choose from some more points, by their fingerprints; the more points, the fewer."""
        # Those with the least hashes. Of equal points the first is among them if any is.
        keys = (marks[:, 0] ^ (marks[:, 1] >> np.uint64(1))) * np.uint64(0x9E3779B97F4A7C15)
        numbers = np.arange(self._read, self._read + len(x))
        if self._read == 0:
            self.numbers, self._keys, self.rows = numbers[:0], keys[:0], x[:0]
        self._read += len(x)
        count = _sample_size(self._read, x.shape[1])
        own = _least(keys, count)
        rows = torch.cat([self.rows, _rows(x, own)])
        numbers = np.concatenate([self.numbers, numbers[own]])
        keys = np.concatenate([self._keys, keys[own]])
        kept = _least(keys, count)
        self.numbers, self._keys = numbers[kept], keys[kept]
        self.rows = _rows(rows, kept)


def _rows(x: Tensor, at: NDArray[np.int64]) -> Tensor:
    # PyTorch 2.6 cannot index unsigned integers of more than 8 bits with a tensor.
    return x.index_select(0, torch.from_numpy(at).to(x.device))


def _sample_size(n: int, d: int) -> int:
    """Return on how many points plain layers can be evaluated at once: the more, the fewer."""
    hinges = max(16, (1 << 20) // n)  # that are added up: some milliseconds
    products = max(4, (1 << 28) // (n * d))  # in the first layer: some hundredths of a second
    numbers = max(16, (1 << 21) // d)  # in the points: 16 MB in float64
    return min(hinges, products, numbers)


def _least(keys: NDArray[np.uint64], count: int) -> NDArray[np.int64]:
    """Return the positions of the least keys, of equal ones the first, in rising order."""
    if len(keys) <= count:
        return np.arange(len(keys))
    few = np.flatnonzero(keys <= np.partition(keys, count - 1)[count - 1])
    return np.sort(few[np.argsort(keys[few], kind="stable")[:count]])


class Farthest:
    """The first of the points with the largest projection, for each of some directions."""

    def __init__(self) -> None:
        self.numbers = np.empty(0, np.int64)
        self.rows: list[Tensor] = []
        self._z: Floats = np.empty(0)

    def add(self, first: int, x: Tensor, z: Floats) -> None:
        """Look at more points, the first of which has a number, and at their projections."""
        at = z.argmax(0)
        if first == 0:
            self.numbers, self.rows, self._z = at, [x[i].clone() for i in at.tolist()], z.max(0)
        for column in np.flatnonzero(z.max(0) > self._z).tolist():
            self.numbers[column] = first + at[column]
            self.rows[column], self._z[column] = x[at[column]].clone(), z[at[column], column]


class Survey:
    """One reading of all points, and more readings for further projections."""

    # While the points are read, their projections onto the first directions are kept, and their
    # fingerprints and targets, and a sample of the points themselves.

    z: Floats  # projections, (n, q)
    directions: Floats  # (d, q)
    marks: Fingerprints
    y: NDArray[Any]  # as they came, float64 or int64, (n,) or (n, k)

    def __init__(
        self,
        points: Points,
        directions: Callable[[int], Floats],
        *,
        num_classes: int | None,
        encoding: Encoding,
    ) -> None:
        begin = time.perf_counter()
        self._points = points
        self.classes: Classes | None = None
        self.device = torch.device("cpu")
        self._sample, self._farthest = Sample(), [Farthest()]
        parts: list[tuple[Floats, Fingerprints, NDArray[Any]]] = []
        project: Projector | None = None
        for first, x, y in points.blocks():
            if project is None:
                self.classes = Classes.of(y, num_classes, encoding)
                self.device = x.device
                self.directions = directions(x.shape[1])
                project = Projector(torch.from_numpy(self.directions).to(x.device))
            if self.classes is not None:
                self.classes.check(y, first)
            kind = torch.float64 if y.is_floating_point() else torch.int64
            z = _projections(x, project)
            marks = _marks(x, z, project)
            self._sample.add(x, marks)
            self._farthest[0].add(first, x, z)
            parts.append((z, marks, y.to("cpu", kind).numpy()))
        self.z, self.marks, self.y = (np.concatenate(part) for part in zip(*parts, strict=True))
        self.seconds = time.perf_counter() - begin

    @property
    def can_be_read_again(self) -> bool:
        """Whether the points can be read another time."""
        return self._points.can_be_read_again

    def targets(self, numbers: NDArray[np.int64]) -> Floats:
        """Return the targets of some points, shape ``(m,)`` or ``(m, k)``, labels encoded."""
        chosen = self.y[numbers]
        return chosen if self.classes is None else self.classes.encode(chosen)

    def some(self, order: NDArray[np.int64]) -> tuple[NDArray[np.int64], Tensor]:
        """Return positions in an order of points, some and the last, and these points."""
        places = np.full(len(self.y), -1)  # of all points in the order; merged ones have none
        places[order] = np.arange(len(order))
        positions = places[self._sample.numbers]
        own = np.argsort(positions)[np.count_nonzero(positions < 0) :]
        rows, positions = _rows(self._sample.rows, own), positions[own]
        if len(positions) == 0 or positions[-1] < len(order) - 1:
            last = next(
                far.rows[column]
                for far in self._farthest
                for column in np.flatnonzero(far.numbers == order[-1])
            )
            rows = torch.cat([rows[1:], last[None]])  # the first has the fewest hinges
            positions = np.append(positions[1:], len(order) - 1)
        return positions, rows

    def project(self, direction: Floats) -> Floats:
        """Read the points again; return their projections onto one more direction."""
        begin = time.perf_counter()
        both = np.column_stack([direction, self.directions[:, -1]])  # the last may be rounded
        project = Projector(torch.from_numpy(both).to(self.device))
        parts = []
        self._farthest.append(Farthest())
        for first, x, _ in self._points.blocks():
            parts.append(_projections(x, project))
            self._farthest[-1].add(first, x, parts[-1])
        z: Floats = np.concatenate(parts)
        if not np.array_equal(z[:, 1], self.z[:, -1]):  # which come out the same to the last bit
            raise ValueError(
                "`x` must give the same blocks every time it is read, got others the second time; "
                "an iterator, `iter(x)`, is read only once."
            )
        self.seconds += time.perf_counter() - begin
        return z[:, 0]


def _projections(x: Tensor, project: Projector) -> Floats:
    z: Floats = project(x).cpu().numpy()
    if not np.isfinite(z).all():
        raise ValueError("`x` must be of a size at which projections are finite, got inf.")
    return z


def _marks(x: Tensor, z: Floats, project: Projector) -> Fingerprints:
    """Return what equal points share and others do not: 128 bits or more for each."""
    # A hash takes as long as projections onto 20 directions. Small integers can do without: two
    # different points, not chosen for these directions, differ by whole numbers, so that a random
    # direction gives them one projection with probability below 2**(2 - bits).
    columns = math.ceil(128 / (project.bits - 2))
    if project.is_one_slice(x) and z.shape[1] > columns:
        return (z[:, 1 : 1 + columns] + 0.0).view(np.uint64)  # -0.0 + 0.0 is 0.0
    return fingerprints(x)


class Search:
    """The way from points, read for the first time, to a direction that tells them apart."""

    def __init__(self, survey: Survey, *, candidates: int, seed: int) -> None:
        self._survey, self._candidates, self._seed = survey, candidates, seed
        n = len(survey.z)
        kept = distinct(survey.z[:, 0], survey.marks, survey.y)
        self.kept = np.arange(n) if kept is None else kept
        self.duplicates = n - len(self.kept)

    def find(self, method: Direction | Floats) -> Projected:
        """Return a direction that tells all points apart, by a method or given."""
        if not isinstance(method, str):
            return self._distinguishing(replace(self._projected(0, "given"), tried=0))
        if len(self._survey.directions) == 1:
            return self._distinguishing(self._projected(0, "only"))
        if method == "random":
            return self._random()
        if method == "auto" and self._survey.can_be_read_again:
            return self._separated()
        return self._best()

    def _random(self) -> Projected:
        """Return the first random direction that tells points clearly apart, or the best."""
        in_hand = self._survey.z.shape[1]
        best = self._projected(0, "random")
        for number in range(1, self._candidates):
            if best.spacing.resolved or (number >= in_hand and not self._survey.can_be_read_again):
                break
            found = self._projected(number, "random")
            if found.spacing.resolved or found.spacing.relative > best.spacing.relative:
                best = found
            best = replace(best, tried=found.tried)
        return self._distinguishing(best)

    def _best(self) -> Projected:
        """Return the random direction with the largest of the smallest gaps."""
        columns = range(self._survey.z.shape[1])
        shares = [self._spacing(number).relative for number in columns]
        return self._distinguishing(
            self._projected(int(np.argmax(shares)), f"best of {len(columns)}")
        )

    def _separated(self) -> Projected:
        """Return a combination of random directions with a larger smallest gap, or the best one."""
        columns = range(self._survey.z.shape[1])
        start = next((k for k in columns if self._spacing(k).resolved), None)
        if start is None:
            return self._best()
        begin = self._projected(start, "random")
        coefficients = _separate(self._survey.z[begin.order], start)
        if coefficients is None:
            return self._best()
        a = self._survey.directions @ coefficients
        a *= 2.0 ** -math.ceil(math.log2(np.linalg.norm(a)))  # at most 1 long
        z = self._survey.project(a)
        end = self._sorted(a, z, "separated", len(columns))
        return end if end.spacing.relative > begin.spacing.relative else self._best()

    def _projected(self, number: int, how: str) -> Projected:
        """Return the random direction of some number, reading the points again if need be."""
        survey = self._survey
        if number < survey.z.shape[1]:
            a, z = survey.directions[:, number], survey.z[:, number]
        else:
            d = len(survey.directions)
            a = random_directions(1, d, seed=self._seed, first=number)[:, 0]
            z = survey.project(a)
        return self._sorted(a, z, how, max(number + 1, survey.z.shape[1]))

    def _sorted(self, a: Floats, z: Floats, how: str, tried: int) -> Projected:
        z = z[self.kept]
        order = np.argsort(z)
        return Projected(a, z[order], self.kept[order], Spacing.of(z[order]), how, tried)

    def _spacing(self, number: int) -> Spacing:
        return Spacing.of(np.sort(self._survey.z[self.kept, number]))

    def _distinguishing(self, found: Projected) -> Projected:
        if found.spacing.smallest_gap > 0:
            return found
        at = int(np.argmin(np.diff(found.z)))
        one, other = sorted(found.order[at : at + 2].tolist())
        remedy = {"given": "; give another", "only": "; as `float64` they are one number"}.get(
            found.how, f", with each of {found.tried}; more `candidates` may do better"
        )
        raise ValueError(
            f"`direction` must separate all points, got the projection {found.z[at]:g} for "
            f"points {one} and {other} of `x`, which differ{remedy}."
        )


def _separate(sketch: Floats, start: int) -> Floats | None:
    """Return coefficients of directions, (q,), that widen the smallest gap; None if none do."""
    # The sketch holds projections onto q directions, shape (n, q), its rows in the order of column
    # `start`: the points in another order give the same bits.
    #
    # The smallest of n gaps is tiny because it is the smallest of many, and a few other directions
    # give others a turn: with q of them, all gaps but the smallest q or so can be left as they are
    # while those q are widened. From the direction `start`, in coordinates in which every direction
    # has projections of variance 1, a linear program looks for the step u that makes the smallest
    # of the closest 8 q gaps as large as possible,
    #
    #     maximize t  such that  <x_i - x_j, a + u> >= t  for these neighbours i, j in their order,
    #
    # in a box as wide as the next gap, so that hardly any other pair comes closer. Steps are taken
    # while the smallest gap, as a share of the range, grows by a hundredth. On 50,000 points and 32
    # directions it grows about 30-fold over that of a random direction; the best of 32 random ones
    # has 4 times as large a gap, the logarithm of 32.
    if len(sketch) < 3:  # the gap is the range
        return None
    basis, place = _whitened(sketch, start)
    if len(place) < 2 or not np.isfinite(basis).all():
        return None
    share = Spacing.of(sketch[:, start]).relative
    best = None
    for _ in range(_ROUNDS):
        step = _step(sketch, basis, place)
        if step is None:
            break
        place = (place + step) / np.linalg.norm(place + step)
        grown = Spacing.of(np.sort(sketch @ (basis @ place))).relative
        if not grown > 1.01 * share:
            break
        best, share = basis @ place, grown
    return best if best is None else best / np.abs(best).max()


def _whitened(sketch: Floats, start: int) -> tuple[Floats, Floats]:
    """Return a basis ``(q, r)`` in which variances are 1, and the direction ``start`` in it."""
    n, q = sketch.shape
    scale = max(abs(sketch.min()), abs(sketch.max()))  # so that no square overflows
    blocks = [slice(first, first + (1 << 14)) for first in range(0, n, 1 << 14)]
    center = np.sum([(sketch[rows] / scale).sum(0) for rows in blocks], axis=0) / n
    moments = np.zeros((q, q))
    for rows in blocks:
        block = sketch[rows] / scale - center
        moments += block.T @ block
    variances, axes = np.linalg.eigh(moments / n)
    kept = variances > 1e-12 * variances[-1]
    deviations = np.sqrt(variances[kept])
    place = axes[start, kept] * deviations
    with np.errstate(over="ignore"):  # projections so small that their inverses are infinite
        basis = axes[:, kept] / deviations / scale
    return basis, place / np.linalg.norm(place)


def _step(sketch: Floats, basis: Floats, place: Floats) -> Floats | None:
    """Return the step of one linear program, shape ``(r,)``, or None if it has no solution."""
    z = sketch @ (basis @ place)
    order = np.argsort(z)
    gaps = np.diff(z[order])
    pairs = min(len(gaps), _PAIRS_FOR_EACH_COORDINATE * len(place))
    closest = np.sort(np.argpartition(gaps, pairs - 1)[:pairs])  # from left to right
    unit = gaps[closest].max()
    if not unit > 0:
        return None
    apart = (sketch[order[closest + 1]] - sketch[order[closest]]) @ basis / unit  # (pairs, r)
    program = scipy.optimize.linprog(
        np.append(np.zeros(len(place)), -1.0),
        A_ub=np.column_stack([-apart * unit, np.ones(pairs)]),  # a step of 1 is one unit
        b_ub=apart @ place,
        bounds=[(-1, 1)] * len(place) + [(None, None)],
        method="highs",
    )
    return program.x[:-1] * unit if program.success else None
