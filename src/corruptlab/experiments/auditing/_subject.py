"""A data set under audit, with what is known of it before the checks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from corruptlab._data import Fields, Provenance, listed_provenance, told_classes
from corruptlab._types import Labels
from corruptlab.experiments.auditing._census import Census, census
from corruptlab.experiments.auditing._readings import Reading, read
from corruptlab.experiments.auditing._stages import Stages, is_traced, stages_of


@dataclass(frozen=True)
class Subject:
    """A data set whose items have an input and a label, and a first reading of a sample.

    Args:
        name: ``"train"`` or ``"test"``.
        dataset: The data set.
        fields: Where its items keep input and label.
        readings: The sample as it was first read, by rising position.
        lineage: What corruptlab or the data set itself says of all examples; None if it says
            nothing, or not what it serves.
        is_steady: Whether the inputs of the sample came out the same twice.
        census: What one pass over the whole data set found; None if there was none.
    """

    name: str
    dataset: Any
    fields: Fields
    readings: tuple[Reading, ...]
    lineage: Provenance | None
    is_steady: bool = True
    census: Census | None = None

    @classmethod
    def of(cls, name: str, dataset: Any, at: Sequence[int], fields: Fields) -> "Subject":
        """Read some items of a data set for the first time, and find its labels."""
        readings = tuple(read(dataset, fields, i) for i in at)
        return cls(name, dataset, fields, readings, _lineage(dataset, fields, readings))

    @property
    def title(self) -> str:
        """What messages call it."""
        return {"train": "the training set", "test": "the test set"}[self.name]

    @property
    def good(self) -> tuple[Reading, ...]:
        """The readings in which nothing went wrong."""
        return tuple(reading for reading in self.readings if not reading.error)

    @property
    def labels(self) -> Labels | None:
        """All labels as served; None if they could not be had."""
        if self.lineage is not None:
            return self.lineage.targets
        return None if self.census is None else self.census.labels

    @property
    def num_classes(self) -> int:
        """Number of classes: what the data set says, or else the largest label plus 1."""
        told = told_classes(self.dataset, self.fields)
        if told is None and self.lineage is not None:
            told = self.lineage.num_classes
        labels = np.zeros(0, np.int64) if self.labels is None else self.labels
        return int(labels.max(initial=0)) + 1 if told is None else told

    @property
    def stages(self) -> Stages | None:
        """All corruptions with their draws; None where they are not one list."""
        return stages_of(self.dataset)

    @property
    def is_traced(self) -> bool:
        """Whether the clean labels are known."""
        return self.lineage is not None and is_traced(self.dataset)

    def counted(self, tell: Callable[[int], None]) -> "Subject":
        """Read everything once."""
        known = None if self.lineage is None else self.lineage.targets
        return replace(self, census=census(self.dataset, self.fields, known, tell))


def _lineage(dataset: Any, fields: Fields, readings: Sequence[Reading]) -> Provenance | None:
    """Return what is said of the examples, if it is what the sample shows."""
    try:
        lineage = listed_provenance(dataset, fields)
        agrees = lineage is not None and all(
            lineage.targets[r.index] == r.label for r in readings if not r.error
        )
    except Exception:  # labels that are not listed, or not one integer class
        return None
    return lineage if agrees else None
