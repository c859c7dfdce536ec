"""What happens to images before the network sees them: crop, whitening, augmentation."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from corruptlab._checks import as_float, check_names, check_number, natural, whole
from corruptlab._draws import Draws

# Images worked on at once: small enough to stay in the processor's cache, and no second copy
# of a whole data set ever exists.
_IMAGES_AT_ONCE = 512


def center_crop(images: Tensor, size: int) -> Tensor:
    """Crop the central ``size`` x ``size`` pixels of every image.

    If an odd number of rows or columns is removed, one more is removed at the bottom or right.

    Args:
        images: Images of any dtype, shape ``(..., height, width)``.
        size: Height and width of the result, at least 1 and at most those of the images.

    Returns:
        A view of ``images``, shape ``(..., size, size)``.

    Raises:
        ValueError: If ``size`` is out of range for the images.

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
    """Standardize every image to mean 0 and standard deviation 1 over all its values.

    Computes ``(x - mean) / max(std, 1 / sqrt(k))`` with the mean and the (population) standard
    deviation of all ``k`` values of the image, over all channels. The lower bound on the divisor
    prevents a division by zero for constant images; it takes effect if the standard deviation of
    ``uint8`` values / 255 is below ``1 / sqrt(k)``.

    Args:
        images: Images, shape ``(n, ...)``; ``uint8`` is divided by 255 first, floats are used
            unchanged.

    Returns:
        ``float32``, contiguous, of the same shape, on the same device.

    Raises:
        TypeError: If the images are neither ``uint8`` nor floats.
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
    """Return bytes / 255 and floats as ``float32``; other integers, such as words, as they are."""
    if images.dtype == torch.uint8:
        return images.to(torch.float32).div_(255)
    return images.to(torch.float32).contiguous() if images.is_floating_point() else images


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random transforms of the training images, drawn anew for every image in every epoch.

    They are applied in this order, with independent amounts for each image:

    1. division of bytes by 255;
    2. counter-clockwise rotation of the whole image about its centre, with bilinear interpolation
       and reflection padding;
    3. crop, at random or in the centre;
    4. flip;
    5. brightness, clipped to ``[0, 1]``;
    6. saturation;
    7. hue.

    Crop, flip, and rotation resample the image only once; without a rotation, pixels are copied
    exactly. Values stay in ``[0, 1]``, and whitening comes afterwards. Brightness is therefore
    clipped, as in TensorFlow for bytes but not for floats: whitening subtracts the mean of the
    image, which would undo any offset that is not clipped.

    For a given seed, each transform draws the same random numbers whether or not others are
    enabled, and a narrower range only scales its amounts.

    Args:
        random_crop: Whether the crop of the recipe is at a uniformly random position instead of
            the centre.
        flip: Whether images are flipped horizontally with probability 1/2.
        rotation: Largest angle in degrees, in ``[0, 180]``; angles are uniform on
            ``[-rotation, rotation]``. The paper uses up to 25.
        brightness: Largest offset to pixels in ``[0, 1]``, in ``[0, 1]``; offsets are uniform on
            ``[-brightness, brightness]``. TensorFlow's CIFAR-10 tutorial uses 63 / 255.
        saturation: Largest relative change of the saturation, in ``[0, 1)``; factors are uniform
            on ``[1 - saturation, 1 + saturation]``. For images of 3 channels only.
        hue: Largest shift of the hue as a share of the color circle, in ``[0, 0.5]``; shifts are
            uniform on ``[-hue, hue]``. For images of 3 channels only.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a value is out of range.

    Example:
        >>> changes = Augmentation(flip=True, rotation=25)
        >>> changes.is_identity
        False
        >>> Augmentation.from_dict(changes.to_dict()) == changes
        True

    Source: Zhang et al. 2017, §3 and Table 4 in the appendix, which does not give the ranges of
    the colors; ``tf.image`` for brightness, saturation, and hue.
    """

    random_crop: bool = False
    flip: bool = False
    rotation: float = 0.0
    brightness: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        for name in ("random_crop", "flip"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"`{name}` must be True or False, got {getattr(self, name)!r}.")
        self._require(0 <= self._as_float("rotation") <= 180, "rotation", "[0, 180]")
        self._require(0 <= self._as_float("brightness") <= 1, "brightness", "[0, 1]")
        self._require(0 <= self._as_float("saturation") < 1, "saturation", "[0, 1)")
        self._require(0 <= self._as_float("hue") <= 0.5, "hue", "[0, 0.5]")

    @property
    def is_identity(self) -> bool:
        """Whether no transform is enabled."""
        return self == Augmentation()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a JSON-serializable dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Augmentation":
        """Build an augmentation from a dictionary of `to_dict`.

        Args:
            values: Names and values of the fields; any may be left out.

        Returns:
            The augmentation.

        Raises:
            ValueError: If a name is unknown.
        """
        check_names("values", values, [field.name for field in fields(cls)])
        return cls(**values)

    def _as_float(self, name: str) -> float:
        """Store a field as a plain float, so that equal ones print and serialize alike."""
        value = getattr(self, name)
        check_number(name, value)
        number = as_float(value)
        object.__setattr__(self, name, number)
        return number

    def _require(self, condition: bool, name: str, interval: str) -> None:
        if not condition:
            raise ValueError(f"`{name}` must lie in {interval}, got {getattr(self, name)}.")


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
    """Return the uniform numbers, ``float32`` ``(n, k)``, that decide the changes in one epoch.

    Example ``i`` reads word ``epoch * n + i`` of the streams ``"fit/augmentation/..."`` of `Draws`,
    so that any epoch can be asked for directly and the order of the data is of no concern.
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
    """Change every image ``(b, c, h, w)`` by its own row of draws; the values lie in ``[0, 1]``."""
    # On the CPU an image comes out the same to the bit in any batch. Nothing waits for the device.
    # All errors come from shapes, types, and settings: an empty batch is a check of them.
    _check_kind(augmentation)
    _check(images, draws, augmentation, crop)
    u = dict(zip(_streams(augmentation), draws.unbind(1), strict=True))
    seen = _rotate_crop_flip(images, u, augmentation.rotation, crop)
    if "brightness" in u:
        seen = shift_brightness(seen, _symmetric_range(u["brightness"], augmentation.brightness))
    if "saturation" in u:
        seen = scale_saturation(
            seen, 1 + _symmetric_range(u["saturation"], augmentation.saturation)
        )
    if "hue" in u:
        seen = shift_hue(seen, _symmetric_range(u["hue"], augmentation.hue))
    return seen


def _rotate_crop_flip(
    images: Tensor, u: Mapping[str, Tensor], rotation: float, crop: int | None
) -> Tensor:
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
        return rotate(as_floats(images), rows, columns, _symmetric_range(u["rotation"], rotation))
    return as_floats(gather(images, rows, columns))


def _symmetric_range(u: Tensor, width: float) -> Tensor:
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
    """Reject arguments that do not fit one another, without looking at their values."""
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


def window(draws: Tensor | None, *, length: int, size: int, like: Tensor) -> Tensor:
    """Return which neighbouring rows, or columns, ``(b, size)`` a crop keeps; None: the middle."""
    inside = torch.arange(size, device=like.device)
    if draws is None:
        return ((length - size) // 2 + inside).expand(len(like), size)
    # A draw is at most 1 - 2**-24, and the rounded product then stays below the number of places.
    first = (draws * (length - size + 1)).long()
    return first[:, None] + inside


def mirrored(columns: Tensor, flipped: Tensor) -> Tensor:
    """Return the columns of each image, from right to left where it is flipped."""
    return torch.where(flipped[:, None], columns.flip(1), columns)


def gather(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Read each image at some rows and columns, unchanged to the bit."""
    b, c, _, width = images.shape
    h, w = rows.shape[1], columns.shape[1]
    pixels = (rows[:, :, None] * width + columns[:, None, :]).reshape(b, 1, h * w)
    return images.flatten(2).gather(2, pixels.expand(b, c, h * w)).reshape(b, c, h, w)


def rotate(images: Tensor, rows: Tensor, columns: Tensor, degrees: Tensor) -> Tensor:
    """Read each image, turned counter-clockwise about its centre, at some rows and columns."""
    # Beyond the edge lies the image mirrored there, so that no border tells the angle.
    height, width = images.shape[-2:]
    angle = torch.deg2rad(degrees)[:, None]
    cos, sin = angle.cos(), angle.sin()
    # Pixel centres, from the centre of the image, turned back by the angle; in half
    # widths and heights, which is how `grid_sample` counts.
    # An integer less a number would have PyTorch's default type, which the user may have set.
    y = rows.to(images.dtype) - (height - 1) / 2
    x = columns.to(images.dtype) - (width - 1) / 2
    places = images.new_empty((len(images), rows.shape[1], columns.shape[1], 2))
    across, down = 2 / width, 2 / height
    torch.sub(
        (x * (cos * across))[:, None, :], (y * (sin * across))[:, :, None], out=places[..., 0]
    )
    torch.add((x * (sin * down))[:, None, :], (y * (cos * down))[:, :, None], out=places[..., 1])
    return grid_sample(
        images, places, mode="bilinear", padding_mode="reflection", align_corners=False
    )


# A divisor for gray pixels, whose numerator is 0. It is the smallest that keeps 1 / x finite.
_TINY = torch.finfo(torch.float32).tiny

# Each step below is one exactly rounded operation a pixel, without sums over pixels, so that the
# bits of an image do not depend on its place in the batch.


def shift_brightness(images: Tensor, offset: Tensor) -> Tensor:
    """Add a number to all values of an image and clip them to ``[0, 1]``."""
    return (images + _per_image(offset)).clamp_(0, 1)


def scale_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply the saturation of an image in HSV space, up to a saturation of 1."""
    # With the value V = max(r, g, b), the chroma C = V - min(r, g, b), and the saturation S = C / V
    # a color c becomes V + (c - V) S' / S for S' = min(factor S, 1): S' / S = min(factor, V / C).
    value = images.amax(dim=1, keepdim=True)  # (b, 1, h, w)
    chroma = value - images.amin(dim=1, keepdim=True)
    gain = torch.minimum(_per_image(factor), value / chroma.clamp_(min=_TINY))
    # Rounding could pass 0 by a last digit.
    return (images - value).mul_(gain).add_(value).clamp_(min=0)


def shift_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue of an image in HSV space around the color circle; 1/3 makes red green."""
    # In sixths of a turn from red it is h = ((V - r) + (g - m) + (b - m)) / C, m = V - C, with the
    # sign of g - b: no case for a sector, which a GPU would have to tell the host. Back again, the
    # channel of hue H (0, 2, 4) lies d = 3 - ||h - H| - 3| away and is V - C clip(d - 1, 0, 1).
    value, least = images.amax(dim=1, keepdim=True), images.amin(dim=1, keepdim=True)
    chroma = value - least
    r, g, b = images.chunk(3, dim=1)
    # Three differences >= 0, so the sum loses no digits, however faint the color is.
    hue = ((value - r) + (g - least) + (b - least)) / chroma.clamp(min=_TINY)
    hue = torch.copysign(hue, g - b).add_(_per_image(6 * turns)).remainder_(6)
    own = 2 * torch.arange(3, device=images.device).reshape(3, 1, 1)
    # In place: fresh memory of this size costs more than a sum. This is -clip(d - 1, 0, 1).
    fall = (hue - own).abs_().sub_(3).abs_().sub_(2).clamp_(-1, 0)  # (b, 3, h, w)
    return fall.mul_(chroma).add_(value)


def _per_image(numbers: Tensor) -> Tensor:
    """Return one number an image in a shape that meets images."""
    return numbers.reshape(-1, 1, 1, 1)
