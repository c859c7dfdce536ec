"""Rademacher complexity at the size of a large data set: what bounds the time, and the memory."""

import math
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import torch
from torch.nn.functional import conv2d, conv_transpose2d

from benchmarks._comparing import Compare, Comparing
from benchmarks._limits import Part, Rates
from benchmarks.conftest import Scale
from corruptlab.capacity import rademacher
from corruptlab.capacity.rademacher._estimate import Weights

D, DRAWS, BLOCK = 784, 100, 5_000

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


def images(device: torch.device) -> torch.Tensor:
    return torch.rand(BLOCK, D, generator=torch.Generator().manual_seed(0)).to(device)


def test_linear_against_one_draw_at_a_time(
    compare: Compare, rates: Rates, device: torch.device
) -> None:
    inputs = torch.cat([images(device)] * 4)
    generator = torch.Generator().manual_seed(0)
    norms: list[torch.Tensor] = []

    def theirs() -> None:
        for _ in range(DRAWS):
            signs = torch.randint(2, (len(inputs),), generator=generator).float() * 2 - 1
            norms.append((signs.to(device) @ inputs).norm() / len(inputs))

    compare(
        f"`linear`, {len(inputs):,} x {D}, {DRAWS} draws",
        lambda: rademacher.linear(inputs, draws=DRAWS),
        theirs,
        than="a product for each draw",
        rounds=3,
        limit=linear_limit(rates, len(inputs)),
    )
    same, other = rademacher.linear(inputs, draws=DRAWS), torch.stack(norms)
    error = math.hypot(same.standard_error, float(other.std()) / math.sqrt(len(other)))
    assert abs(same.value - float(other.mean())) < 5 * error


def test_linear_on_many_images(
    compare: Compare, rates: Rates, scale: Scale, device: torch.device
) -> None:
    """In blocks, so that neither memory nor a disk is what is measured."""
    n = scale(100_000, 1_000_000)
    block, signs = images(device), torch.ones(BLOCK, DRAWS, device=device)

    def theirs() -> None:
        for each in blocks(block, n):
            signs.T @ each

    found = compare(
        f"`linear`, {n:,} x {D} in blocks, {DRAWS} draws",
        lambda: rademacher.linear(blocks(block, n), draws=DRAWS),
        theirs,
        than="its matrix products alone",
        part=True,
        rounds=scale(3, 5),
        limit=linear_limit(rates, n),
    )
    note_rates(found, n)
    if device.type == "cpu":
        few, many = (more_megabytes(k) for k in (10 * BLOCK, n))
        found.note(f"{few:.0f} MB more for {10 * BLOCK:,} than for {BLOCK:,}, {many:.0f} for all")
        assert many < few + 100  # whatever the number of images


def linear_limit(rates: Rates, n: int) -> tuple[Part, ...]:
    """Every image against every draw, and every image read once; 64 signs in a random word."""
    return rates.limit(flops=2 * n * D * DRAWS, moved=4 * n * D, words=n * DRAWS / 64)


def note_rates(found: Comparing, n: int) -> None:
    """Say how many images and operations a second the fastest round did, and what signs took."""
    _, ours = found.fastest
    start = time.perf_counter()
    for k in range(n // BLOCK):
        Weights(0, DRAWS, gaussian=False).rows(k * BLOCK, BLOCK)
    seconds = time.perf_counter() - start
    found.note(
        f"{n / ours / 1e3:,.0f} thousand images/s, {2 * n * D * DRAWS / ours / 1e9:.0f} GFLOP/s",
        f"its {n * DRAWS:,} signs {seconds:.2f} s, {seconds / ours:.0%} of the time",
    )


def more_megabytes(n: int) -> float:
    """Return by how much the peak memory of a process grows with ``n`` images in blocks."""
    command = [sys.executable, "-c", STREAM, str(n // BLOCK)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_kernel_without_the_matrix(
    compare: Compare, rates: Rates, scale: Scale, device: torch.device
) -> None:
    inputs = images(device)[: scale(2_500, BLOCK)]
    n = len(inputs)
    found: dict[str, float] = {}

    def gaussian(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.cdist(a, b).square_().mul_(-0.02).exp_()

    def ours() -> None:
        found["ours"] = rademacher.kernel(inputs, function=gaussian).value

    def theirs() -> None:
        found["theirs"] = rademacher.kernel(gaussian(inputs, inputs)).value

    compare(
        f"`kernel` by function, n = {n:,}",
        ours,
        theirs,
        than="the whole matrix first",
        rounds=3,
        limit=rates.limit(flops=n**2 * (D + DRAWS)),  # half of a symmetric matrix
    )
    assert found["ours"] == pytest.approx(found["theirs"], rel=1e-4)


@pytest.mark.usefixtures("cpu_only")
def test_spectral_norm_of_a_convolution(compare: Compare, scale: Scale) -> None:
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

    compare(
        "`spectral_norm` of a 5x5 convolution, 64 to 64 channels, 14x14",
        lambda: rademacher.spectral_norm(layer, shape),
        power_iteration,
        than="power iteration to five digits",
        rounds=scale(2, 3),
    )
