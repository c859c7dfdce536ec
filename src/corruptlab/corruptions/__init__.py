"""Corruptions: label noise, pixel permutations, and Gaussian inputs."""

from corruptlab.corruptions._asymmetric_labels import AsymmetricLabels
from corruptlab.corruptions._corrupt import corrupt
from corruptlab.corruptions._corrupt_labels import CorruptedLabels, corrupt_labels
from corruptlab.corruptions._corrupted import Corrupted
from corruptlab.corruptions._exchanged_labels import ExchangedLabels
from corruptlab.corruptions._gaussian_pixels import GaussianPixels
from corruptlab.corruptions._given_labels import GivenLabels, Manifest
from corruptlab.corruptions._instance_dependent_labels import InstanceDependentLabels
from corruptlab.corruptions._pair_flip_labels import PairFlipLabels
from corruptlab.corruptions._permuted_pixels import RandomPixels, ShuffledPixels
from corruptlab.corruptions._pmd_labels import PMDLabels
from corruptlab.corruptions._protocols import (
    Corruption,
    Estimated,
    InputCorruption,
    InstanceCorruption,
    LabelCorruption,
    is_input_corruption,
    is_label_corruption,
)
from corruptlab.corruptions._reader import ExampleReader, example_reader, materialize, served_labels
from corruptlab.corruptions._resampled_values import ResampledValues
from corruptlab.corruptions._specification import Specification
from corruptlab.corruptions._stream import CorruptedStream
from corruptlab.corruptions._symmetric_labels import SymmetricLabels
from corruptlab.corruptions._transition_labels import TransitionLabels
from corruptlab.corruptions._uniform_labels import RandomLabels, UniformLabels

__all__ = [
    "AsymmetricLabels",
    "Corrupted",
    "CorruptedLabels",
    "CorruptedStream",
    "Corruption",
    "Estimated",
    "ExampleReader",
    "ExchangedLabels",
    "GaussianPixels",
    "GivenLabels",
    "InputCorruption",
    "InstanceCorruption",
    "InstanceDependentLabels",
    "LabelCorruption",
    "Manifest",
    "PMDLabels",
    "PairFlipLabels",
    "RandomLabels",
    "RandomPixels",
    "ResampledValues",
    "ShuffledPixels",
    "Specification",
    "SymmetricLabels",
    "TransitionLabels",
    "UniformLabels",
    "corrupt",
    "corrupt_labels",
    "example_reader",
    "is_input_corruption",
    "is_label_corruption",
    "materialize",
    "served_labels",
]
