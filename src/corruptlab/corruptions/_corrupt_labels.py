"""Corrupt labels without inputs: an array, a list, a tensor, a Series."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corruptlab import _data
from corruptlab.corruptions._corrupted import Corrupted
from corruptlab.corruptions._protocols import Corruption, LabelCorruption


class CorruptedLabels(NamedTuple):
    """Corrupted labels and the mask of changed labels; returned by `corrupt_labels`.

    Attributes:
        labels: The corrupted labels, in the same type of container as the argument.
        is_corrupted: Whether each label differs from the original one; shape ``(n,)``.

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
    """Corrupt labels without their inputs.

    The result equals the labels of a data set with these labels that `corrupt` corrupts with the
    same seed and the same ``ids``.

    Args:
        y: One label per example, shape ``(n,)`` or ``(n, 1)``: non-negative integers, names,
            booleans, or -1 and +1, in a NumPy array, a tensor, a list, a tuple, or a pandas
            ``Series``, ``Index``, or ``Categorical``.
        *corruptions: Label corruptions, applied in this order. Corruptions that depend on the
            inputs require ``corrupt((X, y), ...)``.
        seed: Seed of all randomness; an integer >= 0.
        num_classes: Number of classes, if labels are integers and the last class may be missing.
        classes: All classes in order, if labels are not integers from 0 to ``num_classes - 1``. By
            default the order of the categories, sorted names, ``False`` before ``True``, and -1
            before +1.
        ids: Example ids, shape ``(n,)``; positions by default. To corrupt a subset as part of the
            full data set, pass its positions in the full data set.

    Returns:
        The labels in the same type of container (with the same dtype, shape, index, and device;
        integers that exceed the range of the dtype become ``int64``), and the mask of changed
        labels.

    Raises:
        TypeError: If ``y`` has an unsupported type, a label is not one class, or a corruption
            depends on or changes the inputs.
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
