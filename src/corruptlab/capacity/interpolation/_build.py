"""From sorted projections to a network, and how exact it is."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corruptlab.capacity.interpolation._deep_interpolant import DeepInterpolant
from corruptlab.capacity.interpolation._hinges import Hinges, condition_number, solve
from corruptlab.capacity.interpolation._interpolant import Interpolant
from corruptlab.capacity.interpolation._search import Choice
from corruptlab.capacity.interpolation._survey import Survey

Floats = NDArray[np.float64]

# Hinges that may be added up to find the residual of the dense network: some milliseconds.
_HINGES_TO_ADD = 1 << 20
_LEAST_POINTS = 16

# What a residual may be as a share of the largest target. It is about 1e-10 unless gaps
# between neighbours differ by more than ten orders of magnitude. A class is a whole number or a
# sign, so what is off by more than a quarter may be read as another.
_TOLERANCE = 1e-6
_TOLERANCE_OF_CLASSES = 0.25


class Exactness(NamedTuple):
    """How well conditioned the system is, and how exact the network; see the report."""

    smallest_eigenvalue: float
    condition_number: float
    residual: float
    dense_residual: float
    dense_points: int


def build(
    choice: Choice, survey: Survey, *, depth: int
) -> tuple[Interpolant | DeepInterpolant, Exactness]:
    """Solve for the weights, and evaluate the network at its own points.

    Args:
        choice: The direction, and the points in the order of their projections.
        survey: The targets.
        depth: Layers of weights, in ``2 .. n + 1``.

    Returns:
        The network, and how exact it is.

    Raises:
        ValueError: If weights overflow or vanish, or if ``float64`` weights miss the targets.
    """
    targets = survey.targets(choice.order)
    hinges = _finite_hinges(choice.z, targets.reshape(len(targets), -1))
    w = hinges.w if targets.ndim == 2 else hinges.w[:, 0]
    a, b, weights, z, y, some = (
        torch.from_numpy(array).to(survey.device)
        for array in (choice.a, hinges.b, w, choice.z, targets, _some(len(choice.z)))
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
    return net, Exactness(
        smallest_eigenvalue=float(hinges.gaps.min()),
        condition_number=condition_number(hinges.gaps),
        residual=residual,
        dense_residual=_largest(net.layer_by_layer(z[some]) - y[some]),
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


def _some(n: int) -> NDArray[np.int64]:
    """Return numbers of equally spaced points, the last one among them."""
    count = min(n, max(_LEAST_POINTS, _HINGES_TO_ADD // n))
    return np.arange(1, count + 1) * n // count - 1


def _largest(errors: Tensor) -> float:
    return float(errors.abs().max())
