"""Finitely many functions: the lemmas of Massart and Sauer, and the estimate from their values."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from corruptlab._arrays import Rows
from corruptlab._checks import at_least, not_negative
from corruptlab.capacity.rademacher import _inputs
from corruptlab.capacity.rademacher._bound import Bound, Convention, khintchine
from corruptlab.capacity.rademacher._estimate import Estimate, MonteCarlo, SignedSums


def massart(norm: float, *, size: int, n: int) -> Bound:
    """Bound the complexity of a finite class: ``norm * sqrt(2 log(size)) / n``.

    Functions with equal values on the sample count once: ``size`` is the number of distinct vectors
    of values in R^n, and ``norm`` their largest norm. Note that with an absolute value around the
    sum (``"bartlett_mendelson"``), the negatives count as well. This doubles ``size``, in addition
    to the factor of 2 between the conventions.

    Args:
        norm: Largest Euclidean norm of a vector of values, >= 0.
        size: Number of vectors, >= 1.
        n: Number of examples, >= 1.

    Returns:
        The bound, in the convention ``"zhang"``.

    Raises:
        TypeError: If ``norm`` is not a number, or ``size`` or ``n`` is not an integer.
        ValueError: If ``norm`` is negative or not finite, or ``size`` or ``n`` is below 1.

    Example:
        >>> from corruptlab.capacity import rademacher
        >>> rademacher.massart(norm=10.0, size=100, n=100)  # 100 classifiers on 100 examples
        Bound(0.303485, n=100, convention='zhang'; Massart)

    Source: Massart 2000, Lemma 5.2; Mohri et al. 2018, Thm 3.7.
    """
    norm, size, n = not_negative("norm", norm), at_least(1, "size", size), at_least(1, "n", n)
    return Bound(
        norm * math.sqrt(2 * math.log(size)) / n,
        n=n,
        convention="zhang",
        name="Massart",
        source="Massart 2000, Lemma 5.2; Mohri et al. 2018, Thm 3.7",
    )


def sauer(vc_dimension: int, *, n: int) -> Bound:
    """Bound the complexity of classifiers by their VC dimension d: ``sqrt(2 d log(e n / d) / n)``.

    By Sauer's lemma, functions with values in {-1, +1} have at most ``(e n / d)**d`` distinct
    vectors of values on n >= d examples, each of norm ``sqrt(n)``; `massart` gives the bound. The
    bound exceeds 1, the largest possible complexity, if n is below about 5.4 d.

    Args:
        vc_dimension: VC dimension, >= 1.
        n: Number of examples, at least ``vc_dimension``.

    Returns:
        The bound, in the convention ``"zhang"``.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If ``vc_dimension`` is below 1 or above ``n``.

    Example:
        >>> from corruptlab.capacity import rademacher
        >>> rademacher.sauer(785, n=60_000)  # half-spaces of 28x28 pixels
        Bound(0.373679, n=60000, convention='zhang'; Sauer)

    Source: Sauer 1972; Mohri et al. 2018, Cor. 3.8 and 3.18.
    """
    d = at_least(1, "vc_dimension", vc_dimension)
    n = at_least(1, "n", n)
    if n < d:
        raise ValueError(f"`n` must be at least the VC dimension {d} for Sauer's lemma, got {n}.")
    return Bound(
        math.sqrt(2 * d * math.log(math.e * n / d) / n),
        n=n,
        convention="zhang",
        name="Sauer",
        source="Sauer 1972; Mohri et al. 2018, Cor. 3.8 and 3.18",
    )


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
    """Estimate the complexity of a finite class from its values on the sample.

    For a draw of signs, the supremum is ``max_v <sigma, v> / n`` over the m rows v. In general,
    such a class is not symmetric, and the two conventions differ by more than a factor of 2: a
    single function has complexity 0 in the convention of the paper and ``(2/n) E abs(<sigma, v>)``
    in that of Bartlett and Mendelson. Repeated rows affect only Massart's bound.

    Args:
        predictions: Tensor, array, or memory map of shape ``(m, n)``: row k contains the values of
            function k on the examples. It is read once, in blocks of columns.
        draws: Number of random sign vectors, >= 2.
        seed: Seed of the signs, which depend on the seed, the draw, and the example; any integer >=
            0.
        convention: Definition of the complexity, see `Convention`.
        gaussian: Whether to estimate the Gaussian complexity, with normal draws in place of signs.
        confidence: Confidence level of the intervals, in ``(0, 1)``.

    Returns:
        The estimate. Its upper bound is Massart's lemma for the rows and, if the convention takes
        the absolute value, their negatives. Its lower bound is Khintchine's inequality for half the
        difference of the first row u and the row v farthest from it, because
        ``E max(<sigma, u>, <sigma, v>) = E abs(<sigma, u - v>) / 2``; with the absolute value, it
        is the inequality for the row of largest norm.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If there are no functions or no examples, a value is not finite, or an option is
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
        largest = _inputs.row_norms(block, "linf", first=sums.n, name="predictions")
        peaks += float(largest.square().sum())
        lengths = lengths.to(block.device) + _inputs.column_squares(block)
        gaps = gaps.to(block.device) + _inputs.column_squares(block - block[:, :1])
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
    size = _inputs.rows_at_once(shape[0] + beside)
    for start in range(0, shape[1], size):
        yield _inputs.with_squares(
            _inputs.floats(predictions[:, start : start + size], "predictions")
        ).T
