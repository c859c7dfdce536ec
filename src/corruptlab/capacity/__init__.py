"""Capacity: what a class of functions can fit, measured and bounded."""

from corruptlab.capacity import kernels, rademacher
from corruptlab.capacity._effective_capacity import effective_capacity
from corruptlab.capacity._effective_capacity_result import (
    EffectiveCapacity,
    EffectiveCapacityTrial,
)
from corruptlab.capacity._memorization import memorization
from corruptlab.capacity._memorization_result import Memorization
from corruptlab.capacity._shatters import shatters
from corruptlab.capacity._shatters_result import Shattering
from corruptlab.capacity._stability import stability
from corruptlab.capacity._stability_result import Stability
from corruptlab.capacity.interpolation import (
    DeepInterpolant,
    Interpolant,
    InterpolationReport,
    interpolate,
)
from corruptlab.capacity.kernels import KernelFit, KernelInterpolant, MinNorm, min_norm

__all__ = [
    "DeepInterpolant",
    "EffectiveCapacity",
    "EffectiveCapacityTrial",
    "Interpolant",
    "InterpolationReport",
    "KernelFit",
    "KernelInterpolant",
    "Memorization",
    "MinNorm",
    "Shattering",
    "Stability",
    "effective_capacity",
    "interpolate",
    "kernels",
    "memorization",
    "min_norm",
    "rademacher",
    "shatters",
    "stability",
]
