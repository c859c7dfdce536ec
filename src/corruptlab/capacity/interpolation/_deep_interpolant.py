"""The deeper and narrower network of Corollary 1."""

import torch
from torch import Tensor, nn

from corruptlab._checks import whole
from corruptlab.capacity.interpolation._interpolant import HingeNetwork, linear
from corruptlab.capacity.interpolation._points import Classes
from corruptlab.capacity.interpolation._report import InterpolationReport


class DeepInterpolant(HingeNetwork):
    """The function of Theorem 1 as a network of depth k and width about ``n / (k - 1)``.

    The hinges, from left to right, are dealt to the k - 1 hidden layers, ``m_1, ..., m_{k-1}`` of
    them, all ``n / (k - 1)`` rounded up or down. The first layer reads the projection, ``max(<a,
    x> - b_j, 0)``. What a later layer needs is handed on by ReLUs, without shifting anything:

    - the place: ``h = max(<a, x> - b_1, 0)`` is the first hinge and never negative, so a ReLU
      passes it on; and it is enough, as ``max(<a, x> - b_j, 0) = max(h - (b_j - b_1), 0)``
      for every ``b_j >= b_1``;
    - the sum so far, which has both signs: ``s = max(s, 0) - max(-s, 0)``, two units an output.

    Weights, as in the theorem with a shared a counted once, biases included, and
    nothing that is zero by construction, for k >= 3 and K outputs:

    - d, and ``m_1`` biases in the first layer;
    - 2 for each of the other ``n - m_1`` hinges, a 1 and a bias;
    - ``2 K (n - m_{k-1})`` from the hinges that are not in the last hidden layer into sums, and
      ``4 K (k - 3)`` from sums to sums;
    - ``k - 3`` to hand on the place;
    - ``K (m_{k-1} + 2)`` into the outputs;

    in all ``d + (2 K + 2) n - m_1 - K m_{k-1} + (4 K + 1)(k - 3) + 2 K``, which is at most
    ``d + (6 K + 3) n`` as ``k <= n + 1``: O(n + d). The width is at most
    ``ceil(n / (k - 1)) + 2 K + 1``. For k = 2 it is the network of the theorem.

    It is evaluated layer by layer, with the rounding that comes with it: the hinges are the same
    as in `Interpolant`, so are the digits lost by cancellation.

    Args:
        a: Direction, shape ``(d,)``.
        b: Where the hinges are, shape ``(n,)``, rising.
        w: Their weights, shape ``(n,)`` for one output without an axis, or ``(n, K)``.
        depth: Layers of weights k, in ``2 .. n + 1``.
        classes: What the outputs stand for, if they stand for classes.
        report: What `interpolate` found out.

    Attributes:
        a: As above, a parameter.
        b: As above, a parameter.
        w: As above, a parameter.
        depth: As above.
        report: As above; None for a network that was put together by hand.

    Raises:
        TypeError: If ``depth`` is not an integer.
        ValueError: If shapes do not fit, the hinges do not rise, or ``depth`` is out of range.

    Example:
        >>> import numpy as np
        >>> import torch
        >>> import corruptlab as cl
        >>> y = np.array([1.0, -1.0, 1.0, 1.0])
        >>> net = cl.interpolate(np.eye(4), y, depth=3)
        >>> bool((net(torch.eye(4)) - torch.from_numpy(y)).abs().max() < 1e-14)
        True
        >>> net.width, net.num_weights
        (4, 18)
        >>> [layer.out_features for layer in net.dense() if isinstance(layer, torch.nn.Linear)]
        [2, 4, 1]

    Source: Zhang et al. 2017, §4, Corollary 1, and App. C.
    """

    def __init__(
        self,
        a: Tensor,
        b: Tensor,
        w: Tensor,
        *,
        depth: int,
        classes: Classes | None = None,
        report: InterpolationReport | None = None,
    ) -> None:
        super().__init__(a, b, w, classes=classes, report=report)
        check_depth(depth, len(b))
        falls = (self.b[1:] > self.b[:-1]).logical_not().nonzero()  # NaN too
        if len(falls):
            at = int(falls[0])
            raise ValueError(f"`b` must rise, got {self.b[at + 1]:g} after {self.b[at]:g}.")
        self.depth: int = depth

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of hinges in each hidden layer."""
        share, more = divmod(len(self.b), self.depth - 1)
        return tuple(share + (layer < more) for layer in range(self.depth - 1))

    @property
    def width(self) -> int:
        """Units of the widest hidden layer."""
        return max(self._widths())

    @property
    def num_weights(self) -> int:
        """Number of weights, by the formula above."""
        n, k = self._columns().shape
        d, first, last = len(self.a), self.sizes[0], self.sizes[-1]
        if self.depth == 2:
            return d + n + k * n
        into_hinges = d + first + 2 * (n - first)
        into_sums = 2 * k * (n - last) + 4 * k * (self.depth - 3)
        return into_hinges + into_sums + (self.depth - 3) + k * (last + 2)

    @property
    def weight_bound(self) -> int:
        """What the number of weights is never above: ``d + (6 K + 3) n``."""
        n, k = self._columns().shape
        return len(self.a) + (6 * k + 3) * n

    def at(self, z: Tensor) -> Tensor:
        """Return the outputs where ``<a, x>`` is z, layer by layer.

        Args:
            z: Projections, shape ``(m,)``, ``float64``.

        Returns:
            ``float64`` of shape ``(m,)`` or ``(m, K)``.
        """
        places = self._groups()[0][0]
        return self._after_first(torch.relu(z[:, None] - places), torch.relu(z - places[0]))

    layer_by_layer = at

    def plain(self, x: Tensor) -> Tensor:
        """Return what `dense` makes of points, shape ``(m, d)``, without storing its layers."""
        hidden = torch.cat(list(self._first_layer(x, self._groups()[0][0])), 1)
        return self._after_first(hidden, hidden[:, 0])

    def _after_first(self, hidden: Tensor, place: Tensor) -> Tensor:
        """Return the outputs for the first layer, shape ``(m, m_1)``, and its first unit."""
        (places, weights), *later = self._groups()
        place_of_first = places[0]
        above = below = hidden.new_zeros(())
        for next_places, next_weights in later:
            total = above - below + hidden @ weights
            above, below = torch.relu(total), torch.relu(-total)
            hidden = torch.relu(place[:, None] - (next_places - place_of_first))
            weights = next_weights
        return self._shaped(above - below + hidden @ weights)

    @torch.no_grad()
    def dense(self) -> nn.Sequential:
        """Return the network as plain layers, for points of shape ``(m, d)`` in ``float64``.

        Units of a hidden layer after the first: the place (left out of the last one), the K sums
        above zero, the K below, and the hinges. Zeros are stored, so it takes ``8 d n / (k - 1) + 8
        n**2 / (k - 1)`` bytes. The inner product is rounded, as in `Interpolant.dense`.

        Returns:
            ``Linear, ReLU, ..., Linear`` with k linear layers, the last one without a bias.
        """
        place_of_first, k = self.b[0], self._columns().shape[1]
        (places, weights), *later = self._groups()
        layers: list[nn.Module] = [linear(self.a.expand(len(places), -1), -places)]
        sums = weights.T  # what reads the sum off the units of the layer before
        for number, (places, weights) in enumerate(later, 2):
            hands_on = int(number < self.depth - 1)
            place = torch.zeros_like(sums[:1])
            place[0, 0] = 1  # the first unit: the place, or the first hinge, which is the same
            rows = [place[:hands_on], sums, -sums, place.expand(len(places), -1)]
            bias = torch.cat([places.new_zeros(hands_on + 2 * k), place_of_first - places])
            layers += [nn.ReLU(), linear(torch.cat(rows), bias)]
            both = torch.eye(k).to(sums)
            sums = torch.cat([sums.new_zeros(k, hands_on), both, -both, weights.T], 1)
        return nn.Sequential(*layers, nn.ReLU(), linear(sums, None))

    def _groups(self) -> list[tuple[Tensor, Tensor]]:
        """Return the hinges of each hidden layer, shape ``(m,)``, and their weights ``(m, K)``."""
        parts = (torch.split(t.double(), list(self.sizes)) for t in (self.b, self._columns()))
        return list(zip(*parts, strict=True))

    def _widths(self) -> list[int]:
        handed_on = 2 * self._columns().shape[1]
        later = [1 + handed_on + size for size in self.sizes[1:-1]]
        last = [handed_on + size for size in self.sizes[1:][-1:]]
        return [self.sizes[0], *later, *last]

    def extra_repr(self) -> str:
        """Return the sizes, for ``print``."""
        return f"{super().extra_repr()}, depth={self.depth}, width={self.width}"


def check_depth(depth: int, n: int) -> None:
    """Refuse a depth that leaves no hinge for some hidden layer."""
    if not 2 <= whole("depth", depth) <= n + 1:
        raise ValueError(f"`depth` must lie in 2 .. {n + 1} for {n} different points, got {depth}.")
