"""A row of Table 3 of Zhang et al. 2017: kernel interpolation, not regularized.

    python benchmarks/table3.py mnist FOLDER                 all 60,000 digits: minutes, and 10 GB
    python benchmarks/table3.py mnist-gabor FOLDER
    python benchmarks/table3.py cifar10 FOLDER
    python benchmarks/table3.py cifar10-conv FOLDER --filters 2000 --gamma 4

FOLDER holds the four IDX files of MNIST, gzip'd or not, or ``cifar-10-batches-bin``. Bytes are
divided by 255, targets are one-hot, the kernel is Gaussian, and nothing regularizes. A fit whose
memory is not there is refused before it starts. Widths were chosen on training images:

    python benchmarks/table3.py mnist-gabor FOLDER --points 5000 --held-out --gamma 0.3 0.6 1.2
"""

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from corruptlab.capacity.kernels import (
    GaussianKernel,
    KernelInterpolant,
    gabor_features,
    random_conv_features,
)
from corruptlab.datasets import Images, cifar10, idx

# In kB everywhere but on macOS, where it is in bytes.
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024
_HELD_OUT = 10_000


class Row(NamedTuple):
    """A row of the table.

    Args:
        gamma: Of the kernel: the paper's for ``mnist``, the others are those of docs/kernels.md;
            None where none was searched for.
        paper: Test error in the paper, in percent, with all training images.
    """

    gamma: float | None
    paper: str


ROWS = {
    "mnist": Row(0.02, "1.2"),
    "mnist-gabor": Row(0.8, "0.6"),
    "cifar10": Row(0.012, "46"),
    "cifar10-conv": Row(None, "17, with 32,000 filters"),
}


class Task(NamedTuple):
    """What the kernel sees of the training and the test images, and the classes of both."""

    x: Tensor
    y: Tensor
    new: Tensor
    truth: Tensor


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    torch.set_num_threads(options.threads)
    start = time.perf_counter()
    task = _task(options)
    seconds = time.perf_counter() - start
    print(f"features        {task.x[0].numel()} each, with reading {seconds:.1f} s")
    for gamma in options.gamma:
        _report(options, gamma, task)


def _report(options: argparse.Namespace, gamma: float, task: Task) -> None:
    """Fit once and print all there is to know."""
    interpolant = KernelInterpolant(
        GaussianKernel(gamma),
        ridge=options.ridge,
        solver=options.solver,
        refinements=options.refinements,
        dtype=getattr(torch, options.dtype),
        device=options.device,
    )
    estimate = interpolant.estimate(len(task.x), task.x[0].numel(), num_outputs=10)
    print(f"foreseen        {estimate}, about {estimate.seconds():.0f} s", flush=True)
    fit = interpolant.fit(task.x, task.y, num_classes=10, progress=options.progress)
    start = time.perf_counter()
    error = fit.error(task.new, task.truth)
    seconds = {**fit.seconds, "test": time.perf_counter() - start}
    seconds["all"] = sum(seconds.values())
    rate = fit.gflops_per_second
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _PEAK_UNIT
    where = "held-out training" if options.held_out else "test"
    print(f"fit             {fit}, gamma {gamma:g}")
    print(f"error           {error:.2%} of {len(task.truth):,} {where} images", end="")
    print(f"; the paper's, all points: {ROWS[options.row].paper} %")
    print(f"residuals       {', '.join(f'{each:.1e}' for each in fit.residuals)}")
    print(f"norm            {fit.norm:.1f}; by class {', '.join(f'{n:.1f}' for n in fit.norms)}")
    print(f"seconds         {', '.join(f'{name} {each:.1f}' for name, each in seconds.items())}")
    print(f"factorization   {'none' if rate is None else f'{rate:.0f} GFLOP/s'}")
    print(f"peak memory     {peak / 1e9:.1f} GB so far")
    print(f"threads         {torch.get_num_threads()}, torch {torch.__version__}", flush=True)
    if options.json:
        report = {"error": error, "peak_bytes": peak, "total_seconds": seconds, **fit.to_dict()}
        with open(options.json, "a", encoding="utf-8") as file:  # noqa: PTH123  # it is a text
            file.write(json.dumps(report) + "\n")


def _task(options: argparse.Namespace) -> Task:
    train = _read(options.row, options.folder, "train")
    x, y = train.images, train.targets
    if options.held_out:
        new, truth = x[-_HELD_OUT:], y[-_HELD_OUT:]
        x, y = x[:-_HELD_OUT], y[:-_HELD_OUT]
    else:
        test = _read(options.row, options.folder, "test")
        new, truth = test.images, test.targets
    x, y = x[: options.points], y[: options.points]
    return Task(_features(options, x, x), y, _features(options, new, x), truth)


def _read(row: str, folder: str, split: str) -> Images:
    if row.startswith("mnist"):
        return idx(folder, split=split, num_classes=10)  # type: ignore[arg-type]  # one of the two
    return cifar10(folder, split=split)  # type: ignore[arg-type]  # likewise


def _features(options: argparse.Namespace, images: Tensor, train: Tensor) -> Tensor:
    """Return what the kernel sees of some images."""
    if options.row == "mnist-gabor":
        return gabor_features(
            images,
            wavelengths=options.wavelengths,
            orientations=options.orientations,
            pool=options.pool,
        )
    if options.row == "cifar10-conv":
        found = random_conv_features(
            images, num_filters=options.filters, threshold=options.threshold, patches_from=train
        )
        return found.div_(options.filters**0.5)  # so that distances do not depend on their number
    return images


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("row", choices=list(ROWS))
    parser.add_argument("folder")
    parser.add_argument("--points", type=int, help="the first so many training images; all")
    parser.add_argument(
        "--held-out",
        action="store_true",
        help=f"measure the error on the last {_HELD_OUT:,} training images, which are not fitted",
    )
    parser.add_argument(
        "--gamma", type=float, nargs="+", help="of the Gaussian kernel, one fit each; by the row"
    )
    bank = parser.add_argument_group("the wavelets of mnist-gabor")
    bank.add_argument("--wavelengths", type=float, nargs="+", default=[3.0, 6.0, 12.0])
    bank.add_argument("--orientations", type=int, default=8)
    bank.add_argument("--pool", type=int, default=4)
    filters = parser.add_argument_group("the filters of cifar10-conv")
    filters.add_argument("--filters", type=int, default=2000, help="how many; %(default)s")
    filters.add_argument("--threshold", type=float, default=1.0)
    solver = parser.add_argument_group("the solver")
    solver.add_argument("--ridge", type=float, default=0.0)
    solver.add_argument("--solver", default="auto", choices=["auto", "cholesky", "cg"])
    solver.add_argument("--refinements", type=int, default=1)
    solver.add_argument("--dtype", default="float32", choices=["float32", "float64"])
    solver.add_argument("--device", default="cpu")
    solver.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--progress", action="store_true", help="show on standard error how far it is"
    )
    parser.add_argument("--json", help="a file to which each report is added as one line")
    options = parser.parse_args(arguments)
    if options.gamma is None:
        options.gamma = [ROWS[options.row].gamma]
    if None in options.gamma:
        parser.error(f"--gamma has to be given for {options.row}")
    return options


if __name__ == "__main__":
    main()
