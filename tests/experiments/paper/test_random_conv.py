"""Squared distances by blocks of filters against features that are all held at once."""

from pathlib import Path
from typing import Any

import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor

import corruptlab as cl
from corruptlab.capacity.kernels import GaussianKernel, KernelInterpolant, random_conv_features
from corruptlab.datasets import DataFileError
from corruptlab.experiments.paper import _random_conv, plan
from corruptlab.experiments.paper._random_conv import ImageKernel, numbered, squared_distances
from tests.cli.trees import idx_tree

LAYER: dict[str, Any] = {"size": 5, "threshold": 0.3, "seed": 2}


def images(n: int) -> Tensor:
    return cl.datasets.fashion_mnist_mini("test").images[:n]


def features(x: Tensor, n: int) -> Tensor:
    return random_conv_features(x, num_filters=11, patches_from=x[:n], **LAYER).double().sqrt()


@pytest.mark.parametrize("n", [17, 25])
@pytest.mark.parametrize(("filters", "rows"), [(4, 6), (11, 25), (512, 2000)])
def test_distances_equal_those_of_all_features(
    n: int, filters: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_random_conv, "_FILTERS_AT_ONCE", filters)
    monkeypatch.setattr(_random_conv, "_ROWS_AT_ONCE", rows)
    x = images(25)
    found = squared_distances(x, n, filters=11, **LAYER)
    seen = features(x, n)
    assert_allclose(found, torch.cdist(seen, seen[:n]).square() / 11, atol=1e-6)
    assert not found[:n].diagonal().any()


def test_sums_are_resumed_after_the_last_block_that_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_random_conv, "_FILTERS_AT_ONCE", 4)
    monkeypatch.setattr(_random_conv, "_SECONDS_BETWEEN_SAVES", 0.0)
    x, kept = images(25), tmp_path / "kept"
    firsts: list[int] = []

    def interrupted(*given: Any, first_filter: int, **options: Any) -> Tensor:
        firsts.append(first_filter)
        if first_filter == 8 and firsts.count(8) == 1:
            raise KeyboardInterrupt
        return random_conv_features(*given, first_filter=first_filter, **options)

    whole = squared_distances(x, 17, filters=11, **LAYER)
    monkeypatch.setattr(_random_conv, "random_conv_features", interrupted)
    with pytest.raises(KeyboardInterrupt):
        squared_distances(x, 17, filters=11, kept=kept, **LAYER)
    assert torch.equal(squared_distances(x, 17, filters=11, kept=kept, **LAYER), whole)
    assert firsts == [0, 4, 8, 8]
    path = kept / "sums.npz"
    assert torch.equal(squared_distances(x, 17, filters=11, kept=kept, **LAYER), whole)
    assert firsts == [0, 4, 8, 8]  # all were kept
    more = squared_distances(x, 17, filters=14, kept=kept, **LAYER)
    assert firsts == [0, 4, 8, 8, 11]
    assert_allclose(more, squared_distances(x, 17, filters=14, **LAYER), atol=1e-6)
    content = path.read_bytes()
    fewer = squared_distances(x, 17, filters=11, kept=kept, **LAYER)
    assert_allclose(fewer, whole, atol=1e-6)
    assert path.read_bytes() == content  # the sums over more filters stay
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(
        DataFileError, match=r"sums\.npz: expected sums over random filters, found "
    ):
        squared_distances(x, 17, filters=11, kept=kept, **LAYER)


def test_kernel_of_numbers_fits_as_the_kernel_of_features() -> None:
    x, gamma = torch.cat([images(30), images(4)]), 4.0
    y = torch.arange(30) % 3
    distances = squared_distances(x, 30, filters=11, **LAYER)
    kernel = ImageKernel(GaussianKernel(gamma), distances)
    fit = KernelInterpolant(kernel).fit(numbered(x[:30]), y, num_classes=3)
    new = torch.arange(30, 34)[:, None].float()
    assert fit.classify(new).tolist() == y[:4].tolist()
    plain = KernelInterpolant(GaussianKernel(gamma)).fit(
        features(x[:30], 30) / 11**0.5, y, num_classes=3
    )
    assert fit.norm == pytest.approx(plain.norm, rel=1e-4)


def test_equal_images_have_one_number() -> None:
    x = torch.cat([images(3), images(5)])
    assert numbered(x).flatten().tolist() == [0, 1, 2, 0, 1, 2, 6, 7]


def test_row_that_does_not_fit_into_memory_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = f"idx:{idx_tree(tmp_path / 'images')}"
    monkeypatch.setattr(_random_conv, "available_memory", lambda _: 8e3)
    found = plan("table3", rows=["cifar10-conv ridge"], data=data)
    assert found.trials == ()
    assert found.left_out["cifar10-conv ridge"].startswith(
        "`points` must be few enough for the memory: the distances of "
    )
