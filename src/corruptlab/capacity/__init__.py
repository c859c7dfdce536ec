"""Capacity: what a class of functions can fit, measured and bounded."""

from corruptlab.capacity import rademacher

__all__ = ["rademacher"]
