"""corruptlab: randomization tests for machine learning.

Corrupt a data set in a known way, train an unchanged network on it, and learn what the
network's capacity and the data's signal really are.

Source: Zhang, Bengio, Hardt, Recht, Vinyals 2017, "Understanding deep learning requires
rethinking generalization", ICLR, arXiv 1611.03530.
"""

import importlib
import typing

from corruptlab import corruptions, datasets, heads, models, plotting, training
from corruptlab._draws import Draws
from corruptlab._learners import LabelledData, Learner
from corruptlab._version import __version__
from corruptlab.corruptions import (
    AsymmetricLabels,
    Corrupted,
    CorruptedStream,
    ExchangedLabels,
    GaussianPixels,
    GivenLabels,
    InstanceDependentLabels,
    PairFlipLabels,
    PMDLabels,
    RandomLabels,
    RandomPixels,
    ResampledValues,
    ShuffledPixels,
    Specification,
    SymmetricLabels,
    TransitionLabels,
    UniformLabels,
    corrupt,
    corrupt_labels,
    materialize,
)
from corruptlab.heads import HeadsReport, RandomLabelHeads, with_ids
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

if typing.TYPE_CHECKING:
    from corruptlab import capacity, experiments
    from corruptlab.capacity import (
        KernelInterpolant,
        effective_capacity,
        interpolate,
        memorization,
        shatters,
        stability,
    )
    from corruptlab.experiments import (
        MemorizationReport,
        RandomizationReport,
        Reproduction,
        Setting,
        SweepReport,
        audit,
        memorization_report,
        paper,
        permutation_test,
        randomization_test,
        reproduce,
        sweep,
        sweeps,
    )
else:

    def __getattr__(name: str) -> object:
        """Import the upper floors on first use: they would triple the time of the import."""
        if name in __all__:
            for floor in ("capacity", "experiments"):
                module = importlib.import_module(f"corruptlab.{floor}")
                if name == floor:
                    return module
                if hasattr(module, name):
                    globals()[name] = getattr(module, name)
                    return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "AsymmetricLabels",
    "Augmentation",
    "Corrupted",
    "CorruptedStream",
    "Draws",
    "ExchangedLabels",
    "Execution",
    "FitReport",
    "GaussianPixels",
    "GivenLabels",
    "HeadsReport",
    "InstanceDependentLabels",
    "KernelInterpolant",
    "LabelledData",
    "Learner",
    "MemorizationReport",
    "PMDLabels",
    "PairFlipLabels",
    "RandomLabelHeads",
    "RandomLabels",
    "RandomPixels",
    "RandomizationReport",
    "Recipe",
    "ReplicasReport",
    "Reproduction",
    "ResampledValues",
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
    "corrupt_labels",
    "corruptions",
    "datasets",
    "effective_capacity",
    "experiments",
    "fit",
    "fit_replicas",
    "heads",
    "inception_v3",
    "interpolate",
    "materialize",
    "memorization",
    "memorization_report",
    "mlp",
    "models",
    "paper",
    "permutation_test",
    "plotting",
    "randomization_test",
    "recipes",
    "reproduce",
    "shatters",
    "small_alexnet",
    "small_inception",
    "stability",
    "stopping",
    "sweep",
    "sweeps",
    "training",
    "with_ids",
]
