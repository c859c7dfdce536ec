"""Experiments: each function runs one from data set to report."""

from corruptlab.experiments import paper, sweeps
from corruptlab.experiments.auditing import AuditReport, Finding, audit
from corruptlab.experiments.memorizing import (
    Fitted,
    Gap,
    LearningTimes,
    MemorizationEpoch,
    MemorizationMeter,
    MemorizationReport,
    Prepared,
    Ratt,
    memorization_report,
)
from corruptlab.experiments.paper import Reproduction, reproduce
from corruptlab.experiments.permutation import Baseline, Metric, PermutationTest, permutation_test
from corruptlab.experiments.randomization import (
    SETTINGS,
    TOKEN_SETTINGS,
    LearnerReport,
    LearnerResult,
    RandomizationReport,
    SeedsReport,
    SeedsResult,
    Setting,
    SettingResult,
    iter_randomization_test,
    paper_settings,
    randomization_test,
    token_settings,
)
from corruptlab.experiments.sweeps import SweepReport, sweep

__all__ = [
    "SETTINGS",
    "TOKEN_SETTINGS",
    "AuditReport",
    "Baseline",
    "Finding",
    "Fitted",
    "Gap",
    "LearnerReport",
    "LearnerResult",
    "LearningTimes",
    "MemorizationEpoch",
    "MemorizationMeter",
    "MemorizationReport",
    "Metric",
    "PermutationTest",
    "Prepared",
    "RandomizationReport",
    "Ratt",
    "Reproduction",
    "SeedsReport",
    "SeedsResult",
    "Setting",
    "SettingResult",
    "SweepReport",
    "audit",
    "iter_randomization_test",
    "memorization_report",
    "paper",
    "paper_settings",
    "permutation_test",
    "randomization_test",
    "reproduce",
    "sweep",
    "sweeps",
    "token_settings",
]
