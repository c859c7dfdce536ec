"""How much a training procedure memorizes: random-label canaries, planted and held out."""

from corruptlab.experiments.memorizing._epoch import MemorizationEpoch
from corruptlab.experiments.memorizing._fitted import Fitted
from corruptlab.experiments.memorizing._gap import Gap
from corruptlab.experiments.memorizing._memorization_report import memorization_report
from corruptlab.experiments.memorizing._meter import MemorizationMeter
from corruptlab.experiments.memorizing._prepared import Prepared
from corruptlab.experiments.memorizing._ratt import Ratt
from corruptlab.experiments.memorizing._report import MemorizationReport

__all__ = [
    "Fitted",
    "Gap",
    "MemorizationEpoch",
    "MemorizationMeter",
    "MemorizationReport",
    "Prepared",
    "Ratt",
    "memorization_report",
]
