"""Say what to change when the memory is full."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from corruptlab.training._recipe import Recipe


@contextmanager
def explained_memory(recipe: Recipe, device: torch.device) -> Iterator[None]:
    """Turn PyTorch's errors about memory into one that says what to change.

    Args:
        recipe: The hyper-parameters, which the error quotes.
        device: Where the fit runs.

    Raises:
        MemoryError: If the memory of the device is full.
        RuntimeError: Any other one, as it is.
    """
    try:
        yield
    except RuntimeError as error:
        if not _is_about_memory(error):
            raise
        raise MemoryError(
            f"The memory of {device} is full with batches of {recipe.batch_size}; try a smaller "
            "`recipe.batch_size`, recipe.precision='bfloat16', or, if the data take most of it, "
            "execution=Execution(data='stream')."
        ) from error


def _is_about_memory(error: RuntimeError) -> bool:
    # On a CPU PyTorch has no error of its own for it, only this text.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
