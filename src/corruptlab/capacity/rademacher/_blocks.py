"""Inputs of any kind, read a bounded number of examples at a time."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Rows: TypeAlias = Tensor | NDArray[Any]
"""Examples along the first axis, shape ``(n, ...)``, of any real type; a memory map is one, too."""

Inputs: TypeAlias = Rows | Iterable[Rows]
"""All examples in one piece, or blocks of them, one after the other, which are read once."""

# Numbers held at a time, 16 MB in float32: enough for a matrix product to run at full speed.
_NUMBERS_AT_ONCE = 1 << 22

_EXACT_IN_FLOAT32 = (
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.float16,
    torch.bfloat16,
    torch.float32,
)


def read_blocks(inputs: Inputs, *, beside: int = 0, name: str = "inputs") -> Iterator[Tensor]:
    """Yield all examples as float tensors of at most a few million numbers.

    Args:
        inputs: The examples.
        beside: Further numbers that the caller holds for each example.
        name: What the caller calls them, for errors.

    Yields:
        Blocks of shape ``(b, ...)``, ``float32`` if that holds every value of the type given and
        the squares of the block, ``float64`` otherwise, on the device they came from.

    Raises:
        TypeError: If the inputs are of another kind, or complex.
        ValueError: If there is no example, an example has no numbers or is not a vector or
            larger, or blocks hold examples of different shapes.
    """
    shape: torch.Size | None = None
    for piece in _pieces(inputs, name):
        if piece.ndim < 2:
            raise ValueError(
                f"`{name}` must have shape (n, ...) with n examples of at least one axis, "
                f"got shape {tuple(piece.shape)}."
            )
        if len(piece) == 0:
            continue
        shape = torch.Size(piece.shape[1:]) if shape is None else shape
        if tuple(piece.shape[1:]) != shape:
            raise ValueError(
                f"`{name}` must hold examples of one shape, {tuple(shape)}, "
                f"got a block with {tuple(piece.shape[1:])}."
            )
        if shape.numel() == 0:
            raise ValueError(f"`{name}` must hold numbers, got examples of shape {tuple(shape)}.")
        size = rows_at_once(shape.numel() + beside)
        for start in range(0, len(piece), size):
            yield with_squares(floats(piece[start : start + size], name))
    if shape is None:
        raise ValueError(f"`{name}` must hold at least one example, got none.")


def rows_at_once(numbers: int) -> int:
    """Return how many examples to hold at once when each takes so many numbers."""
    return max(1, _NUMBERS_AT_ONCE // numbers)


def floats(rows: Rows, name: str) -> Tensor:
    """Return numbers as a float tensor that holds every value of their type.

    Args:
        rows: Numbers of any shape.
        name: What the caller calls them, for errors.

    Returns:
        ``float32`` or ``float64`` of the same shape on the same device, without gradients; the
        same memory where it can be.

    Raises:
        TypeError: If they are complex or no numbers.
    """
    tensor = rows.detach() if isinstance(rows, Tensor) else _from_numpy(rows, name)
    if tensor.is_complex():
        raise TypeError(f"`{name}` must be real, got {tensor.dtype}.")
    return tensor.to(torch.float32 if tensor.dtype in _EXACT_IN_FLOAT32 else torch.float64)


def with_squares(block: Tensor) -> Tensor:
    """Return a block in a type in which norms, made of squares, neither overflow nor vanish."""
    least, most = block.aminmax()
    largest = float(torch.maximum(-least, most))
    return block if largest == 0 or 1e-15 < largest < 1e15 else block.double()


def _pieces(inputs: Inputs, name: str) -> Iterator[Rows]:
    if isinstance(inputs, Tensor | np.ndarray):
        yield inputs
        return
    wanted = f"`{name}` must be a tensor, an array, or an iterable of blocks of them"
    if not isinstance(inputs, Iterable):
        raise TypeError(f"{wanted}, got {type(inputs).__name__}.")
    for piece in inputs:
        if not isinstance(piece, Tensor | np.ndarray):
            raise TypeError(f"{wanted}, got a block of type {type(piece).__name__}.")
        yield piece


def _from_numpy(rows: NDArray[Any], name: str) -> Tensor:
    if rows.dtype.kind not in "biuf":
        raise TypeError(f"`{name}` must be real numbers, got {rows.dtype}.")
    kind, size = rows.dtype.kind, rows.dtype.itemsize
    if (kind == "u" and size > 1) or size > 8:  # PyTorch lacks these, or most of what to do on them
        rows = rows.astype(np.float64)
    elif not (rows.flags.writeable and rows.flags.c_contiguous and rows.dtype.isnative):
        # PyTorch warns of memory that must not be written to, and takes no foreign byte order.
        rows = np.array(rows, rows.dtype.newbyteorder("="), order="C")
    return torch.from_numpy(rows)
