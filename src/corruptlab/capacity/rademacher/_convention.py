"""The two definitions of empirical Rademacher complexity that papers use."""

from typing import Literal, TypeAlias, get_args

from corruptlab._checks import check_choice

Convention: TypeAlias = Literal["zhang", "bartlett_mendelson"]
"""Which definition a number follows, for a class F of functions on the points x_1 .. x_n.

``"zhang"``: E sup_f (1/n) sum_i sigma_i f(x_i), as in Zhang et al. 2017, §2.2, and Mohri et al.
2018. ``"bartlett_mendelson"``: E sup_f abs((2/n) sum_i sigma_i f(x_i)), as in Bartlett and
Mendelson 2002.
"""


def check_convention(value: object) -> None:
    """Refuse a definition that is not known here."""
    check_choice("convention", value, get_args(Convention))


def factor(convention: Convention) -> float:
    """Return what the sum is divided by n and multiplied with."""
    return 2.0 if convention == "bartlett_mendelson" else 1.0
