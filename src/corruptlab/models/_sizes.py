"""Checks of the sizes that a caller gives an architecture."""

from collections.abc import Sequence

from corruptlab._checks import at_least, whole


def check_sizes(name: str, sizes: Sequence[int]) -> None:
    """Refuse sizes that are no integers or below 1.

    Args:
        name: What the caller calls them.
        sizes: The sizes.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If a size is below 1.
    """
    if any(whole(name, size) < 1 for size in sizes):
        raise ValueError(f"`{name}` must be at least 1, got {tuple(sizes)}.")


def check_num_classes(num_classes: int) -> None:
    """Refuse a number of outputs that is no integer or below 1.

    Args:
        num_classes: Number of outputs.

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it is below 1.
    """
    at_least(1, "num_classes", num_classes)


def image_size(input_shape: Sequence[int], *, smallest: int) -> tuple[int, int, int]:
    """Read the shape of one image, or say what is wrong with it.

    Args:
        input_shape: What the caller gave.
        smallest: Least height and width that the architecture can do something with.

    Returns:
        Channels, height, and width.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If these are not three sizes, or one is too small.
    """
    check_sizes("input_shape", input_shape)
    if len(input_shape) != 3:
        raise ValueError(
            f"`input_shape` must be (channels, height, width), got {tuple(input_shape)}."
        )
    channels, height, width = input_shape
    if min(height, width) < smallest:
        raise ValueError(
            f"`input_shape` must have a height and a width of at least {smallest}, "
            f"got {tuple(input_shape)}."
        )
    return channels, height, width
