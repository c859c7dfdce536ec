"""Theorem 1 and Corollary 1: a network through any points."""

import time
from typing import Literal, overload

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from corruptlab._checks import at_least, natural
from corruptlab._environment import Environment
from corruptlab.capacity.interpolation._build import build
from corruptlab.capacity.interpolation._deep_interpolant import DeepInterpolant, check_depth
from corruptlab.capacity.interpolation._directions import random_directions
from corruptlab.capacity.interpolation._interpolant import Interpolant
from corruptlab.capacity.interpolation._points import Blocks, Points, Rows
from corruptlab.capacity.interpolation._report import InterpolationReport
from corruptlab.capacity.interpolation._search import Direction, Search, check_direction
from corruptlab.capacity.interpolation._survey import Survey
from corruptlab.capacity.interpolation._targets import Encoding, check_encoding

Floats = NDArray[np.float64]


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
    """Build the ReLU network that has the given value at each of n points in d dimensions.

    The points are projected onto one direction a, where they are n different numbers ``z_1 < ... <
    z_n``; a hinge begins at each of them but the last, and one before the first; and the weights
    are second differences, found in O(n) (see `Interpolant`). With sorting and the
    projections that is O(n d + n log n) time. Beyond the points themselves O(n) memory is
    taken: they are read in blocks and may be a memory map, or come from an iterator.

    *How well it does* is a matter of the smallest gap between projections: weights grow as its
    inverse. A random direction has a smallest gap of about ``1 / n**2`` of the range, the best
    possible is ``1 / (n - 1)``. By default, directions in the span of ``candidates`` random ones
    are searched for a larger gap, with linear programs that move the closest projections
    apart; with 32 it is about 30 times as large. The report has the gap, the exact
    condition number, and the residuals.

    *Equal points* are merged if their targets are equal, too, and counted. Equal projections of
    different points make for another direction, up to ``candidates`` of them.

    Bytes are not divided by 255; points are taken as they are, in ``float64``.

    Args:
        x: Points, shape ``(n, ...)``, each flattened: an array, a tensor, or a memory map. Or
            blocks of points with their targets: an iterable of pairs, such as a list or a
            ``DataLoader`` without shuffling, which is read once or twice; an iterator is read
            once.
        y: Targets of an array ``x``: real numbers of shape ``(n,)`` or ``(n, K)``, or integer
            class labels of shape ``(n,)`` with ``num_classes``. None if ``x`` are blocks.
        num_classes: Number of classes, for integer labels.
        encoding: What labels become: ``"one_vs_rest"``, ``num_classes`` outputs, 1 for the class
            and -1 for the others; or ``"index"``, one output that is the number of the class, as
            which 2n + d weights suffice for any number of classes.
        direction: ``"auto"``; ``"random"``, the first that will do; ``"best"`` of some random ones;
            or a vector of shape ``(d,)``, which is taken as it is.
        candidates: How many random directions may be used, >= 1. All but ``"random"`` hold as many
            numbers for each point.
        depth: Layers of weights: 2 for Theorem 1, more for Corollary 1, see `DeepInterpolant`;
            up to n + 1.
        seed: Which random directions; any integer >= 0.

    Returns:
        The network, in ``float64``, with a ``report``, on the device of the points. For the same
        points in another order, or in other blocks, it is the same to the last bit.

    Raises:
        TypeError: If an argument is of a wrong kind, or integer targets come without
            ``num_classes``.
        ValueError: If there is no point, a number is not finite, shapes do not fit, an option is
            out of range, equal points have different targets, no direction tells the points
            apart, or no ``float64`` weights reach the targets, because gaps are too unequal.

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

    Source: Zhang et al. 2017, §4, Theorem 1 and Corollary 1, and App. C. The paper takes any
    direction that will do; it places each hinge strictly between two projections, where here it
    lies on the left one, the limit that has the largest eigenvalues.
    """
    check_encoding(encoding)
    natural("seed", seed)
    way = check_direction(direction)
    at_least(1, "candidates", candidates)
    at_least(2, "depth", depth)
    points = Points(x, y)
    begin = time.perf_counter()
    at_once = candidates
    if isinstance(way, str) and way == "random" and points.can_be_read_again:
        at_once = 1  # the next ones are for another reading, if need be
    with torch.no_grad(), torch.inference_mode(False):
        survey = Survey(
            points,
            lambda d: _first_directions(way, d, at_once, seed),
            num_classes=num_classes,
            encoding=encoding,
        )
        search = Search(survey, candidates=candidates, seed=seed)
        check_depth(depth, len(search.kept))
        choice = search.find(way)
        net, residuals = build(choice, survey, depth=depth)
    net.report = InterpolationReport(
        n=len(choice.z),
        duplicates=search.duplicates,
        d=len(choice.a),
        outputs=1 if net.w.ndim == 1 else net.w.shape[1],
        depth=depth,
        width=net.width,
        num_weights=net.num_weights,
        weight_bound=net.weight_bound,
        direction=choice.how,
        directions_tried=choice.tried,
        smallest_gap=choice.spacing.smallest_gap,
        relative_gap=choice.spacing.relative,
        **residuals._asdict(),
        seed=seed,
        seconds_reading=survey.seconds,
        seconds_solving=time.perf_counter() - begin - survey.seconds,
        environment=Environment.here(survey.device),
    )
    return net


def _first_directions(way: Direction | Floats, d: int, count: int, seed: int) -> Floats:
    """Return what the points are projected onto while they are read for the first time."""
    if isinstance(way, str):
        return random_directions(1 if d == 1 else count, d, seed=seed)
    if len(way) != d:
        raise ValueError(
            f"`direction` must have one number for each of the {d} of a point, got {len(way)}."
        )
    return way[:, None]
