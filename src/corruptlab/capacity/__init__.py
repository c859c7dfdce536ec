"""Capacity: what a class of functions can fit, measured and bounded."""

from corruptlab.capacity import kernels, rademacher
from corruptlab.capacity.interpolation import (
    DeepInterpolant,
    Interpolant,
    InterpolationReport,
    interpolate,
)
from corruptlab.capacity.kernels import KernelFit, KernelInterpolant, MinNorm, min_norm

__all__ = [
    "DeepInterpolant",
    "Interpolant",
    "InterpolationReport",
    "KernelFit",
    "KernelInterpolant",
    "MinNorm",
    "interpolate",
    "kernels",
    "min_norm",
    "rademacher",
]
