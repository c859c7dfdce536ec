"""From Gaussian to Rademacher complexity."""

import math
from dataclasses import replace

from corruptlab.capacity.rademacher._bound import Bound
from corruptlab.capacity.rademacher._estimate import Estimate


def gaussian_to_rademacher(complexity: Estimate | Bound) -> Bound:
    """Bound the Rademacher complexity by the Gaussian one: ``R <= sqrt(pi / 2) G``.

    A normal number is a sign times its size, and the mean size is ``sqrt(2 / pi)``; taking the
    mean over sizes inside the supremum makes it no larger. It holds in both conventions.

    Args:
        complexity: A Gaussian complexity: an estimate, which stands for its
            `Estimate.upper_limit`, or a bound.

    Returns:
        The bound, in the same convention.

    Raises:
        TypeError: If it is neither.
        ValueError: If it is no Gaussian complexity.

    Example:
        >>> import numpy as np
        >>> from corruptlab.capacity import rademacher
        >>> estimate = rademacher.linear(np.eye(100), gaussian=True)
        >>> rademacher.gaussian_to_rademacher(estimate.upper_bound)
        Bound(0.125331, n=100, convention='zhang'; second moment, from Gaussian)

    Source: Ledoux and Talagrand 1991, (4.8); Bartlett and Mendelson 2002, Lemma 4.
    """
    if isinstance(complexity, Estimate):
        complexity = complexity.upper_limit()
    if not isinstance(complexity, Bound):
        raise TypeError(f"`complexity` must be an Estimate or a Bound, got {complexity!r}.")
    if not complexity.gaussian:
        raise ValueError(f"`complexity` must be a Gaussian complexity, got {complexity!r}.")
    return replace(
        complexity,
        value=math.sqrt(math.pi / 2) * complexity.value,
        gaussian=False,
        name=f"{complexity.name}, from Gaussian",
        source=f"{complexity.source}; Ledoux and Talagrand 1991, (4.8)",
    )
