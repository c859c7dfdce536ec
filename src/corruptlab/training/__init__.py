"""Training: one network, one data set, one recipe, until it interpolates."""

from corruptlab.training import recipes, stopping
from corruptlab.training._augmentation import Augmentation
from corruptlab.training._diagnosis_cause import Cause
from corruptlab.training._execution import Execution
from corruptlab.training._fit import fit
from corruptlab.training._fit_replicas import fit_replicas
from corruptlab.training._history import EpochEnd
from corruptlab.training._losses import NonFiniteLossError
from corruptlab.training._preprocess import center_crop, whiten
from corruptlab.training._recipe import Recipe
from corruptlab.training._replicas_report import ReplicasReport
from corruptlab.training._report import FitReport

__all__ = [
    "Augmentation",
    "Cause",
    "EpochEnd",
    "Execution",
    "FitReport",
    "NonFiniteLossError",
    "Recipe",
    "ReplicasReport",
    "center_crop",
    "fit",
    "fit_replicas",
    "recipes",
    "stopping",
    "whiten",
]
