"""The two-layer network of Theorem 1, and what it has in common with the deep one."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from corruptlab._arrays import Rows
from corruptlab.capacity.interpolation._hinges import HingeSum, Pieces
from corruptlab.capacity.interpolation._points import Classes, array_of, tensor_of
from corruptlab.capacity.interpolation._projection import Projection
from corruptlab.capacity.interpolation._report import InterpolationReport

# Weights of the first layer that are held at a time while it is evaluated.
_NUMBERS_AT_ONCE = 1 << 21


class HingeNetwork(nn.Module, ABC):
    """A network of hinges that depends on its input only through the projection ``<a, x>``."""

    def __init__(
        self,
        a: Tensor,
        b: Tensor,
        w: Tensor,
        *,
        classes: Classes | None,
        report: InterpolationReport | None,
    ) -> None:
        super().__init__()
        for name, tensor in (("a", a), ("b", b)):
            if tensor.ndim != 1 or len(tensor) == 0:
                raise ValueError(
                    f"`{name}` must be one-dimensional and not empty, got {tuple(tensor.shape)}."
                )
        if w.ndim not in (1, 2) or len(w) != len(b) or 0 in w.shape:
            raise ValueError(
                f"`w` must have shape ({len(b)},) or ({len(b)}, K), got {tuple(w.shape)}."
            )
        self.a: nn.Parameter
        self.b: nn.Parameter
        self.w: nn.Parameter
        with torch.inference_mode(False):  # a parameter has to be a normal tensor
            self.a, self.b, self.w = (
                nn.Parameter(tensor.detach().to(torch.float64, copy=True), requires_grad=False)
                for tensor in (a, b, w)
            )
        self.classes: Classes | None = classes
        self.report: InterpolationReport | None = report

    @property
    @abstractmethod
    def num_weights(self) -> int:
        """Number of weights that are not zero by construction, shared ones counted once."""

    @property
    @abstractmethod
    def weight_bound(self) -> int:
        """Upper bound on the number of weights."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Number of units of the widest hidden layer."""

    @abstractmethod
    def layer_by_layer(self, z: Tensor) -> Tensor:
        """Return the outputs for projections ``z = <a, x>``, as a sum over all hinges."""

    @abstractmethod
    def plain(self, x: Tensor) -> Tensor:
        """Evaluate the layers of `dense` at points of shape ``(m, d)``, without storing them."""

    @abstractmethod
    def at(self, z: Tensor) -> Tensor:
        """Return the outputs for projections ``z = <a, x>``."""

    @abstractmethod
    def dense(self) -> nn.Sequential:
        """Return the network as standard layers."""

    def project(self, x: Rows) -> Tensor:
        """Return the projections ``<a, x>``.

        Args:
            x: Points, shape ``(m, ...)`` with d values each, of any real dtype; a tensor on the
                device of the network, or a NumPy array.

        Returns:
            ``float64`` of shape ``(m,)``.

        Raises:
            TypeError: If the points are not real numbers.
            ValueError: If the points do not have d values each.
        """
        if not isinstance(x, Tensor):
            x = tensor_of(array_of("x", x)).to(self.a.device)
        if x.ndim < 2 or x.shape[1:].numel() != len(self.a):
            raise ValueError(
                f"`x` must have shape (m, ...) with {len(self.a)} numbers in a point, "
                f"got {tuple(x.shape)}."
            )
        return cast("Tensor", Projection.apply(x.flatten(1), self.a.double()))  # type: ignore[no-untyped-call]  # PyTorch's

    def forward(self, x: Rows) -> Tensor:
        """Return the outputs for a batch of points.

        Args:
            x: Points, shape ``(m, ...)`` with d values each, of any real dtype; a tensor or a NumPy
                array.

        Returns:
            ``float64`` of shape ``(m,)`` if ``w`` has one axis, else ``(m, K)``.
        """
        return self.at(self.project(x))

    @torch.no_grad()
    def classify(self, x: Rows) -> Tensor:
        """Return the class of each point.

        Args:
            x: Points, shape ``(m, ...)`` with d values each, of any real dtype; a tensor or a NumPy
                array.

        Returns:
            ``int64`` of shape ``(m,)``.

        Raises:
            ValueError: If the targets of the network were not class labels.
        """
        if self.classes is None:
            raise ValueError("`y` must have been class labels for points to have a class.")
        return self.classes.decode(self(x))

    def extra_repr(self) -> str:
        """Return the sizes, for the ``repr`` of the module."""
        k = "" if self.w.ndim == 1 else f", outputs={self.w.shape[1]}"
        return f"n={len(self.b)}, d={len(self.a)}{k}, weights={self.num_weights}"

    def _first_layer(self, x: Tensor, places: Tensor) -> Iterator[Tensor]:
        """Yield the units of the first layer of `dense`, a bounded number at a time."""
        size = max(64, _NUMBERS_AT_ONCE // len(self.a))
        weight = self.a.double().expand(min(size, len(places)), -1).contiguous()
        for some in torch.split(places, size):
            yield torch.relu(nn.functional.linear(x, weight[: len(some)], -some))

    def _columns(self) -> Tensor:
        return self.w if self.w.ndim == 2 else self.w[:, None]

    def _shaped(self, outputs: Tensor) -> Tensor:
        return outputs if self.w.ndim == 2 else outputs[:, 0]


class Interpolant(HingeNetwork):
    """The network ``c(x) = sum_j w_j max(<a, x> - b_j, 0)``, evaluated in O(d + log n) per point.

    As a function of the projection ``<a, x>`` it is piecewise linear, with a change of slope of w_j
    at b_j. An evaluation therefore takes one inner product, one binary search, and one
    multiplication, and is accurate to nearly full ``float64`` precision, whereas a sum of n hinges
    loses digits to cancellation. The pieces are recomputed when the weights change, by training or
    loading. `dense` returns the network as standard layers.

    All computations are in ``float64``, whatever the dtype of the points. Inner products are
    reproducible: the result for a point does not depend on its batch. The network is differentiable
    once with respect to x, and with respect to its weights after ``requires_grad_()``. The weights
    are computed, not trained, so they do not require gradients by default.

    Args:
        a: Direction, shape ``(d,)``.
        b: Positions of the hinges, shape ``(n,)``, in any order.
        w: Weights of the hinges, shape ``(n,)`` for one output without an axis, or ``(n, K)``.
        classes: Classes of the outputs, or None if the targets are real numbers.
        report: Report of `interpolate`.

    Attributes:
        a: Direction, a parameter; a, b, and w have ``2n + d`` entries in total for one output.
        b: Positions of the hinges, a parameter.
        w: Weights of the hinges, a parameter.
        report: Report of `interpolate`; None for a network that was constructed directly.

    Raises:
        ValueError: If shapes do not match.

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
        """Number of weights in the theorem: ``n + d + n K``, 2n + d for one output."""
        return self.num_weights

    @property
    def width(self) -> int:
        """Number of hidden units, n."""
        return len(self.b)

    def at(self, z: Tensor) -> Tensor:
        """Return the outputs for projections ``z = <a, x>``.

        Args:
            z: Projections, shape ``(m,)``, ``float64``.

        Returns:
            ``float64`` of shape ``(m,)`` or ``(m, K)``.
        """
        outputs = HingeSum.apply(z, self.b, self._columns(), self._current_pieces())  # type: ignore[no-untyped-call]  # PyTorch's
        return self._shaped(cast("Tensor", outputs))

    def layer_by_layer(self, z: Tensor) -> Tensor:
        """Return the outputs of `at`, computed as a sum over all hinges.

        This takes O(n) per point and has the rounding errors of the sum.

        Args:
            z: Projections, shape ``(m,)``, ``float64``.

        Returns:
            ``float64`` of shape ``(m,)`` or ``(m, K)``.
        """
        return self._shaped(torch.relu(z[:, None] - self.b) @ self._columns())

    def plain(self, x: Tensor) -> Tensor:
        """Evaluate the layers of `dense` at points of shape ``(m, d)``, without storing them."""
        outputs, first = torch.zeros(len(x), self._columns().shape[1]).to(self.b), 0
        for units in self._first_layer(x, self.b.double()):
            outputs = outputs + units @ self._columns()[first : first + units.shape[1]]
            first += units.shape[1]
        return self._shaped(outputs)

    def dense(self) -> nn.Sequential:
        """Return the network as standard layers, for ``float64`` points of shape ``(m, d)``.

        Use this form to export or trace the network (``torch.export``, ONNX, ``torch.jit``); the
        binary search of the network itself cannot be exported.

        The first layer contains n copies of the direction, so the layers take ``8 n (d + K)``
        bytes. They lose digits in two ways, see ``report.dense_residual``: the sum of the hinges
        cancels, and the inner product has a rounding error of about ``2**-53 sum_i abs(a_i x_i)``
        before the position of a hinge is subtracted. Their accuracy is therefore poor for points
        whose spread is small compared with their distance from zero.

        Returns:
            ``Linear(d, n), ReLU(), Linear(n, K)``, the last layer without a bias.

        Example:
            >>> import torch
            >>> from corruptlab.capacity import Interpolant
            >>> hinges, weights = torch.tensor([0.0, 1.0]), torch.tensor([1.0, -2.0])
            >>> dense = Interpolant(torch.ones(1), hinges, weights).dense()
            >>> points = torch.tensor([[-1.0], [0.5], [2.0]], dtype=torch.float64)
            >>> program = torch.export.export(dense, (points,))
            >>> program.module()(points).flatten().tolist()
            [0.0, 0.5, 0.0]
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
    """Pieces, and the state of the hinges that they were found from."""

    state: tuple[Any, ...]
    hinges: tuple[Tensor, Tensor]  # held, so that no other tensor can come to lie at their address
    pieces: Pieces


@torch.no_grad()
def linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """Return a ``float64`` layer that holds copies of a weight, maybe expanded, and a bias."""
    outputs, inputs = weight.shape
    # On the meta device the constructor has nothing to fill, so it draws nothing.
    layer = nn.Linear(inputs, outputs, bias is not None, device="meta", dtype=torch.float64)
    layer = layer.to_empty(device=weight.device)
    layer.weight.copy_(weight)
    if bias is not None:
        layer.bias.copy_(bias)
    return layer
