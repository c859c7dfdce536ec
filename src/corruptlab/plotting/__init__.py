"""Figures in the manner of the paper: arrays in, a matplotlib figure out (extra ``plot``)."""

from corruptlab.plotting._loss_curves import loss_curves

__all__ = ["loss_curves"]
