"""The paper's tables and figures as data, with their recipes and measured results."""

from corruptlab.experiments.paper._exhibit import Exhibit, Measurement, Quantity, Row
from corruptlab.experiments.paper._exhibits import EXHIBITS, draw, exhibit
from corruptlab.experiments.paper._plan import Plan, plan
from corruptlab.experiments.paper._reproduce import Reproduction, reproduce
from corruptlab.experiments.paper._results import keep_results, kept_results, markdown

__all__ = [
    "EXHIBITS",
    "Exhibit",
    "Measurement",
    "Plan",
    "Quantity",
    "Reproduction",
    "Row",
    "draw",
    "exhibit",
    "keep_results",
    "kept_results",
    "markdown",
    "plan",
    "reproduce",
]
