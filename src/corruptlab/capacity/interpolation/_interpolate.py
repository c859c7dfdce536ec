"""Theorem 1 and Corollary 1: a network through any points."""

import time
from typing import Literal, NamedTuple, overload

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from corruptlab._checks import at_least, natural
from corruptlab._environment import Environment
from corruptlab.capacity.interpolation._deep_interpolant import DeepInterpolant, check_depth
from corruptlab.capacity.interpolation._direction import (
    Direction,
    Projected,
    Search,
    Survey,
    check_direction,
    random_directions,
)
from corruptlab.capacity.interpolation._hinges import Hinges, condition_number, solve
from corruptlab.capacity.interpolation._interpolant import Interpolant
from corruptlab.capacity.interpolation._points import Blocks, Encoding, Points, Rows, check_encoding
from corruptlab.capacity.interpolation._projection import rounded
from corruptlab.capacity.interpolation._report import InterpolationReport

Floats = NDArray[np.float64]

# What a residual may be as a share of the largest target. It is about 1e-10 unless gaps
# between neighbours differ by more than ten orders of magnitude. A class is a whole number or a
# sign, so what is off by more than a quarter may be read as another.
_TOLERANCE = 1e-6
_TOLERANCE_OF_CLASSES = 0.25


@overload
def interpolate(
    x: Rows | Blocks,
    y: Rows | None = None,
    *,
    num_classes: int | None = None,
    encoding: Encoding = "one_vs_rest",
    direction: Direction | ArrayLike = "auto",
    candidates: int = 32,
    depth: Literal[2] = 2,
    seed: int = 0,
) -> Interpolant: ...


@overload
def interpolate(
    x: Rows | Blocks,
    y: Rows | None = None,
    *,
    num_classes: int | None = None,
    encoding: Encoding = "one_vs_rest",
    direction: Direction | ArrayLike = "auto",
    candidates: int = 32,
    depth: int,
    seed: int = 0,
) -> Interpolant | DeepInterpolant: ...


def interpolate(
    x: Rows | Blocks,
    y: Rows | None = None,
    *,
    num_classes: int | None = None,
    encoding: Encoding = "one_vs_rest",
    direction: Direction | ArrayLike = "auto",
    candidates: int = 32,
    depth: int = 2,
    seed: int = 0,
) -> Interpolant | DeepInterpolant:
    """Build a ReLU network that takes the given values at n points in d dimensions.

    The points are projected onto a direction a, which gives n distinct numbers ``z_1 < ... < z_n``.
    One hinge begins before the first projection, and one at each projection except the last. The
    weights are second differences, computed in O(n) (see `Interpolant`). Including the projections
    and sorting, the time is O(n d + n log n). The memory in addition to the points is O(n): they
    are read in blocks and may be a memory map or come from an iterator.

    *Accuracy* depends on the smallest gap between projections: weights are proportional to its
    inverse. The smallest gap of a random direction is about ``1 / n**2`` of the range, and the
    optimum is ``1 / (n - 1)``. By default, the span of ``candidates`` random directions is searched
    for a larger gap, with linear programs that move the closest projections apart; with 32
    candidates it is about 30 times as large. The report contains the gap, the exact condition
    number, and the residuals.

    *The location of the points* matters only for plain layers. The network computes ``<a, x>``
    almost exactly. Plain layers (`Interpolant.dense`, or the same weights in another program) round
    it by about ``2**-53 sum_i abs(a_i x_i)``, and miss the targets if this is not far below the
    smallest gap, as for points that are far from zero compared with their spread: subtract the mean
    first. ``report.dense_residual`` is the error.

    *Equal points* with equal targets are merged and counted. If different points have equal
    projections, another direction is tried, up to ``candidates`` of them.

    Bytes are not divided by 255; points are converted to ``float64``.

    Args:
        x: Points, shape ``(n, ...)``, each flattened: an array, a tensor, or a memory map. Or
            blocks of points with their targets: an iterable of pairs, such as a list or a
            ``DataLoader`` without shuffling, which is read once or twice; an iterator is read
            once.
        y: Targets of an array ``x``: real numbers of shape ``(n,)`` or ``(n, K)``, or integer
            class labels of shape ``(n,)`` with ``num_classes``. None if ``x`` are blocks.
        num_classes: Number of classes, for integer labels.
        encoding: Encoding of labels: ``"one_vs_rest"``, ``num_classes`` outputs, 1 for the class
            and -1 for the others; or ``"index"``, one output with the index of the class, for
            which 2n + d weights suffice with any number of classes.
        direction: ``"auto"``; ``"random"``, the first valid one; ``"best"`` of the candidates; or a
            vector of shape ``(d,)``, which is used unchanged.
        candidates: Maximum number of random directions, >= 1. Except with ``"random"``, this many
            numbers are stored for each point.
        depth: Number of layers with weights: 2 for Theorem 1, more for Corollary 1 (see
            `DeepInterpolant`), at most n + 1.
        seed: Seed of the random directions; an integer >= 0.

    Returns:
        The network, in ``float64``, with a ``report``, on the device of the points. It is bitwise
        the same for the same points in a different order or in different blocks.

    Raises:
        TypeError: If an argument has the wrong type, or ``num_classes`` is missing for integer
            targets.
        ValueError: If there is no point, a number is not finite, shapes do not fit, an option is
            out of range, equal points have different targets, no direction separates the points,
            or no ``float64`` weights reach the targets, because gaps are too unequal.

    Example:
        >>> import numpy as np
        >>> import torch
        >>> import corruptlab as cl
        >>> rng = np.random.default_rng(0)
        >>> x, labels = rng.standard_normal((500, 20)), rng.integers(10, size=500)
        >>> net = cl.interpolate(x, labels, num_classes=10, encoding="index")
        >>> bool((net.classify(torch.from_numpy(x)) == torch.from_numpy(labels)).all())
        True
        >>> sum(parameter.numel() for parameter in net.parameters())  # 2n + d
        1020

    Source: Zhang et al. 2017, §4, Theorem 1 and Corollary 1, and App. C. The paper uses any
    direction that separates the points, and places each hinge strictly between two projections.
    Here it lies on the left one, the limit with the largest eigenvalues.
    """
    check_encoding(encoding)
    natural("seed", seed)
    method = check_direction(direction)
    at_least(1, "candidates", candidates)
    at_least(2, "depth", depth)
    points = Points(x, y)
    begin = time.perf_counter()
    at_once = candidates
    if isinstance(method, str) and method == "random" and points.can_be_read_again:
        at_once = 1  # the next ones are for another reading, if need be
    with torch.no_grad(), torch.inference_mode(False):
        survey = Survey(
            points,
            lambda d: _first_directions(method, d, at_once, seed, twice=points.can_be_read_again),
            num_classes=num_classes,
            encoding=encoding,
        )
        search = Search(survey, candidates=candidates, seed=seed)
        check_depth(depth, len(search.kept))
        found = search.find(method)
        net, exactness = _network(found, survey, depth=depth)
    net.report = InterpolationReport(
        n=len(found.z),
        duplicates=search.duplicates,
        d=len(found.a),
        outputs=1 if net.w.ndim == 1 else net.w.shape[1],
        depth=depth,
        width=net.width,
        num_weights=net.num_weights,
        weight_bound=net.weight_bound,
        direction=found.how,
        directions_tried=found.tried,
        smallest_gap=found.spacing.smallest_gap,
        relative_gap=found.spacing.relative,
        **exactness._asdict(),
        seed=seed,
        seconds_reading=survey.seconds,
        seconds_solving=time.perf_counter() - begin - survey.seconds,
        environment=Environment.here(survey.device),
    )
    return net


def _first_directions(
    method: Direction | Floats, d: int, count: int, seed: int, *, twice: bool
) -> Floats:
    """Return what the points are projected onto while they are read for the first time."""
    if isinstance(method, str):
        directions = random_directions(1 if d == 1 else count, d, seed=seed)
        if method == "auto" and twice:  # they are combined; the first tells equal points apart
            directions[:, 1:] = rounded(torch.from_numpy(directions[:, 1:])).numpy()
        return directions
    if len(method) != d:
        raise ValueError(
            f"`direction` must have one number for each of the {d} of a point, got {len(method)}."
        )
    return method[:, None]


class _Exactness(NamedTuple):
    """How well conditioned the system is, and how exact the network; see the report."""

    smallest_eigenvalue: float
    condition_number: float
    residual: float
    dense_residual: float
    dense_points: int


def _network(
    found: Projected, survey: Survey, *, depth: int
) -> tuple[Interpolant | DeepInterpolant, _Exactness]:
    """Solve for the weights, and evaluate the network at its own points."""
    targets = survey.targets(found.order)
    hinges = _finite_hinges(found.z, targets.reshape(len(targets), -1))
    w = hinges.w if targets.ndim == 2 else hinges.w[:, 0]
    a, b, weights, z, y = (
        torch.from_numpy(array).to(survey.device)
        for array in (found.a, hinges.b, w, found.z, targets)
    )
    shallow = Interpolant(a, b, weights, classes=survey.classes)
    net: Interpolant | DeepInterpolant = shallow
    if depth > 2:
        net = DeepInterpolant(a, b, weights, depth=depth, classes=survey.classes)
    residual = _largest(shallow.at(z) - y)
    allowed = _TOLERANCE * max(_largest(y), np.finfo(float).tiny)
    if survey.classes is not None:
        allowed = min(allowed, _TOLERANCE_OF_CLASSES)
    if not residual <= allowed:
        widths = np.sort(np.stack([hinges.gaps[1:], hinges.gaps[:-1]]), axis=0)
        raise ValueError(
            "`x` must have projections with gaps that `float64` weights can bridge, got one "
            f"{np.max(widths[1] / widths[0]):.3g} times as wide as its neighbour, so that targets "
            f"are missed by {residual:.3g}."
        )
    some, rows = survey.some(found.order)
    errors = net.plain(rows.double()) - y[torch.from_numpy(some).to(survey.device)]
    return net, _Exactness(
        smallest_eigenvalue=float(hinges.gaps.min()),
        condition_number=condition_number(hinges.gaps),
        residual=residual,
        dense_residual=_largest(errors),
        dense_points=len(some),
    )


def _finite_hinges(z: Floats, y: Floats) -> Hinges:
    with np.errstate(all="ignore"):
        hinges = solve(z, y)
    vanished = y.any() and not hinges.w.any()
    if vanished or not all(np.isfinite(part).all() for part in hinges):
        raise ValueError(
            "`x` and `y` must be of a size at which weights neither overflow nor vanish, got a "
            f"smallest gap of {hinges.gaps.min():g} and targets up to {np.abs(y).max():g}."
        )
    return hinges


def _largest(errors: Tensor) -> float:
    return float(errors.abs().max())
