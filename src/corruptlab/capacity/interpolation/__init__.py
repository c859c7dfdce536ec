"""Interpolating networks in closed form: Theorem 1 and Corollary 1 of the paper."""

from corruptlab.capacity.interpolation._deep_interpolant import DeepInterpolant
from corruptlab.capacity.interpolation._interpolant import Interpolant
from corruptlab.capacity.interpolation._interpolate import interpolate
from corruptlab.capacity.interpolation._report import InterpolationReport

__all__ = ["DeepInterpolant", "Interpolant", "InterpolationReport", "interpolate"]
