"""Inputs that are there more than once, and what that leaves to be learned."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from corruptlab._draws import Draws
from corruptlab._types import Ids, Labels

_BYTES_AT_ONCE = 1 << 20  # with its copies, small enough for a processor's cache (measured)


@dataclass(frozen=True)
class Duplicates:
    """How many inputs are exact copies of one another, and whether their labels agree.

    Attributes:
        n: Number of inputs.
        copies: Inputs that are there more than once, all copies counted.
        conflicting: Those of them of which some copy has another label.
        attainable: Labels that a function of the input can get right at most: of each
            group of copies, those with its most frequent label.

    Example:
        >>> inputs = torch.tensor([[1.0], [2.0], [1.0], [1.0], [2.0]])
        >>> find_duplicates(inputs, torch.tensor([0, 1, 0, 2, 1]))
        Duplicates(n=5, copies=5, conflicting=3, attainable=4)
    """

    n: int
    copies: int
    conflicting: int
    attainable: int


def find_duplicates(inputs: Tensor, targets: Tensor) -> Duplicates:
    """Compare all inputs with one another, exactly, in one pass and a sort.

    Each input becomes one 64-bit key on its device, and only inputs of equal keys are compared
    value by value, so that the result is exact whatever the keys are. Memory beyond
    the inputs is a few numbers an example and a few megabytes.

    Args:
        inputs: Shape ``(n, ...)``, of any type without nan; ``-0.0`` and ``0.0`` are equal.
        targets: Integer labels, shape ``(n,)``.

    Returns:
        The counts.
    """
    if len(inputs) == 0:
        return Duplicates(0, 0, 0, 0)
    groups = _groups(inputs.detach().flatten(1))
    sizes = np.bincount(groups)
    most = _majorities(groups, targets.cpu().numpy())
    return Duplicates(
        n=len(groups),
        copies=int(sizes[sizes > 1].sum()),
        conflicting=int(sizes[most < sizes].sum()),
        attainable=int(most.sum()),
    )


def _groups(rows: Tensor) -> Ids:
    """Return a number for each row, the same for equal rows and no others."""
    keys = _keys(rows)
    order = np.argsort(keys, kind="stable")
    same_key = keys[order][1:] == keys[order][:-1]
    same = same_key.copy()
    same[same_key] = _equal(rows, order[:-1][same_key], order[1:][same_key])
    groups = np.empty(len(order), np.int64)
    groups[order] = np.concatenate([[0], np.cumsum(~same)])
    if (same_key & ~same).any():  # different rows share a key, and copies may not be neighbours
        _separate(rows, groups, np.concatenate([[0], np.cumsum(~same_key)]), order, same)
    return groups


def _keys(rows: Tensor) -> NDArray[np.int64]:
    """Return a random linear function, modulo 2**64, of the bits of each row."""
    keys = torch.empty(len(rows), dtype=torch.int64, device=rows.device)
    factors = torch.empty(0, dtype=torch.int64)
    for some in _slices(rows):
        words = _words(rows[some])  # (m, w)
        if len(factors) != words.shape[1]:
            drawn = Draws(0).words("duplicates", [0], words.shape[1])[0]
            factors = torch.from_numpy(drawn.view(np.int64)).to(rows.device)
        keys[some] = words.mul_(factors).sum(dim=1)  # integers wrap: no rounding, in any order
    return keys.cpu().numpy()


def _words(rows: Tensor) -> Tensor:
    """Return the bits of rows as integers below 2**32, fresh, so that they can be overwritten."""
    rows = rows + 0.0 if rows.is_floating_point() else rows.contiguous()  # -0.0 + 0.0 is 0.0
    if rows.element_size() % 4:
        raw = rows.view(torch.uint8)
        rows = pad(raw, (0, -raw.shape[1] % 4))
    return rows.view(torch.int32).to(torch.int64)


def _equal(rows: Tensor, a: Ids, b: Ids) -> NDArray[np.bool_]:
    """Tell for pairs of rows whether they are equal in every value."""
    result = np.empty(len(a), np.bool_)
    for some in _slices(rows, count=len(a)):
        left, right = (torch.from_numpy(ids[some]).to(rows.device) for ids in (a, b))
        result[some] = (rows[left] == rows[right]).all(dim=1).cpu().numpy()
    return result


def _separate(rows: Tensor, groups: Ids, runs: Ids, order: Ids, same: NDArray[np.bool_]) -> None:
    """Number anew, by their values, the rows of each run of equal keys that are not all equal."""
    mixed = np.unique(runs[1:][(runs[1:] == runs[:-1]) & ~same])
    number = int(groups.max()) + 1
    for run in mixed:
        seen: dict[bytes, int] = {}
        for i in order[runs == run]:
            content = _words(rows[i : i + 1]).cpu().numpy().tobytes()
            groups[i] = seen.setdefault(content, number + len(seen))
        number += len(seen)


def _slices(rows: Tensor, *, count: int | None = None) -> list[slice]:
    total = len(rows) if count is None else count
    size = max(1, _BYTES_AT_ONCE // max(1, rows.shape[1] * rows.element_size()))
    return [slice(start, start + size) for start in range(0, total, size)]


def _majorities(groups: Ids, labels: Labels) -> Ids:
    """Return how often the most frequent label of each group occurs in it."""
    order = np.lexsort((labels, groups))
    g, y = groups[order], labels[order]
    starts = np.flatnonzero(np.concatenate([[True], (g[1:] != g[:-1]) | (y[1:] != y[:-1])]))
    most = np.zeros(int(g[-1]) + 1, np.int64)
    np.maximum.at(most, g[starts], np.diff(np.append(starts, len(g))))
    return most
