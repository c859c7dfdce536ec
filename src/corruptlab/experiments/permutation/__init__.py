"""The permutation test: do these inputs say anything about these labels?"""

from corruptlab.experiments.permutation._null import Statistic
from corruptlab.experiments.permutation._permutation_test import permutation_test
from corruptlab.experiments.permutation._result import Baseline, PermutationTest

__all__ = ["Baseline", "PermutationTest", "Statistic", "permutation_test"]
