"""Capacity: what a class of functions can fit, measured and bounded."""

from corruptlab.capacity import rademacher
from corruptlab.capacity.interpolation import (
    DeepInterpolant,
    Interpolant,
    InterpolationReport,
    interpolate,
)

__all__ = ["DeepInterpolant", "Interpolant", "InterpolationReport", "interpolate", "rademacher"]
