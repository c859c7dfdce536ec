"""Numbers that kernels and fits are made of: checked, and told to people."""

import torch

from corruptlab._checks import real


def positive(name: str, value: object) -> None:
    """Refuse what is not a finite number > 0."""
    if real(name, value) <= 0:
        raise ValueError(f"`{name}` must be positive, got {value}.")


def type_name(dtype: torch.dtype) -> str:
    """Return the name of a type as users write it, ``"float32"``."""
    return str(dtype).removeprefix("torch.")


def gigabytes(count: float) -> str:
    """Return a number of bytes for people, in powers of 1,000."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"
