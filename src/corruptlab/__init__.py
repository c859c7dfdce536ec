"""corruptlab: randomization tests for learning machines.

Corrupt a data set in a known way, train an unchanged network on it, and learn what the
network's capacity and the data's signal really are.

Source: Zhang, Bengio, Hardt, Recht, Vinyals 2017, "Understanding deep learning requires
rethinking generalization", ICLR, arXiv 1611.03530.
"""

from corruptlab import datasets
from corruptlab._draws import Draws
from corruptlab._version import __version__
from corruptlab.corruptions import (
    AsymmetricLabels,
    Corrupted,
    ExchangedLabels,
    GaussianPixels,
    GivenLabels,
    InstanceDependentLabels,
    PairFlipLabels,
    PMDLabels,
    RandomLabels,
    RandomPixels,
    ShuffledPixels,
    Specification,
    SymmetricLabels,
    TransitionLabels,
    UniformLabels,
    corrupt,
    materialize,
)

__all__ = [
    "AsymmetricLabels",
    "Corrupted",
    "Draws",
    "ExchangedLabels",
    "GaussianPixels",
    "GivenLabels",
    "InstanceDependentLabels",
    "PMDLabels",
    "PairFlipLabels",
    "RandomLabels",
    "RandomPixels",
    "ShuffledPixels",
    "Specification",
    "SymmetricLabels",
    "TransitionLabels",
    "UniformLabels",
    "__version__",
    "corrupt",
    "datasets",
    "materialize",
]
