"""Rademacher complexity: estimates and bounds.

`linear`, `kernel`, and `finite` estimate the complexity with an exact supremum for each draw of
signs. `network` trains networks on random signs, which estimates a lower bound. Functions named
after authors compute upper bounds.
"""

from corruptlab.capacity.rademacher._bartlett_spectral import SpectralComplexity, bartlett_spectral
from corruptlab.capacity.rademacher._bound import Bound, Convention
from corruptlab.capacity.rademacher._estimate import Estimate
from corruptlab.capacity.rademacher._finite import finite, massart, sauer
from corruptlab.capacity.rademacher._golowich import golowich_frobenius, golowich_l1_inf
from corruptlab.capacity.rademacher._kernel import kernel
from corruptlab.capacity.rademacher._linear import linear
from corruptlab.capacity.rademacher._network import TrainedEstimate, network
from corruptlab.capacity.rademacher._risk_bound import (
    RiskBound,
    gaussian_to_rademacher,
    maurer,
    risk_bound,
    talagrand,
)
from corruptlab.capacity.rademacher._spectral_norm import spectral_norm

__all__ = [
    "Bound",
    "Convention",
    "Estimate",
    "RiskBound",
    "SpectralComplexity",
    "TrainedEstimate",
    "bartlett_spectral",
    "finite",
    "gaussian_to_rademacher",
    "golowich_frobenius",
    "golowich_l1_inf",
    "kernel",
    "linear",
    "massart",
    "maurer",
    "network",
    "risk_bound",
    "sauer",
    "spectral_norm",
    "talagrand",
]
