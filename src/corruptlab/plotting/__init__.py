"""Figures of experiments: functions from arrays to matplotlib figures (extra ``plot``)."""

from corruptlab.plotting._category_intervals import category_intervals
from corruptlab.plotting._examples import examples
from corruptlab.plotting._fit_curves import fit_curves
from corruptlab.plotting._interval_curves import interval_curves
from corruptlab.plotting._layer_heatmap import layer_heatmap
from corruptlab.plotting._learning_curves import learning_curves
from corruptlab.plotting._loss_curves import loss_curves
from corruptlab.plotting._null_distribution import null_distribution

__all__ = [
    "category_intervals",
    "examples",
    "fit_curves",
    "interval_curves",
    "layer_heatmap",
    "learning_curves",
    "loss_curves",
    "null_distribution",
]
