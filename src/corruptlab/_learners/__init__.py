"""Learners: whatever can be trained on examples, by one protocol."""

from corruptlab._learners._answers import FunctionAnswers, Wanted, from_logits
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
    digest_of,
    first_label,
    joined,
    labels_of,
    read_examples,
    rows_joined,
    rows_of,
)

__all__ = [
    "DatasetRows",
    "Executes",
    "FunctionAnswers",
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
    "digest_of",
    "evaluating_networks",
    "first_label",
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
