"""What corruptlab did to a data set, seen through cuts, joins, and further corruptions."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import ConcatDataset, Subset

from corruptlab._draws import Draws
from corruptlab.corruptions import Corrupted, Corruption
from corruptlab.corruptions._pipeline import Pipeline

Stages: TypeAlias = tuple[tuple[Corruption, Draws], ...]


def stages_of(dataset: Any) -> Stages | None:
    """Return all corruptions, first to last, each with its draws; None where parts differ."""
    if isinstance(dataset, Corrupted):
        before = stages_of(dataset.dataset)
        return None if before is None else before + dataset._pipeline.stages
    if isinstance(dataset, Subset):
        return stages_of(dataset.dataset)
    if isinstance(dataset, ConcatDataset):
        first, *others = [stages_of(part) for part in dataset.datasets]
        return first if all(other == first for other in others) else None
    return ()


def is_traced(dataset: Any) -> bool:
    """Return whether corruptlab knows the clean labels of a data set."""
    if isinstance(dataset, Subset):
        return is_traced(dataset.dataset)
    if isinstance(dataset, ConcatDataset):
        return all(map(is_traced, dataset.datasets))
    return isinstance(dataset, Corrupted)


def class_counts(dataset: Any) -> set[int]:
    """Return the numbers of classes with which the corruptions were made."""
    if isinstance(dataset, Corrupted):
        return {dataset.num_classes} | class_counts(dataset.dataset)
    parts = dataset.datasets if isinstance(dataset, ConcatDataset) else []
    if isinstance(dataset, Subset):
        parts = [dataset.dataset]
    return {k for part in parts for k in class_counts(part)}


def nominal_matrix(stages: Stages | None, num_classes: int) -> NDArray[np.float64] | None:
    """Return the expected transition matrix from clean to served labels; None without one."""
    return None if stages is None else Pipeline(stages).matrix(num_classes)
