"""What the paper says of the time to interpolation, and what another rerun of it measured."""

from typing import NamedTuple


class Said(NamedTuple):
    """About one setting.

    Args:
        paper: Its time over that of true labels, in words, as Fig. 1 has no numbers.
        rerun: Steps over those of true labels in a public rerun of Fig. 1a by others: small
            Inception on CIFAR-10, batch 128, one seed, until the training loss is 0.01. None if
            it has no such setting.
    """

    paper: str
    rerun: float | None


_TRUE = 5.7  # thousand steps, as the others below

SAID = {
    "true": Said("1", 1.0),
    "partial-labels": Said("between the two, smoothly in p", None),
    "random-labels": Said("roughly 2 to 4", 17.7 / _TRUE),
    "shuffled-pixels": Said("", 6.7 / _TRUE),
    "random-pixels": Said("less than random labels", 13.0 / _TRUE),
    "gaussian": Said("less than random labels", 9.9 / _TRUE),
}
"""By setting. Source: Zhang et al. 2017, Fig. 1a and 1b, and §2.1."""
