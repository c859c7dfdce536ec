"""The trial of Table 3: a kernel through all training images, and its error on test images."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from torch import Tensor

from corruptlab._by_name import device_for, loaded
from corruptlab._checks import at_least, check_choice
from corruptlab.capacity.kernels import (
    Estimate,
    GaussianKernel,
    KernelInterpolant,
    gabor_features,
    random_conv_features,
)
from corruptlab.datasets import Images
from corruptlab.experiments.paper._exhibit import Work
from corruptlab.experiments.paper._machine import machine
from corruptlab.experiments.paper._surroundings import surroundings
from corruptlab.experiments.paper._training import percent

Features: TypeAlias = Literal["pixels", "gabor", "random-conv"]
"""What the kernel sees."""

_HELD_OUT = 10_000


class _Task(NamedTuple):
    """Training images and labels, and those that the error is measured on."""

    x: Tensor
    y: Tensor
    new: Tensor
    truth: Tensor


def interpolate_kernel(
    *,
    data: str,
    gamma: float,
    features: Features = "pixels",
    points: int | None = None,
    held_out: bool = False,
    ridge: float = 0.0,
    refinements: int = 1,
    wavelengths: Sequence[float] = (3.0, 6.0, 12.0),
    orientations: int = 8,
    pool: int = 4,
    filters: int = 32_000,
    threshold: float = 1.0,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Interpolate one-hot labels by a Gaussian kernel.

    Args:
        data: Data set, as for `corruptlab.datasets.load`.
        gamma: Of the kernel ``exp(-gamma ||x - x'||^2)``.
        features: What it sees of the images.
        points: The first so many training images; None for all.
        held_out: Whether to measure on the last 10,000 training images, which are then not fitted.
        ridge: What is added to the diagonal.
        refinements: How often the solution is corrected.
        wavelengths: Of the Gabor wavelets, in pixels.
        orientations: Likewise, how many.
        pool: Side of the squares of pixels that their moduli are averaged over.
        filters: How many random filters.
        threshold: Of their responses.
        seed: Seed of random filters, and of the columns of a preconditioner.
        device: Where to solve.

    Returns:
        The test error in percent, the norm, and the residuals.
    """
    task, place = _task(data, points, held_out), device_for(device)
    bank = {"wavelengths": wavelengths, "orientations": orientations, "pool": pool}
    layer = {"num_filters": filters, "threshold": threshold, "seed": seed}
    x, new = (_seen(images, task.x, features, bank, layer) for images in (task.x, task.new))
    interpolant = KernelInterpolant(
        GaussianKernel(gamma), ridge=ridge, refinements=refinements, device=place, seed=seed
    )
    fit = interpolant.fit(x, task.y, num_classes=_classes(data), progress=surroundings().show)
    where = "held-out training" if held_out else "test"
    return {
        "sample": f"{loaded(data)[0].name}, {len(x):,} + {len(new):,} {where} images",
        "machine": machine(place),
        "measured": {
            "test_error": percent(fit.error(new, task.truth)),
            "norm": fit.norm,
            "residuals": list(fit.residuals),
            "solver": fit.estimate.solver,
            "stopped_by": fit.stopped_by,
        },
        "curves": {},
    }


def seconds_to_interpolate_kernel(
    *,
    data: str,
    gamma: float,
    features: Features = "pixels",
    points: int | None = None,
    held_out: bool = False,
    ridge: float = 0.0,
    refinements: int = 1,
    wavelengths: Sequence[float] = (3.0, 6.0, 12.0),
    orientations: int = 8,
    pool: int = 4,
    filters: int = 32_000,
    threshold: float = 1.0,
    device: str = "auto",
    **others: Any,
) -> float:
    """Return what the solver foresees, at the rate of large matrix products; features come on top.

    Args:
        data: As for `interpolate_kernel`, and so on.
        gamma: Width.
        features: What the kernel sees.
        points: Training images.
        held_out: Whether some of them are held out.
        ridge: What is added to the diagonal.
        refinements: Corrections.
        wavelengths: Of the Gabor wavelets.
        orientations: Likewise.
        pool: Likewise.
        filters: Random filters.
        threshold: Of their responses.
        device: Where to solve.
        others: What does not matter for it.

    Returns:
        Seconds.
    """
    x = _task(data, points, held_out).x
    bank = {"wavelengths": wavelengths, "orientations": orientations, "pool": pool}
    layer = {"num_filters": 1, "threshold": threshold}
    numbers = _seen(x[:1], x[:1], features, bank, layer).numel()
    if features == "random-conv":
        numbers *= at_least(1, "filters", filters)
    estimate: Estimate = KernelInterpolant(
        GaussianKernel(gamma), ridge=ridge, refinements=refinements, device=device_for(device)
    ).estimate(len(x), numbers, num_outputs=_classes(data))
    return estimate.seconds()


KERNEL = Work(interpolate_kernel, seconds_to_interpolate_kernel)


def _task(data: str, points: int | None, held_out: bool) -> _Task:
    train, test = loaded(data)
    x, y = train.images, train.targets
    new, truth = test.images, test.targets
    if held_out:
        if len(x) <= _HELD_OUT:
            raise ValueError(
                f"`held_out` must be False for {_HELD_OUT:,} training images or fewer, got "
                f"{len(x):,} of them."
            )
        new, truth = x[-_HELD_OUT:], y[-_HELD_OUT:]
        x, y = x[:-_HELD_OUT], y[:-_HELD_OUT]
    if points is not None:
        x, y = x[: at_least(1, "points", points)], y[:points]
    return _Task(x, y, new, truth)


def _seen(
    images: Tensor, train: Tensor, features: Features, bank: dict[str, Any], layer: dict[str, Any]
) -> Tensor:
    """Return what the kernel sees of some images."""
    check_choice("features", features, get_args(Features))
    if features == "gabor":
        return gabor_features(images, **bank)
    if features == "random-conv":
        found = random_conv_features(images, patches_from=train, **layer)
        return found.div_(layer["num_filters"] ** 0.5)  # so distances do not depend on the number
    return images


def _classes(data: str) -> int:
    images: Images = loaded(data)[0]
    return len(images.classes)
