"""Projections are exact to a unit in the last place, and the same in any company."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import Tensor

from corruptlab.capacity import Interpolant
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


def projector(d: int = 700, seed: int = 1) -> Interpolant:
    """A network with a random direction, and one hinge far to the left: ``<a, x> + 100``."""
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(d, generator=generator, dtype=torch.float64).mul(1 / math.sqrt(d))
    return Interpolant(a, torch.full((1,), -100.0), torch.ones(1))


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_projection_is_right_to_the_last_place_of_the_sum_of_sizes(kind: str, seed: int) -> None:
    x, net = inputs(kind, m=4), projector(seed=seed)
    a, z = net.a.numpy(), net.project(x).numpy()
    for row, found in zip(x.double().numpy(), z, strict=True):
        error = abs(float(exact_inner_product(row, a)) - found)
        assert error <= 2.0**-53 * np.abs(row / 4 * a).sum() * 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_point_has_the_same_bits_in_any_batch(kind: str) -> None:
    x, project = inputs(kind), projector().project
    parts: list[Callable[[], Tensor]] = [
        lambda: torch.cat([project(row[None]) for row in x]),
        lambda: torch.cat([project(some) for some in torch.split(x, 7)]),
        lambda: project(x.flip(0)).flip(0),
        lambda: project(x.T.contiguous().T),
    ]
    for part in parts:
        assert_array_equal(part(), project(x))


def test_a_plain_product_does_not_have_that() -> None:
    x, a = inputs("float64"), projector().a[:, None]
    assert not torch.equal(torch.cat([row[None] @ a for row in x]), x @ a)


def test_types_that_hold_the_same_numbers_have_the_same_projections() -> None:
    x, project = inputs("bytes"), projector().project
    for other in (x.float(), x.double(), x.long(), x.short()):
        assert_array_equal(project(other), project(x))


@pytest.mark.parametrize("kind", ["float64", "bytes"])
def test_many_rows_are_cut_into_blocks_that_leave_no_trace(kind: str) -> None:
    x, project = inputs(kind, m=1500, d=900), projector(900).project
    assert_array_equal(project(x)[:40], project(x[:40]))
    assert_array_equal(project(x)[700:], project(x[700:]))


def test_gradient_is_that_of_an_inner_product() -> None:
    x, net = inputs("float64", m=3, d=5).requires_grad_(), projector(5).requires_grad_()

    def shifted(x: Tensor, a: Tensor) -> Tensor:
        return torch.func.functional_call(net, {"a": a}, (x,))  # type: ignore[no-any-return]

    assert torch.autograd.gradcheck(shifted, (x, net.a))
