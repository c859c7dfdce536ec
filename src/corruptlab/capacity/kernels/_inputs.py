"""What a user hands over, as tensors that are checked."""

import hashlib
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from corruptlab._checks import at_least

Values: TypeAlias = ArrayLike | Tensor
"""An array, a tensor, or nested lists of numbers."""


class Targets(NamedTuple):
    """What is to be interpolated.

    Args:
        values: ``float64`` of shape ``(n, k)``.
        num_classes: Number of classes if the values are one-hot rows of labels, else None.
        flat: Whether the user gave one number a point, so that predictions are flat too.
    """

    values: Tensor
    num_classes: int | None
    flat: bool


def tensor_of(name: str, values: Values) -> Tensor:
    """Return numbers of any real type as a tensor, without a copy where there need be none.

    Args:
        name: Name of the argument, for the errors.
        values: The numbers.

    Returns:
        A tensor of integers or floats.

    Raises:
        TypeError: If they are no real numbers.
    """
    if not isinstance(values, Tensor):
        try:
            array = np.asarray(values)
            array = array if array.flags.writeable else array.copy()  # PyTorch warns of the others
            values = torch.from_numpy(np.ascontiguousarray(array))
        except (TypeError, ValueError):
            raise TypeError(f"`{name}` must hold numbers, got {_kind(values)}.") from None
    if values.is_complex() or values.dtype == torch.bool:
        raise TypeError(f"`{name}` must hold real numbers, got {values.dtype}.")
    return values.detach()


def read_points(x: Values, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return inputs as rows of a new tensor; bytes are divided by 255.

    Args:
        x: Inputs, shape ``(n, ...)``.
        dtype: Type of the rows.
        device: Where they shall live.

    Returns:
        The rows, shape ``(n, d)``, n and d >= 1.

    Raises:
        TypeError: If they are no real numbers.
        ValueError: If there is no input, or one is empty or not finite.
    """
    given = tensor_of("x", x)
    if given.ndim < 2 or given.numel() == 0:
        shape = tuple(given.shape)
        raise ValueError(f"`x` must have shape (n, d) with n and d at least 1, got {shape}.")
    rows = given.flatten(1).to(device, dtype, copy=True)
    if given.dtype == torch.uint8:
        rows /= 255
    check_finite("x", rows)
    return rows


def read_targets(y: Values, n: int, *, num_classes: int | None, device: torch.device) -> Targets:
    """Return targets as ``float64`` rows: one-hot for labels, as they are for real numbers.

    Args:
        y: Integer labels of shape ``(n,)``, or floats of shape ``(n,)`` or ``(n, k)``.
        n: Number of inputs.
        num_classes: Number of classes; for labels only.
        device: Where they shall live.

    Returns:
        The targets.

    Raises:
        TypeError: If labels come without a number of classes, or a number of classes with floats.
        ValueError: If the shape does not fit, a label names no class, or a number is not finite.
    """
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
    return Targets(torch.nn.functional.one_hot(labels, num_classes).double(), num_classes, False)


def read_labels(y: Tensor, num_classes: int) -> Tensor:
    """Return integer labels as ``int64``.

    Args:
        y: The labels, shape ``(n,)``.
        num_classes: Number of classes.

    Returns:
        The labels.

    Raises:
        TypeError: If the labels or ``num_classes`` are not integers.
        ValueError: If their shape is another, ``num_classes`` is below 1, or a label names no
            class.
    """
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


def check_finite(name: str, rows: Tensor) -> None:
    """Refuse numbers that are not finite.

    Args:
        name: Name of the argument.
        rows: Its numbers, one or more axes.

    Raises:
        ValueError: If there is such a number; it names the first row that has one.
    """
    finite = rows.isfinite().flatten(1).all(1) if rows.ndim > 1 else rows.isfinite()
    if not bool(finite.all()):
        first = int(finite.logical_not().nonzero()[0])
        raise ValueError(f"`{name}` must be finite, got nan or inf in row {first}.")


def distinct(points: Tensor, targets: Targets) -> Tensor | None:
    """Return which points to keep so that no two are equal, the first of each; None for all.

    Args:
        points: The points, shape ``(n, d)``.
        targets: Their targets.

    Returns:
        Positions in rising order, or None if all points differ.

    Raises:
        ValueError: If equal points have different targets, which nothing can interpolate.
    """
    first: dict[bytes, int] = {}
    kept = []
    for at, row in enumerate((points + 0.0).cpu().numpy()):  # + 0.0 makes -0.0 the same as 0.0
        original = first.setdefault(hashlib.blake2b(row.tobytes(), digest_size=16).digest(), at)
        if original == at:
            kept.append(at)
        elif not torch.equal(targets.values[original], targets.values[at]):
            raise ValueError(
                f"`y` must be equal on equal points, got {_target(targets, original)} and "
                f"{_target(targets, at)} for points {original} and {at} of `x`, which are the "
                f"same: drop one, or use a `ridge`."
            )
    return None if len(kept) == len(points) else torch.tensor(kept, device=points.device)


def _target(targets: Targets, at: int) -> str:
    row = targets.values[at]
    if targets.num_classes is not None:
        return f"class {int(row.argmax())}"
    return f"{float(row[0]):g}" if len(row) == 1 else str(row.tolist())


def _kind(values: object) -> str:
    return f"an array of {values.dtype}" if isinstance(values, np.ndarray) else repr(values)
