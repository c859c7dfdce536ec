"""Sweeps: parallel and distributed trials over a grid of settings."""

from corruptlab._sweeps import RayExecutor, SweepReport, Table, TrialFailure, load, sweep
from corruptlab.experiments.sweeps._partial_labels import partial_labels

__all__ = [
    "RayExecutor",
    "SweepReport",
    "Table",
    "TrialFailure",
    "load",
    "partial_labels",
    "sweep",
]
