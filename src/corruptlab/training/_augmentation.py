"""Random changes of every image in every epoch, on the device, one batch at a time."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from corruptlab._checks import natural, whole
from corruptlab._draws import Draws
from corruptlab.training._augment_settings import Augmentation
from corruptlab.training._color import scale_saturation, shift_brightness, shift_hue
from corruptlab.training._geometry import gather, mirrored, rotate, window
from corruptlab.training._preprocess import as_floats, center_crop

__all__ = ["Augmentation", "augment", "augmentation_draws"]

# The streams that each change reads. A stream of its own for each means that none of them
# disturbs what another draws.
_STREAMS = {
    "random_crop": ("top", "left"),
    "flip": ("flip",),
    "rotation": ("rotation",),
    "brightness": ("brightness",),
    "saturation": ("saturation",),
    "hue": ("hue",),
}


def augmentation_draws(augmentation: Augmentation, *, seed: int, epoch: int, n: int) -> Tensor:
    """Return the random numbers that decide how each example is changed in one epoch.

    Example ``i`` reads word ``epoch * n + i`` of the streams ``"fit/augmentation/..."`` of
    `Draws`, so that any epoch can be asked for directly and the order of the data is of no
    concern. Call it once an epoch, move the numbers to the device, and index their rows by batch.

    Args:
        augmentation: What is changed; only this is drawn for.
        seed: The seed of the fit; any integer >= 0.
        epoch: Number of the epoch, counted from 0.
        n: Number of examples, >= 0.

    Returns:
        ``float32`` of shape ``(n, k)`` on the CPU, uniform on the multiples of 2**-24 in
        ``[0, 1)``: two numbers an example for a random crop, and one for any other change.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a number is negative.

    Example:
        >>> changes = Augmentation(random_crop=True, flip=True)
        >>> augmentation_draws(changes, seed=0, epoch=1, n=2)
        tensor([[0.3977, 0.2957, 0.6191],
                [0.5256, 0.9438, 0.4510]])
    """
    _check_kind(augmentation)
    draws, names = Draws(seed), _streams(augmentation)
    n = natural("n", n)
    ids = natural("epoch", epoch) * n + np.arange(n)
    uniforms = np.empty((n, len(names)), np.float32)
    for column, name in enumerate(names):
        # 24 bits, which float32 holds: rounding a longer number could give 1.
        uniforms[:, column] = draws.words(f"fit/augmentation/{name}", ids)[:, 0] >> np.uint64(40)
    return torch.from_numpy(uniforms).mul_(2.0**-24)


def augment(
    images: Tensor, draws: Tensor, *, augmentation: Augmentation, crop: int | None
) -> Tensor:
    """Change every image of a batch by its own random numbers.

    What becomes of an image depends on it and on its own row of ``draws`` only; on the CPU it is
    the same to the bit in any batch. Nothing waits for the device. All errors come from shapes,
    types, and settings, so that an empty batch is a check of them.

    Args:
        images: Images, shape ``(b, c, h, w)``, as bytes (``uint8``) or floats in ``[0, 1]``.
        draws: Their rows of `augmentation_draws`, ``float32``, shape ``(b, k)``, on that device.
        augmentation: What is changed and by how much; see there for the order.
        crop: Height and width to keep, or None for whole images.

    Returns:
        New images in ``[0, 1]``, not whitened, ``float32``, shape ``(b, c, crop, crop)`` or
        ``(b, c, h, w)``.

    Raises:
        TypeError: If an argument is of the wrong kind or the images are neither bytes nor floats.
        ValueError: If shapes or devices do not fit, saturation or hue is to be changed without 3
            channels, or the crop is to be random and there is none.

    Example:
        >>> images = torch.zeros(128, 3, 32, 32, dtype=torch.uint8)
        >>> changes = Augmentation(random_crop=True, flip=True, hue=0.1)
        >>> draws = augmentation_draws(changes, seed=0, epoch=0, n=128)
        >>> augment(images, draws, augmentation=changes, crop=28).shape
        torch.Size([128, 3, 28, 28])

    Source: Zhang et al. 2017, §3; see `Augmentation` for what is meant by each change.
    """
    _check_kind(augmentation)
    _check(images, draws, augmentation, crop)
    u = dict(zip(_streams(augmentation), draws.unbind(1), strict=True))
    seen = _place(images, u, augmentation.rotation, crop)
    if "brightness" in u:
        seen = shift_brightness(seen, _spread(u["brightness"], augmentation.brightness))
    if "saturation" in u:
        seen = scale_saturation(seen, 1 + _spread(u["saturation"], augmentation.saturation))
    if "hue" in u:
        seen = shift_hue(seen, _spread(u["hue"], augmentation.hue))
    return seen


def _place(images: Tensor, u: Mapping[str, Tensor], rotation: float, crop: int | None) -> Tensor:
    """Rotate, crop, and flip."""
    if u.keys().isdisjoint(("top", "flip", "rotation")):
        middle = images if crop is None else center_crop(images, crop)
        return as_floats(middle.clone())
    height, width = images.shape[-2:]
    rows = window(u.get("top"), length=height, size=crop or height, like=images)
    columns = window(u.get("left"), length=width, size=crop or width, like=images)
    if "flip" in u:
        columns = mirrored(columns, u["flip"] < 0.5)
    if "rotation" in u:
        return rotate(as_floats(images), rows, columns, _spread(u["rotation"], rotation))
    return as_floats(gather(images, rows, columns))


def _spread(u: Tensor, width: float) -> Tensor:
    """Map ``[0, 1)`` to ``[-width, width)``."""
    return (2 * u - 1) * width


def _streams(augmentation: Augmentation) -> list[str]:
    """Return the streams that are read, in the order of the columns of the draws."""
    return [
        name for field, names in _STREAMS.items() if getattr(augmentation, field) for name in names
    ]


def _check_kind(augmentation: object) -> None:
    if not isinstance(augmentation, Augmentation):
        raise TypeError(f"`augmentation` must be an Augmentation, got {augmentation!r}.")


def _check(images: Tensor, draws: Tensor, augmentation: Augmentation, crop: int | None) -> None:
    """Refuse arguments that do not fit one another; their values are not looked at."""
    for name, tensor in (("images", images), ("draws", draws)):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"`{name}` must be a tensor, got {type(tensor).__name__}.")
    if images.ndim != 4:
        raise ValueError(f"`images` must have shape (b, c, h, w), got {tuple(images.shape)}.")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise TypeError(f"`images` must be uint8 or floats, got {images.dtype}.")
    if (augmentation.saturation or augmentation.hue) and images.shape[1] != 3:
        channels = images.shape[1]
        raise ValueError(f"`images` must have 3 channels for saturation and hue, got {channels}.")
    if draws.dtype != torch.float32:
        raise TypeError(f"`draws` must be float32, got {draws.dtype}.")
    shape = (len(images), len(_streams(augmentation)))
    if draws.shape != shape:
        raise ValueError(f"`draws` must have shape {shape}, got {tuple(draws.shape)}.")
    if draws.device != images.device:
        raise ValueError(f"`draws` must be on {images.device}, got {draws.device}.")
    if crop is None:
        if augmentation.random_crop:
            raise ValueError("`crop` must be a size for a random crop, got None.")
    elif not 1 <= whole("crop", crop) <= min(images.shape[2:]):
        raise ValueError(f"`crop` must lie in 1 .. {min(images.shape[2:])}, got {crop}.")
