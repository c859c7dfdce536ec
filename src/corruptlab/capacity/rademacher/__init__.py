"""Rademacher complexity: how well the functions of a class can follow random signs.

`linear`, `kernel`, and `finite` estimate it, each draw exactly; `network` trains on random signs,
which reaches a lower bound; the upper bounds are called by their authors.
"""

from corruptlab.capacity.rademacher._bartlett_spectral import bartlett_spectral
from corruptlab.capacity.rademacher._bound import Bound
from corruptlab.capacity.rademacher._contraction import maurer, talagrand
from corruptlab.capacity.rademacher._convention import Convention
from corruptlab.capacity.rademacher._estimate import Estimate
from corruptlab.capacity.rademacher._finite import finite
from corruptlab.capacity.rademacher._gaussian import gaussian_to_rademacher
from corruptlab.capacity.rademacher._golowich_frobenius import golowich_frobenius
from corruptlab.capacity.rademacher._golowich_l1_inf import golowich_l1_inf
from corruptlab.capacity.rademacher._kernel import kernel
from corruptlab.capacity.rademacher._linear import linear
from corruptlab.capacity.rademacher._massart import massart
from corruptlab.capacity.rademacher._network import network
from corruptlab.capacity.rademacher._risk_bound import RiskBound, risk_bound
from corruptlab.capacity.rademacher._sauer import sauer
from corruptlab.capacity.rademacher._spectral_complexity import SpectralComplexity
from corruptlab.capacity.rademacher._spectral_norm import spectral_norm
from corruptlab.capacity.rademacher._trained_estimate import TrainedEstimate

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
