"""What the outputs shall be: real numbers as they are, or numbers that stand for classes."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corruptlab._checks import at_least

Encoding: TypeAlias = Literal["one_vs_rest", "index"]
"""How a class becomes a target: K outputs, 1 for the class and -1 for the others, and the largest
output is the class; or one output, the number of the class, to be rounded."""


@dataclass(frozen=True)
class Classes:
    """Class labels and what they become.

    Args:
        num_classes: Number of classes, >= 1.
        encoding: How a class becomes a target.

    Raises:
        TypeError: If ``num_classes`` is not an integer.
        ValueError: If it is below 1, or ``encoding`` is unknown.
    """

    num_classes: int
    encoding: Encoding

    def __post_init__(self) -> None:
        at_least(1, "num_classes", self.num_classes)

    def check(self, labels: Tensor, first: int) -> None:
        """Refuse labels that name no class.

        Args:
            labels: Integers, shape ``(m,)``.
            first: Number of the first of them, for the error.

        Raises:
            ValueError: If there is such a label.
        """
        labels = labels.long()  # a number of classes may be more than the type of labels holds
        strays = ((labels < 0) | (labels >= self.num_classes)).nonzero()
        if len(strays):
            at = int(strays[0])
            raise ValueError(
                f"`y` must lie in 0 .. {self.num_classes - 1}, "
                f"got {int(labels[at])} for point {first + at}."
            )

    def encode(self, labels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return targets, shape ``(n,)`` or ``(n, num_classes)``."""
        if self.encoding == "index":
            return labels.astype(np.float64)
        return np.where(labels[:, None] == np.arange(self.num_classes), 1.0, -1.0)

    def decode(self, outputs: Tensor) -> Tensor:
        """Return the classes that outputs stand for, ``int64`` of shape ``(m,)``."""
        if self.encoding == "index":
            return outputs.round().clamp(0, self.num_classes - 1).long()
        return outputs.argmax(1)


def classes_of(y: Tensor, num_classes: int | None, encoding: Encoding) -> Classes | None:
    """Return what the labels are to become, or None for real targets.

    Args:
        y: Some of the targets.
        num_classes: Number of classes; for integer labels only.
        encoding: How a class becomes a target.

    Returns:
        The classes, or None.

    Raises:
        TypeError: If integers come without a number of classes, or floats with one.
        ValueError: If labels are not one number each.
    """
    if y.is_floating_point():
        if num_classes is not None:
            raise TypeError(f"`num_classes` must be None for real targets, got {num_classes}.")
        return None
    if num_classes is None:
        raise TypeError(
            "`num_classes` must be given for integer labels, got None; for real targets make `y` "
            "floats."
        )
    if y.ndim != 1:
        raise ValueError(f"`y` must have shape (n,) for class labels, got {tuple(y.shape)}.")
    return Classes(num_classes, encoding)


def check_encoding(encoding: str) -> None:
    """Refuse an encoding that is not known."""
    if encoding not in get_args(Encoding):
        known = " or ".join(map(repr, get_args(Encoding)))
        raise ValueError(f"`encoding` must be {known}, got {encoding!r}.")


def as_array(y: Tensor) -> NDArray[np.float64] | NDArray[np.int64]:
    """Return targets as ``float64`` or, for labels, ``int64``."""
    kind = torch.float64 if y.is_floating_point() else torch.int64
    array: NDArray[np.float64] | NDArray[np.int64] = y.to("cpu", kind).numpy()
    return array
