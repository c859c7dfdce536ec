"""The paper's comparison: the time to interpolation on corrupted data over that on true labels.

Every setting of the randomization test, the same network, weights, and recipe, with several seeds.
The embedded data are the default; ``--full`` adds the folder with ``cifar-10-batches-bin`` that the
environment variable CIFAR10 names.
"""

import os
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils.data import Subset

import corruptlab as cl
from benchmarks._options import Options
from benchmarks._records import Made, Times, TimeToInterpolation
from benchmarks.conftest import Scale

CONVOLUTIONAL = ("small-alexnet", "small-inception")


@pytest.mark.parametrize("data", ["fashion-mnist-mini", "cifar10"])
@pytest.mark.parametrize("architecture", ["mlp-1x512", "mlp-3x512", *CONVOLUTIONAL])
def test_time_to_interpolation(
    benchmark: Any,
    options: Options,
    scale: Scale,
    made: Made,
    keep: Callable[[TimeToInterpolation], None],
    architecture: str,
    data: str,
) -> None:
    slow = architecture in CONVOLUTIONAL and options.device.type == "cpu"
    if slow and not options.full:
        pytest.skip("convolutional networks take hours on a processor: --full, or --device cuda")
    train = images(data, options, n=1000 if slow else scale(1000, 4000))
    recipe = RECIPES[data](architecture)
    seeds = range(options.seeds)

    def test(seed: int) -> cl.RandomizationReport:
        shape = recipe.input_shape(train[0][0].shape)
        model = cl.models.by_name(architecture, input_shape=shape, num_classes=10, seed=seed)
        return cl.randomization_test(
            model, train, recipe=recipe, seed=seed, num_classes=10, device=options.device
        )

    reports = benchmark.pedantic(lambda: [test(seed) for seed in seeds])
    found = TimeToInterpolation(
        name=f"{architecture} on {data}, {len(train):,} images",
        architecture=architecture,
        seeds=tuple(seeds),
        epochs=recipe.epochs,
        rows=rows(reports),
        made=made,
    )
    benchmark.extra_info.update(found.to_dict())
    keep(found)


RECIPES = {"fashion-mnist-mini": cl.recipes.fashion_mnist_mini, "cifar10": cl.recipes.cifar10}


def images(data: str, options: Options, *, n: int) -> Subset[tuple[torch.Tensor, int]]:
    """Return the first ``n`` embedded images, or all of CIFAR-10."""
    if data == "fashion-mnist-mini":
        return Subset(cl.datasets.fashion_mnist_mini("train"), range(n))
    if not options.full:
        pytest.skip("CIFAR-10 takes long: --full")
    if "CIFAR10" not in os.environ:
        pytest.skip("the environment variable CIFAR10 names no folder")
    whole = cl.datasets.cifar10(os.environ["CIFAR10"], split="train")
    return Subset(whole, range(len(whole)))


def rows(reports: list[cl.RandomizationReport]) -> tuple[Times, ...]:
    """Turn a report of each seed into a row of each setting."""
    by_setting = zip(*(report.rows for report in reports), strict=True)
    return tuple(
        Times(
            setting=results[0].name,
            label=results[0].setting.label,
            steps=tuple(each.fit.steps_to_interpolation for each in results),
            seconds=tuple(each.fit.seconds_to_interpolation for each in results),
        )
        for results in by_setting
    )
