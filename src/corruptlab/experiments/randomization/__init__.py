"""The randomization test: one network on differently corrupted copies of one data set."""

from corruptlab.experiments.randomization._randomization_test import (
    iter_randomization_test,
    randomization_test,
)
from corruptlab.experiments.randomization._report import RandomizationReport
from corruptlab.experiments.randomization._result import SettingResult
from corruptlab.experiments.randomization._settings import SETTINGS, Setting, paper_settings

__all__ = [
    "SETTINGS",
    "RandomizationReport",
    "Setting",
    "SettingResult",
    "iter_randomization_test",
    "paper_settings",
    "randomization_test",
]
