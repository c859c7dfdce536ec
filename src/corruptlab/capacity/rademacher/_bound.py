"""A bound on a complexity, with the definition of the complexity that it uses."""

import math
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from corruptlab._checks import at_least, check_choice, not_negative
from corruptlab._reports import Report

Convention: TypeAlias = Literal["zhang", "bartlett_mendelson"]
"""Definition of the complexity of a class F of functions on the points x_1 .. x_n.

``"zhang"``: E sup_f (1/n) sum_i sigma_i f(x_i), as in Zhang et al. 2017, §2.2, and Mohri et al.
2018. ``"bartlett_mendelson"``: E sup_f abs((2/n) sum_i sigma_i f(x_i)), as in Bartlett and
Mendelson 2002.
"""


@dataclass(frozen=True)
class Bound(Report, kind="bound"):
    """Bound on a Rademacher or Gaussian complexity, with its convention and source.

    Construct a ``Bound`` directly to use a bound from another source.

    Args:
        value: Value of the bound, >= 0.
        n: Number of examples, >= 1.
        convention: Definition of the complexity, see `Convention`.
        name: Name of the bound.
        source: Reference for the bound.
        gaussian: Whether it bounds the Gaussian complexity instead of the Rademacher complexity.
        confidence: Probability, in ``(0, 1]``, with which the bound holds over the random draws it
            is based on; 1.0 for a closed form.

    Raises:
        TypeError: If ``value`` or ``confidence`` is not a number, or ``n`` is not an integer.
        ValueError: If ``value`` is negative or not finite, ``n`` is below 1, ``convention`` is
            unknown, or ``confidence`` is outside ``(0, 1]``.

    Example:
        >>> from corruptlab.capacity import rademacher
        >>> rademacher.Bound(0.25, n=100, convention="bartlett_mendelson")
        Bound(0.25, n=100, convention='bartlett_mendelson'; given)
    """

    value: float
    n: int = field(kw_only=True)
    convention: Convention = field(kw_only=True)
    name: str = field(default="given", kw_only=True)
    source: str = field(default="the caller", kw_only=True)
    gaussian: bool = field(default=False, kw_only=True)
    confidence: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", not_negative("value", self.value))
        object.__setattr__(self, "n", at_least(1, "n", self.n))
        check_convention(self.convention)
        confidence = not_negative("confidence", self.confidence)
        if not 0 < confidence <= 1:
            raise ValueError(f"`confidence` must lie in (0, 1], got {self.confidence}.")

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        gaussian = ", gaussian" if self.gaussian else ""
        random = "" if self.confidence == 1 else f", confidence={self.confidence:.6g}"
        return (
            f"Bound({self.value:.6g}, n={self.n}, convention={self.convention!r}{gaussian}{random};"
            f" {self.name})"
        )


def check_convention(value: object) -> None:
    """Reject an unknown definition."""
    check_choice("convention", value, get_args(Convention))


def factor(convention: Convention) -> float:
    """Return the factor of ``sum_i / n`` in a definition."""
    return 2.0 if convention == "bartlett_mendelson" else 1.0


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
