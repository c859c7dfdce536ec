"""What an interpolation came to."""

from dataclasses import dataclass, field

from corruptlab._environment import Environment
from corruptlab._reports import Report
from corruptlab._text import counted


@dataclass(frozen=True, kw_only=True)
class InterpolationReport(Report, kind="interpolation"):
    """How many weights interpolate how many points, how well apart they are, and how exactly.

    Attributes:
        n: Number of different points, and of hinges.
        duplicates: Points left out because an equal one, with an equal target, is there.
        d: Numbers in a point.
        outputs: Numbers in a target, K.
        depth: Layers of weights.
        width: Units of the widest hidden layer.
        num_weights: Weights of the network: ``n + d + n K`` for two layers, see
            `DeepInterpolant` for more.
        weight_bound: What the theorem, or its corollary, says they are not above.
        direction: How the direction was found: ``"random"``, ``"best of 32"``, ``"separated"``
            (by linear programs), or ``"given"``.
        directions_tried: Random directions that were projected onto.
        smallest_gap: Smallest distance between two projections; infinite for one point.
        relative_gap: The same as a share of the range of the projections. At best it is
            ``1 / (n - 1)``; for a random direction it is about ``1 / n**2``.
        smallest_eigenvalue: Of the triangular matrix ``A_ij = max(z_i - b_j, 0)``.
        condition_number: Of that matrix, exactly, in the maximum norm.
        residual: Largest ``abs(c(x_i) - y_i)`` over all points and outputs, by the pieces: what
            ``Interpolant.forward`` computes.
        dense_residual: The same for the plain layers of ``dense()``, in ``float64``, over
            ``dense_points`` points: with a rounded inner product and all hinges added up. It is
            large for points whose distance from zero is large beside their spread.
        dense_points: How many that are: all if that is quick, else the last one and some others,
            the same in whatever order the points came, as adding up takes n operations for each.
        seed: Seed of the directions.
        seconds_reading: Time to read the points, check them, take their fingerprints, and
            project them.
        seconds_solving: Time for all the rest: sorting, the search for a direction, the weights,
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
