"""Standardization of inputs by the means and standard deviations of a training set."""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corruptlab._arrays import float_type
from corruptlab._checks import check_names, check_number
from corruptlab.training._transforms import as_floats

Per: TypeAlias = Literal["channels", "features"]
"""Whether each channel or each element of an input has its own mean and deviation."""

# Examples and numbers worked on at once; whoever measures cuts examples into the same blocks, so
# that a stream gives the same bits as data in memory.
_EXAMPLES_AT_ONCE, _NUMBERS_AT_ONCE = 512, 1 << 22


@dataclass(frozen=True, kw_only=True)
class Standardization:
    """Standardization of inputs by given means and standard deviations.

    Computes ``(x - mean) / std`` for each channel (the first axis of an input) or for each element
    of an input. Bytes are divided by 255 first, so ``mean`` and ``std`` refer to values in
    ``[0, 1]``. `Recipe.with_statistics_of` computes them from data. The recipe of a report contains
    those of its training set.

    Args:
        mean: Means, one per channel, or one per element of an input in C order.
        std: Standard deviations, > 0, as many as means.
        per: ``"channels"`` or ``"features"``.
        constant: Indices of the channels or elements that are constant in the training set; their
            ``std`` is 1.

    Raises:
        TypeError: If a mean or deviation is not a number.
        ValueError: If a value is not finite, the numbers of means and deviations differ, or a
            deviation is not positive.

    Example:
        >>> import torch
        >>> from corruptlab.training import Standardization
        >>> published = Standardization(mean=(0.5, 0.25), std=(0.5, 0.25))
        >>> published(torch.tensor([[1.0, 1.0], [0.0, 0.25]]))
        tensor([[ 1.,  3.],
                [-1.,  0.]])
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    per: Per = "channels"
    constant: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.per not in get_args(Per):
            raise ValueError(f"`per` must be one of channels, features, got {self.per!r}.")
        for name in ("mean", "std"):
            object.__setattr__(self, name, _numbers(name, getattr(self, name)))
        if len(self.mean) != len(self.std):
            raise ValueError(f"`std` must hold {len(self.mean)} numbers, got {len(self.std)}.")
        if bad := [value for value in self.std if value <= 0]:
            raise ValueError(f"`std` must hold numbers above 0, got {bad[0]}.")
        object.__setattr__(self, "constant", tuple(int(at) for at in self.constant))

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return standardized inputs.

        Args:
            inputs: Shape ``(n, ...)``; bytes are divided by 255.

        Returns:
            ``float32`` of the same shape, on the same device.

        Raises:
            ValueError: If the number of channels or elements is not the number of means.
        """
        self.check(tuple(inputs.shape[1:]))
        moments = self._moments.to(inputs.device)
        if self.per == "channels":
            moments = moments.reshape(3, -1, *[1] * (inputs.ndim - 2))
        else:
            moments = moments.reshape(3, *inputs.shape[1:])
        high, low, std = moments
        standardized = torch.empty(inputs.shape, dtype=torch.float32, device=inputs.device)
        for start in range(0, len(inputs), _EXAMPLES_AT_ONCE):
            some = slice(start, start + _EXAMPLES_AT_ONCE)
            block = in_full(inputs[some])
            if block.dtype == torch.float32:  # the two parts of a mean, because float32 rounds it
                standardized[some] = ((block - high.float()) - low.float()) / std.float()
            else:
                standardized[some] = (block - (high + low)) / std
        return standardized

    def check(self, shape: Sequence[int], name: str = "inputs") -> None:
        """Check the number of channels or elements of inputs.

        Args:
            shape: Shape of one input.
            name: Name of the inputs in errors.

        Raises:
            ValueError: If the number of channels or elements is not the number of means.
        """
        if (count := _count(self.per, shape)) != len(self.mean):
            raise ValueError(
                f"`recipe.standardize` must hold {count} means, one for each of the {self.per} of "
                f"`{name}`, {tuple(shape)}, got {len(self.mean)}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a JSON-serializable dictionary."""
        return {
            "mean": list(self.mean),
            "std": list(self.std),
            "per": self.per,
            "constant": list(self.constant),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Standardization":
        """Build a standardization from a dictionary of `to_dict`.

        Args:
            values: Names and values of the fields; fields with a default are optional.

        Returns:
            The standardization.

        Raises:
            ValueError: If a name is unknown, or a field without default is missing.
        """
        check_names("values", values, [field.name for field in fields(cls)])
        for name in ("mean", "std"):
            if name not in values:
                raise ValueError(f"`values` must name {name}, got {sorted(values)}.")
        return cls(**values)

    def __repr__(self) -> str:
        count = len(self.mean)
        if count > 4:
            return f"Standardization({count} {self.per})"
        return f"Standardization(mean={self.mean}, std={self.std}, per={self.per!r})"

    @cached_property
    def _moments(self) -> Tensor:
        """Means as a sum of two numbers, the first one a float32, and deviations: ``(3, k)``."""
        mean, std = np.array(self.mean), np.array(self.std)
        high = mean.astype(np.float32).astype(np.float64)
        return torch.from_numpy(np.stack([high, mean - high, std]))

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


class Moments:
    """Mean and variance of each channel or value over blocks of examples, in ``float64``.

    Means and sums of squared deviations of blocks are merged, after Chan, Golub, and LeVeque 1983,
    of differences to the first example: what is constant has differences of exactly 0.
    """

    def __init__(self, per: Per, first: Tensor) -> None:
        self._per: Per = per
        self._origin = self._columns(first)[:, :1]
        self._count, self._mean, self._squares = 0, *np.zeros((2, len(self._origin)))

    def add(self, inputs: Tensor) -> None:
        """Take note of some examples, ``(m, ...)``."""
        columns = self._columns(inputs) - self._origin
        count, mean = columns.shape[1], columns.mean(axis=1)
        columns -= mean[:, None]
        total, shift = self._count + count, mean - self._mean
        self._mean = self._mean + shift * (count / total)
        self._squares = (
            self._squares
            + np.square(columns, out=columns).sum(axis=1)
            + shift**2 * (self._count * count / total)
        )
        self._count = total

    def result(self, total: Callable[[Tensor], Tensor]) -> Standardization:
        """Return the statistics of all processes' examples; ``total`` sums over processes."""
        sizes = total(torch.tensor([self._count], dtype=torch.float64, device="cpu"))
        count = float(sizes.cpu())
        mean = total(torch.from_numpy(self._count * self._mean)).cpu().numpy() / count
        spread = self._squares + self._count * np.square(self._mean - mean)
        squares = total(torch.from_numpy(spread)).cpu().numpy()
        constant = squares == 0
        return Standardization(
            mean=tuple((self._origin[:, 0] + mean).tolist()),
            std=tuple(np.where(constant, 1.0, np.sqrt(squares / count)).tolist()),
            per=self._per,
            constant=tuple(np.flatnonzero(constant).tolist()),
        )

    def _columns(self, inputs: Tensor) -> NDArray[np.float64]:
        """Return a row for each channel or value, ``(k, ...)``, in memory of its own."""
        values = in_full(inputs).cpu().double().numpy()
        if self._per == "channels":
            return np.array(np.moveaxis(values, 1, 0).reshape(values.shape[1], -1))
        return np.array(values.reshape(len(values), -1)).T


def in_full(inputs: Tensor) -> Tensor:
    """Return bytes / 255, and others as ``float32`` if it holds their type, else ``float64``."""
    if inputs.dtype == torch.uint8:
        return as_floats(inputs)
    return inputs.to(float_type(inputs.dtype))


def blocks(ids: range, shape: Sequence[int]) -> Iterator[range]:
    """Yield the blocks in which examples of one shape are measured."""
    size = max(1, min(_EXAMPLES_AT_ONCE, _NUMBERS_AT_ONCE // max(1, math.prod(shape))))
    for start in range(ids.start, ids.stop, size):
        yield range(start, min(start + size, ids.stop))


def warn_of_constants(found: object, shape: Sequence[int], name: str, *, stacklevel: int) -> None:
    """Name what does not vary in a training set whose inputs have a shape."""
    if not isinstance(found, Standardization) or not found.constant:
        return
    at = list(found.constant[:3])
    where = at if found.per == "channels" or len(shape) == 1 else _indices(at, shape)
    kind = found.per if len(found.constant) > 1 else found.per.removesuffix("s")
    more = ", ..." if len(found.constant) > 3 else ""
    warnings.warn(
        f"`{name}` has {len(found.constant)} constant {kind} of {len(found.mean)}, at "
        f"{', '.join(map(str, where))}{more}: shifted to 0, and not scaled.",
        stacklevel=stacklevel,
    )


def _indices(at: Sequence[int], shape: Sequence[int]) -> list[tuple[int, ...]]:
    return [tuple(map(int, np.unravel_index(place, tuple(shape)))) for place in at]


def _count(per: Per, shape: Sequence[int]) -> int:
    return shape[0] if per == "channels" and len(shape) > 0 else math.prod(shape)


def _numbers(name: str, values: object) -> tuple[float, ...]:
    """Return finite numbers as plain floats, so that equal objects print and serialize alike."""
    given = values.tolist() if isinstance(values, Tensor | np.ndarray) else values
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) == 0:
        raise TypeError(f"`{name}` must be a sequence of numbers, got {values!r}.")
    for value in given:
        check_number(name, value)
        if not math.isfinite(value):
            raise ValueError(f"`{name}` must be finite, got {value}.")
    return tuple(float(value) for value in given)
