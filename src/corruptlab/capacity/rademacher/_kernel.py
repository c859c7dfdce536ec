"""Functions in a ball of a reproducing kernel Hilbert space."""

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from torch import Tensor

from corruptlab._arrays import Rows
from corruptlab._checks import positive
from corruptlab._progress import Progress
from corruptlab.capacity.rademacher._bound import Convention, second_moment_bounds
from corruptlab.capacity.rademacher._estimate import Estimate, MonteCarlo, Weights
from corruptlab.capacity.rademacher._inputs import as_prepared, floats

KernelFunction: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Inputs ``(a, ...)`` and ``(b, ...)`` in, the matrix of their kernel values ``(a, b)`` out."""

# Edge of a tile: products run at full speed, and the few matrices of this size that a kernel
# function makes in between stay at 16 MB each in float32.
_EDGE = 2048

# Sign vectors that definiteness is judged by.
_PROBES = 64


@torch.no_grad()
def kernel(
    data: Rows,
    *,
    function: KernelFunction | None = None,
    radius: float = 1.0,
    draws: int = 100,
    seed: int = 0,
    convention: Convention = "zhang",
    gaussian: bool = False,
    confidence: float = 0.95,
    progress: bool = False,
) -> Estimate:
    """Estimate the complexity of a ball of radius B in a reproducing kernel Hilbert space.

    For a draw of signs, the supremum is exactly ``(B/n) sqrt(sigma^T K sigma)`` with the Gram
    matrix K of the sample; only the mean over draws is estimated. K is processed in tiles of 2,048
    rows and columns. With a ``function``, the whole matrix is therefore never stored, and a memory
    map of it may be larger than memory. The linear kernel gives the same value as `linear` with the
    l2 ball for each draw.

    Args:
        data: Gram matrix, shape ``(n, n)``, symmetric and positive semi-definite; or, with a
            ``function``, the inputs, shape ``(n, ...)``, where ``uint8`` is divided by 255, as a
            `Recipe` does. A tensor, an array, or a memory map.
        function: Kernel that maps tensors of ``a`` and of ``b`` inputs to the matrix of shape
            ``(a, b)``. It must be symmetric; it is not evaluated on tiles below the diagonal.
        radius: Radius B of the ball, > 0.
        draws: Number of random sign vectors, >= 2.
        seed: Seed of the signs, which depend on the seed, the draw, and the example; any integer >=
            0.
        convention: Definition of the complexity, see `Convention`; the class is symmetric, so the
            two differ by a factor of 2.
        gaussian: Whether to estimate the Gaussian complexity, with normal draws in place of signs.
        confidence: Confidence level of the intervals, in ``(0, 1)``.
        progress: Whether to show progress on standard error.

    Returns:
        The estimate, with the upper bound ``(B/n) sqrt(trace K)`` and the lower bound ``1/sqrt(2)``
        times this value (Khintchine-Kahane inequality).

    Raises:
        TypeError: If an argument or the result of the kernel has the wrong type.
        ValueError: If a shape is wrong, the matrix is not finite, symmetric, and positive
            semi-definite, or an option is out of range.

    Example:
        >>> import torch
        >>> from corruptlab.capacity import rademacher
        >>> inputs = torch.linspace(-1, 1, 50)[:, None]
        >>> def gaussian(a, b):
        ...     return torch.exp(-5 * torch.cdist(a, b) ** 2)
        >>> estimate = rademacher.kernel(inputs, function=gaussian)
        >>> estimate.upper_bound  # sqrt(50) / 50: a point has kernel value 1 with itself
        Bound(0.141421, n=50, convention='zhang'; second moment)
        >>> estimate.lower_bound.value < estimate.value < estimate.upper_bound.value
        True

    Source: Bartlett and Mendelson 2002, Lemma 22; Mohri et al. 2018, Thm 6.12.
    """
    radius = positive("radius", radius)
    plan = MonteCarlo(
        draws=draws, seed=seed, convention=convention, gaussian=gaussian, confidence=confidence
    )
    forms, trace, n = _gram_products(data, function, plan.weights, progress=progress)
    root = math.sqrt(trace)
    return plan.estimate(
        forms.sqrt() / n,
        name="functions in the kernel's ball",
        radius=radius,
        n=n,
        scale=root / n,
        bounds=second_moment_bounds(root, n=n, gaussian=gaussian),
        symmetric=True,
        device=data.device if isinstance(data, torch.Tensor) else torch.device("cpu"),
    )


def _gram_products(
    data: Rows, function: KernelFunction | None, weights: Weights, *, progress: bool
) -> tuple[Tensor, float, int]:
    """Return ``diag(W^T K W)``, the trace of K, and n, without ever holding K as a whole."""
    # Of each pair of mirror tiles `function` is asked for one.
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
    return _forms(w.double(), products, trace), trace, n


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
        a, b = as_prepared(inputs[rows], "data"), as_prepared(inputs[columns], "data")
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
    """Reject entries that no Gram matrix has; quote their position."""
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
