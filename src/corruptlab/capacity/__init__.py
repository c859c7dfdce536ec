"""Capacity: what a class of functions can fit, measured and bounded."""
