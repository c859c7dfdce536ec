"""Numbers of kernels and fits, told to people."""

import torch


def type_name(dtype: torch.dtype) -> str:
    """Return the name of a type as users write it, ``"float32"``."""
    return str(dtype).removeprefix("torch.")


def gigabytes(count: float) -> str:
    """Return a number of bytes for people, in powers of 1,000."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"
