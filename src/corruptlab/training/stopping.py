"""Stopping rules for `fit`."""

from corruptlab.training._stopping import (
    FitProgress,
    StoppingRule,
    budget,
    checked_rules,
    interpolated,
    patience,
    target,
)

__all__ = [
    "FitProgress",
    "StoppingRule",
    "budget",
    "checked_rules",
    "interpolated",
    "patience",
    "target",
]
