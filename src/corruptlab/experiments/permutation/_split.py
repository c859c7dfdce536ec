"""Which examples are trained on, and which are held out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from corruptlab._draws import Draws
from corruptlab._random_state import seeded_generators
from corruptlab._types import MapDataset
from corruptlab.corruptions import materialize
from corruptlab.experiments.permutation._scores import Part


@dataclass(frozen=True)
class Split:
    """All examples, and the parts that are trained on and held out.

    Args:
        inputs: Those that labels are exchanged among, then the test examples, ``(n, ...)``.
        exchangeable: Labels of the former, ``int64``, shape ``(m,)``.
        fixed: Labels of the latter, shape ``(n - m,)``; empty without a test set.
        parts: Positions to train on and to hold out.
    """

    inputs: Tensor
    exchangeable: NDArray[np.int64]
    fixed: NDArray[np.int64]
    parts: list[Part]

    @classmethod
    def of(
        cls,
        train: MapDataset[Any],
        test: MapDataset[Any] | None,
        folds: int | ArrayLike | None,
        *,
        seed: int,
        progress: bool,
    ) -> "Split":
        """Read the data and split them.

        Args:
            train: The training set, or all data.
            test: The test set, or None.
            folds: How many parts, or the part of each example; None with a test set.
            seed: Decides the parts.
            progress: Whether to show progress.

        Returns:
            The split.

        Raises:
            ValueError: If there is neither or both, or they do not fit the data.
        """
        if (test is None) == (folds is None):
            raise ValueError(
                "`test` or `folds` must be given, and not both, got "
                f"{'neither' if test is None else 'both'}."
            )
        inputs, labels = _read(train, 0, seed, progress)
        nothing = np.empty(0, np.int64)
        if test is None:
            held_out = _held_out(folds, len(labels), seed)
            return cls(inputs, labels.numpy(), nothing, _parts(held_out))
        new, truth = _read(test, 1, seed, progress)
        if new.shape[1:] != inputs.shape[1:] or new.dtype != inputs.dtype:
            raise ValueError(
                f"`test` must have inputs like those of `train`, {tuple(inputs.shape[1:])} of "
                f"{inputs.dtype}, got {tuple(new.shape[1:])} of {new.dtype}."
            )
        at = torch.arange(len(inputs) + len(new))
        part = at[: len(inputs)], at[len(inputs) :]
        return cls(torch.cat([inputs, new]), labels.numpy(), truth.numpy(), [part])

    def labellings(self, exchanged: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the labels of all examples for some exchanges.

        Args:
            exchanged: Shape ``(r, m)``.

        Returns:
            Shape ``(r, n)``.
        """
        fixed = np.broadcast_to(self.fixed, (len(exchanged), len(self.fixed)))
        return np.concatenate([exchanged, fixed], axis=1)


def _read(
    dataset: MapDataset[Any], number: int, seed: int, progress: bool
) -> tuple[Tensor, Tensor]:
    """Read a data set whole; what its random transforms draw depends on the seed alone."""
    word = int(Draws(seed).integers("permutation_test/reading", [number], 2**31)[0])
    with seeded_generators(word):
        return materialize(dataset, progress=progress)


def _held_out(folds: Any, n: int, seed: int) -> NDArray[np.int64]:
    """Return the part of each example."""
    given = np.asarray(folds)
    if given.dtype.kind not in "iu":
        raise TypeError(f"`folds` must be an integer or one an example, got {folds!r}.")
    if given.ndim == 0:
        if not 2 <= int(given) <= n:
            raise ValueError(f"`folds` must lie in 2 .. {n}, the number of examples, got {folds}.")
        order = Draws(seed).permutations("permutation_test/folds", [0], n)[0]
        held_out = np.empty(n, np.int64)
        held_out[order] = np.arange(n) * int(given) // n
        return held_out
    if given.shape != (n,):
        raise ValueError(
            f"`folds` must have shape ({n},), one for each example, got {given.shape}."
        )
    if len(np.unique(given)) < 2:
        raise ValueError(f"`folds` must name at least 2 parts, got {given[0]} for all examples.")
    return given.astype(np.int64)


def _parts(held_out: NDArray[np.int64]) -> list[Part]:
    return [
        (
            torch.from_numpy(np.flatnonzero(held_out != part)),
            torch.from_numpy(np.flatnonzero(held_out == part)),
        )
        for part in np.unique(held_out)
    ]
