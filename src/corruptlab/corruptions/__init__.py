"""Corruptions: label noise, pixel permutations, and Gaussian inputs, as pure functions."""

from corruptlab.corruptions._corrupted import Corrupted, corrupt
from corruptlab.corruptions._gaussian_pixels import GaussianPixels
from corruptlab.corruptions._materialize import materialize
from corruptlab.corruptions._protocols import (
    Corruption,
    EstimatedCorruption,
    InputCorruption,
    LabelCorruption,
    is_input_corruption,
    is_label_corruption,
)
from corruptlab.corruptions._random_labels import RandomLabels
from corruptlab.corruptions._random_pixels import RandomPixels
from corruptlab.corruptions._shuffled_pixels import ShuffledPixels
from corruptlab.corruptions._uniform_labels import UniformLabels

__all__ = [
    "Corrupted",
    "Corruption",
    "EstimatedCorruption",
    "GaussianPixels",
    "InputCorruption",
    "LabelCorruption",
    "RandomLabels",
    "RandomPixels",
    "ShuffledPixels",
    "UniformLabels",
    "corrupt",
    "is_input_corruption",
    "is_label_corruption",
    "materialize",
]
