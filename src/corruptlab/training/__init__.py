"""Training of one network on one data set by one recipe, until it interpolates."""

from corruptlab.training import recipes, stopping
from corruptlab.training._diagnosis import Cause
from corruptlab.training._epoch_report import EpochReport
from corruptlab.training._execution import Execution
from corruptlab.training._fit import fit
from corruptlab.training._metrics import NonFiniteLossError
from corruptlab.training._recipe import Recipe
from corruptlab.training._replicas import fit_replicas
from corruptlab.training._report import EpochEnd, FitReport, ReplicasReport
from corruptlab.training._standardization import Standardization
from corruptlab.training._transforms import Augmentation, center_crop, whiten

__all__ = [
    "Augmentation",
    "Cause",
    "EpochEnd",
    "EpochReport",
    "Execution",
    "FitReport",
    "NonFiniteLossError",
    "Recipe",
    "ReplicasReport",
    "Standardization",
    "center_crop",
    "fit",
    "fit_replicas",
    "recipes",
    "stopping",
    "whiten",
]
