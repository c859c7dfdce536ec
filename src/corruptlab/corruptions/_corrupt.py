"""Corrupt a data set: the function."""

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from corruptlab._data import InputKey, Key
from corruptlab._types import MapDataset
from corruptlab.corruptions._corrupted import Corrupted
from corruptlab.corruptions._protocols import Corruption


def corrupt(
    dataset: MapDataset[Any],
    *corruptions: Corruption,
    seed: int = 0,
    num_classes: int | None = None,
    targets: ArrayLike | None = None,
    classes: Sequence[Any] | None = None,
    ids: ArrayLike | None = None,
    input_key: InputKey | None = None,
    label_key: Key | None = None,
) -> Corrupted:
    """Corrupt a data set in a known way.

    Label corruptions change labels, and pixel corruptions change inputs. They use independent
    random numbers, so only the order among label corruptions and among input corruptions matters.

    Args:
        dataset: Any map-style data set of (input, label) items; a pair of arrays ``(X, y)``; inputs
            without labels if ``targets`` is given; or a data frame with ``label_key``.
        *corruptions: Corruptions, applied in this order.
        seed: Seed of all randomness; an integer >= 0. Use the same seed for training and test set,
            so that `ShuffledPixels` applies the same permutation to both.
        num_classes: Number of classes, if it cannot be inferred from the data set.
        targets: Labels that replace those of ``dataset``.
        classes: All classes in order, if labels are not integers from 0 to ``num_classes - 1``.
            For a test set, pass the ``classes`` of the training set.
        ids: Example ids; positions by default.
        input_key: Position or name of the input in an item.
        label_key: Position or name of the label in an item.

    Returns:
        The corrupted data set; see `Corrupted`.

    Raises:
        TypeError: If ``dataset`` is not map-style, an argument is not a corruption, or a label is
            not one class: an integer, a name, or a boolean.
        ValueError: If the data set is empty, or an argument does not fit it.

    Example:
        >>> import corruptlab as cl
        >>> train = cl.datasets.fashion_mnist_mini("train")
        >>> cl.corrupt(train, cl.RandomLabels(), cl.ShuffledPixels(), seed=0)
        Corrupted(RandomLabels(), ShuffledPixels(), seed=0;
        4000 examples, 90.00% of labels changed, 90.00% expected)

    Source: Zhang et al. 2017, §2.1.
    """
    return Corrupted(
        dataset,
        *corruptions,
        seed=seed,
        num_classes=num_classes,
        targets=targets,
        classes=classes,
        ids=ids,
        input_key=input_key,
        label_key=label_key,
    )
