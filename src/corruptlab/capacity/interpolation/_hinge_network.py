"""What networks with a direction, hinges, and weights have in common."""

from abc import ABC, abstractmethod
from typing import cast

import torch
from torch import Tensor, nn

from corruptlab.capacity.interpolation._projection import Projection
from corruptlab.capacity.interpolation._report import InterpolationReport
from corruptlab.capacity.interpolation._targets import Classes


class HingeNetwork(nn.Module, ABC):
    """A network that is a function of the projection ``<a, x>`` only, given by hinges.

    Args:
        a: Direction, shape ``(d,)``.
        b: Where the hinges are, shape ``(n,)``.
        w: Their weights, shape ``(n,)`` or ``(n, K)``.
        classes: What the outputs stand for, if they stand for classes.
        report: What `interpolate` found out.

    Raises:
        ValueError: If shapes do not fit.
    """

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
        with torch.inference_mode(False):  # a parameter has to be a normal tensor
            self.a, self.b, self.w = (
                nn.Parameter(tensor.detach().to(torch.float64, copy=True), requires_grad=False)
                for tensor in (a, b, w)
            )
        self.classes = classes
        self.report = report

    @property
    @abstractmethod
    def num_weights(self) -> int:
        """Number of weights that are not zero by construction, shared ones counted once."""

    @property
    @abstractmethod
    def weight_bound(self) -> int:
        """What the number of weights is never above."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Units of the widest hidden layer."""

    @abstractmethod
    def layer_by_layer(self, z: Tensor) -> Tensor:
        """Return the outputs where ``<a, x>`` is z, by adding up the hinges."""

    @abstractmethod
    def at(self, z: Tensor) -> Tensor:
        """Return the outputs where ``<a, x>`` is z."""

    @abstractmethod
    def dense(self) -> nn.Sequential:
        """Return the network as plain layers."""

    def project(self, x: Tensor) -> Tensor:
        """Return ``<a, x>``.

        Args:
            x: Points, shape ``(m, ...)`` with d numbers each, of any real type.

        Returns:
            ``float64`` of shape ``(m,)``.

        Raises:
            ValueError: If the points have another number of numbers.
        """
        if x.ndim < 2 or x.shape[1:].numel() != len(self.a):
            raise ValueError(
                f"`x` must have shape (m, ...) with {len(self.a)} numbers in a point, "
                f"got {tuple(x.shape)}."
            )
        return cast("Tensor", Projection.apply(x.flatten(1), self.a.double()))  # type: ignore[no-untyped-call]  # PyTorch's

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs at points.

        Args:
            x: Points, shape ``(m, ...)`` with d numbers each, of any real type.

        Returns:
            ``float64`` of shape ``(m,)`` if w has one axis, else ``(m, K)``.
        """
        return self.at(self.project(x))

    @torch.no_grad()
    def classify(self, x: Tensor) -> Tensor:
        """Return the class of each point.

        Args:
            x: Points, shape ``(m, ...)`` with d numbers each, of any real type.

        Returns:
            ``int64`` of shape ``(m,)``.

        Raises:
            ValueError: If the network was not made for class labels.
        """
        if self.classes is None:
            raise ValueError("`y` must have been class labels for points to have a class.")
        return self.classes.decode(self(x))

    def extra_repr(self) -> str:
        """Return the sizes, for ``print``."""
        k = "" if self.w.ndim == 1 else f", outputs={self.w.shape[1]}"
        return f"n={len(self.b)}, d={len(self.a)}{k}, weights={self.num_weights}"

    def _columns(self) -> Tensor:
        return self.w if self.w.ndim == 2 else self.w[:, None]

    def _shaped(self, outputs: Tensor) -> Tensor:
        return outputs if self.w.ndim == 2 else outputs[:, 0]
