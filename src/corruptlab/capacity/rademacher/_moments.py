"""Sums of squares of the inputs, which every norm bound is made of."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from corruptlab.capacity.rademacher._blocks import Inputs, read_blocks


def row_norms(block: Tensor, order: Literal["l2", "linf"], *, first: int, name: str) -> Tensor:
    """Return the norm of each example, and refuse one that is not finite or has no square.

    Args:
        block: Floats of shape ``(b, d)``.
        order: The norm.
        first: Number of the first example, for errors.
        name: What the caller calls the examples, for errors.

    Returns:
        ``float64`` of shape ``(b,)``.

    Raises:
        ValueError: If the square of a norm is infinite or not a number.
    """
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
    """Return the sum of squares in each column.

    Args:
        block: Floats of shape ``(b, d)``.

    Returns:
        ``float64`` of shape ``(d,)``.
    """
    return block.square().sum(dim=0).to(torch.float64)


@dataclass(frozen=True, kw_only=True)
class InputMoments:
    """What a norm bound of a network has to know about the inputs.

    Attributes:
        n: Number of examples.
        shape: Shape of one of them.
        squares: ``sum_i ||x_i||_2**2``.
        largest_column_squares: ``max_j sum_i x_ij**2``.
    """

    n: int
    shape: tuple[int, ...]
    squares: float
    largest_column_squares: float

    @classmethod
    def of(cls, inputs: Inputs) -> "InputMoments":
        """Read all inputs once.

        Args:
            inputs: Examples, or blocks of them.

        Returns:
            The sums.

        Raises:
            TypeError: If the inputs are of another kind.
            ValueError: If there are none, or one is not finite.
        """
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
