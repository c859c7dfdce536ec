"""Capacity of classes of functions: measurements, constructions, and bounds."""

from corruptlab.capacity import kernels, rademacher
from corruptlab.capacity._critical_samples import CriticalSamples, critical_sample_ratio
from corruptlab.capacity._effective_capacity import (
    EffectiveCapacity,
    EffectiveCapacityTrial,
    effective_capacity,
)
from corruptlab.capacity._memorization import Memorization, memorization
from corruptlab.capacity._shatters import Shattering, shatters
from corruptlab.capacity._stability import Stability, stability
from corruptlab.capacity.interpolation import (
    DeepInterpolant,
    Interpolant,
    InterpolationReport,
    interpolate,
)
from corruptlab.capacity.kernels import KernelFit, KernelInterpolant, MinNorm, min_norm

__all__ = [
    "CriticalSamples",
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
    "critical_sample_ratio",
    "effective_capacity",
    "interpolate",
    "kernels",
    "memorization",
    "min_norm",
    "rademacher",
    "shatters",
    "stability",
]
