"""Kernels: functions of two points that are inner products in some feature space."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from corruptlab._checks import at_least, not_negative, positive

# Coordinates of close pairs that are subtracted at a time: bounds the memory for them.
_VALUES_AT_ONCE = 1 << 24


class Kernel(Protocol):
    """Protocol of a kernel: a function that returns the matrix ``k(a_i, b_j)`` of two point sets.

    A kernel must be symmetric and positive semi-definite, so that every matrix ``k(a, a)`` is. The
    points are tensors of one floating-point dtype on one device; the matrix must have the same
    dtype and device.

    Example:
        >>> import torch
        >>> from corruptlab.capacity.kernels import Kernel
        >>> def cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        ...     return torch.nn.functional.normalize(a) @ torch.nn.functional.normalize(b).T
        >>> kernel: Kernel = cosine
        >>> kernel(torch.tensor([[3.0, 4.0]]), torch.tensor([[4.0, 3.0], [0.0, 1.0]]))
        tensor([[0.9600, 0.8000]])
    """

    def __call__(self, a: Tensor, b: Tensor, /) -> Tensor:
        """Return the kernel matrix, shape ``(len(a), len(b))``, which the caller may modify."""


@dataclass(frozen=True)
class GaussianKernel:
    """The kernel ``exp(-gamma ||a - b||**2)``, positive definite on distinct points.

    For a width given as a standard deviation ``s``, ``gamma = 1 / (2 s**2)``.

    Args:
        gamma: Inverse squared length scale, > 0, in the inverse squared units of the inputs.

    Raises:
        TypeError: If ``gamma`` is not a number.
        ValueError: If it is not positive and finite.

    Example:
        >>> import torch
        >>> from corruptlab.capacity.kernels import GaussianKernel
        >>> GaussianKernel(gamma=0.5)(torch.tensor([[0.0]]), torch.tensor([[0.0], [2.0]]))
        tensor([[1.0000, 0.1353]])

    Source: Zhang et al. 2017, §5, Table 3; on MNIST with pixels / 255 it is ``gamma=0.02``.
    """

    gamma: float

    def __post_init__(self) -> None:
        positive("gamma", self.gamma)

    def __call__(self, a: Tensor, b: Tensor, /) -> Tensor:
        """Return the kernel matrix of shape ``(len(a), len(b))``."""
        return _squared_distances(a, b).mul_(-self.gamma).exp_()


@dataclass(frozen=True)
class LaplaceKernel:
    """The kernel ``exp(-||a - b|| / scale)``, positive definite on distinct points.

    The norm is l2. This kernel is less smooth than the Gaussian kernel, and its matrices are better
    conditioned.

    Args:
        scale: Length scale, > 0, in units of the inputs: the distance at which the kernel is
            ``1 / e``.

    Raises:
        TypeError: If ``scale`` is not a number.
        ValueError: If it is not positive and finite.

    Example:
        >>> import torch
        >>> from corruptlab.capacity.kernels import LaplaceKernel
        >>> LaplaceKernel(scale=5.0)(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]]))
        tensor([[0.3679]])

    Source: Belkin, Ma, and Mandal 2018, "To understand deep learning we need to understand
    kernel learning", where it fits random labels as easily as a ReLU network does.
    """

    scale: float

    def __post_init__(self) -> None:
        positive("scale", self.scale)

    def __call__(self, a: Tensor, b: Tensor, /) -> Tensor:
        """Return the kernel matrix of shape ``(len(a), len(b))``."""
        return _distances(a, b).mul_(-1 / self.scale).exp_()


@dataclass(frozen=True)
class LinearKernel:
    """The kernel ``<a, b>``: the linear model; its interpolant has the weights of minimum norm.

    The rank of its matrix is at most that of the inputs. More points than dimensions therefore
    require a ridge, or `min_norm`.

    Example:
        >>> import torch
        >>> from corruptlab.capacity.kernels import LinearKernel
        >>> LinearKernel()(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]))
        tensor([[11.]])

    Source: Zhang et al. 2017, §5, ``X X^T alpha = y``.
    """

    def __call__(self, a: Tensor, b: Tensor, /) -> Tensor:
        """Return the kernel matrix of shape ``(len(a), len(b))``."""
        return a @ b.T


@dataclass(frozen=True)
class PolynomialKernel:
    """The kernel ``(gamma <a, b> + constant)**degree``.

    Args:
        degree: Degree of the polynomials, an integer >= 1.
        gamma: Factor of the inner product, > 0.
        constant: Additive constant, >= 0; with 0, only monomials of the full degree occur.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.

    Example:
        >>> import torch
        >>> from corruptlab.capacity.kernels import PolynomialKernel
        >>> PolynomialKernel(degree=2)(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]))
        tensor([[144.]])

    Source: Schölkopf and Smola 2002, "Learning with kernels", §2.1.
    """

    degree: int
    gamma: float = 1.0
    constant: float = 1.0

    def __post_init__(self) -> None:
        at_least(1, "degree", self.degree)
        positive("gamma", self.gamma)
        not_negative("constant", self.constant)

    def __call__(self, a: Tensor, b: Tensor, /) -> Tensor:
        """Return the kernel matrix of shape ``(len(a), len(b))``."""
        return (a @ b.T).mul_(self.gamma).add_(self.constant).pow_(self.degree)


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Return ``||a_i - b_j||**2 >= 0`` for every pair, the caller's to change."""
    center = b.mean(0)
    return _squared(a - center, b - center)


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """Return ``||a_i - b_j||`` for every pair, exactly 0 for equal points; the caller's."""
    # A square root blows up small errors near 0, where the terms cancel most. So pairs that are
    # close are computed once more from the differences of their coordinates.
    center = b.mean(0)
    shifted_a, shifted_b = a - center, b - center
    squared = _squared(shifted_a, shifted_b)
    # Above this share of the terms, the root's relative error is at most eps ** (3 / 4).
    share = torch.finfo(a.dtype).eps ** 0.25
    sizes = shifted_a.square().sum(1)[:, None] + shifted_b.square().sum(1)
    close = (squared <= share * sizes).nonzero()
    for some in torch.split(close, max(1, _VALUES_AT_ONCE // max(1, a.shape[1]))):
        rows, columns = some.unbind(1)
        squared[rows, columns] = (a[rows] - b[columns]).square().sum(1)  # the shift would round
    return squared.sqrt_()


def _squared(a: Tensor, b: Tensor) -> Tensor:
    """Return ``|a|**2 + |b|**2 - 2 <a, b>``."""
    # The caller has shifted the points by the mean of b, which changes no distance and keeps the
    # terms small: the error is a few roundings of |a|**2 + |b|**2 after the shift.
    lengths_a, lengths_b = (torch.linalg.vecdot(each, each) for each in (a, b))
    return (-2 * a @ b.T).add_(lengths_b).add_(lengths_a[:, None]).clamp_(min=0)
