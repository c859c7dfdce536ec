"""One pass over a whole data set that keeps its labels and a digest of each input."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptlab._data import Fields, chunks, source_of
from corruptlab._types import Array, Ids, Labels
from corruptlab.experiments.auditing._digest import digest
from corruptlab.experiments.auditing._readings import Reading, read


@dataclass(frozen=True)
class Census:
    """What one pass found; 26 bytes an example.

    Args:
        labels: Labels, shape ``(n,)``.
        contents: Digests of the inputs as two numbers each, shape ``(n, 2)``.
        readable: Whether an item could be read; its label means nothing if not; shape ``(n,)``.
        comparable: Whether there is a digest of its input, shape ``(n,)``.
        first_failure: The first item that could not be read; None if all could be.
    """

    labels: Labels
    contents: NDArray[np.uint64]
    readable: NDArray[np.bool_]
    comparable: NDArray[np.bool_]
    first_failure: Reading | None = None


def census(
    dataset: Any, fields: Fields, labels: Labels | None, tell: Callable[[int], None]
) -> Census:
    """Read a whole data set once, a chunk at a time.

    Args:
        dataset: Any map-style data set.
        fields: Where its items keep input and label.
        labels: Its labels, if they are known without reading its items: inputs are then read in
            batches where that is possible.
        tell: Is called after every chunk with the number of items read so far.

    Returns:
        What was found; an item that cannot be read does not end it.
    """
    n = len(dataset)
    served = np.full(n, -1, np.int64) if labels is None else labels
    contents = np.zeros((n, 2), np.uint64)
    readable, comparable = np.ones(n, np.bool_), np.zeros(n, np.bool_)
    first_failure = None
    batches = None if labels is None else _reader(dataset, fields)
    for at in chunks(n):
        found = None if batches is None else _digests(batches, at)
        if found is None:  # one by one from here on
            batches = None
            readings = (read(dataset, fields, i) for i in at.tolist())
        else:
            readings = (Reading(i, content=x) for i, x in zip(at.tolist(), found, strict=True))
        for reading in readings:
            if reading.error:
                readable[reading.index] = False
                first_failure = first_failure or reading
            if labels is None and reading.label is not None:
                served[reading.index] = reading.label
            if reading.content is not None:
                contents[reading.index] = np.frombuffer(reading.content, np.uint64)
                comparable[reading.index] = True
        tell(int(at[-1]) + 1)
    return Census(served, contents, readable, comparable, first_failure)


def _reader(dataset: Any, fields: Fields) -> Callable[[Ids], Array] | None:
    try:
        return source_of(dataset, fields, "dataset").inputs
    except Exception:  # it looks at items, and one of them cannot be read
        return None


def _digests(batches: Callable[[Ids], Array], at: Ids) -> list[bytes] | None:
    try:
        return [digest(value) for value in batches(at)]
    except Exception:  # inputs of several shapes, of no array type, or one that fails
        return None
