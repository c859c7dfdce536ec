"""Images as feature transforms take them."""

import torch
from torch import Tensor

from corruptlab.capacity.kernels._inputs import Values, check_finite, tensor_of


def image_block(images: Tensor, start: int, stop: int) -> Tensor:
    """Return some images as ``float32``, bytes divided by 255."""
    block = images[start:stop].to(torch.float32)
    return block / 255 if images.dtype == torch.uint8 else block


def read_images(name: str, images: Values) -> Tensor:
    """Return images as they are stored, with an axis for channels.

    Args:
        name: Name of the argument, for the errors.
        images: Shape ``(n, height, width)`` or ``(n, channels, height, width)``.

    Returns:
        Shape ``(n, channels, height, width)``, no axis empty.

    Raises:
        TypeError: If they are neither bytes nor floats.
        ValueError: If the shape is another, or a value is not finite.
    """
    given = tensor_of(name, images)
    if given.dtype != torch.uint8 and not given.is_floating_point():
        raise TypeError(f"`{name}` must be uint8 or floats, got {given.dtype}.")
    if given.ndim not in (3, 4) or given.numel() == 0:
        raise ValueError(
            f"`{name}` must have shape (n, height, width) or (n, channels, height, width) and not "
            f"be empty, got {tuple(given.shape)}."
        )
    if given.is_floating_point():
        check_finite(name, given)
    return given[:, None] if given.ndim == 3 else given
