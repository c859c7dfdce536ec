"""Figures in the manner of the paper: arrays in, a matplotlib figure out (extra ``plot``)."""

from corruptlab.plotting._loss_curves import loss_curves
from corruptlab.plotting._null_distribution import null_distribution

__all__ = ["loss_curves", "null_distribution"]
