"""Projections that come out the same, bit by bit, however many points are projected at once."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Numbers cut at a time, 2 MB: in the processor's cache, slicing is five times as fast.
_NUMBERS_AT_ONCE = 1 << 18

# Numbers that need no cutting: products of more rows are faster (measured: 1.3 to 1.6 times).
_WHOLE_NUMBERS_AT_ONCE = 1 << 20


def project(x: Tensor, directions: Tensor) -> Tensor:
    """Return ``<a, x>`` for each point and direction, shape ``(m, q)``, the same bits anywhere."""
    return Projector(directions)(x)


class Projector:
    """`project` onto the same directions again and again.

    Args:
        directions: In ``float64``, shape ``(d, q)``, on the device of the points.
    """

    # A matrix product adds in an order that depends on the number of rows, the threads, and the
    # library, and so its last bits do. Where two projections are 1e-10 apart, and a function rises
    # by 2 between them, these bits move the function by 1e-6. So points and directions are cut into
    # slices of so few bits that the sum of products of slices is exact in *any* order: d products
    # of two numbers of b bits need 2 b + log2(d) bits, and float64 holds 53. What the first two
    # slices leave is about 1e-12 of the whole (for d = 3,072) and the rounding of its products as
    # much less than that of the result, which is right to about one unit in the last place of
    # sum_i abs(a_i x_i). Ozaki, Ogita, Oishi, and Rump 2012, "Error-free transformations of matrix
    # multiplication by using fast routines of matrix multiplication and its applications".

    def __init__(self, directions: Tensor) -> None:
        self.bits = _bits(len(directions))  # of a slice
        a = _slices(directions.T.contiguous(), self.bits, dim=1)  # rows: faster products
        self._factor = a.factor
        low = a.low + a.rest
        self._high = _Rows.of(a.high, a.low, a.rest)
        self._low = _Rows.of(a.high, low)
        self._rest = _Rows.of(a.high + low * 2.0**-self.bits)
        self._points = directions.new_empty(0, len(directions))

    def __call__(self, x: Tensor) -> Tensor:
        """Return the projections of points ``(m, d)``, shape ``(m, q)``."""
        numbers = _WHOLE_NUMBERS_AT_ONCE if self.is_one_slice(x) else _NUMBERS_AT_ONCE
        rows = max(1, numbers // x.shape[1])
        return torch.cat([self._project(some).T for some in torch.split(x, rows)])

    def is_one_slice(self, x: Tensor) -> bool:
        """Return whether points of this type are integers that a slice holds."""
        return not x.is_floating_point() and 8 * x.element_size() <= self.bits

    def _in_float64(self, x: Tensor) -> Tensor:
        """Return points in memory that is used again: getting more takes longer than to convert."""
        if len(self._points) < len(x):
            self._points = self._points.new_empty(x.shape)
        return self._points[: len(x)].copy_(x)

    def _project(self, x: Tensor) -> Tensor:
        unit = 2.0**-self.bits
        if self.is_one_slice(x):
            sums, low, rest = self._high.times(self._in_float64(x))
            return (sums + (low + rest) * unit) / self._factor
        p = _slices(x.double(), self.bits, dim=1)
        sums, high_low, high_rest = self._high.times(p.high)
        low_high, low_low = self._low.times(p.low)
        (rest,) = self._rest.times(p.rest)
        rest = high_rest + rest + low_low * unit
        return (sums + ((high_low + low_high) + rest) * unit) / p.factor.T / self._factor


class _Rows(NamedTuple):
    """Slices of directions one below the other, without the rows in which nothing is left."""

    rows: Tensor
    places: Tensor  # of these rows among those of all slices
    slices: int
    directions: int

    @classmethod
    def of(cls, *slices: Tensor) -> "_Rows":
        together = torch.cat(slices)
        places = together.any(1).nonzero()[:, 0]
        return cls(together[places], places, len(slices), len(slices[0]))

    def times(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the products of each slice with points ``(m, d)``, shape ``(q, m)`` each."""
        products = x.new_zeros(self.slices * self.directions, len(x))
        products[self.places] = self.rows @ x.T
        return products.chunk(self.slices)


def rounded(directions: Tensor) -> Tensor:
    """Return directions that are one slice, so that projections take a third of the time."""
    a = _slices(directions, _bits(len(directions)), dim=0)
    return a.high / a.factor


def _bits(d: int) -> int:
    return (53 - math.ceil(math.log2(d))) // 2


class _Slices(NamedTuple):
    """Numbers as ``(high + (low + rest) * 2**-bits) / factor``: two integers, and what is left."""

    high: Tensor
    low: Tensor
    rest: Tensor
    factor: Tensor


def _slices(numbers: Tensor, bits: int, *, dim: int) -> _Slices:
    """Cut numbers that share the axis ``dim`` of a sum; every step is exact."""
    _, exponents = torch.frexp(numbers.abs().amax(dim, keepdim=True))
    factor = _power_of_two((bits - exponents.long()).clamp(-1022, 1000))
    scaled = numbers * factor  # at most 2**bits in size
    high = scaled.round()
    scaled = (scaled - high) * 2.0**bits
    low = scaled.round()
    return _Slices(high, low, scaled - low, factor)


def _power_of_two(exponents: Tensor) -> Tensor:
    # Written into the exponent's bits: not every library's `exp2` is exact at integers.
    return ((exponents + 1023) << 52).view(torch.float64)


class Projection(torch.autograd.Function):
    """`project` onto one direction, with the gradient of an inner product."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, a: Tensor) -> Tensor:
        """Return ``<a, x>``, shape ``(m,)``, for points of shape ``(m, d)``."""
        ctx.save_for_backward(x, a)
        return project(x, a[:, None])[:, 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return ``dz/dx = a`` and ``dz/da = x``, times what came down."""
        x, a = ctx.saved_tensors
        (grad,) = grads
        for_x = (grad[:, None] * a).to(x.dtype) if ctx.needs_input_grad[0] else None
        for_a = grad @ x.to(a.dtype) if ctx.needs_input_grad[1] else None
        return for_x, for_a
