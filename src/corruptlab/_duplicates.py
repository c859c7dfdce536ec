"""Equal examples, and what conflicting labels leave to be learned."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from corruptlab._draws import Draws
from corruptlab._types import Ids, Labels

_ALL = slice(None)
_GLANCE = 8  # values of an input, which tell most from all others
_BYTES_AT_ONCE = 1 << 20  # with its copies, small enough for a processor's cache (measured)


@dataclass(frozen=True)
class Duplicates:
    """How many inputs are exact copies of one another, and whether their labels agree."""

    n: int
    copies: int
    conflicting: int
    attainable: int


def find_duplicates(inputs: Tensor, targets: Tensor) -> Duplicates:
    """Compare all inputs with one another, exactly, in one pass and a sort."""
    if len(inputs) == 0:
        return Duplicates(0, 0, 0, 0)
    groups = equal_groups(inputs.detach())
    sizes = np.bincount(groups)
    if len(sizes) == len(groups):
        return Duplicates(len(groups), 0, 0, len(groups))
    most = majorities(groups, targets.cpu().numpy())
    return Duplicates(
        n=len(groups),
        copies=int(sizes[sizes > 1].sum()),
        conflicting=int(sizes[most < sizes].sum()),
        attainable=int(most.sum()),
    )


def equal_groups(inputs: Tensor) -> Ids:
    """Return a number for each input, the same for equal inputs and no others."""
    middle = inputs[0].numel() // 2
    if _all_differ(_keys(inputs, slice(middle, middle + _GLANCE))):
        return np.arange(len(inputs))
    keys = _keys(inputs)
    order = np.argsort(keys, kind="stable")
    same_key = keys[order][1:] == keys[order][:-1]
    same = same_key.copy()
    same[same_key] = _equal(inputs, order[:-1][same_key], order[1:][same_key])
    groups = np.empty(len(order), np.int64)
    groups[order] = np.concatenate([[0], np.cumsum(~same)])
    if (same_key & ~same).any():  # different inputs share a key, and copies may lie apart
        _separate(inputs, groups, order, runs=np.concatenate([[0], np.cumsum(~same_key)]))
    return groups


def _all_differ(keys: NDArray[np.int64]) -> bool:
    in_order = np.sort(keys)
    return bool((in_order[1:] != in_order[:-1]).all())


def _keys(inputs: Tensor, part: slice = _ALL) -> NDArray[np.int64]:
    """Return a random linear function, modulo 2**64, of the bits of some values of each input."""
    keys = torch.empty(len(inputs), dtype=torch.int64, device=inputs.device)
    factors = _factors(_words(inputs[:1], part).shape[1]).to(inputs.device)
    for some in _slices(inputs, len(inputs)):
        keys[some] = _words(inputs[some], part).mul_(factors).sum(dim=1)  # wraps: exact
    return keys.cpu().numpy()


def _factors(width: int) -> Tensor:
    drawn = Draws(0).words("duplicates", [0], max(1, width))[0, :width]
    return torch.from_numpy(drawn.view(np.int64))


def _words(inputs: Tensor, part: slice = _ALL) -> Tensor:
    """Return the bits of some values of each input, 32 in each of ``(m, width)`` new integers."""
    rows = _rows(inputs)[:, part]
    rows = rows + 0.0 if rows.is_floating_point() else rows.contiguous()  # -0.0 + 0.0 is 0.0
    if rows.element_size() < 4:
        raw = rows.flatten().view(torch.uint8).view(len(rows), -1)
        rows = pad(raw, (0, -raw.shape[1] % 4))
    return rows.flatten().view(torch.int32).view(len(rows), -1).to(torch.int64)


def _rows(inputs: Tensor) -> Tensor:
    return inputs.unsqueeze(-1).flatten(1)  # numbers are rows of one


def _equal(inputs: Tensor, a: Ids, b: Ids) -> NDArray[np.bool_]:
    """Tell for pairs of inputs whether they are equal in every value."""
    result = np.empty(len(a), np.bool_)
    for some in _slices(inputs, len(a)):
        left, right = (torch.from_numpy(ids[some]).to(inputs.device) for ids in (a, b))
        result[some] = _rows(inputs[left] == inputs[right]).all(dim=1).cpu().numpy()
    return result


def _separate(inputs: Tensor, groups: Ids, order: Ids, *, runs: Ids) -> None:
    """Number the inputs of each run of equal keys anew, by their values."""
    number = len(groups)  # above all numbers in use
    for run in np.split(order, np.flatnonzero(np.diff(runs)) + 1):
        seen: dict[bytes, int] = {}
        for i in run if len(run) > 1 else ():
            content = _words(inputs[i : i + 1]).cpu().numpy().tobytes()
            groups[i] = seen.setdefault(content, number + len(seen))
        number += len(seen)


def _slices(inputs: Tensor, count: int) -> list[slice]:
    bytes_each = inputs[0].numel() * inputs.element_size()
    size = max(1, _BYTES_AT_ONCE // max(1, bytes_each))
    return [slice(start, start + size) for start in range(0, count, size)]


def majorities(groups: Ids, labels: Labels) -> Ids:
    """Return how often the most frequent label of each group occurs in it."""
    order = np.lexsort((labels, groups))
    g, y = groups[order], labels[order]
    starts = np.flatnonzero(np.concatenate([[True], (g[1:] != g[:-1]) | (y[1:] != y[:-1])]))
    most = np.zeros(int(g[-1]) + 1, np.int64)
    np.maximum.at(most, g[starts], np.diff(np.append(starts, len(g))))
    return most
