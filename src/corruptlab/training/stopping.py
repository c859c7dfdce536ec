"""Stopping rules by name."""

from corruptlab.training._stopping import (
    Moment,
    StoppingRule,
    budget,
    interpolated,
    patience,
    target,
)

__all__ = ["Moment", "StoppingRule", "budget", "interpolated", "patience", "target"]
