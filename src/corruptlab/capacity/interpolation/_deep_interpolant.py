"""The deeper and narrower network of Corollary 1."""

import torch
from torch import Tensor, nn

from corruptlab._checks import whole
from corruptlab.capacity.interpolation._interpolant import HingeNetwork, linear
from corruptlab.capacity.interpolation._points import Classes
from corruptlab.capacity.interpolation._report import InterpolationReport


class DeepInterpolant(HingeNetwork):
    """The function of Theorem 1 as a network of depth k and width about ``n / (k - 1)``.

    The n hinges, in increasing order of ``b``, are divided among the k - 1 hidden layers: layer j
    has ``m_j`` of them, ``n / (k - 1)`` rounded up or down. The first layer computes its hinges
    from the projection, ``max(<a, x> - b_j, 0)``. ReLU units pass on, unchanged, what later layers
    need:

    - the position ``h = max(<a, x> - b_1, 0)``. It is the first hinge and is never negative, so a
      ReLU passes it on. It determines the other hinges, since
      ``max(<a, x> - b_j, 0) = max(h - (b_j - b_1), 0)`` for every ``b_j >= b_1``;
    - the partial sum of each output, as ``s = max(s, 0) - max(-s, 0)``: two units per output.

    The number of weights is counted as in the theorem: the shared direction a counts once, biases
    are included, and weights that are zero by construction are not. For k >= 3 and K outputs:

    - d, and ``m_1`` biases, in the first layer;
    - 2 for each of the other ``n - m_1`` hinges: a weight of 1 and a bias;
    - ``2 K (n - m_{k-1})`` from the hinges before the last hidden layer to partial sums, and
      ``4 K (k - 3)`` from partial sums to partial sums;
    - ``k - 3`` to pass on the position;
    - ``K (m_{k-1} + 2)`` to the outputs.

    The sum is ``d + (2 K + 2) n - m_1 - K m_{k-1} + (4 K + 1)(k - 3) + 2 K``. Since ``k <= n + 1``,
    it is at most ``d + (6 K + 3) n``, which is O(n + d). The width is at most
    ``ceil(n / (k - 1)) + 2 K + 1``. For k = 2, the network is that of Theorem 1.

    The network is evaluated layer by layer. Its hinges are those of `Interpolant`, and their sum
    loses digits to cancellation.

    Args:
        a: Direction, shape ``(d,)``.
        b: Positions of the hinges, shape ``(n,)``, in increasing order.
        w: Weights of the hinges, shape ``(n,)`` for one output without an axis, or ``(n, K)``.
        depth: Number k of layers with weights, in ``2 .. n + 1``.
        classes: Classes of the outputs, or None if the targets are real numbers.
        report: Report of `interpolate`.

    Attributes:
        a: Direction, a parameter.
        b: Positions of the hinges, a parameter.
        w: Weights of the hinges, a parameter.
        depth: Number of layers with weights.
        report: Report of `interpolate`; None for a network that was constructed directly.

    Raises:
        TypeError: If ``depth`` is not an integer.
        ValueError: If shapes do not match, ``b`` is not increasing, or ``depth`` is out of range.

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
        """Number of units of the widest hidden layer."""
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
        """Upper bound on the number of weights: ``d + (6 K + 3) n``."""
        n, k = self._columns().shape
        return len(self.a) + (6 * k + 3) * n

    def at(self, z: Tensor) -> Tensor:
        """Return the outputs for projections ``z = <a, x>``, computed layer by layer.

        Args:
            z: Projections, shape ``(m,)``, ``float64``.

        Returns:
            ``float64`` of shape ``(m,)`` or ``(m, K)``.
        """
        places = self._groups()[0][0]
        return self._after_first(torch.relu(z[:, None] - places), torch.relu(z - places[0]))

    layer_by_layer = at

    def plain(self, x: Tensor) -> Tensor:
        """Evaluate the layers of `dense` at points of shape ``(m, d)``, without storing them."""
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
        """Return the network as standard layers, for ``float64`` points of shape ``(m, d)``.

        The units of a hidden layer after the first are, in this order: the position (except in the
        last hidden layer), the positive parts of the K sums, their negative parts, and the hinges.
        Zeros are stored, so the layers take ``8 d n / (k - 1) + 8 n**2 / (k - 1)`` bytes. The inner
        product is rounded, as in `Interpolant.dense`.

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
        """Return the sizes, for the ``repr`` of the module."""
        return f"{super().extra_repr()}, depth={self.depth}, width={self.width}"


def check_depth(depth: int, n: int) -> None:
    """Refuse a depth that leaves no hinge for some hidden layer."""
    if not 2 <= whole("depth", depth) <= n + 1:
        raise ValueError(f"`depth` must lie in 2 .. {n + 1} for {n} different points, got {depth}.")
