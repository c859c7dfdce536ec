"""Measurement of memorization with random-label canaries, planted and held out."""

from corruptlab.experiments.memorizing._canaries import Fitted, Gap, Ratt
from corruptlab.experiments.memorizing._learning_times import LearningTimes
from corruptlab.experiments.memorizing._meter import MemorizationEpoch, MemorizationMeter, Prepared
from corruptlab.experiments.memorizing._report import MemorizationReport, memorization_report

__all__ = [
    "Fitted",
    "Gap",
    "LearningTimes",
    "MemorizationEpoch",
    "MemorizationMeter",
    "MemorizationReport",
    "Prepared",
    "Ratt",
    "memorization_report",
]
