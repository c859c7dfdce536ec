"""Learners: whatever can be trained on examples, by one protocol."""

from corruptlab._learners._answers import Wanted, from_logits
from corruptlab._learners._executing import Executes, check_pickles, kept_in
from corruptlab._learners._learner import Learner, Trainable, is_learner, predicted, trainable
from corruptlab._learners._predictor import Predictor, called, collated, evaluating_networks
from corruptlab._learners._rows import (
    DatasetRows,
    LabelledData,
    PairRows,
    Rows,
    Targets,
    code,
    joined,
    read_examples,
)

__all__ = [
    "DatasetRows",
    "Executes",
    "LabelledData",
    "Learner",
    "PairRows",
    "Predictor",
    "Rows",
    "Targets",
    "Trainable",
    "Wanted",
    "called",
    "check_pickles",
    "code",
    "collated",
    "evaluating_networks",
    "from_logits",
    "is_learner",
    "joined",
    "kept_in",
    "predicted",
    "read_examples",
    "trainable",
]
