"""Crop, flip, and rotation: from which place of an image each pixel of the result is read.

All three only decide places, so an image is read once, whichever of them are on: without rotation
by an exact gather, with it by one bilinear interpolation of the whole image.
"""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


def window(draws: Tensor | None, *, length: int, size: int, like: Tensor) -> Tensor:
    """Return which neighbouring rows, or columns, of each image a crop keeps.

    Args:
        draws: Uniform numbers in ``[0, 1)``, ``float32``, shape ``(b,)``; each chooses one of the
            ``length - size + 1`` places. None for the middle, as in `center_crop`.
        length: Rows of the images, below 2**24.
        size: Rows to keep, in ``1 .. length``.
        like: The images, shape ``(b, ...)``, for the number of them and the device.

    Returns:
        ``int64``, shape ``(b, size)``.

    Example:
        >>> window(torch.tensor([0.0, 0.9]), length=5, size=3, like=torch.empty(2))
        tensor([[0, 1, 2],
                [2, 3, 4]])
    """
    inside = torch.arange(size, device=like.device)
    if draws is None:
        return ((length - size) // 2 + inside).expand(len(like), size)
    # A draw is at most 1 - 2**-24, and the rounded product then stays below the number of places.
    first = (draws * (length - size + 1)).long()
    return first[:, None] + inside


def mirrored(columns: Tensor, flipped: Tensor) -> Tensor:
    """Return the columns of each image, from right to left where it is flipped.

    Args:
        columns: Shape ``(b, w)``.
        flipped: Which images are flipped, ``bool``, shape ``(b,)``.

    Returns:
        Columns of the same shape.
    """
    return torch.where(flipped[:, None], columns.flip(1), columns)


def gather(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Read each image at some rows and columns, unchanged to the bit.

    Args:
        images: Images of any type, shape ``(b, c, height, width)``.
        rows: Row of the image for each row of the result, ``int64``, shape ``(b, h)``.
        columns: Likewise, shape ``(b, w)``.

    Returns:
        New images of the same type, shape ``(b, c, h, w)``.

    Example:
        >>> image = torch.arange(9).reshape(1, 1, 3, 3)
        >>> gather(image, torch.tensor([[0, 2]]), torch.tensor([[1, 0]]))
        tensor([[[[1, 0],
                  [7, 6]]]])
    """
    b, c, _, width = images.shape
    h, w = rows.shape[1], columns.shape[1]
    pixels = (rows[:, :, None] * width + columns[:, None, :]).reshape(b, 1, h * w)
    return images.flatten(2).gather(2, pixels.expand(b, c, h * w)).reshape(b, c, h, w)


def rotate(images: Tensor, rows: Tensor, columns: Tensor, degrees: Tensor) -> Tensor:
    """Read each image, turned about its centre, at some rows and columns.

    What lands between pixels is interpolated bilinearly. What lands beyond the edge is read from
    the image mirrored at that edge, so that no border, black or other, tells the angle.

    Args:
        images: Images, ``float32``, shape ``(b, c, height, width)``.
        rows: Row of the turned image for each row of the result, ``int64``, shape ``(b, h)``.
        columns: Likewise, shape ``(b, w)``.
        degrees: Angle of each image, counter-clockwise, ``float32``, shape ``(b,)``.

    Returns:
        New images, shape ``(b, c, h, w)``.

    Example:
        >>> image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
        >>> both = torch.tensor([[0, 1]])
        >>> rotate(image, both, both, torch.tensor([90.0])).round(decimals=4)
        tensor([[[[2., 4.],
                  [1., 3.]]]])
    """
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
