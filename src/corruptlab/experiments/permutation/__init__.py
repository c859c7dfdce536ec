"""Permutation test of the association between inputs and labels."""

from corruptlab.experiments.permutation._permutation_test import permutation_test
from corruptlab.experiments.permutation._result import Baseline, PermutationTest
from corruptlab.experiments.permutation._statistic import Metric, Statistic

__all__ = ["Baseline", "Metric", "PermutationTest", "Statistic", "permutation_test"]
