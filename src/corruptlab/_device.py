"""Devices that work."""

import torch


def usable_device(device: torch.device | str) -> torch.device:
    """Return a device on which numbers can be had.

    Args:
        device: What the user asked for.

    Returns:
        The device.

    Raises:
        TypeError: If it is no device.
        ValueError: If this machine or this build of PyTorch has no such device.

    Example:
        >>> usable_device("cpu")
        device(type='cpu')
    """
    try:
        torch.empty(1, device=device).cpu()
        return torch.device(device)
    except TypeError:
        raise TypeError(
            f"`device` must be a torch.device or a name such as 'cuda:0', got {device!r}."
        ) from None
    except (RuntimeError, AssertionError) as error:
        # PyTorch appends a page of advice for its own developers; its first sentence is for users.
        reason = str(error).partition("\n")[0].partition(". ")[0].rstrip(".")
        text = f"`device` must be usable on this machine, got {str(device)!r} ({reason})."
        raise ValueError(text) from None
