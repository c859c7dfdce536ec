"""The theorem at full size: all training images of CIFAR-10, random labels."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import Tensor

import corruptlab as cl

N = 50_000


@pytest.mark.slow
def test_random_labels_of_50_000_images_are_interpolated(cifar10_images: Tensor) -> None:
    labels = torch.from_numpy(np.random.default_rng(0).integers(10, size=N))
    net = cl.interpolate(cifar10_images, labels, num_classes=10)
    targets = 2.0 * torch.nn.functional.one_hot(labels, 10) - 1
    assert float((net(cifar10_images) - targets).abs().max()) < 1e-9
    assert_array_equal(net.classify(cifar10_images), labels)
    assert net.report is not None
    assert net.report.direction == "separated"
    assert net.report.condition_number < 1e14
    assert sum(p.numel() for p in net.parameters()) == N + 3072 + 10 * N

    dense = net.dense()
    some = torch.arange(0, N, 500)
    with torch.no_grad():
        assert_array_equal(dense(cifar10_images[some].flatten(1).double()).argmax(1), labels[some])
        # The first layer gives the same inner product n times over: once will do for the rest,
        # and so few rows at a time stay in the cache. A wrong weight of a hidden unit is seen in
        # every image above its kink, so every fifth of them is enough, up to the topmost.
        inner = net.project(cifar10_images)
        for rows in inner.argsort()[4::5].split(8):  # type: ignore[no-untyped-call]  # PyTorch's
            outputs = dense[1:](inner[rows, None] - net.b)
            assert_array_equal(outputs.argmax(1), labels[rows])
            assert float((outputs - targets[rows]).abs().max()) < 1e-3


@pytest.mark.slow
def test_one_output_takes_2n_plus_d_weights_for_ten_classes(cifar10_images: Tensor) -> None:
    labels = torch.from_numpy(np.random.default_rng(0).integers(10, size=N))
    net = cl.interpolate(
        cifar10_images, labels, num_classes=10, encoding="index", direction="random"
    )
    assert sum(p.numel() for p in net.parameters()) == 2 * N + 3072
    assert float((net(cifar10_images) - labels).abs().max()) < 1e-9
    assert_array_equal(net.classify(cifar10_images), labels)
