"""What happens to images once, before training: centre crop and per-image whitening."""

import math

import torch
from torch import Tensor

# Images worked on at once: small enough to stay in the processor's cache, and no second copy
# of a whole data set ever exists.
_IMAGES_AT_ONCE = 512


def center_crop(images: Tensor, size: int) -> Tensor:
    """Cut the middle ``size`` x ``size`` pixels out of every image.

    When an odd number of rows or columns has to go, one more goes at the bottom or right.

    Args:
        images: Images of any type, shape ``(..., height, width)``.
        size: Height and width to keep, at least 1 and at most those of the images.

    Returns:
        A view of ``images``, shape ``(..., size, size)``.

    Raises:
        ValueError: If ``size`` does not fit the images.

    Example:
        >>> import torch
        >>> from corruptlab.training import center_crop
        >>> center_crop(torch.arange(16).reshape(1, 4, 4), 2)
        tensor([[[ 5,  6],
                 [ 9, 10]]])

    Source: Zhang et al. 2017, App. A: CIFAR-10 images are cropped from 32x32 to 28x28.
    """
    if images.ndim < 2:
        raise ValueError(f"`images` must have height and width, got shape {tuple(images.shape)}.")
    height, width = images.shape[-2:]
    if not 1 <= size <= min(height, width):
        raise ValueError(f"`size` must lie in 1 .. {min(height, width)}, got {size}.")
    top, left = (height - size) // 2, (width - size) // 2
    return images[..., top : top + size, left : left + size]


def whiten(images: Tensor) -> Tensor:
    """Shift and scale every image to mean 0 and standard deviation 1 over all its values.

    ``(x - mean) / max(std, 1 / sqrt(k))`` with the mean and the (population) standard deviation
    of all ``k`` values of the image, channels together. The floor keeps a flat image
    from being divided by zero; it takes effect when bytes / 255 vary by less than ``1 / sqrt(k)``.

    Args:
        images: Images, shape ``(n, ...)``; bytes (``uint8``) are divided by 255 first, floats
            are taken as they are.

    Returns:
        ``float32``, contiguous, of the same shape, on the same device.

    Raises:
        TypeError: If the images are neither bytes nor floats.
        ValueError: If ``images`` has no axis besides the first.

    Example:
        >>> import torch
        >>> from corruptlab.training import whiten
        >>> whiten(torch.tensor([[0, 255, 0, 255], [7, 7, 7, 7]], dtype=torch.uint8))
        tensor([[-1.,  1., -1.,  1.],
                [ 0.,  0.,  0.,  0.]])

    Source: Zhang et al. 2017, App. A; ``tf.image.per_image_standardization``.
    """
    if images.ndim < 2:
        raise ValueError(f"`images` must have shape (n, ...), got {tuple(images.shape)}.")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise TypeError(f"`images` must be uint8 or floats to be whitened, got {images.dtype}.")
    whitened = torch.empty(images.shape, dtype=torch.float32, device=images.device)
    floor = 1 / math.sqrt(max(1, math.prod(images.shape[1:])))
    for start in range(0, len(images), _IMAGES_AT_ONCE):
        some = slice(start, start + _IMAGES_AT_ONCE)
        flat = whitened[some].flatten(1)  # (m, k), the same memory as `whitened`
        flat.copy_(images[some].flatten(1))
        if images.dtype == torch.uint8:
            flat /= 255
        flat -= flat.mean(dim=1, keepdim=True)
        flat /= flat.square().mean(dim=1, keepdim=True).sqrt_().clamp_(min=floor)
    return whitened


def as_floats(images: Tensor) -> Tensor:
    """Return unwhitened inputs as a network takes them.

    Args:
        images: Inputs of any type and shape.

    Returns:
        Bytes divided by 255 and floats as ``float32``; other integers, which may be the words of
        a text, as they are.
    """
    if images.dtype == torch.uint8:
        return images.to(torch.float32).div_(255)
    return images.to(torch.float32).contiguous() if images.is_floating_point() else images
