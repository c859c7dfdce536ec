"""The checks that every corruption makes of labels and of example numbers."""

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from corruptlab._arrays import ArrayT as ArrayT
from corruptlab._arrays import like as like
from corruptlab._arrays import to_numpy as to_numpy
from corruptlab._checks import at_least, example_ids
from corruptlab._types import Ids, Labels


def checked_labels(labels: NDArray[Any] | torch.Tensor, num_classes: int) -> Labels:
    """Return class labels as ``int64``, or say what is wrong with them."""
    y = to_numpy(labels)
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise TypeError(
            "`labels` must be one integer class for each example, got "
            f"{y.dtype} of shape {y.shape}; turn soft or multi-label targets into classes first."
        )
    at_least(1, "num_classes", num_classes)
    wrong = np.flatnonzero((y < 0) | (y >= num_classes))
    if len(wrong):
        raise ValueError(
            f"`labels` must lie in 0 .. {num_classes - 1}, "
            f"got {y[wrong[0]]} at position {wrong[0]}."
        )
    return y.astype(np.int64, copy=False)


def checked_ids(ids: ArrayLike | None, n: int) -> Ids:
    """Return the example numbers of ``n`` examples: those given, or 0 .. n - 1."""
    if ids is None:
        return np.arange(n)
    numbers = example_ids(ids)
    if numbers.shape != (n,):
        raise ValueError(
            f"`ids` must hold one number for each of {n} examples, got shape {numbers.shape}."
        )
    return numbers
