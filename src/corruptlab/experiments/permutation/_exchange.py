"""Labels exchanged among examples, within groups."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corruptlab._draws import Draws

STREAM = "permutation_test/exchange"


class Exchange:
    """All ways to exchange labels within groups, and how to draw them.

    Args:
        labels: The labels, ``int64``, shape ``(n,)``.
        groups: A group for each example, shape ``(n,)``: numbers or strings; None for one group
            of all.

    Raises:
        TypeError: If groups are of kinds that cannot be told apart.
        ValueError: If a group is nan, there are not as many groups as labels, an example is alone
            in its group, or the labels are alike in each group, so that no exchange changes
            anything.
    """

    def __init__(self, labels: NDArray[np.int64], groups: ArrayLike | None = None) -> None:
        self._labels = labels
        self._groups = _numbered(groups, len(labels))
        self._slots = np.argsort(self._groups, kind="stable")
        if not self._can_change():
            raise ValueError(
                "`train` must have different labels within a group, or there is nothing to "
                f"exchange, got {_counts(labels)}."
            )

    def drawn(self, seed: int, numbers: Sequence[int]) -> NDArray[np.int64]:
        """Return some exchanges of the labels.

        Within a group labels are ordered by words of the stream
        ``permutation_test/exchange/NUMBER``, one an example. So every order is equally likely, and
        exchange 7 is the same however many are drawn.

        Args:
            seed: The seed.
            numbers: Which exchanges, each >= 1; number 0 is the labels as they are.

        Returns:
            ``int64`` of shape ``(len(numbers), n)``.
        """
        return np.stack([self._one(Draws(seed), number) for number in numbers])

    def _one(self, draws: Draws, number: int) -> NDArray[np.int64]:
        if number == 0:
            return self._labels
        words = draws.words(f"{STREAM}/{number}", np.arange(len(self._labels)))[:, 0]
        exchanged = np.empty_like(self._labels)
        exchanged[self._slots] = self._labels[np.lexsort((words, self._groups))]
        return exchanged

    def _can_change(self) -> bool:
        grouped, labels = self._groups[self._slots], self._labels[self._slots]
        return bool(((grouped[1:] == grouped[:-1]) & (labels[1:] != labels[:-1])).any())


def _numbered(groups: ArrayLike | None, n: int) -> NDArray[np.int64]:
    """Return the groups as numbers from 0, after checking them."""
    if groups is None:
        return np.zeros(n, np.int64)
    names, numbered, counts = _told_apart(groups, n)
    if (counts == 1).any():
        alone = names[counts == 1]
        raise ValueError(
            "`groups` must have at least 2 examples each, because an example that is alone has "
            f"no one to exchange its label with, got {len(alone)} of one example, such as "
            f"{alone.tolist()[0]!r}."
        )
    return numbered.astype(np.int64)


def _told_apart(groups: ArrayLike, n: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the names of the groups, the place of each example's among them, and their sizes."""
    try:
        given = np.asarray(groups)
        found = np.unique(given, return_inverse=True, return_counts=True)
    except (TypeError, ValueError):  # None among strings, rows of different lengths
        raise TypeError("`groups` must hold numbers only or strings only, got a mixture.") from None
    if given.shape != (n,):
        raise ValueError(
            f"`groups` must have shape ({n},), one for each training example, got {given.shape}."
        )
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise ValueError("`groups` must name the group of every example, got nan or inf.")
    return found


def _counts(labels: NDArray[np.int64]) -> str:
    names, counts = np.unique(labels, return_counts=True)
    return ", ".join(f"{c} of class {k}" for k, c in zip(names[:5], counts[:5], strict=True))
