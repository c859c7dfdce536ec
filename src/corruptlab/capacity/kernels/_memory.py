"""How much memory there is to work in."""

import os

import torch

from corruptlab._memory import free_memory, host_memory

# What is free is never all to be had: others allocate too, and memory is given out in pieces.
_USABLE = 0.9


def available_memory(device: torch.device) -> float:
    """Return how many bytes a new computation may take on a device.

    It is nine tenths of what is free now: on a GPU by its driver, on a CPU by the system's estimate
    of memory that can be had without swapping, or less where a control group (a container, a job of
    a cluster) allows less. Where the system tells neither, it is nine tenths of the physical
    memory, and where it does not even tell that, there is no limit: what is too large then fails
    when it is allocated.

    Args:
        device: The device.

    Returns:
        Bytes.
    """
    free = free_memory(device) if device.type == "cuda" else host_memory()
    return _USABLE * (_physical() if free is None else free)


def _physical() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):  # Windows has no such function, others no such names
        return float("inf")
