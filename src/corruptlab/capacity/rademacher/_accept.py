"""What a theorem takes for the complexity of a class, in the paper's convention."""

from dataclasses import replace

from corruptlab.capacity.rademacher._bound import Bound
from corruptlab.capacity.rademacher._convention import factor
from corruptlab.capacity.rademacher._estimate import Estimate


def rademacher_bound(complexity: Estimate | Bound, *, confidence: float | None = None) -> Bound:
    """Return an upper bound on a Rademacher complexity in the convention ``"zhang"``.

    From Bartlett and Mendelson's convention half the number is always a bound, because the supremum
    is not above that of the absolute value.

    Args:
        complexity: An estimate, which stands for its `Estimate.upper_limit`, or a bound.
        confidence: Level of that limit; None for the estimate's own.

    Returns:
        The bound; its ``confidence`` says how sure it is.

    Raises:
        TypeError: If it is neither, for instance a plain number, which has no convention.
        ValueError: If it is a Gaussian complexity.
    """
    if isinstance(complexity, Estimate):
        complexity = complexity.upper_limit(confidence)
    if not isinstance(complexity, Bound):
        raise TypeError(
            "`complexity` must be an Estimate or a Bound, which know their convention, got "
            f"{complexity!r}; make a number one: Bound(number, n=..., convention=...)."
        )
    if complexity.gaussian:
        raise ValueError(
            f"`complexity` must be a Rademacher complexity, got the Gaussian {complexity!r}; "
            "see `gaussian_to_rademacher`."
        )
    halved = complexity.value / factor(complexity.convention)
    return replace(complexity, value=halved, convention="zhang")
