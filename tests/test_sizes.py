"""What no memory can hold is one error, before memory is asked for."""

from collections.abc import Callable

import pytest
import torch

import corruptlab as cl
from corruptlab.capacity.kernels import GaussianKernel

X = torch.arange(20.0).reshape(10, 2)
Y = torch.arange(10) % 3
DATA = [(x, int(y)) for x, y in zip(X, Y, strict=True)]
RECIPE = cl.Recipe(learning_rate=0.1, epochs=1)


def predictor(dataset: object, epoch_end: object) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda inputs: torch.zeros(len(inputs), 3)


def network() -> torch.nn.Module:
    return cl.mlp(4, input_shape=(2,), num_classes=3)


NEEDS: dict[str, Callable[[int], object]] = {
    "corrupt": lambda k: cl.corrupt(DATA, num_classes=k),
    "labels": lambda k: cl.RandomLabels().labels(Y, num_classes=k, draws=cl.Draws(0)),
    "given": lambda k: cl.corrupt(DATA, cl.GivenLabels(Y), num_classes=k),
    "matrix": lambda k: cl.UniformLabels(p=0.5).matrix(k),
    "interpolate": lambda k: cl.interpolate(X, Y, num_classes=k),
    "kernel": lambda k: cl.KernelInterpolant(GaussianKernel(0.1)).fit(X, Y, num_classes=k),
    "randomization_test": lambda k: cl.randomization_test(
        network(), DATA, recipe=RECIPE, num_classes=k
    ),
    "memorization_report": lambda k: cl.memorization_report(
        predictor, DATA, canaries=4, num_classes=k
    ),
    "mlp": lambda k: cl.mlp(4, input_shape=(2,), num_classes=k),
    "small_alexnet": lambda k: cl.small_alexnet(num_classes=k),
    "small_inception": lambda k: cl.small_inception(num_classes=k),
}


@pytest.mark.parametrize("k", [2**40, 2**62])
@pytest.mark.parametrize("what", NEEDS)
def test_a_number_of_classes_that_no_memory_holds_is_named(what: str, k: int) -> None:
    with pytest.raises(ValueError, match=rf"^`num_classes` must be .*, got {k}\b"):
        NEEDS[what](k)


def test_a_label_that_no_memory_holds_a_class_for_is_named() -> None:
    data = [(X[0], 0), (X[1], 2**40)]
    for act in (
        lambda: cl.corrupt(data, cl.RandomLabels()),
        lambda: cl.randomization_test(network(), data, recipe=RECIPE),
    ):
        with pytest.raises(
            ValueError, match=r"must have labels below 2147483648, got 1099511627776"
        ):
            act()


@pytest.mark.parametrize("widths", [(99_999_999_999,), (10**7, 10**7)])
def test_widths_that_no_memory_holds_are_named(widths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^`widths` must be sizes that fit the memory, got \("):
        cl.mlp(*widths, input_shape=(2000,))
