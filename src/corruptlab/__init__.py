"""corruptlab: randomization tests for learning machines.

Corrupt a data set in a known way, train an unchanged network on it, and learn what the
network's capacity and the data's signal really are.

Source: Zhang, Bengio, Hardt, Recht, Vinyals 2017, "Understanding deep learning requires
rethinking generalization", ICLR, arXiv 1611.03530.
"""

from corruptlab import capacity, corruptions, datasets, experiments, models, plotting, training
from corruptlab._draws import Draws
from corruptlab._version import __version__
from corruptlab.capacity import (
    KernelInterpolant,
    effective_capacity,
    interpolate,
    memorization,
    shatters,
    stability,
)
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
from corruptlab.experiments import (
    MemorizationReport,
    RandomizationReport,
    Setting,
    SweepReport,
    audit,
    memorization_report,
    permutation_test,
    randomization_test,
    sweep,
    sweeps,
)
from corruptlab.models import inception_v3, mlp, small_alexnet, small_inception
from corruptlab.training import (
    Augmentation,
    Execution,
    FitReport,
    Recipe,
    ReplicasReport,
    fit,
    fit_replicas,
    recipes,
    stopping,
)

__all__ = [
    "AsymmetricLabels",
    "Augmentation",
    "Corrupted",
    "Draws",
    "ExchangedLabels",
    "Execution",
    "FitReport",
    "GaussianPixels",
    "GivenLabels",
    "InstanceDependentLabels",
    "KernelInterpolant",
    "MemorizationReport",
    "PMDLabels",
    "PairFlipLabels",
    "RandomLabels",
    "RandomPixels",
    "RandomizationReport",
    "Recipe",
    "ReplicasReport",
    "Setting",
    "ShuffledPixels",
    "Specification",
    "SweepReport",
    "SymmetricLabels",
    "TransitionLabels",
    "UniformLabels",
    "__version__",
    "audit",
    "capacity",
    "corrupt",
    "corruptions",
    "datasets",
    "effective_capacity",
    "experiments",
    "fit",
    "fit_replicas",
    "inception_v3",
    "interpolate",
    "materialize",
    "memorization",
    "memorization_report",
    "mlp",
    "models",
    "permutation_test",
    "plotting",
    "randomization_test",
    "recipes",
    "shatters",
    "small_alexnet",
    "small_inception",
    "stability",
    "stopping",
    "sweep",
    "sweeps",
    "training",
]
