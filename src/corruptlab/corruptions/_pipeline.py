"""Several corruptions, one after the other, each with its own randomness."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from corruptlab._data import History, chunks
from corruptlab._draws import Draws
from corruptlab._types import Array, Ids, Labels
from corruptlab.corruptions._protocols import (
    Corruption,
    Estimated,
    InstanceCorruption,
    is_input_corruption,
    is_label_corruption,
)

InputReader: TypeAlias = Callable[[Ids], Array]
"""Positions in, inputs out: one batch of shape ``(k, ...)``."""


@dataclass(frozen=True)
class Pipeline:
    """Corruptions in order, each with its draws."""

    stages: tuple[tuple[Corruption, Draws], ...]
    changes_inputs: bool = field(init=False, compare=False, repr=False)
    changes_labels: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # Asked for with every item, so worked out once.
        object.__setattr__(self, "changes_inputs", any(map(is_input_corruption, self.corruptions)))
        object.__setattr__(self, "changes_labels", any(map(is_label_corruption, self.corruptions)))

    @classmethod
    def of(cls, corruptions: Sequence[Corruption], seed: int, history: History) -> "Pipeline":
        """Give each corruption draws of its own; ``history`` is what the data went through."""
        # The second corruption of one stream and seed is repeat 1, and so on, counting those of
        # the history; so it draws anew instead of finding its own work done.
        used = History(history)
        stages = []
        for corruption in corruptions:
            _check(corruption)
            stages.append((corruption, Draws(seed, used[corruption.stream, seed])))
            used[corruption.stream, seed] += 1
        return cls(tuple(stages))

    @property
    def corruptions(self) -> tuple[Corruption, ...]:
        """What is done, in this order."""
        return tuple(corruption for corruption, _ in self.stages)

    def labels(self, clean: Labels, *, num_classes: int, ids: Ids, read: InputReader) -> Labels:
        """Return the labels of a whole data set after all corruptions."""
        for k, (corruption, draws) in enumerate(self.stages):
            if isinstance(corruption, InstanceCorruption):
                arriving = Pipeline(self.stages[:k]).batches(read, ids)
                pieces = [
                    corruption.labels_for(
                        inputs, clean[at], num_classes=num_classes, draws=draws, ids=ids[at]
                    )
                    for at, inputs in zip(chunks(len(ids)), arriving, strict=True)
                ]
                clean = np.concatenate(pieces)
            elif is_label_corruption(corruption):
                clean = corruption.labels(clean, num_classes=num_classes, draws=draws, ids=ids)
        return clean

    def matrix(self, num_classes: int) -> NDArray[np.float64] | None:
        """Return the nominal transition matrix of all corruptions; None where one has none."""
        whole = np.eye(num_classes)
        for corruption, draws in self.stages:
            if not is_label_corruption(corruption):
                continue
            law = getattr(corruption, "matrix", None)
            if law is None:
                return None
            whole = whole @ law(num_classes, draws)
        return whole

    def inputs(self, clean: Array, *, ids: Ids) -> Array:
        """Return a batch of inputs after all corruptions."""
        for corruption, draws in self.stages:
            if is_input_corruption(corruption):
                clean = corruption.inputs(clean, draws=draws, ids=ids)
        return clean

    def estimated(self, read: InputReader, ids: Ids) -> "Pipeline":
        """Fill in what has to be estimated, from the inputs as they arrive at each stage."""
        done = Pipeline(())
        for corruption, draws in self.stages:
            if isinstance(corruption, Estimated) and not corruption.is_estimated:
                corruption = corruption.estimated(done.batches(read, ids))
            done = Pipeline((*done.stages, (corruption, draws)))
        return done

    def batches(self, read: InputReader, ids: Ids) -> Iterator[Array]:
        """Yield all inputs after the corruptions, a chunk at a time."""
        for at in chunks(len(ids)):
            yield self.inputs(read(at), ids=ids[at])


def _check(corruption: Any) -> None:
    if is_label_corruption(corruption) or is_input_corruption(corruption):
        return
    remedy = f"; write {corruption.__name__}(...)" if isinstance(corruption, type) else ""
    raise TypeError(
        "`corruptions` must have a stream and a `labels`, `labels_for`, or `inputs` method, "
        f"got {corruption!r}{remedy}."
    )
