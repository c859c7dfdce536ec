"""Experiments of the paper, from data set to report in one call."""

from corruptlab.experiments._randomization_test import iter_randomization_test, randomization_test
from corruptlab.experiments._report import RandomizationReport
from corruptlab.experiments._result import SettingResult
from corruptlab.experiments._settings import SETTINGS, Setting, paper_settings

__all__ = [
    "SETTINGS",
    "RandomizationReport",
    "Setting",
    "SettingResult",
    "iter_randomization_test",
    "paper_settings",
    "randomization_test",
]
