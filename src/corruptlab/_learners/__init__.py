"""Learners: whatever can be trained on examples, by one protocol."""

from corruptlab._learners._answers import Wanted, from_logits
from corruptlab._learners._executing import Executes, check_pickles, kept_in
from corruptlab._learners._learner import (
    Learner,
    Trainable,
    is_learner,
    name_of,
    predicted,
    trainable,
)
from corruptlab._learners._predictor import Predictor, called, collated, evaluating_networks
from corruptlab._learners._rows import (
    DatasetRows,
    LabelledData,
    PairRows,
    Rows,
    Targets,
    check_alike,
    code,
    joined,
    labels_of,
    read_examples,
    rows_joined,
    rows_of,
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
    "check_alike",
    "check_pickles",
    "code",
    "collated",
    "evaluating_networks",
    "from_logits",
    "is_learner",
    "joined",
    "kept_in",
    "labels_of",
    "name_of",
    "predicted",
    "read_examples",
    "rows_joined",
    "rows_of",
    "trainable",
]
