"""Inputs of any kind, read a bounded number of examples at a time, and their sums of squares."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from corruptlab._arrays import Rows, check_dense, float_type, from_numpy

Inputs: TypeAlias = Rows | Iterable[Rows]
"""All examples in one piece, or blocks of them, one after the other, which are read once."""

# Numbers held at a time, 16 MB in float32: enough for a matrix product to run at full speed.
_NUMBERS_AT_ONCE = 1 << 22


def read_blocks(inputs: Inputs, *, beside: int = 0) -> Iterator[Tensor]:
    """Yield float blocks ``(b, ...)``; the caller holds ``beside`` more numbers per example."""
    shape: torch.Size | None = None
    for piece in _pieces(inputs):
        check_dense(piece, "inputs")
        if piece.ndim < 2:
            raise ValueError(
                "`inputs` must have shape (n, ...) with n examples of at least one axis, "
                f"got shape {tuple(piece.shape)}."
            )
        if len(piece) == 0:
            continue
        shape = torch.Size(piece.shape[1:]) if shape is None else shape
        if tuple(piece.shape[1:]) != shape:
            raise ValueError(
                f"`inputs` must hold examples of one shape, {tuple(shape)}, "
                f"got a block with {tuple(piece.shape[1:])}."
            )
        if shape.numel() == 0:
            raise ValueError(f"`inputs` must hold numbers, got examples of shape {tuple(shape)}.")
        size = rows_at_once(shape.numel() + beside)
        for start in range(0, len(piece), size):
            yield with_squares(as_prepared(piece[start : start + size], "inputs"))
    if shape is None:
        raise ValueError("`inputs` must hold at least one example, got none.")


def rows_at_once(numbers: int) -> int:
    """Return how many examples to hold at once when each takes so many numbers."""
    return max(1, _NUMBERS_AT_ONCE // numbers)


def as_prepared(inputs: Rows, name: str) -> Tensor:
    """Return inputs as `Recipe.prepare` does by default: bytes / 255, all others as they are."""
    values = floats(inputs, name)
    return values / 255 if inputs.dtype in (np.uint8, torch.uint8) else values


def floats(rows: Rows, name: str) -> Tensor:
    """Return numbers as ``float32`` if it holds every value of their type, else ``float64``."""
    if isinstance(rows, np.ndarray):
        kind, size = rows.dtype.kind, rows.dtype.itemsize
        if kind not in "biuf":
            raise TypeError(f"`{name}` must be real numbers, got {rows.dtype}.")
        if (kind == "u" and size > 1) or size > 8:  # PyTorch lacks most operations on these
            rows = rows.astype(np.float64)
        rows = from_numpy(rows)
    if rows.is_complex():
        raise TypeError(f"`{name}` must be real, got {rows.dtype}.")
    return rows.detach().to(float_type(rows.dtype))


def with_squares(block: Tensor) -> Tensor:
    """Return a block in a type in which norms, made of squares, neither overflow nor vanish."""
    least, most = block.aminmax()
    largest = float(torch.maximum(-least, most))
    return block if largest == 0 or 1e-15 < largest < 1e15 else block.double()


def _pieces(inputs: Inputs) -> Iterator[Rows]:
    if isinstance(inputs, Tensor | np.ndarray):
        yield inputs
        return
    wanted = "`inputs` must be a tensor, an array, or an iterable of blocks of them"
    if not isinstance(inputs, Iterable):
        raise TypeError(f"{wanted}, got {type(inputs).__name__}.")
    for piece in inputs:
        if not isinstance(piece, Tensor | np.ndarray):
            raise TypeError(f"{wanted}, got a block of type {type(piece).__name__}.")
        yield piece


def row_norms(block: Tensor, order: Literal["l2", "linf"], *, first: int, name: str) -> Tensor:
    """Return the norms of rows in ``float64``; ``first`` is the number of the first, for errors."""
    # Unlike the general norm, maxima of absolute values are vectorized by PyTorch on the CPU.
    norms = torch.linalg.vector_norm(block, dim=1) if order == "l2" else block.abs().amax(dim=1)
    norms = norms.to(torch.float64)
    strays = norms.square().isfinite().logical_not()
    if bool(strays.any()):
        bad = int(strays.nonzero()[0])
        raise ValueError(
            f"`{name}` must be finite and of finite squares, got example {first + bad} with norm "
            f"{float(norms[bad])}."
        )
    return norms


def column_squares(block: Tensor) -> Tensor:
    """Return the sum of squares in each column, ``float64``."""
    return block.square().sum(dim=0).to(torch.float64)


@dataclass(frozen=True, kw_only=True)
class InputMoments:
    """What a norm bound of a network has to know about the inputs."""

    n: int
    shape: tuple[int, ...]  # of one example
    squares: float  # sum_i ||x_i||_2**2
    largest_column_squares: float  # max_j sum_i x_ij**2

    @classmethod
    def of(cls, inputs: Inputs) -> "InputMoments":
        """Read all inputs once."""
        n, squares = 0, 0.0
        columns: Tensor | float = 0.0
        shape: tuple[int, ...] = ()
        for block in read_blocks(inputs):
            flat = block.flatten(1)
            squares += float(row_norms(flat, "l2", first=n, name="inputs").square().sum())
            columns = column_squares(flat) + columns
            shape = tuple(block.shape[1:])
            n += len(block)
        assert isinstance(columns, Tensor), "a reader of blocks yields one or complains"
        return cls(n=n, shape=shape, squares=squares, largest_column_squares=float(columns.max()))
