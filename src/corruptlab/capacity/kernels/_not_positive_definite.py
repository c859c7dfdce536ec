"""What is raised when a matrix has no Cholesky factor."""


class NotPositiveDefiniteError(ArithmeticError):
    """A kernel matrix is not positive definite in the arithmetic at hand.

    Args:
        pivot: The point, counted from 0, at which the factorization ended: given the points
            before it, it adds nothing that this arithmetic can see.
        value: What should have been positive there: the squared distance, in feature space, from
            that point p to the span of those before it, ``K_pp - K_p< K_<<^-1 K_<p``. Rounding can
            leave it a little above 0. Conjugate gradients, which take points in another order,
            find it while they make their preconditioner, or do not find it.
        num_points: Size of the matrix.
        dtype: Name of the arithmetic's type.

    Attributes:
        pivot: The point.
        value: The value there.

    Example:
        >>> from corruptlab.capacity.kernels import NotPositiveDefiniteError
        >>> print(NotPositiveDefiniteError(2, -1e-7, num_points=9, dtype="float32"))
        `kernel` must give a positive definite matrix, got pivot -1e-07 at point 2 of 9 in float32:
        use a narrower kernel, `dtype=torch.float64`, or a `ridge`.
    """

    def __init__(self, pivot: int, value: float, num_points: int, dtype: str) -> None:
        super().__init__(pivot, value, num_points, dtype)  # as they are, so that it can be pickled
        self.pivot, self.value, self.num_points, self.dtype = pivot, value, num_points, dtype

    def __str__(self) -> str:
        other = "a `ridge`" if self.dtype == "float64" else "`dtype=torch.float64`, or a `ridge`"
        comma = " or" if self.dtype == "float64" else ","
        return (
            f"`kernel` must give a positive definite matrix, got pivot {self.value:.3g} at point "
            f"{self.pivot} of {self.num_points} in {self.dtype}: "
            f"use a narrower kernel{comma} {other}."
        )
