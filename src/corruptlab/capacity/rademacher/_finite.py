"""Finitely many functions, given by their values on the sample."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from corruptlab._arrays import Rows
from corruptlab.capacity.rademacher._bound import Convention
from corruptlab.capacity.rademacher._estimate import Estimate
from corruptlab.capacity.rademacher._inputs import (
    column_squares,
    floats,
    row_norms,
    rows_at_once,
    with_squares,
)
from corruptlab.capacity.rademacher._massart import massart
from corruptlab.capacity.rademacher._monte_carlo import MonteCarlo, SignedSums
from corruptlab.capacity.rademacher._second_moment import khintchine


@torch.no_grad()
def finite(
    predictions: Rows,
    *,
    draws: int = 100,
    seed: int = 0,
    convention: Convention = "zhang",
    gaussian: bool = False,
    confidence: float = 0.95,
) -> Estimate:
    """Estimate the complexity of finitely many functions from their values on the sample.

    For one draw of signs the supremum is ``max_v <sigma, v> / n`` over the m rows v. Such a class
    is not symmetric in general, so the two conventions differ by more than a factor: a single
    function has complexity 0 in the paper's, and ``(2/n) E abs(<sigma, v>)`` in that of Bartlett
    and Mendelson. Repeated rows change nothing but the bound of Massart.

    Args:
        predictions: Tensor, array, or memory map of shape ``(m, n)``: the values of function k on
            the examples are row k. It is read once, a block of columns at a time.
        draws: Number of random sign vectors, >= 2.
        seed: Decides the signs, with the number of the draw and of the example; any integer >= 0.
        convention: Which definition.
        gaussian: Whether to estimate the Gaussian complexity, normal numbers in place of signs.
        confidence: Level of the intervals, in ``(0, 1)``.

    Returns:
        The estimate. Upper bound: Massart's lemma, over the rows and, if the convention takes the
        absolute value, their negatives. Lower bound: Khintchine's inequality for half the
        difference of the first row and the row farthest from it, which is what the larger of two
        has as its mean; with the absolute value, for the longest row.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If there is no function or no example, a value is not finite, or an option is
            out of range.

    Example:
        >>> import numpy as np
        >>> from corruptlab.capacity import rademacher
        >>> rademacher.finite(np.array([[1.0, 1.0], [-1.0, -1.0]]), draws=1000).value  # exactly 1/2
        0.501

    Source: Massart 2000, Lemma 5.2; Mohri et al. 2018, Def. 3.1 and Thm 3.7.
    """
    plan = MonteCarlo(
        draws=draws, seed=seed, convention=convention, gaussian=gaussian, confidence=confidence
    )
    absolute = convention == "bartlett_mendelson"
    sums, peaks = SignedSums(plan.weights), 0.0
    lengths = gaps = torch.zeros(1, dtype=torch.float64)
    for block in _columns(predictions, beside=plan.draws):  # (b, m): a row an example
        largest = row_norms(block, "linf", first=sums.n, name="predictions")
        peaks += float(largest.square().sum())
        lengths = lengths.to(block.device) + column_squares(block)
        gaps = gaps.to(block.device) + column_squares(block - block[:, :1])
        sums.add(block)
    n, m = sums.n, len(lengths)
    longest, gap = (math.sqrt(float(squares.max())) for squares in (lengths, gaps))
    upper = massart(longest, size=2 * m if absolute else m, n=n)
    lower = khintchine(longest if absolute else gap / 2, n=n, gaussian=gaussian)
    return plan.estimate(
        (sums.sums.abs() if absolute else sums.sums).amax(dim=1) / n,
        name=f"{m} function{'s' if m > 1 else ''}",
        n=n,
        scale=(longest if gaussian else math.sqrt(peaks)) / n,
        bounds=(lower, upper),
        symmetric=False,
        device=sums.sums.device,
    )


def _columns(predictions: Rows, *, beside: int) -> Iterator[Tensor]:
    """Yield the values of all functions on the next examples, ``(b, m)``."""
    shape = tuple(getattr(predictions, "shape", ()))
    if not hasattr(predictions, "shape"):
        raise TypeError(
            f"`predictions` must be a tensor or an array, got {type(predictions).__name__}."
        )
    if len(shape) != 2 or 0 in shape:
        raise ValueError(
            "`predictions` must have shape (m, n) with at least one function and one example, "
            f"got shape {shape}."
        )
    size = rows_at_once(shape[0] + beside)
    for start in range(0, shape[1], size):
        yield with_squares(floats(predictions[:, start : start + size], "predictions")).T
