"""Projections are exact to a unit in the last place, and the same in any company."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import Tensor

from corruptlab.capacity.interpolation._projection import Projection, project
from tests.capacity.interpolation.naive import exact_inner_product


def inputs(kind: str, m: int = 40, d: int = 700) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(m, d, generator=generator, dtype=torch.float64)
    tensors: dict[str, Tensor] = {
        "bytes": (normal * 40 + 128).clamp(0, 255).to(torch.uint8),
        "int64": (normal * 1e6).long(),
        "float16": normal.half(),
        "bytes / 255": (normal * 40 + 128).clamp(0, 255).byte().float() / 255,
        "float64": normal,
        "spread": normal * 10 ** (8 * normal),
        "huge": normal * 1e300,
        "tiny": normal * 1e-300,
        "bool": torch.gt(normal, 0),
    }
    return tensors[kind]


KINDS = ["bytes", "int64", "float16", "bytes / 255", "float64", "spread", "huge", "tiny", "bool"]


def directions(d: int, q: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(d, q, generator=generator, dtype=torch.float64).mul(1 / math.sqrt(d))


@pytest.mark.parametrize("kind", KINDS)
def test_projection_is_right_to_the_last_place_of_the_sum_of_sizes(kind: str) -> None:
    x, a = inputs(kind, m=4), directions(700)
    z = project(x, a).numpy()
    rows = x.double().numpy()
    for i in range(4):
        for j in range(3):
            column = a[:, j].numpy()
            error = abs(float(exact_inner_product(rows[i], column)) - z[i, j])
            assert error <= 2.0**-53 * np.abs(rows[i] / 4 * column).sum() * 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_point_has_the_same_bits_in_any_batch(kind: str) -> None:
    x, a = inputs(kind), directions(700)
    whole = project(x, a)
    parts: list[Callable[[], Tensor]] = [
        lambda: torch.cat([project(row[None], a) for row in x]),
        lambda: torch.cat([project(some, a) for some in torch.split(x, 7)]),
        lambda: project(x.flip(0), a).flip(0),
        lambda: torch.cat([project(x, column[:, None]) for column in a.T], 1),
        lambda: project(x.T.contiguous().T, a),
    ]
    for part in parts:
        assert_array_equal(part(), whole)


def test_a_plain_product_does_not_have_that() -> None:
    x, a = inputs("float64"), directions(700)
    assert not torch.equal(torch.cat([row[None] @ a[:, :1] for row in x]), x @ a[:, :1])


def test_types_that_hold_the_same_numbers_have_the_same_projections() -> None:
    x, a = inputs("bytes"), directions(700)
    for other in (x.float(), x.double(), x.long(), x.short()):
        assert_array_equal(project(other, a), project(x, a))


def test_many_rows_are_cut_into_blocks_that_leave_no_trace() -> None:
    x, a = inputs("float64", m=1000, d=900), directions(900, 1)
    assert_array_equal(project(x, a)[700:], project(x[700:], a))


def test_gradient_is_that_of_an_inner_product() -> None:
    x = inputs("float64", m=3, d=5).requires_grad_()
    a = directions(5, 1)[:, 0].requires_grad_()
    assert torch.autograd.gradcheck(Projection.apply, (x, a))
