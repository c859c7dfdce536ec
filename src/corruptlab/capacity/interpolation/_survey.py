"""What is kept of the points while they are read: projections, fingerprints, and targets."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corruptlab.capacity.interpolation._fingerprints import Fingerprints, fingerprints
from corruptlab.capacity.interpolation._points import Points
from corruptlab.capacity.interpolation._projection import project
from corruptlab.capacity.interpolation._targets import Classes, Encoding, as_array, classes_of

Floats = NDArray[np.float64]


class Survey:
    """One reading of all points, and more readings for further projections.

    Args:
        points: The points with their targets.
        directions: Gives the directions, shape ``(d, q)``, once d is known.
        num_classes: Number of classes, for integer labels.
        encoding: How a class becomes a target.

    Attributes:
        z: Projections, shape ``(n, q)``.
        directions: As above, the matrix.
        marks: Fingerprints of the points, shape ``(n, 2)``.
        y: Targets as they came, ``float64`` or ``int64``, shape ``(n,)`` or ``(n, k)``.
        classes: What the labels are to become; None for real targets.
        device: Where the points are.
        seconds: Time for all readings.
    """

    marks: Fingerprints
    y: NDArray[Any]

    def __init__(
        self,
        points: Points,
        directions: Callable[[int], Floats],
        *,
        num_classes: int | None,
        encoding: Encoding,
    ) -> None:
        begin = time.perf_counter()
        self._points = points
        self.classes: Classes | None = None
        self.device = torch.device("cpu")
        parts: list[tuple[Floats, Fingerprints, NDArray[Any]]] = []
        on_device: Tensor | None = None
        for first, x, y in points.blocks(beside=0):
            if on_device is None:
                self.classes = classes_of(y, num_classes, encoding)
                self.device = x.device
                self.directions = directions(x.shape[1])
                on_device = torch.from_numpy(self.directions).to(x.device)
            if self.classes is not None:
                self.classes.check(y, first)
            parts.append((_projected(x, on_device), fingerprints(x), as_array(y)))
        self.z, self.marks, self.y = (np.concatenate(part) for part in zip(*parts, strict=True))
        self.seconds = time.perf_counter() - begin

    @property
    def can_look_again(self) -> bool:
        """Whether the points can be read another time."""
        return self._points.can_be_read_again

    def targets(self, numbers: NDArray[np.int64]) -> Floats:
        """Return the targets of some points, shape ``(m,)`` or ``(m, k)``, labels encoded."""
        chosen = self.y[numbers]
        return chosen if self.classes is None else self.classes.encode(chosen)

    def project(self, direction: Floats) -> Floats:
        """Read the points again and return their projections onto one more direction.

        Args:
            direction: The direction, shape ``(d,)``.

        Returns:
            The projections, shape ``(n,)``.

        Raises:
            ValueError: If the points are not those of the first reading, seen by their projections
                onto its first direction, which come out the same to the last bit.
        """
        begin = time.perf_counter()
        both = np.column_stack([direction, self.directions[:, 0]])
        on_device = torch.from_numpy(both).to(self.device)
        parts = [_projected(x, on_device) for _, x, _ in self._points.blocks(beside=0)]
        z: Floats = np.concatenate(parts)
        if not np.array_equal(z[:, 1], self.z[:, 0]):
            raise ValueError(
                "`x` must give the same blocks every time it is read, got others the second time; "
                "an iterator, `iter(x)`, is read only once."
            )
        self.seconds += time.perf_counter() - begin
        return z[:, 0]


def _projected(x: Tensor, directions: Tensor) -> Floats:
    z: Floats = project(x, directions).cpu().numpy()
    if not np.isfinite(z).all():
        raise ValueError("`x` must be of a size at which projections are finite, got inf.")
    return z
