"""What a GPU does with corruptlab, in under eight minutes: one JSON file, written after each part.

    python -m benchmarks.gpu --out gpu.json    # on a machine with a GPU
    python -m benchmarks.gpu --tiny            # the same code anywhere, in seconds

All that is compared is measured in one run. A part that fails is noted with its error, and the
others go on; a part for which the time is too short is left out, and named.
"""

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate
from torch.utils.data import DataLoader, TensorDataset

import corruptlab as cl
from benchmarks._limits import finish, least_seconds, training_flops
from corruptlab._environment import Environment
from corruptlab._io import write_whole
from corruptlab.capacity.kernels import GaussianKernel, KernelInterpolant
from corruptlab.training import Execution, recipes, stopping

Found = dict[str, Any]

EAGER = Execution(compile=False, cuda_graphs=False, channels_last=False, precision="float32")
WAYS = {
    "eager float32": EAGER,
    "captured float32": replace(EAGER, cuda_graphs=True),
    "captured TF32": replace(EAGER, cuda_graphs=True, tf32=True),
    "captured bfloat16, channels last": replace(
        EAGER, cuda_graphs=True, channels_last=True, precision="bfloat16"
    ),
}


@dataclass(frozen=True)
class Sizes:
    """How much is done: the numbers of a real run, or of a tiny one."""

    images: int = 50_000
    batch: int = 128
    epochs: int = 3  # of each way of training
    most_epochs: int = 200  # to interpolate random labels
    replicas: int = 32
    replica_images: int = 4096
    points: int = 60_000
    dimensions: int = 784
    side: int = 8192  # of the matrices whose product shows the rate of the device
    workers: int = 4


TINY = Sizes(
    *(40, 16, 2, 2), replicas=2, replica_images=24, points=60, dimensions=12, side=32, workers=0
)


class Bench:
    """Where, how much, on what, and until when."""

    def __init__(self, device: str, *, tiny: bool, data: str | None, budget: float) -> None:
        self.device, self.tiny, self.folder = torch.device(device), tiny, data
        self.sizes = TINY if tiny else Sizes()
        self._end = time.perf_counter() + budget

    @property
    def left(self) -> float:
        """Seconds of the budget that are left."""
        return self._end - time.perf_counter()

    @cached_property
    def images(self) -> TensorDataset:
        """Images of three channels, 32 pixels high and wide, and labels of ten classes."""
        n = self.sizes.images
        if self.folder is not None:
            train, _ = cl.datasets.load(f"cifar10:{self.folder}")
            return TensorDataset(train.images[:n], train.targets[:n])
        g = torch.Generator().manual_seed(0)
        # Blurred, with a grain, as photographs are: pixels without any order are learned sooner.
        coarse = torch.rand(n, 3, 8, 8, generator=g)
        smooth = interpolate(coarse, size=32, mode="bilinear", align_corners=False)
        grain = 0.1 * torch.randn(n, 3, 32, 32, generator=g)
        pixels = ((smooth + grain).clamp(0, 1) * 255).to(torch.uint8)
        return TensorDataset(pixels, torch.randint(0, 10, (n,), generator=g))

    @cached_property
    def recipe(self) -> cl.Recipe:
        """The paper's for small Inception, in float32 for the epochs of a measurement."""
        size, epochs = self.sizes.batch, self.sizes.epochs
        return replace(recipes.cifar10("small-inception"), batch_size=size, epochs=epochs)

    def network(self, channels: int = 3) -> nn.Module:
        """Return small Inception, or a network as small as the sizes."""
        if not self.tiny:
            return cl.small_inception()
        return nn.Sequential(
            *(nn.Conv2d(channels, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1)),
            *(nn.Flatten(), nn.Linear(4, 10)),
        )

    def inputs(self, count: int) -> Tensor:
        """Return the first inputs as the network takes them, on the device."""
        return self.recipe.prepare(self.images.tensors[0][:count].to(self.device))

    def timed(self, work: Callable[[], Any]) -> tuple[float, Any]:
        """Return the seconds of some work, the device's too, and its result."""
        finish(self.device)
        start = time.perf_counter()
        result = work()
        finish(self.device)
        return time.perf_counter() - start, result


# ------------------------------------------------------------------------------------------- parts


def rates(bench: Bench) -> Found:
    """What the device can do at all: operations and bytes a second."""
    side, device, found = bench.sizes.side, bench.device, {}
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.randn(side, side, device=device).to(dtype)
        took = least_seconds(lambda: a @ a, device)  # noqa: B023  # at once
        found[f"{str(dtype).removeprefix('torch.')} TFLOP/s"] = 2e-12 * side**3 / took
    source = torch.zeros(8 * side**2, device=device)
    copy = torch.empty_like(source)
    took = least_seconds(lambda: copy.copy_(source), device)
    return {**found, "copies TB/s": 2e-12 * source.nbytes / took}


def convolutions(bench: Bench) -> Found:
    """The convolutions of a step alone, in bfloat16 with the channels last, against their rate."""
    net, inputs = bench.network().to(bench.device).train(), bench.inputs(bench.sizes.batch)
    calls: list[tuple[nn.Module, Tensor]] = []

    def note(layer: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        calls.append((layer, arguments[0].detach()))

    hooks = [m.register_forward_pre_hook(note) for m in net.modules() if isinstance(m, nn.Conv2d)]
    net(inputs)
    for hook in hooks:
        hook.remove()
    seconds = sum(
        _convolution_seconds(bench, layer, seen, first=number == 0)
        for number, (layer, seen) in enumerate(calls)
    )
    return {"milliseconds": 1e3 * seconds, "layers": len(calls)}


def _convolution_seconds(bench: Bench, layer: nn.Module, seen: Tensor, *, first: bool) -> float:
    """Time both passes of a layer; the first of a network needs no gradient to its inputs."""
    layer.to(torch.bfloat16, memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its stubs
    x = seen.bfloat16().contiguous(memory_format=torch.channels_last)
    wanted = [*layer.parameters()] if first else [x.requires_grad_(), *layer.parameters()]
    gradient, repeated = torch.ones_like(layer(x)), 20

    def passes() -> None:
        for _ in range(repeated):
            torch.autograd.grad(layer(x), wanted, gradient)

    work = passes
    if bench.device.type == "cuda":  # without the time that launches take
        stream, graph = torch.cuda.Stream(bench.device), torch.cuda.CUDAGraph()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(bench.device))
        with torch.cuda.stream(stream):
            passes()
        with torch.cuda.graph(graph, stream=stream):
            passes()
        work = graph.replay
    return least_seconds(work, bench.device, 3) / repeated


def loops(bench: Bench) -> Found:
    """Seconds an epoch of loops that people write, in PyTorch's defaults, and of `fit`."""
    device, size = bench.device, bench.sizes.batch
    inputs, labels = bench.inputs(bench.sizes.images).cpu(), bench.images.tensors[1]
    loader = DataLoader(
        TensorDataset(inputs, labels),
        size,
        shuffle=True,
        num_workers=bench.sizes.workers,
        pin_memory=device.type == "cuda",
        persistent_workers=bench.sizes.workers > 0,
    )
    there, known = inputs.to(device), labels.to(device)

    def loaded() -> Iterator[tuple[Tensor, Tensor]]:
        for some, of in loader:
            yield some.to(device, non_blocking=True), of.to(device, non_blocking=True)

    def gathered() -> Iterator[tuple[Tensor, Tensor]]:
        for ids in torch.randperm(len(known), device=device).split(size):  # type: ignore[no-untyped-call]
            yield there[ids], known[ids]

    found: Found = {}
    for name, batches in (("DataLoader", loaded), ("tensors", gathered)):
        net = bench.network().to(device).train()
        update = torch.optim.SGD(net.parameters(), lr=bench.recipe.learning_rate, momentum=0.9)
        epoch = _epoch(net, update, batches)
        bench.timed(epoch)  # the start of workers, and of cuDNN
        found[name] = bench.timed(epoch)[0]
    fits = {name: bench_fit(bench, how) for name, how in WAYS.items()}
    fastest = min(each["seconds an epoch"] for each in fits.values())
    ratios = {f"{name} / fastest fit": found[name] / fastest for name in tuple(found)}
    eager = fits["eager float32"]["seconds an epoch"]
    of = "PyTorch's defaults: float32, and TF32 in convolutions"
    return {
        "loops": of,
        "seconds an epoch": found,
        "fit": fits,
        **ratios,
        "eager / fastest": eager / fastest,
    }


def _epoch(
    net: nn.Module,
    update: torch.optim.Optimizer,
    batches: Callable[[], Iterator[tuple[Tensor, Tensor]]],
) -> Callable[[], None]:
    def epoch() -> None:
        for inputs, targets in batches():
            loss = cross_entropy(net(inputs), targets)
            update.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
            update.step()

    return epoch


def bench_fit(bench: Bench, how: Execution) -> Found:
    """Train in one way, and tell how fast it was, and how near to what its operations allow."""
    arguments: Any = {"stop": (), "measure": "loss", "device": bench.device, "execution": how}
    # Once before, so that the device has started, and cuDNN has searched its algorithms.
    once = replace(bench.recipe, epochs=1)
    first = cl.fit(bench.network(), bench.images, recipe=once, **arguments)
    report = cl.fit(bench.network(), bench.images, recipe=bench.recipe, **arguments)
    a_step = report.seconds / report.steps
    net, inputs = bench.network().to(bench.device), bench.inputs(bench.sizes.batch)
    return {
        "seconds of the first epoch": first.seconds,
        "seconds an epoch": report.seconds_per_epoch,
        "milliseconds a step": 1e3 * a_step,
        "TFLOP/s": 1e-12 * training_flops(net, inputs) / a_step,
        "seconds of tuning": report.seconds_of_tuning,
        "not captured": report.not_captured,
        "last loss": report.losses[-1],
    }


def random_labels(bench: Bench) -> Found:
    """Seconds until small Inception is right on every image with a random label."""
    pixels = bench.images.tensors[0]
    g = torch.Generator().manual_seed(1)
    drawn = TensorDataset(pixels, torch.randint(0, 10, (len(pixels),), generator=g))
    recipe = replace(bench.recipe, epochs=bench.sizes.most_epochs, precision="auto")
    rules = (stopping.interpolated(), stopping.budget(max(1.0, min(120.0, bench.left - 60))))
    arguments: Any = {"stop": rules, "measure": "loss", "device": bench.device}
    took, report = bench.timed(lambda: cl.fit(bench.network(), drawn, recipe=recipe, **arguments))
    return {
        "seconds to interpolation": report.seconds_to_interpolation,
        "steps to interpolation": report.steps_to_interpolation,
        "training accuracy": report.train_accuracy,
        "epochs": report.epochs,
        "stopped by": report.stopped_by,
        "seconds of training": report.seconds,
        "seconds of tuning": report.seconds_of_tuning,
        "seconds of the call": took,
        "seconds a step, by candidate": report.seconds_per_step,
        "execution": report.execution.to_dict(),
        "not captured": report.not_captured,
    }


def replicas(bench: Bench) -> Found:
    """A step of replicas of small Inception together, against one after the other."""
    n, count = bench.sizes.replica_images, bench.sizes.replicas
    pixels = bench.images.tensors[0][:n]
    g = torch.Generator().manual_seed(2)
    labels = torch.randint(0, 10, (count, len(pixels)), generator=g)
    recipe = replace(bench.recipe, epochs=1)
    found: Found = {}
    runs: list[tuple[Any, Tensor]] = [("loop", labels[:2]), ("vmap", labels), ("auto", labels)]
    for strategy, some in runs:
        took, report = bench.timed(
            lambda: cl.fit_replicas(  # at once
                bench.network(),
                pixels,
                some,  # noqa: B023
                recipe=recipe,
                stop=(),
                strategy=strategy,  # noqa: B023
                device=bench.device,
            )
        )
        found[strategy] = {
            "seconds a replica": took / len(some),
            "strategy": report.strategy,
            "at a time": report.group,
        }
    best = min(found["vmap"]["seconds a replica"], found["auto"]["seconds a replica"])
    return {**found, "loop / together": found["loop"]["seconds a replica"] / best}


def kernel(bench: Bench) -> Found:
    """The kernel interpolant of as many points as MNIST has, by Cholesky's factorization."""
    n, d = bench.sizes.points, bench.sizes.dimensions
    g = torch.Generator().manual_seed(3)
    x, y = torch.rand(n, d, generator=g), torch.randint(0, 10, (n,), generator=g)
    made = KernelInterpolant(GaussianKernel(0.02), device=bench.device, solver="cholesky")
    took, fitted = bench.timed(lambda: made.fit(x, y, num_classes=10))
    return {
        "seconds of the call": took,
        "seconds by phase": dict(fitted.seconds),
        "GFLOP/s": fitted.gflops_per_second,
        "residual": fitted.residual,
        "estimated bytes": fitted.estimate.num_bytes,
    }


PARTS: dict[str, tuple[float, Callable[[Bench], Found]]] = {
    # The seconds for which a part is begun at all, on a GPU of the size of an H200.
    "rates": (10, rates),
    "loops": (60, loops),
    "convolutions": (15, convolutions),
    "random labels": (90, random_labels),
    "kernel": (60, kernel),
    "replicas": (45, replicas),
}

# --------------------------------------------------------------------------------------------- run


def run(bench: Bench, out: Path) -> Found:
    """Do all parts that there is time for; write what is known after each."""
    result: Found = {
        "environment": Environment.here(bench.device).to_dict(),
        "cuda": torch.version.cuda,
        "images": "CIFAR-10" if bench.folder is not None else "made, not photographs",
        "tiny": bench.tiny,
        "parts": {},
    }
    for name, (needed, work) in PARTS.items():
        if bench.left <= (0 if bench.tiny else needed):
            left = max(bench.left, 0)
            found: Found = {"skipped": f"it takes about {needed:g} s, and {left:.0f} s are left"}
        else:
            found = _part(bench, work)
        result["parts"][name] = found
        result["failed"] = [n for n, each in result["parts"].items() if "error" in each]
        result["skipped"] = [n for n, each in result["parts"].items() if "skipped" in each]
        write_whole(out, json.dumps(result, indent=1))
        print(f"{name}: {json.dumps(found)[:400]}", file=sys.stderr, flush=True)
    return result


def _part(bench: Bench, work: Callable[[Bench], Found]) -> Found:
    on_gpu, start = bench.device.type == "cuda", time.perf_counter()
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(bench.device)
    try:
        found = work(bench)
    except Exception as error:  # the other parts are worth as much without this one
        frames = traceback.extract_tb(error.__traceback__)[-4:]
        places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
        found = {"error": f"{type(error).__name__}: {error}"[:600], "at": places}
    found["bytes at the peak"] = torch.cuda.max_memory_allocated(bench.device) if on_gpu else None
    found["seconds"] = round(time.perf_counter() - start, 2)
    return found


def options() -> argparse.ArgumentParser:
    """Return what reads the options."""
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=about)
    parser.add_argument("--tiny", action="store_true", help="small sizes: the code, and no numbers")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--data", metavar="FOLDER", help="CIFAR-10; else images are made")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), help="the JSON file")
    parser.add_argument("--budget", type=float, default=450.0, help="seconds in all; 450")
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Read the options, measure, and return 1 if a part failed."""
    parser = options()
    asked = parser.parse_args(words)
    if not asked.tiny and asked.device == "cpu":
        parser.error("there is no GPU; --tiny runs the same code anywhere")
    bench = Bench(asked.device, tiny=asked.tiny, data=asked.data, budget=asked.budget)
    return 1 if run(bench, asked.out)["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
