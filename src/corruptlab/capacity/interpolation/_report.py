"""What an interpolation came to."""

from dataclasses import dataclass, field

from corruptlab._environment import Environment
from corruptlab._reports import Report
from corruptlab._text import counted


@dataclass(frozen=True, kw_only=True)
class InterpolationReport(Report, kind="interpolation"):
    """Size and accuracy of an interpolating network; the ``report`` of an `Interpolant`.

    Attributes:
        n: Number of distinct points, and of hinges.
        duplicates: Number of points that were dropped because they equal another point with an
            equal target.
        d: Dimension of the points.
        outputs: Number K of outputs.
        depth: Number of layers with weights.
        width: Number of units of the widest hidden layer.
        num_weights: Number of weights: ``n + d + n K`` for two layers; for more layers see
            `DeepInterpolant`.
        weight_bound: Upper bound on the number of weights by the theorem, or its corollary.
        direction: How the direction was found: ``"random"``, ``"best of 32"``, ``"separated"``
            (by linear programs), or ``"given"``.
        directions_tried: Number of random directions that were tried.
        smallest_gap: Smallest distance between two projections; infinite for a single point.
        relative_gap: ``smallest_gap`` divided by the range of the projections. It is at most
            ``1 / (n - 1)``, and about ``1 / n**2`` for a random direction.
        smallest_eigenvalue: Smallest eigenvalue of the triangular matrix
            ``A_ij = max(z_i - b_j, 0)``.
        condition_number: Condition number of that matrix in the maximum norm, computed exactly.
        residual: Largest ``abs(c(x_i) - y_i)`` over all points and outputs, as
            ``Interpolant.forward`` computes ``c``.
        dense_residual: The same for the standard layers of ``dense()`` in ``float64``, over
            ``dense_points`` points. It includes the rounding of the inner product and the
            cancellation of the hinges, so it is large for points whose distance from zero is large
            compared with their spread.
        dense_points: Number of those points. Since the sum of the hinges takes O(n) per point,
            these are all points only if that is fast, otherwise the last one and a sample that does
            not depend on the order of the points.
        seed: Seed of the directions.
        seconds_reading: Time for reading, checking, hashing, and projecting the points.
        seconds_solving: Time for everything else: sorting, the search for a direction, the weights,
            and the residuals.
        environment: Versions, machine, and device.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> report = cl.interpolate(np.eye(4), np.array([1.0, -1.0, 1.0, 1.0])).report
        >>> report.num_weights, report.weight_bound, report.residual < 1e-15
        (12, 12, True)
        >>> round(report.relative_gap, 3)  # as wide apart as four points can be
        0.333
    """

    n: int
    duplicates: int
    d: int
    outputs: int
    depth: int
    width: int
    num_weights: int
    weight_bound: int
    direction: str
    directions_tried: int
    smallest_gap: float
    relative_gap: float
    smallest_eigenvalue: float
    condition_number: float
    residual: float
    dense_residual: float
    dense_points: int
    seed: int
    seconds_reading: float = field(compare=False)
    seconds_solving: float = field(compare=False)
    environment: Environment

    def __repr__(self) -> str:
        merged = f" ({counted(self.duplicates, 'duplicate')} merged)" if self.duplicates else ""
        return (
            f"InterpolationReport({counted(self.n, 'point')}{merged} by "
            f"{counted(self.num_weights, 'weight')}, depth {self.depth}, width {self.width}; "
            f"direction {self.direction}, smallest gap {self.relative_gap:.3g} of "
            f"the range, condition number {self.condition_number:.3g}; "
            f"residual {self.residual:.3g}, of the dense network {self.dense_residual:.3g} on "
            f"{counted(self.dense_points, 'point')}; {self.seconds_reading:.3g} + "
            f"{self.seconds_solving:.3g} s, seed={self.seed})"
        )
