"""Check what is loaded as a state of heads, before anything is changed."""

from collections.abc import Sequence

import torch
from torch import Tensor


def check_parts(state: object, *names: str) -> None:
    """Reject what is not a dictionary with these parts."""
    if not isinstance(state, dict):
        raise TypeError(f"`state` must be what `state_dict` returned, got {type(state).__name__}.")
    if absent := [name for name in names if name not in state]:
        raise ValueError(f"`state` must be what `state_dict` returned, got no part {absent[0]!r}.")


def check_same(part: str, found: object, own: object) -> None:
    """Reject the state of other heads."""
    if found != own:
        raise ValueError(f"`state` must be of heads with the same {part}, got {found}, not {own}.")


def check_tensor(part: str, found: object, dtype: torch.dtype, shape: Sequence[int | None]) -> None:
    """Reject what is not a tensor of this kind; None stands for any size."""
    if not isinstance(found, Tensor):
        raise TypeError(f"`state` must hold a tensor as {part}, got {type(found).__name__}.")
    fits = found.ndim == len(shape) and all(
        size in (None, own) for size, own in zip(shape, found.shape, strict=False)
    )
    if not fits or found.dtype != dtype:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(
            f"`state` must hold {dtype} of shape ({wanted}) as {part}, got {found.dtype} of shape "
            f"{tuple(found.shape)}."
        )
