"""Brightness, saturation, and hue, each image by an amount of its own.

There is no case for a sector of the color circle, nothing that a GPU has to tell the host, and no
sum over pixels: each step is one exactly rounded operation a pixel, so that the bits of an image
do not depend on its place in the batch.
"""

import torch
from torch import Tensor

# A divisor for gray pixels, whose numerator is 0. It is the smallest that keeps 1 / x finite.
_TINY = torch.finfo(torch.float32).tiny


def shift_brightness(images: Tensor, offset: Tensor) -> Tensor:
    """Add a number to all values of an image and clip them to ``[0, 1]``.

    Args:
        images: Values in ``[0, 1]``, ``float32``, shape ``(b, c, h, w)``.
        offset: What to add to each image, ``float32``, shape ``(b,)``.

    Returns:
        New images of the same shape.

    Example:
        >>> gray = torch.full((1, 1, 1, 2), 0.75)
        >>> shift_brightness(gray, torch.tensor([0.5])).flatten()
        tensor([1., 1.])

    Source: ``tf.image.adjust_brightness``, on bytes, where it clips too.
    """
    return (images + _each(offset)).clamp_(0, 1)


def scale_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply the saturation of an image in HSV space, up to a saturation of 1.

    With the value ``V = max(r, g, b)``, the chroma ``C = V - min(r, g, b)``, and the saturation
    ``S = C / V``, a color ``c`` becomes ``V + (c - V) * S' / S`` for ``S' = min(factor * S, 1)``,
    that is, ``S' / S = min(factor, V / C)``. Value and hue stay; gray stays gray.

    Args:
        images: Red, green, and blue in ``[0, 1]``, ``float32``, shape ``(b, 3, h, w)``.
        factor: Factor of each image, >= 0, ``float32``, shape ``(b,)``.

    Returns:
        New images of the same shape, in ``[0, 1]``.

    Example:
        >>> color = torch.tensor([0.8, 0.4, 0.6]).reshape(1, 3, 1, 1)
        >>> scale_saturation(color, torch.tensor([0.5])).flatten()
        tensor([0.8000, 0.6000, 0.7000])

    Source: ``tf.image.adjust_saturation``.
    """
    value = images.amax(dim=1, keepdim=True)  # (b, 1, h, w)
    chroma = value - images.amin(dim=1, keepdim=True)
    gain = torch.minimum(_each(factor), value / chroma.clamp_(min=_TINY))
    # Rounding could pass 0 by a last digit.
    return (images - value).mul_(gain).add_(value).clamp_(min=0)


def shift_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue of an image in HSV space around the color circle.

    With ``V`` and ``C`` as in `scale_saturation` and ``m = V - C``, the hue, in sixths of a turn
    from red, is ``h = ((V - r) + (g - m) + (b - m)) / C`` with the sign of ``g - b``. Back again,
    the channel whose own hue is ``H`` (0, 2, 4) lies ``d = 3 - ||h - H| - 3|`` away, the short way
    around, and is ``V - C * clip(d - 1, 0, 1)``. Value and saturation stay, and so does gray.

    Args:
        images: Red, green, and blue in ``[0, 1]``, ``float32``, shape ``(b, 3, h, w)``.
        turns: Shift of each image, in turns, ``float32``, shape ``(b,)``; 1/3 makes red green.

    Returns:
        New images of the same shape, in ``[0, 1]``.

    Example:
        >>> red = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1)
        >>> shift_hue(red, torch.tensor([1 / 6])).flatten()  # yellow
        tensor([1., 1., 0.])

    Source: ``tf.image.adjust_hue``; the hue without cases is our own arrangement.
    """
    value, least = images.amax(dim=1, keepdim=True), images.amin(dim=1, keepdim=True)
    chroma = value - least
    r, g, b = images.chunk(3, dim=1)
    # Three differences >= 0, so the sum loses no digits, however faint the color is.
    hue = ((value - r) + (g - least) + (b - least)) / chroma.clamp(min=_TINY)
    hue = torch.copysign(hue, g - b).add_(_each(6 * turns)).remainder_(6)
    own = 2 * torch.arange(3, device=images.device).reshape(3, 1, 1)
    # In place: fresh memory of this size costs more than a sum. This is -clip(d - 1, 0, 1).
    fall = (hue - own).abs_().sub_(3).abs_().sub_(2).clamp_(-1, 0)  # (b, 3, h, w)
    return fall.mul_(chroma).add_(value)


def _each(numbers: Tensor) -> Tensor:
    """Return one number an image in a shape that meets images."""
    return numbers.reshape(-1, 1, 1, 1)
