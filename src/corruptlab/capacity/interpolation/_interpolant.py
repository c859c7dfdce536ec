"""The two-layer network of Theorem 1."""

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from corruptlab.capacity.interpolation._hinge_network import HingeNetwork
from corruptlab.capacity.interpolation._hinge_sum import HingeSum
from corruptlab.capacity.interpolation._layers import linear
from corruptlab.capacity.interpolation._pieces import Pieces
from corruptlab.capacity.interpolation._report import InterpolationReport
from corruptlab.capacity.interpolation._targets import Classes


class Interpolant(HingeNetwork):
    """The network ``c(x) = sum_j w_j max(<a, x> - b_j, 0)``, evaluated in O(d + log n) a point.

    On the line of the projections ``<a, x>`` it is piecewise linear: its slope changes by w_j at
    b_j. So a value takes one inner product, one binary search, and one multiplication, and comes
    out to nearly full ``float64`` accuracy, where adding up n hinges loses digits by
    cancellation. It is the same function of the same weights: when they are changed, by
    training or loading, the pieces are found anew. `dense` gives the network as plain layers.

    Everything is computed in ``float64``, whatever the type of the points. The inner product is
    reproducible: a point gets the same bits in any batch. The network can be differentiated
    once in x, and in its weights after ``requires_grad_()``; they were solved for, so they
    begin without.

    Args:
        a: Direction, shape ``(d,)``.
        b: Where the hinges are, shape ``(n,)``, in any order.
        w: Their weights, shape ``(n,)`` for one output without an axis, or ``(n, K)``.
        classes: What the outputs stand for, if they stand for classes.
        report: What `interpolate` found out.

    Attributes:
        a: As above, a parameter; with b and w it makes ``2n + d`` numbers for one output.
        b: As above, a parameter.
        w: As above, a parameter.
        report: As above; None for a network that was put together by hand.

    Raises:
        ValueError: If shapes do not fit.

    Example:
        >>> import torch
        >>> from corruptlab.capacity import Interpolant
        >>> tent = Interpolant(torch.ones(1), torch.tensor([0.0, 1.0]), torch.tensor([1.0, -2.0]))
        >>> tent(torch.tensor([[-1.0], [0.5], [1.0], [2.0]]))
        tensor([0.0000, 0.5000, 1.0000, 0.0000], dtype=torch.float64)
        >>> sum(parameter.numel() for parameter in tent.parameters())  # 2n + d
        5

    Source: Zhang et al. 2017, §4, Theorem 1, and App. C.
    """

    def __init__(
        self,
        a: Tensor,
        b: Tensor,
        w: Tensor,
        *,
        classes: Classes | None = None,
        report: InterpolationReport | None = None,
    ) -> None:
        super().__init__(a, b, w, classes=classes, report=report)
        self._found: _Found | None = None

    @property
    def num_weights(self) -> int:
        """Number of weights: ``n + d + n K``."""
        return self.a.numel() + self.b.numel() + self.w.numel()

    @property
    def weight_bound(self) -> int:
        """The count of the theorem: ``n + d + n K``, 2n + d for one output."""
        return self.num_weights

    @property
    def width(self) -> int:
        """Number of hidden units, n."""
        return len(self.b)

    def at(self, z: Tensor) -> Tensor:
        """Return the outputs where ``<a, x>`` is z.

        Args:
            z: Projections, shape ``(m,)``, ``float64``.

        Returns:
            ``float64`` of shape ``(m,)`` or ``(m, K)``.
        """
        outputs = HingeSum.apply(z, self.b, self._columns(), self._current_pieces())  # type: ignore[no-untyped-call]  # PyTorch's
        return self._shaped(cast("Tensor", outputs))

    def layer_by_layer(self, z: Tensor) -> Tensor:
        """Return what `at` does by adding up all hinges, O(n) a point, with its rounding errors.

        Args:
            z: Projections, shape ``(m,)``, ``float64``.

        Returns:
            ``float64`` of shape ``(m,)`` or ``(m, K)``.
        """
        return self._shaped(torch.relu(z[:, None] - self.b) @ self._columns())

    def dense(self) -> nn.Sequential:
        """Return the network as plain layers, for points of shape ``(m, d)`` in ``float64``.

        Its first layer holds the direction n times over, so it takes ``8 n (d + K)`` bytes, and
        its values lose digits by cancellation: see ``report.dense_residual``.

        Returns:
            ``Linear(d, n), ReLU(), Linear(n, K)``, the last one without a bias.
        """
        first = linear(self.a.expand(len(self.b), -1), -self.b)
        return nn.Sequential(first, nn.ReLU(), linear(self._columns().T, None))

    def _current_pieces(self) -> Pieces:
        """Return the pieces, found anew if the hinges are others than the last time."""
        hinges = self.b.detach(), self.w.detach()
        state = tuple((each.data_ptr(), each._version, each.dtype) for each in hinges)
        if self._found is None or self._found.state != state:
            self._found = _Found(state, hinges, Pieces.of(self.b, self._columns()))
        return self._found.pieces

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_found": None}  # an address means nothing to a copy


class _Found(NamedTuple):
    """Pieces, and the state of the hinges that they were found from.

    The hinges are held, so that no other tensor can come to lie at their address.
    """

    state: tuple[Any, ...]
    hinges: tuple[Tensor, Tensor]
    pieces: Pieces
