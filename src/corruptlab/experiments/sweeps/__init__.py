"""Sweeps: trials over a grid, each run once, by several processes or machines at once."""

from corruptlab.experiments.sweeps._partial_labels import partial_labels
from corruptlab.experiments.sweeps._ray_executor import RayExecutor
from corruptlab.experiments.sweeps._report import SweepReport, TrialFailure
from corruptlab.experiments.sweeps._sweep import sweep
from corruptlab.experiments.sweeps._table import Table, load

__all__ = [
    "RayExecutor",
    "SweepReport",
    "Table",
    "TrialFailure",
    "load",
    "partial_labels",
    "sweep",
]
