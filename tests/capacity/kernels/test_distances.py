"""Distances by one matrix product keep their digits where it matters."""

import pytest
import torch
from numpy.testing import assert_allclose

from corruptlab.capacity.kernels import LaplaceKernel
from corruptlab.capacity.kernels import _distances as module
from corruptlab.capacity.kernels._distances import distances, squared_distances
from tests.capacity.kernels.cases import points


def test_squared_distances_are_never_negative_and_symmetric_in_their_arguments() -> None:
    x = points(50).float() * 1e-3 + 1
    assert float(squared_distances(x, x).min()) >= 0
    assert_allclose(squared_distances(x, x[:7]).T, squared_distances(x[:7], x), atol=1e-11)


def test_distances_of_near_and_equal_points_keep_their_digits_in_float32() -> None:
    x = 10 * points(40, 20).float()
    near = x + 1e-4 * points(40, 20, seed=1).float()
    exact = (x.double() - near.double()).norm(dim=1)
    assert_allclose(distances(x, near).diagonal().double().numpy(), exact.numpy(), rtol=1e-5)
    assert not distances(x, x).diagonal().any()
    assert_allclose(LaplaceKernel(1.0)(x, x).diagonal().numpy(), 1, rtol=0)
    # Which a root of the plain formula does not do: this is why they are computed anew.
    assert (
        float(squared_distances(x, near).sqrt().diagonal().double().sub(exact).abs().max()) > 1e-4
    )


def test_close_pairs_are_recomputed_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    x = points(30).float()
    whole = distances(x, x)
    monkeypatch.setattr(module, "_VALUES_AT_ONCE", 7)
    assert torch.equal(distances(x, x), whole)
