"""Refinement corrects what an inverse gets wrong, keeps the best, and says why it ended."""

from typing import Any

import pytest
import torch
from torch import Tensor

from corruptlab.capacity.kernels import GaussianKernel
from corruptlab.capacity.kernels._refine import Solution, refined
from corruptlab.capacity.kernels._stopwatch import Stopwatch
from corruptlab.capacity.kernels._system import System
from tests.capacity.kernels.cases import CPU, points

X, RIDGE = points(), 0.1
K = GaussianKernel(0.3)(X, X) + RIDGE * torch.eye(40, dtype=torch.float64)
TARGETS = points(40, 2, seed=3)


class Rough:
    """An inverse that is a little off, by a factor of its own for each time that it is used."""

    iterations = 7

    def __init__(self, *errors: float, interrupted_at: int = -1) -> None:
        self.errors, self.uses, self.interrupted_at = errors, 0, interrupted_at
        self.interrupted = False

    def __call__(self, targets: Tensor) -> Tensor:
        off = self.errors[self.uses]
        self.interrupted = self.uses == self.interrupted_at
        self.uses += 1
        solution: Tensor = torch.linalg.solve(K, targets)
        return (1 + off) * solution


def refine(inverse: Rough, goal: float = 0.0, **settings: Any) -> Solution:
    system = System(GaussianKernel(0.3), X, RIDGE, tile=11, show=False)
    return refined(
        system,
        inverse,
        TARGETS,
        goal=goal * TARGETS.norm(dim=0),
        watch=Stopwatch(CPU),
        **{"refinements": 3, **settings},
    )


def size(residual: Tensor) -> float:
    return float(residual.abs().max())


def test_each_refinement_multiplies_the_residual_by_the_error_of_the_inverse() -> None:
    solution = refine(Rough(1e-2, -1e-3, 1e-2, 1e-3))
    largest = size(TARGETS)
    for found, share in zip(solution.residuals, (1e-2, 1e-5, 1e-7, 1e-10), strict=True):
        assert found == pytest.approx(share * largest, rel=1e-4)
    assert size(solution.residual - (TARGETS - K @ solution.coefficients)) < 1e-13
    assert (solution.stopped_by, solution.iterations) == ("solved", 7)


def test_refinement_that_makes_it_worse_is_dropped_and_the_last() -> None:
    inverse = Rough(1e-2, 5.0, 0.0)
    solution = refine(inverse)
    assert inverse.uses == 2
    assert solution.residuals[1] > solution.residuals[0]
    assert size(TARGETS - K @ solution.coefficients) == pytest.approx(solution.residuals[0])
    assert solution.stopped_by == "solved"  # without a goal, the best there is was wanted


def test_nothing_is_refined_once_the_goal_is_reached() -> None:
    inverse = Rough(1e-2, 1e-2, 1e-2, 1e-2)
    assert refine(inverse, goal=2e-4).stopped_by == "solved"
    assert inverse.uses == 2


def test_goal_that_is_not_reached_is_a_stall() -> None:
    assert refine(Rough(0.1, 0.1), goal=1e-3, refinements=1).stopped_by == "stalled"
    assert refine(Rough(0.1), goal=1e-3, refinements=0).stopped_by == "stalled"
    assert refine(Rough(0.1), refinements=0).stopped_by == "solved"


def test_interrupted_inverse_ends_it_with_what_there_is() -> None:
    first = Rough(0.1, 0.1, interrupted_at=0)
    solution = refine(first)
    assert (solution.stopped_by, first.uses, len(solution.residuals)) == ("interrupted", 1, 1)
    second = Rough(0.1, 0.1, 0.1, interrupted_at=1)
    solution = refine(second)
    assert (solution.stopped_by, second.uses, len(solution.residuals)) == ("interrupted", 2, 2)
    assert size(TARGETS - K @ solution.coefficients) == pytest.approx(solution.residuals[1])
