"""Training: one network, one data set, one recipe, until it interpolates."""

from corruptlab.training import recipes
from corruptlab.training._fit import fit
from corruptlab.training._losses import NonFiniteLossError
from corruptlab.training._preprocess import center_crop, whiten
from corruptlab.training._recipe import Recipe
from corruptlab.training._report import FitReport, StoppedBy

__all__ = [
    "FitReport",
    "NonFiniteLossError",
    "Recipe",
    "StoppedBy",
    "center_crop",
    "fit",
    "recipes",
    "whiten",
]
