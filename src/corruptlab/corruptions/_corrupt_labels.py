"""Corrupt labels alone: an array, a list, a tensor, a Series."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corruptlab import _data
from corruptlab.corruptions._corrupted import Corrupted
from corruptlab.corruptions._protocols import Corruption, LabelCorruption


class CorruptedLabels(NamedTuple):
    """Labels after a corruption, and which of them it changed; what `corrupt_labels` returns.

    Attributes:
        labels: The labels, in the kind of container that came in.
        is_corrupted: Whether each differs from the one that came in; shape ``(n,)``.

    Example:
        >>> import corruptlab as cl
        >>> noisy, mask = cl.corrupt_labels(["no", "yes", "yes"], cl.RandomLabels(), seed=1)
        >>> noisy, mask.tolist()
        (['yes', 'no', 'no'], [True, True, True])
    """

    labels: Any
    is_corrupted: NDArray[np.bool_]


def corrupt_labels(
    y: Any,
    *corruptions: Corruption,
    seed: int = 0,
    num_classes: int | None = None,
    classes: Sequence[Any] | None = None,
    ids: ArrayLike | None = None,
) -> CorruptedLabels:
    """Corrupt labels that stand alone, in any container.

    The new labels are those that `corrupt` serves for a data set with these labels, the same seed,
    and the same ``ids``.

    Args:
        y: One label for each example, shape ``(n,)`` or ``(n, 1)``: integers from 0 on, names,
            booleans, or -1 and +1, in a NumPy array, a tensor, a list, a tuple, or a pandas
            ``Series``, ``Index``, or ``Categorical``.
        *corruptions: What to do, in this order. They must need the labels alone; for those that
            look at the inputs, use ``corrupt((X, y), ...)``.
        seed: Seed of all randomness; an integer >= 0.
        num_classes: Number of classes, if labels are integers and the largest may be missing.
        classes: The classes in order, if labels are no integers from 0 on. By default categories
            in their own order, names sorted, ``False`` before ``True``, -1 before +1.
        ids: Numbers of the examples, shape ``(n,)``, if they are not their positions: part of
            the labels, with their positions in the whole, gets the noise of the whole.

    Returns:
        The labels in the container that came in (type, dtype, shape, index, and device kept;
        integers too large for their type become ``int64``), and the mask of those that changed.

    Raises:
        TypeError: If ``y`` is no such container, a label is not one class, or a corruption does
            not change labels alone.
        ValueError: If ``y`` is empty, a label is missing or negative, or an argument does not
            fit the labels.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> y = np.array(["cat", "dog", "eel"])[np.arange(6) % 3]
        >>> noisy, mask = cl.corrupt_labels(y, cl.UniformLabels(p=0.5), seed=0)
        >>> noisy
        array(['cat', 'dog', 'dog', 'cat', 'dog', 'dog'], dtype='<U3')
        >>> np.array_equal(mask, noisy != y)
        True

    Source: Zhang et al. 2017, §2.1.
    """
    for corruption in corruptions:
        if isinstance(corruption, type) or not isinstance(corruption, LabelCorruption):
            raise TypeError(
                "`corruptions` must change labels by the labels alone, with a `labels` method, got "
                f"{corruption!r}; for others use corrupt((X, y), ...)."
            )
    told = None if classes is None else _data.encoding_of(classes)
    labels, encoding = _data.read_container(y, "y", told)
    if encoding is not None and num_classes not in (None, len(encoding)):
        raise ValueError(
            f"`num_classes` must be {len(encoding)}, the number of classes in `y`, "
            f"got {num_classes}; name all with `classes`."
        )
    noisy = Corrupted(
        _data.Pair(range(len(labels)), labels),
        *corruptions,
        seed=seed,
        num_classes=num_classes if encoding is None else len(encoding),
        ids=ids,
    )
    return CorruptedLabels(
        _data.written_like(y, noisy.targets.copy(), encoding), noisy.is_corrupted
    )
