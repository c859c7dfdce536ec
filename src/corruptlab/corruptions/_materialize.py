"""A whole data set as two tensors."""

from typing import Any

import torch

from corruptlab._progress import Progress
from corruptlab._types import MapDataset
from corruptlab.corruptions._corrupted import checked_length
from corruptlab.corruptions._read_examples import example_reader
from corruptlab.corruptions._read_inputs import chunks


def materialize(
    dataset: MapDataset[Any], *, progress: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Read a whole data set, corrupted or not, into two tensors.

    One pass, a chunk of 1,024 examples at a time, so that the extra memory is bounded;
    random transforms of the data set are applied once, as it serves them.

    Args:
        dataset: Any map-style data set of (input, label) items of one shape. Where these keep
            them otherwise, name the fields to `corrupt` first.
        progress: Whether to tell on standard error how far it has come.

    Returns:
        Inputs, shape ``(n, ...)``, in the type they are stored in (PIL images as ``uint8`` with the
        channels first), and labels, ``int64``, shape ``(n,)``.

    Raises:
        TypeError: If the data set is not map-style, or an input or label is of a wrong type.
        ValueError: If the data set is empty, or the inputs have different shapes.

    Example:
        >>> import corruptlab as cl
        >>> train = cl.datasets.fashion_mnist_mini("train")
        >>> images, labels = cl.materialize(cl.corrupt(train, cl.RandomLabels(), seed=0))
        >>> images.shape, images.dtype, labels.shape
        (torch.Size([4000, 1, 28, 28]), torch.uint8, torch.Size([4000]))
    """
    n = checked_length(dataset)
    read = example_reader(dataset)
    inputs: torch.Tensor | None = None
    targets = torch.empty(n, dtype=torch.int64, device="cpu")
    with Progress(n, "reading", show=progress, least_seconds=1.0) as line:
        for at in chunks(n):
            images, labels = read(at)
            chunk = torch.from_numpy(images)
            if inputs is None:
                inputs = torch.empty((n, *chunk.shape[1:]), dtype=chunk.dtype, device="cpu")
            some = slice(int(at[0]), int(at[-1]) + 1)
            inputs[some], targets[some] = chunk, torch.from_numpy(labels)
            line.update(some.stop)
    assert inputs is not None  # there is at least one example
    return inputs, targets
