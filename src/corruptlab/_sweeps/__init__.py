"""The engine of sweeps: trials over a grid, run once each on any executor, and kept in a folder."""

from corruptlab._sweeps._grid import trials_of
from corruptlab._sweeps._ray_executor import RayExecutor
from corruptlab._sweeps._report import SweepReport, TrialFailure
from corruptlab._sweeps._running import Runner, running
from corruptlab._sweeps._store import Store
from corruptlab._sweeps._sweep import sweep
from corruptlab._sweeps._table import Table, load

__all__ = [
    "RayExecutor",
    "Runner",
    "Store",
    "SweepReport",
    "Table",
    "TrialFailure",
    "load",
    "running",
    "sweep",
    "trials_of",
]
