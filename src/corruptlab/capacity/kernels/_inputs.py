"""What a user hands over, as tensors that are checked."""

from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from corruptlab._arrays import check_dense
from corruptlab._checks import at_least
from corruptlab._duplicates import equal_groups
from corruptlab._memory import check_fits

Values: TypeAlias = ArrayLike | Tensor
"""An array, a tensor, or nested lists of numbers."""


class Targets(NamedTuple):
    """What is to be interpolated: one-hot rows of labels, or real numbers as they are."""

    values: Tensor  # float64, (n, k)
    num_classes: int | None  # None for real numbers
    flat: bool  # one real number a point, so that predictions are flat too


def tensor_of(name: str, values: Values) -> Tensor:
    """Return numbers of any real type as a tensor, copied only where necessary."""
    if not isinstance(values, Tensor):
        try:
            array = np.asarray(values)
            if not array.flags.writeable or any(stride < 0 for stride in array.strides):
                array = array.copy()  # PyTorch warns of the former, and refuses the latter
            values = torch.from_numpy(np.ascontiguousarray(array))
        except (TypeError, ValueError):
            kind = f"an array of {values.dtype}" if isinstance(values, np.ndarray) else repr(values)
            raise TypeError(f"`{name}` must hold numbers, got {kind}.") from None
    check_dense(values, name)
    if values.is_complex() or values.dtype == torch.bool:
        raise TypeError(f"`{name}` must hold real numbers, got {values.dtype}.")
    return values.detach()


def check_finite(name: str, rows: Tensor) -> None:
    """Refuse numbers that are not finite, and name the first row that has one."""
    finite = rows.isfinite().flatten(1).all(1) if rows.ndim > 1 else rows.isfinite()
    if not bool(finite.all()):
        first = int(finite.logical_not().nonzero()[0])
        raise ValueError(f"`{name}` must be finite, got nan or inf in row {first}.")


def read_points(x: Values, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return inputs as rows of a new tensor, shape ``(n, d)``; bytes are divided by 255."""
    given = tensor_of("x", x)
    if given.ndim < 2 or given.numel() == 0:
        shape = tuple(given.shape)
        raise ValueError(f"`x` must have shape (n, d) with n and d at least 1, got {shape}.")
    rows = given.flatten(1).to(device, dtype, copy=True)
    if given.dtype == torch.uint8:
        rows /= 255
    check_finite("x", rows)
    return rows


def read_images(name: str, images: Values) -> Tensor:
    """Return images as they are stored, shape ``(n, channels, height, width)``."""
    given = tensor_of(name, images)
    if given.dtype != torch.uint8 and not given.is_floating_point():
        raise TypeError(f"`{name}` must be uint8 or floats, got {given.dtype}.")
    if given.ndim not in (3, 4) or given.numel() == 0:
        raise ValueError(
            f"`{name}` must have shape (n, height, width) or (n, channels, height, width) and not "
            f"be empty, got {tuple(given.shape)}."
        )
    if given.is_floating_point():
        check_finite(name, given)
    return given[:, None] if given.ndim == 3 else given


def read_targets(y: Values, n: int, *, num_classes: int | None, device: torch.device) -> Targets:
    """Return the targets of ``n`` inputs: labels if there is a number of classes, else floats."""
    given = tensor_of("y", y)
    if given.ndim not in (1, 2) or 0 in given.shape[1:]:
        raise ValueError(f"`y` must have shape (n,) or (n, k), got {tuple(given.shape)}.")
    if len(given) != n:
        raise ValueError(f"`y` must hold one target for each of the {n} inputs, got {len(given)}.")
    if given.is_floating_point():
        if num_classes is not None:
            raise TypeError(f"`num_classes` must be None for real targets, got {num_classes}.")
        values = given.to(device, torch.float64)
        check_finite("y", values)
        return Targets(values[:, None] if given.ndim == 1 else values, None, given.ndim == 1)
    if num_classes is None:
        raise TypeError(
            "`num_classes` must be given for integer labels, got None; for real targets make `y` "
            "floats."
        )
    labels = read_labels(given, num_classes).to(device)
    check_fits("num_classes", num_classes, 16 * n * num_classes)  # one-hot, as integers and floats
    return Targets(torch.nn.functional.one_hot(labels, num_classes).double(), num_classes, False)


def read_labels(y: Tensor, num_classes: int) -> Tensor:
    """Return integer labels of shape ``(n,)`` as ``int64``."""
    if y.is_floating_point():
        raise TypeError(f"`y` must hold integer labels, got {y.dtype}.")
    if y.ndim != 1:
        raise ValueError(f"`y` must have shape (n,) for integer labels, got {tuple(y.shape)}.")
    at_least(1, "num_classes", num_classes)
    strays = ((y < 0) | (y >= num_classes)).nonzero()
    if len(strays):
        at = int(strays[0])
        raise ValueError(
            f"`y` must lie in 0 .. {num_classes - 1}, got {int(y[at])} at position {at}."
        )
    return y.long()


def distinct(points: Tensor, targets: Targets) -> Tensor | None:
    """Return the positions of the first of equal points, rising; None if all points differ."""
    groups = equal_groups(points)
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    if len(first) == len(points):
        return None
    originals = torch.from_numpy(first[group]).to(targets.values.device)
    conflicts = (targets.values[originals] != targets.values).any(1).nonzero()
    if len(conflicts):
        at = int(conflicts[0])
        original = int(originals[at])
        one, other = (_described(targets, position) for position in (original, at))
        raise ValueError(
            f"`y` must be equal on equal points, got {one} and {other} for points {original} "
            f"and {at} of `x`, which are the same: drop one, or use a `ridge`."
        )
    return torch.from_numpy(np.sort(first)).to(points.device)


def _described(targets: Targets, at: int) -> str:
    row = targets.values[at]
    if targets.num_classes is not None:
        return f"class {int(row.argmax())}"
    return f"{float(row[0]):g}" if len(row) == 1 else str(row.tolist())
