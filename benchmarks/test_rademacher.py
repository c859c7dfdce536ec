"""Rademacher complexity at the size of a large data set: what bounds the time, and the memory."""

import subprocess
import sys
import time
from collections.abc import Iterator

import torch
from torch.nn.functional import conv2d, conv_transpose2d

from benchmarks.conftest import Comparison, tell
from corruptlab.capacity import rademacher
from corruptlab.capacity.rademacher._weights import Weights

N, D, DRAWS, BLOCK = 1_000_000, 784, 100, 5_000

STREAM = f"""
import resource, sys, torch
from corruptlab.capacity import rademacher

block = torch.rand({BLOCK}, {D}, generator=torch.Generator().manual_seed(0))
rademacher.linear(block)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rademacher.linear(block for _ in range(int(sys.argv[1])))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def blocks(block: torch.Tensor, n: int) -> Iterator[torch.Tensor]:
    """Serve the same examples again and again: what is timed is not the disk."""
    return (block for _ in range(n // len(block)))


def images() -> torch.Tensor:
    return torch.rand(BLOCK, D, generator=torch.Generator().manual_seed(0))


def test_linear_against_one_draw_at_a_time(compare: Comparison) -> None:
    inputs = torch.cat([images()] * 4)
    generator = torch.Generator().manual_seed(0)

    def theirs() -> None:
        for _ in range(DRAWS):
            signs = torch.randint(2, (len(inputs),), generator=generator).float() * 2 - 1
            (signs @ inputs).norm()

    name = f"linear, {len(inputs):,} x {D}, {DRAWS} draws"
    compare(name, lambda: rademacher.linear(inputs), theirs, than="a product for each draw")


def test_linear_on_a_million_images(compare: Comparison) -> None:
    block, signs = images(), torch.ones(BLOCK, DRAWS)

    def theirs() -> None:
        for each in blocks(block, N):
            signs.T @ each

    compare(
        f"linear, {N:,} x {D} in blocks, {DRAWS} draws",
        lambda: rademacher.linear(blocks(block, N), draws=DRAWS),
        theirs,
        than="its matrix products alone",
        rounds=5,
    )
    products, ours = compare.fastest
    tell(
        f"   {ours:.2f} s = {N / ours / 1e3:,.0f} thousand images/s, "
        f"{2 * N * D * DRAWS / ours / 1e9:.0f} GFLOP/s; the products alone {products:.2f} s"
    )
    start = time.perf_counter()
    for k in range(N // BLOCK):
        Weights(0, DRAWS, gaussian=False).rows(k * BLOCK, BLOCK)
    seconds = time.perf_counter() - start
    tell(f"   its {N * DRAWS:,} signs: {seconds:.2f} s, {seconds / ours:.0%} of the time")


def test_memory_does_not_grow_with_the_number_of_images() -> None:
    for n in (10 * BLOCK, N):
        command = [sys.executable, "-c", STREAM, str(n // BLOCK)]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        tell(f"linear, {n:,} x {D} in blocks: {float(run.stdout):.0f} MB more at most than for one")


def test_kernel_without_the_matrix(compare: Comparison) -> None:
    inputs = images()

    def gaussian(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.cdist(a, b).square_().mul_(-0.02).exp_()

    def theirs() -> None:
        rademacher.kernel(gaussian(inputs, inputs))

    compare(
        f"kernel by function, n = {BLOCK:,}",
        lambda: rademacher.kernel(inputs, function=gaussian),
        theirs,
        than="the whole matrix first",
    )


def test_spectral_norm_of_a_convolution(compare: Comparison) -> None:
    layer = torch.nn.Conv2d(64, 64, 5, padding=2, bias=False)
    torch.nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(0))
    weight, shape = layer.weight.detach().double(), (64, 14, 14)
    exact = rademacher.spectral_norm(layer, shape)

    def power_iteration() -> None:
        x = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0)).double()
        norm = 0.0
        while norm < (1 - 1e-5) * exact:  # it may stop sooner than it could by itself
            y = conv2d(x / x.norm(), weight, padding=2)
            norm = float(y.norm())
            x = conv_transpose2d(y, weight, padding=2)

    name = "spectral_norm of a 5x5 convolution, 64 to 64 channels, 14x14"
    compare(
        name,
        lambda: rademacher.spectral_norm(layer, shape),
        power_iteration,
        than="power iteration to five digits",
        rounds=3,
    )
