"""Exact kernel interpolation without regularization, for the full training set."""

from corruptlab.capacity.kernels._cholesky import NotPositiveDefiniteError
from corruptlab.capacity.kernels._features import gabor_features, random_conv_features
from corruptlab.capacity.kernels._interpolant import KernelInterpolant
from corruptlab.capacity.kernels._kernel_fit import Estimate, KernelFit
from corruptlab.capacity.kernels._kernels import (
    GaussianKernel,
    Kernel,
    LaplaceKernel,
    LinearKernel,
    PolynomialKernel,
)
from corruptlab.capacity.kernels._min_norm import MinNorm, min_norm

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
