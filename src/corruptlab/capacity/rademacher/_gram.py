"""Products of a Gram matrix with random vectors, tile by tile."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from corruptlab._progress import Progress
from corruptlab.capacity.rademacher._blocks import Rows, floats
from corruptlab.capacity.rademacher._weights import Weights

KernelFunction: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Inputs ``(a, ...)`` and ``(b, ...)`` in, the matrix of their kernel values ``(a, b)`` out."""

# Edge of a tile: products run at full speed, and the few matrices of this size that a kernel
# function makes in between stay at 16 MB each in float32.
_EDGE = 2048

# Sign vectors that definiteness is judged by.
_PROBES = 64


class GramProducts(NamedTuple):
    """What an estimate needs of a Gram matrix K, for the weights W of shape ``(n, draws)``.

    Attributes:
        forms: The quadratic forms ``diag(W^T K W)``, ``float64`` of shape ``(draws,)``, >= 0.
        trace: Sum of the diagonal of K.
        n: Number of rows of K.
    """

    forms: Tensor
    trace: float
    n: int


def gram_products(
    data: Rows, function: KernelFunction | None, weights: Weights, *, progress: bool
) -> GramProducts:
    """Evaluate quadratic forms of a Gram matrix that need not exist as a whole.

    Args:
        data: The matrix ``(n, n)``, or the inputs of ``function``.
        function: The kernel, or None. Of each pair of mirror tiles it is asked for one.
        weights: The signs or normal numbers.
        progress: Whether to show progress on standard error.

    Returns:
        Quadratic forms and trace.

    Raises:
        TypeError: If ``data`` is no tensor or array of real numbers, ``function`` no function, or
            what it gives no tensor.
        ValueError: If shapes do not fit, the matrix is not finite, symmetric, and positive
            semi-definite, or sums of its entries overflow.
    """
    n = _check_shape(data, square=function is None)
    if not (function is None or callable(function)):
        raise TypeError(f"`function` must be a function of two tensors, got {function!r}.")
    entries = _entries_of_matrix(data) if function is None else _entries_of(data, function)
    w = weights.rows(0, n)  # (n, draws)
    products = torch.zeros_like(w, dtype=torch.float64)
    trace, tiles = 0.0, list(_tiles(n))
    with Progress(len(tiles), "kernel", show=progress) as line:
        for done, (rows, columns) in enumerate(tiles):
            tile, mirror = entries(rows, columns)
            _check_tile(tile, mirror, rows, columns)
            products[rows] += (tile @ w[columns].to(tile)).cpu()
            if rows == columns:
                trace += _checked_trace(tile, rows.start)
            else:
                products[columns] += (mirror @ w[rows].to(tile)).cpu()
            line.update(done + 1)
    return GramProducts(_forms(w.double(), products, trace), trace, n)


def _tiles(n: int) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns of the tiles on and above the diagonal."""
    starts = range(0, n, _EDGE)
    for top in starts:
        for left in starts[top // _EDGE :]:
            yield slice(top, min(top + _EDGE, n)), slice(left, min(left + _EDGE, n))


_Entries: TypeAlias = Callable[[slice, slice], tuple[Tensor, Tensor]]
"""Rows and columns in, that tile and its mirror image out."""


def _entries_of_matrix(gram: Rows) -> _Entries:
    return lambda rows, columns: (
        floats(gram[rows, columns], "data"),
        floats(gram[columns, rows], "data"),
    )


def _entries_of(inputs: Rows, function: KernelFunction) -> _Entries:
    def entries(rows: slice, columns: slice) -> tuple[Tensor, Tensor]:
        a, b = floats(inputs[rows], "data"), floats(inputs[columns], "data")
        tile = function(a, b)
        if not isinstance(tile, Tensor):
            raise TypeError(f"`function` must give a tensor, got {type(tile).__name__}.")
        if tile.shape != (len(a), len(b)):
            raise ValueError(
                f"`function` must give a matrix of shape {(len(a), len(b))} for so many inputs, "
                f"got {tuple(tile.shape)}."
            )
        tile = floats(tile, "function")
        # On the diagonal the tile is its own mirror image, which shows a kernel that has none.
        return tile, tile if rows == columns else tile.T

    return entries


def _check_shape(data: Rows, *, square: bool) -> int:
    if not hasattr(data, "shape"):
        raise TypeError(f"`data` must be a tensor or an array, got {type(data).__name__}.")
    shape = tuple(data.shape)
    if square and (len(shape) != 2 or shape[0] != shape[1]):
        raise ValueError(f"`data` must have shape (n, n) without a `function`, got {shape}.")
    if len(shape) < 2 or 0 in shape:
        raise ValueError(f"`data` must have shape (n, ...) with n >= 1, got {shape}.")
    return int(shape[0])


def _check_tile(tile: Tensor, mirror: Tensor, rows: slice, columns: slice) -> None:
    """Refuse entries that no Gram matrix has, and say where they are."""
    largest = float(tile.abs().max())
    if not largest < float("inf"):
        i, j = (~tile.isfinite()).nonzero()[0].tolist()
        raise ValueError(
            f"`data` must give finite kernel values, got {float(tile[i, j])} at "
            f"({rows.start + i}, {columns.start + j})."
        )
    gap = (tile - mirror.T).abs()
    if not float(gap.max()) <= 1e-4 * largest:  # the rounding of float32, and then some
        i, j = divmod(int(gap.argmax()), gap.shape[1])
        raise ValueError(
            f"`data` must give a symmetric matrix, got {float(tile[i, j]):.6g} at "
            f"({rows.start + i}, {columns.start + j}) and {float(mirror[j, i]):.6g} at its mirror."
        )


def _checked_trace(tile: Tensor, start: int) -> float:
    diagonal = tile.diagonal().double()
    if float(diagonal.min()) < 0:
        i = int(diagonal.argmin())
        raise ValueError(
            "`data` must give a positive semi-definite matrix, got "
            f"{float(diagonal[i]):.6g} at ({start + i}, {start + i})."
        )
    return float(diagonal.sum())


def _forms(w: Tensor, products: Tensor, trace: float) -> Tensor:
    forms = (w * products).sum(dim=0)
    if not bool(forms.isfinite().all()):
        raise ValueError(
            "`data` must give kernel values whose sums are finite, got w^T K w = inf for some w."
        )
    probes = w[:, :_PROBES].T @ products[:, :_PROBES]
    smallest = float(torch.linalg.eigvalsh((probes + probes.T) / 2)[0])
    # Rounding in float32 stays below this by a factor of 100 for signs: each of the n entries of a
    # product is off by about 6e-8 sqrt(n) of an entry, and so many errors of random sign are added.
    if smallest < -1e-5 * len(w) ** 0.5 * trace:
        raise ValueError(
            "`data` must give a positive semi-definite matrix, got "
            f"w^T K w = {smallest:.6g} for some w."
        )
    return forms.clamp_(min=0)
