"""Norms of layers that the caller gives instead of a network."""

from collections.abc import Sequence

from corruptlab._checks import not_negative


def check_norms(norms: object) -> list[float]:
    """Return the norms as floats, or say what is wrong with them.

    Args:
        norms: One norm a layer.

    Returns:
        The norms.

    Raises:
        TypeError: If they are no sequence of numbers.
        ValueError: If there is none, or one is negative or not finite.
    """
    if not isinstance(norms, Sequence) or isinstance(norms, str):
        raise TypeError(
            f"`network` must be an nn.Sequential or a list of norms, got {type(norms).__name__}."
        )
    if not norms:
        raise ValueError("`network` must have at least one norm, got none.")
    return [not_negative("network", norm) for norm in norms]
