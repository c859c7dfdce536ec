"""Sums of hinges: the closed form behind Theorem 1, and the piecewise linear function they make."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

Floats = NDArray[np.float64]


class Hinges(NamedTuple):
    """Where the ReLUs begin and what they are multiplied by."""

    b: Floats  # where each begins, rising, (n,)
    w: Floats  # weights, (n, k)
    gaps: Floats  # the diagonal of the triangular matrix, z - b: its eigenvalues


def solve(z: Floats, y: Floats) -> Hinges:
    """Return hinges b and weights w with ``sum_j w_j max(z_i - b_j, 0) = y_i`` for rising z."""
    # Zhang et al. 2017, App. C, Lemma 1 and Theorem 1, interleaves b_1 < z_1 < b_2 < z_2 < ... Its
    # proof needs z_j <= b_{j+1} < z_{j+1} only, and equality is where the eigenvalues of the matrix
    # A_ij = max(z_i - b_j, 0) are largest: on its diagonal are the whole gaps between neighbours,
    # and none can be larger. It then is A = L G L, L the triangle of ones and G the diagonal of
    # gaps, so that w = L^-1 G^-1 L^-1 y: differences of y, divided by the gaps, are the slopes of
    # the function from point to point; and the weights are the differences of the slopes. (The
    # condition number may be smaller elsewhere: with a hinge inside a gap that is wide beside
    # others, the norm of A shrinks.) The first hinge lies one mean gap left of the first point.
    # Where gaps underflow, numbers may not be finite; the caller checks.
    n = len(z)
    mean_gap = z[-1] / (n - 1) - z[0] / (n - 1) if n > 1 else max(1.0, abs(z[0]))
    b = np.concatenate([z[:1] - mean_gap, z[:-1]])
    gaps = z - b
    slopes = np.diff(y, axis=0, prepend=np.zeros_like(y[:1])) / gaps[:, None]
    slopes = _with_exact_differences(slopes)
    return Hinges(b, np.diff(slopes, axis=0, prepend=np.zeros_like(y[:1])), gaps)


def _with_exact_differences(slopes: Floats) -> Floats:
    """Round numbers so that the difference of any two neighbours is a ``float64``."""
    # Weights are differences of slopes. If each were rounded, the errors would add up: the slope
    # after j hinges is the sum of j weights, and a steep piece far to the left would disturb all
    # others. Here each slope is rounded instead, by at most 2**-52 of the largest of itself and its
    # neighbours, to a multiple of a power of two that is as fine as float64 allows for that one.
    # Then the weights are exact, and so is every sum of the first j, even in plain floating point.
    # What is left is a wide gap beside a narrow one, whose slope is as coarse as the steep one's:
    # the function is off by about 2**-53 times the largest ratio of such gaps.
    size = np.abs(slopes)
    largest = size.copy()
    np.maximum(largest[1:], size[:-1], out=largest[1:])
    np.maximum(largest[:-1], size[1:], out=largest[:-1])
    grid = 2 * np.spacing(largest)
    rounded: Floats = np.rint(slopes / grid) * grid
    return rounded


def condition_number(gaps: Floats) -> float:
    """Return the exact condition number of A in the maximum norm, ``|A| |A^-1|``; it may be inf."""
    # The norm is the largest sum of sizes in a row. In A = L G L that is the last row,
    # sum_j (z_n - b_j), in which gap j occurs j times. In the inverse, row i holds two differences
    # of neighbouring targets, one divided by g_i and one by g_{i-1}; the first target is the first
    # difference.
    unit = gaps / gaps.max()  # the condition number does not depend on the scale
    norm = np.dot(unit, np.arange(1, len(unit) + 1))
    with np.errstate(divide="ignore", over="ignore"):
        differences = 2 / unit
        differences[0] = 1 / unit[0]
        rows = differences + np.append(0, differences[:-1])
        return float(norm * rows.max())


class Pieces(NamedTuple):
    """The function ``sum_j w_j max(z - b_j, 0)`` by its pieces, from left to right."""

    # Piece 0 is the zero left of all hinges, and piece j begins at the j-th hinge from the left.

    order: Tensor  # which hinge is the j-th from the left, (n,)
    starts: Tensor  # their places, rising, (n,)
    anchors: Tensor  # where the value of a piece is known, (n + 1,)
    values: Tensor  # the values there, (n + 1, k)
    slopes: Tensor  # (n + 1, k)

    @classmethod
    def of(cls, b: Tensor, w: Tensor) -> "Pieces":
        """Add up hinges at b, shape ``(n,)`` in any order, with weights w, shape ``(n, k)``."""
        # The slope of a piece is the sum of the weights so far, and the value at the next hinge is
        # this one's plus slope times distance. Nothing large cancels: all partial sums are slopes
        # and values of the function itself, and they are added with twice the precision.
        places, weights = (t.detach().cpu().double().numpy() for t in (b, w))
        order = np.argsort(places, kind="stable")
        starts = places[order]
        slopes = _prefix_sums(weights[order])
        rises = _prefix_sums(slopes[:-1] * np.diff(starts)[:, None])
        zero = np.zeros_like(slopes[:1])
        arrays = (
            order,
            starts,
            np.concatenate([starts[:1], starts]),
            np.concatenate([zero, zero, rises]),
            np.concatenate([zero, slopes]),
        )
        with torch.inference_mode(False):  # they may be needed for a gradient later
            return cls(*(torch.from_numpy(array).to(b.device) for array in arrays))


def _prefix_sums(terms: Floats) -> Floats:
    """Return the sums of the first 1, 2, ..., n terms, as if added in twice the precision."""
    # np.cumsum adds one term after the other, so the rounding error of each of its steps is a
    # number that can be found exactly, for all steps at once (Knuth 1998, §4.2.2); the sums of
    # these errors are added to the sums of the terms (Neumaier 1974). The error is a rounding of
    # the result plus about n**2 * 2**-106 of the sum of the terms' sizes.
    sums = np.cumsum(terms, axis=0)
    before = np.zeros_like(sums)
    before[1:] = sums[:-1]
    added = sums - before
    errors = (before - (sums - added)) + (terms - added)
    total: Floats = sums + np.cumsum(errors, axis=0)
    return total


class HingeSum(torch.autograd.Function):
    """``sum_j w_j max(z_i - b_j, 0)`` in O(log n) for each place, forward and backward."""

    # The gradient to z is the slope of the piece. Those to w_j and b_j are sums over the places to
    # the right of the hinge, so one sum for each piece and one pass from right to left give them
    # all. At a hinge itself the slope to the right counts.

    @staticmethod
    def forward(ctx: Any, z: Tensor, b: Tensor, w: Tensor, pieces: Pieces) -> Tensor:
        """Return the values, shape ``(m, k)``, at places ``z`` of shape ``(m,)``."""
        piece = torch.searchsorted(pieces.starts, z, right=True)
        ctx.save_for_backward(z, b, w, piece, pieces.order, pieces.slopes)
        return pieces.values[piece] + pieces.slopes[piece] * (z - pieces.anchors[piece])[:, None]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients to z, b, and w."""
        z, b, w, piece, order, slopes = ctx.saved_tensors
        (grad,) = grads  # (m, k)
        for_z = (grad * slopes[piece]).sum(1) if ctx.needs_input_grad[0] else None
        if not any(ctx.needs_input_grad[1:3]):
            return for_z, None, None, None

        def right_of_hinges(terms: Tensor) -> Tensor:  # (m, k) to (n, k)
            sums = terms.new_zeros(len(slopes), terms.shape[1]).index_add_(0, piece, terms)
            from_right = sums.flip(0).cumsum(0).flip(0)[1:]  # piece j begins at the j-th hinge
            return torch.empty_like(from_right).index_copy_(0, order, from_right)

        right = right_of_hinges(grad)
        for_b = -(w.double() * right).sum(1)
        for_w = right_of_hinges(grad * z[:, None]) - b.double()[:, None] * right
        return for_z, for_b.to(b.dtype), for_w.to(w.dtype), None
