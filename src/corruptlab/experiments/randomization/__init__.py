"""Randomization test: one network on several corrupted copies of a data set."""

from corruptlab.experiments.randomization._learned import LearnerReport, LearnerResult
from corruptlab.experiments.randomization._pair import Pair
from corruptlab.experiments.randomization._randomization_test import (
    iter_randomization_test,
    randomization_test,
)
from corruptlab.experiments.randomization._report import RandomizationReport, SettingResult
from corruptlab.experiments.randomization._seeds import SeedsReport, SeedsResult
from corruptlab.experiments.randomization._settings import (
    SETTINGS,
    TOKEN_SETTINGS,
    Setting,
    chosen_settings,
    paper_settings,
    token_settings,
)

__all__ = [
    "SETTINGS",
    "TOKEN_SETTINGS",
    "LearnerReport",
    "LearnerResult",
    "Pair",
    "RandomizationReport",
    "SeedsReport",
    "SeedsResult",
    "Setting",
    "SettingResult",
    "chosen_settings",
    "iter_randomization_test",
    "paper_settings",
    "randomization_test",
    "token_settings",
]
