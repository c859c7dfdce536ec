"""The paper's tables and figures: as data, as recipes, and measured beside published."""

from corruptlab.experiments.paper._exhibit import Exhibit, Quantity, Row
from corruptlab.experiments.paper._exhibits import EXHIBITS, exhibit
from corruptlab.experiments.paper._figures import draw
from corruptlab.experiments.paper._layout import markdown
from corruptlab.experiments.paper._measurement import Measurement
from corruptlab.experiments.paper._plan import Plan, plan
from corruptlab.experiments.paper._reproduce import reproduce
from corruptlab.experiments.paper._reproduction import Reproduction
from corruptlab.experiments.paper._results import keep_results, kept_results

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
