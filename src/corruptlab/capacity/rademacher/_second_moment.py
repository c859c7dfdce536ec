"""The norm of a random sum between its second moment and the Khintchine-Kahane share of it."""

import math

from corruptlab.capacity.rademacher._bound import Bound


def second_moment_bounds(root: float, *, n: int, gaussian: bool) -> tuple[Bound, Bound]:
    """Bound ``(1/n) E ||sum_i w_i x_i||`` from both sides, ``root = sqrt(sum_i ||x_i||**2)``."""
    upper = Bound(
        root / n,
        n=n,
        convention="zhang",
        name="second moment",
        source="Jensen's inequality; Mohri et al. 2018, Thm 5.10",
        gaussian=gaussian,
    )
    return khintchine(root, n=n, gaussian=gaussian), upper


def khintchine(root: float, *, n: int, gaussian: bool) -> Bound:
    """Return the lower bound of `second_moment_bounds` alone."""
    # The Khintchine-Kahane inequality with its best constant (Latała and Oleszkiewicz 1994),
    # 1 / sqrt(2) for signs (equality for two equal vectors), and sqrt(2 / pi) for normal numbers
    # (equality on a line).
    constant = math.sqrt(2 / math.pi) if gaussian else math.sqrt(1 / 2)
    return Bound(
        constant * root / n,
        n=n,
        convention="zhang",
        name="Gaussian absolute moment" if gaussian else "Khintchine-Kahane",
        source="concavity of the root" if gaussian else "Latała and Oleszkiewicz 1994",
        gaussian=gaussian,
    )
