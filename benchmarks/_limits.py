"""What a machine can do at all: the least time for some operations and some bytes."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from corruptlab import Execution
from corruptlab.training._contexts import float32_products
from corruptlab.training._stepper import fast_bfloat16

Unit = Literal["FLOP/s", "B/s", "words/s"]
Products = Literal["float32", "tf32", "bfloat16"]
"""What the factors of matrix products and convolutions are rounded to."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a limit: how long something takes that no implementation can leave out.

    Args:
        what: In a word, such as ``"products"``.
        seconds: How long.
        rate: At which rate the machine did it when nothing else was to do.
        unit: Of the rate.
    """

    what: str
    seconds: float
    rate: float
    unit: Unit


@dataclass(frozen=True, kw_only=True)
class Rates:
    """The rates of a device, measured in this run.

    Args:
        products: Operations a second of a large product, by the type of its factors; only the
            types that the device has instructions for.
        copies: Bytes a second, read and written, of a copy too large for any cache.
        words: Random words a second of NumPy's Philox, on one core.
    """

    products: Mapping[Products, float]
    copies: float
    words: float

    def limit(
        self,
        *,
        flops: float = 0,
        products: Products = "float32",
        moved: float = 0,
        words: float = 0,
    ) -> tuple[Part, ...]:
        """Return the least time for some work, by part; parts of no work are left out.

        Args:
            flops: Floating-point operations of its matrix products and convolutions.
            products: In which type.
            moved: Bytes that it has to read and write.
            words: Random words that it has to draw.
        """
        rate = self.products.get(products, self.products["float32"])
        what = "products" if products == "float32" else f"products in {products}"
        parts = (
            Part(what=what, seconds=flops / rate, rate=rate, unit="FLOP/s"),
            Part(what="bytes moved", seconds=moved / self.copies, rate=self.copies, unit="B/s"),
            Part(what="random words", seconds=words / self.words, rate=self.words, unit="words/s"),
        )
        return tuple(part for part in parts if part.seconds > 0)


def measured_rates(device: torch.device, *, side: int) -> Rates:
    """Measure a device, the fastest of some rounds each.

    Args:
        device: The device; words are drawn by the processor.
        side: Side of the square matrices.
    """
    products: dict[Products, float] = {"float32": _rate_of_products(side, device)}
    if device.type == "cuda":
        products["tf32"] = _rate_of_products(side, device, tf32=True)
    if fast_bfloat16(device):
        products["bfloat16"] = _rate_of_products(side, device, torch.bfloat16)
    source = torch.randn(3 * side**2, device=device)
    copy = torch.empty_like(source)
    philox, words = np.random.Philox(0), 1_000_000
    return Rates(
        products=products,
        copies=2 * source.nbytes / least_seconds(lambda: copy.copy_(source), device),
        words=words / least_seconds(lambda: philox.random_raw(words), torch.device("cpu")),
    )


def _rate_of_products(
    side: int, device: torch.device, dtype: torch.dtype = torch.float32, *, tf32: bool = False
) -> float:
    a = torch.randn(side, side, device=device, dtype=dtype)
    to = torch.empty_like(a)
    with float32_products(device, tf32=tf32):
        return 2 * side**3 / least_seconds(lambda: torch.mm(a, a, out=to), device)


def products_of(execution: Execution) -> Products:
    """Return the type of the products of a fit."""
    if execution.precision == "bfloat16":
        return "bfloat16"
    return "tf32" if execution.tf32 else "float32"


def least_seconds(work: Callable[[], object], device: torch.device, rounds: int = 6) -> float:
    """Return the time of the fastest of some rounds: what the machine can do."""
    return min(seconds(work, device) for _ in range(rounds))


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return how long some work takes, with all that it leaves a GPU to do."""
    start = time.perf_counter()
    work()
    finish(device)
    return time.perf_counter() - start


def finish(device: torch.device) -> None:
    """Wait until the device has done all that was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def training_flops(model: nn.Module, inputs: Tensor) -> int:
    """Count the operations of one step of training, forward and backward.

    Only matrix products and convolutions count, a multiplication and an addition as two; the
    gradient to the inputs is not among them.

    Args:
        model: A network that gives logits; its gradients are lost.
        inputs: A batch, shape ``(b, ...)``.
    """
    with FlopCounterMode(display=False) as counter:
        targets = torch.zeros(len(inputs), dtype=torch.long, device=inputs.device)
        cross_entropy(model(inputs), targets).backward()  # type: ignore[no-untyped-call]  # PyTorch's
    model.zero_grad()
    return int(counter.get_total_flops())


def update_bytes(parameters: int) -> int:
    """Return the bytes of one step of SGD with momentum in float32.

    Weight, gradient, and momentum are read; weight and momentum are written.
    """
    return 5 * 4 * parameters


def rate_text(rate: float, unit: Unit) -> str:
    """Return a rate as people say it, such as ``178 GFLOP/s``."""
    for size, prefix in ((1e12, "T"), (1e9, "G")):
        if rate >= size:
            return f"{rate / size:.3g} {prefix}{unit}"
    return f"{rate / 1e6:.3g} M{unit}"
