"""The sum of hinges, by its pieces, as a function that can be differentiated."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from corruptlab.capacity.interpolation._pieces import Pieces


class HingeSum(torch.autograd.Function):
    """``sum_j w_j max(z_i - b_j, 0)`` in O(log n) for each place, forward and backward.

    The gradient to z is the slope of the piece. Those to w_j and b_j are sums over the places to
    the right of the hinge, so one sum for each piece and one pass from right to left give
    them all. At a hinge itself the slope to the right counts.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, b: Tensor, w: Tensor, pieces: Pieces) -> Tensor:
        """Return the values, shape ``(m, k)``, at places ``z`` of shape ``(m,)``."""
        piece = pieces.find(z)
        ctx.save_for_backward(z, b, w, piece, pieces.order, pieces.slopes)
        return pieces.at(z, piece)

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
