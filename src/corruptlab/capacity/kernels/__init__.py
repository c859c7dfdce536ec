"""Kernel interpolation without regularization: exact, at full size, on one machine."""

from corruptlab.capacity.kernels._estimate import Estimate
from corruptlab.capacity.kernels._gabor_features import gabor_features
from corruptlab.capacity.kernels._kernel_fit import KernelFit
from corruptlab.capacity.kernels._kernel_interpolant import KernelInterpolant
from corruptlab.capacity.kernels._kernels import (
    GaussianKernel,
    Kernel,
    LaplaceKernel,
    LinearKernel,
    PolynomialKernel,
)
from corruptlab.capacity.kernels._min_norm import MinNorm, min_norm
from corruptlab.capacity.kernels._not_positive_definite import NotPositiveDefiniteError
from corruptlab.capacity.kernels._random_conv_features import random_conv_features

__all__ = [
    "Estimate",
    "GaussianKernel",
    "Kernel",
    "KernelFit",
    "KernelInterpolant",
    "LaplaceKernel",
    "LinearKernel",
    "MinNorm",
    "NotPositiveDefiniteError",
    "PolynomialKernel",
    "gabor_features",
    "min_norm",
    "random_conv_features",
]
