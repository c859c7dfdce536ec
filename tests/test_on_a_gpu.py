"""What takes a device runs on a GPU: the CPU's results, and no wait that grows with the steps."""

import importlib
import inspect
import math
import pkgutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset, default_collate

import corruptlab as cl
from corruptlab import Execution, Recipe, fit, fit_replicas
from corruptlab.capacity import kernels, rademacher
from corruptlab.experiments import iter_randomization_test, paper, sweeps
from corruptlab.experiments.paper import _training
from corruptlab.training import recipes
from tests.cli.trees import idx_tree
from tests.fake_gpu import FakeGPU, place_of
from tests.training.cases import ALL, EACH, IDS

pytestmark = pytest.mark.slow

RECIPE = Recipe(learning_rate=0.05, decay=0.9, epochs=2, batch_size=8)
IMAGES = replace(RECIPE, crop=6, whiten=True)
PLAIN = Execution(compile=False, cuda_graphs=False)

# What is not the same everywhere: times, places, and how the work was done.
_ELSEWHERE = (
    "not_captured",
    "cuda_graphs",
    "seconds",
    "environment",
    "estimate",
    "machine",
    "command",
    "gflops_per_second",
)


def images(n: int = 24, seed: int = 0) -> TensorDataset:
    g = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 256, (n, 3, 8, 8), dtype=torch.uint8, generator=g)
    return TensorDataset(x, torch.randint(0, 3, (n,), generator=g))


def points(n: int = 24, d: int = 5) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(0))


def labels(n: int = 24, count: int | None = None, classes: int = 3) -> Tensor:
    shape = (n,) if count is None else (count, n)
    return torch.randint(0, classes, shape, generator=torch.Generator().manual_seed(1))


def convnet() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(16, 3),
    )


def perceptron(classes: int = 3) -> nn.Sequential:
    return cl.mlp(8, input_shape=(5,), num_classes=classes)


def numbers(found: Any) -> Any:
    """All that a result says, but for where and how fast it was made."""
    if isinstance(found, nn.Module):
        return {name: numbers(value) for name, value in found.state_dict().items()}
    if hasattr(found, "to_dict"):
        return numbers(found.to_dict())
    if isinstance(found, Mapping):
        return {
            str(name): numbers(value)
            for name, value in found.items()
            if not any(word in str(name) for word in _ELSEWHERE)
        }
    if isinstance(found, Tensor):
        return numbers(found.double().cpu().tolist())
    if isinstance(found, np.ndarray):
        return numbers(found.tolist())
    if isinstance(found, list | tuple):
        return [numbers(each) for each in found]
    return found


def assert_agree(found: Any, expected: Any, where: str = "") -> None:
    """Two results agree, up to a rounding of each number."""
    assert type(found) is type(expected), where
    if isinstance(found, dict):
        assert found.keys() == expected.keys(), where
        for name, value in found.items():
            assert_agree(value, expected[name], f"{where}.{name}")
    elif isinstance(found, list):
        assert len(found) == len(expected), where
        for at, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_agree(one, other, f"{where}[{at}]")
    elif isinstance(found, float):
        assert math.isclose(found, expected, rel_tol=1e-4, abs_tol=1e-6) or (
            math.isnan(found) and math.isnan(expected)
        ), f"{where}: {found} and {expected}"
    else:
        assert found == expected, where


def assert_same_on_both(call: Callable[[str], Any]) -> None:
    expected = numbers(call("cpu"))
    with FakeGPU() as gpu:
        found = numbers(call("cuda"))
    assert gpu.launches > 0
    assert_agree(found, expected)


def trained(
    device: str,
    *,
    recipe: Recipe = IMAGES,
    execution: Execution = PLAIN,
    network: Callable[[], nn.Module] = convnet,
    **others: Any,
) -> Any:
    """The report of a fit and the network that it leaves."""
    net = network()
    others = {"train": images(), "test": images(seed=1), "stop": (), **others}
    report = fit(net, recipe=recipe, execution=execution, device=device, **others)
    return report, net


# ------------------------------------------------------------- what the public surface lets choose


def interpolant(device: str) -> Any:
    kernel = kernels.GaussianKernel(0.1)
    found = cl.KernelInterpolant(kernel, device=device, block=7).fit(
        points(), labels(), num_classes=3
    )
    return found, found.predict(points(4)), found.error(points(), labels())


def stability(device: str) -> Any:
    more: dict[str, Any] = {
        "fresh": (points(3) + 1, labels(3)),
        "held_out": (points(9) + 1, labels(9)),
    }
    return cl.stability(perceptron(), points(), labels(), recipe=RECIPE, device=device, **more)


def randomization(device: str, test: Any = cl.randomization_test) -> Any:
    two = {"settings": ("true", "random-labels"), "recipe": IMAGES}
    found = test(convnet(), images(), images(seed=1), device=device, **two)
    return list(found) if isinstance(found, Iterator) else found


FEW: dict[str, Any] = {"rows": ["mlp-1x512 weight-decay"], "epochs": 1}


def reproduced(device: str, data: str, out: Path) -> Any:
    found = cl.reproduce(
        "table1", data=data, out=out / device, device=device, progress=False, **FEW
    )
    return [each.measured for each in found.measurements]


def planned(device: str, data: str, out: Path) -> Any:
    found = paper.plan("table1", data=data, device=device, **FEW)
    return [{**each.settings, "device": ""} for each in found.trials], found.left_out


CALLS: dict[str, Callable[..., Any]] = {
    "fit": partial(trained, measure="all", validation=images(seed=2)),
    "fit_replicas": lambda device: fit_replicas(
        perceptron(), points(), labels(count=3), recipe=RECIPE, strategy="wide", device=device
    ),
    "KernelInterpolant": interpolant,
    "effective_capacity": lambda device: cl.effective_capacity(
        perceptron(), points(), recipe=RECIPE, device=device
    ),
    "memorization": lambda device: cl.memorization(
        perceptron(), points(), labels(), recipe=RECIPE, replicas=20, device=device
    ),
    "permutation_test": lambda device: cl.permutation_test(
        convnet(), images(), images(seed=1), recipe=IMAGES, permutations=3, level=0.3, device=device
    ),
    "randomization_test": randomization,
    "experiments.iter_randomization_test": partial(randomization, test=iter_randomization_test),
    "reproduce": reproduced,
    "experiments.paper.plan": planned,
    "experiments.sweeps.partial_labels": lambda device: sweeps.partial_labels(
        p=0.5, n=30, epochs=2, model="mlp-1x16", device=device
    ),
    "capacity.critical_sample_ratio": lambda device: cl.capacity.critical_sample_ratio(
        perceptron(), points(), [0.1, 1.0], device=device
    ),
    "shatters": lambda device: cl.shatters(
        perceptron(2), points(4), recipe=RECIPE, device=device
    ),
    "stability": stability,
    "capacity.rademacher.network": lambda device: rademacher.network(
        perceptron(2), points(), recipe=RECIPE, draws=4, device=device
    ),
}  # fmt: skip

# Records in which a device is a field.
_RECORDS = {"capacity.kernels.Estimate", "experiments.paper.Plan"}


def with_device() -> dict[int, str]:
    """The first name of everything public that takes a device."""
    found: dict[int, str] = {}
    names = [each.name for each in pkgutil.walk_packages(cl.__path__, "corruptlab.")]
    for module in ["corruptlab", *(name for name in names if "._" not in name)]:
        if module.endswith("__main__"):
            continue
        for name in importlib.import_module(module).__all__:
            value = getattr(importlib.import_module(module), name)
            if (
                (inspect.isclass(value) and value.__init__ is not object.__init__)
                or (inspect.isfunction(value))
            ) and "device" in inspect.signature(value).parameters:
                found.setdefault(id(value), f"{module}.{name}".removeprefix("corruptlab."))
    return found


def test_every_public_name_that_takes_a_device_is_tried() -> None:
    assert sorted(with_device().values()) == sorted({*CALLS, *_RECORDS})


@pytest.mark.parametrize("name", CALLS)
def test_results_are_those_of_the_cpu(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = CALLS[name]
    if call in (reproduced, planned):
        data = f"idx:{idx_tree(tmp_path / 'images', side=28)}"
        monkeypatch.setattr(_training, "seconds_per_step", _training.seconds_per_step.__wrapped__)
        call = partial(call, data=data, out=tmp_path)
    assert_same_on_both(call)


# ------------------------------------------------------------------------- all that a fit may be

STREAM, LAST = replace(PLAIN, data="stream"), replace(PLAIN, channels_last=True)
FITS: dict[str, dict[str, Any]] = {
    **{
        f"{name}, {how}": {
            "recipe": replace(IMAGES, augmentation=changes),
            "execution": way,
        }
        for name, changes in zip(["all", *IDS], [ALL, *EACH], strict=True)
        for how, way in (("resident", PLAIN), ("stream", STREAM))
    },
    "captured": {
        "recipe": replace(IMAGES, augmentation=ALL),
        "execution": replace(LAST, cuda_graphs=True),
    },
    "all, channels last": {"recipe": replace(IMAGES, augmentation=ALL), "execution": LAST},
    **{
        name: {"recipe": replace(IMAGES, optimizer=name, learning_rate=1e-3)}
        for name in ("nesterov", "adam", "adamw", "rmsprop")
    },
    "bfloat16": {"recipe": replace(IMAGES, precision="bfloat16")},
    "dropout and decay": {"recipe": replace(IMAGES, dropout=0.5, weight_decay=0.01)},
    "plain bytes, stream": {"recipe": RECIPE, "execution": STREAM},
    "channels last": {"execution": LAST},
    "own optimizer and loss": {
        "optimizer": partial(torch.optim.Adadelta, lr=0.1),
        "loss": nn.MultiMarginLoss(),
    },
    "stopped early": {
        "validation": images(8, seed=2),
        "stop": [cl.stopping.interpolated(), cl.stopping.patience(1)],
        "measure": "all",
    },
    "data that are there": {},
    "deterministic": {"execution": Execution(deterministic=True)},
}


@pytest.mark.parametrize("name", FITS)
def test_every_kind_of_fit_is_that_of_the_cpu(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # which deterministic kernels want

    def call(device: str) -> Any:
        more = dict(FITS[name])
        if name == "data that are there":
            x, y = images().tensors
            more["train"] = TensorDataset(x.to(device), y.to(device))
        return trained(device, **more)

    assert_same_on_both(call)


NAMED = {
    "default": lambda: recipes.default("mlp-1x512", input_shape=(3, 8, 8), n=24),
    "fashion_mnist_mini": lambda: recipes.fashion_mnist_mini("mlp-1x512"),
    "cifar10": lambda: recipes.cifar10("small-inception"),
    "imagenet": lambda: recipes.imagenet(),
    "table": lambda: recipes.table("mlp-1x512", n=24),
}


def test_every_recipe_of_the_paper_is_tried() -> None:
    assert set(NAMED) == set(recipes.__all__)


@pytest.mark.parametrize("name", NAMED)
def test_fit_with_a_named_recipe_is_that_of_the_cpu(name: str) -> None:
    recipe = NAMED[name]()
    recipe = replace(recipe, epochs=2, batch_size=8, crop=recipe.crop and 6)
    assert_same_on_both(partial(trained, recipe=recipe))


@pytest.mark.parametrize(
    ("optimizer", "first", "then"),
    [
        ("sgd", "cuda", "cuda"),
        ("adamw", "cuda", "cuda"),
        ("adamw", "cuda", "cpu"),
        ("rmsprop", "cpu", "cuda"),
    ],
)
def test_resumed_fit_ends_where_an_uninterrupted_one_does(
    optimizer: Any, first: str, then: str, tmp_path: Path, fake_gpu: FakeGPU
) -> None:
    recipe = replace(
        IMAGES, epochs=3, optimizer=optimizer, learning_rate=1e-3, augmentation=EACH[1]
    )
    run = partial(trained, execution=LAST)
    run(first, recipe=replace(recipe, epochs=1), checkpoint=tmp_path)
    moved = pytest.warns(UserWarning, match="was written with device")
    with nullcontext() if first == then else moved:
        resumed, net = run(then, recipe=recipe, checkpoint=tmp_path)
    whole, other = run(then, recipe=recipe)
    assert len(resumed.losses) == 9
    assert_agree(numbers(resumed.losses), numbers(whole.losses))
    assert_agree(numbers(net), numbers(other))


def test_network_and_generators_stay_where_they_were(fake_gpu: FakeGPU) -> None:
    net = convnet().to("cuda")
    torch.manual_seed(3)
    before = [torch.get_rng_state(), torch.cuda.get_rng_state()]
    fit(net, images(), recipe=IMAGES, execution=PLAIN)
    for state, now in zip(before, (torch.get_rng_state(), torch.cuda.get_rng_state()), strict=True):
        assert torch.equal(state, now)
    assert all(place_of(each) == 0 for each in (*net.parameters(), *net.buffers()))


# ------------------------------------------------------------------- replicas, kernels, and tensors


@pytest.mark.parametrize("given", ["cpu", "device"])
@pytest.mark.parametrize("subsets", [None, torch.arange(36).reshape(2, 18) % 24])
@pytest.mark.parametrize("strategy", ["wide", "vmap", "loop"])
def test_replicas_are_those_of_the_cpu(strategy: Any, subsets: Tensor | None, given: str) -> None:
    def call(device: str) -> Any:
        data: list[Any] = [points(), labels(count=2), subsets]
        if given == "device":
            data = [None if each is None else each.to(device) for each in data]
        inputs, rows, some = data
        found = fit_replicas(
            perceptron(),
            inputs,
            rows,
            subsets=some,
            recipe=RECIPE,
            strategy=strategy,
            device=device,
        )
        return found.losses, found.train_accuracy, [found.model(r) for r in (0, 1)]

    assert_same_on_both(call)


def test_replicas_of_a_convnet_are_those_of_the_cpu() -> None:
    net = nn.Sequential(*(layer for layer in convnet() if not isinstance(layer, nn.Dropout)))
    x, _ = images().tensors

    def call(device: str) -> Any:
        found = fit_replicas(net, x, labels(count=2), recipe=IMAGES, strategy="vmap", device=device)
        return found.losses, [found.model(r) for r in (0, 1)]

    assert_same_on_both(call)


@pytest.mark.parametrize("solver", ["cholesky", "cg"])
@pytest.mark.parametrize(
    "kernel",
    [
        kernels.GaussianKernel(0.1),
        kernels.LaplaceKernel(2.0),
        kernels.PolynomialKernel(degree=3),
    ],
)
def test_kernels_are_those_of_the_cpu(kernel: Any, solver: Any) -> None:
    def call(device: str) -> Any:
        x, y = torch.cat([points(), points()[:3]]).to(device), torch.cat([labels(), labels()[:3]])
        ridge = 0.1 if solver == "cg" else 0.0
        found = cl.KernelInterpolant(
            kernel, device=device, solver=solver, ridge=ridge, rank=5, block=9, dtype=torch.float64
        ).fit(x, y.to(device), num_classes=3)
        return found.predict(x), found.classify(x), found.error(x, y), found.norms

    assert_same_on_both(call)


def trained_on(data: Any, _: Any = None, *, device: torch.device) -> nn.Module:
    net = perceptron()
    fit(net, data, recipe=RECIPE, device=device)
    return net


class Masked(nn.Module):
    """A network of inputs with two fields."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = perceptron()

    def forward(self, x: Tensor, mask: Tensor) -> Any:
        return {"logits": self.inner(x * mask)}


def masked(x: Tensor) -> dict[str, Tensor]:
    return {"x": x, "mask": x > 0}


TENSORS: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "several fields": lambda x, y: fit(
        Masked().to(x.device), (masked(x), y), (masked(x), y), recipe=RECIPE
    ),
    "several fields, streamed": lambda x, y: fit(
        Masked().to(x.device), (masked(x), y), recipe=RECIPE, execution=Execution(data="stream")
    ),
    "several fields, collated": lambda x, y: fit(
        Masked().to(x.device),
        [(masked(one), label) for one, label in zip(x.cpu(), y.tolist(), strict=True)],
        recipe=RECIPE,
        collate=default_collate,
    ),
    "several fields of replicas": lambda x, y: fit_replicas(
        Masked().to(x.device), masked(x), y[None].repeat(2, 1), recipe=RECIPE
    ).logits(masked(x)),
    "interpolate": lambda x, y: cl.interpolate(x, y, num_classes=3)(x.double()),
    "deep interpolate": lambda x, y: cl.interpolate(x, y, num_classes=3, depth=3)(x.double()),
    "min_norm": lambda x, y: cl.capacity.min_norm(x[:4].double(), y[:4].double()).weights,
    "rademacher.linear": lambda x, y: rademacher.linear(x),
    "rademacher.kernel": lambda x, y: rademacher.kernel(x, function=kernels.GaussianKernel(0.1)),
    "bartlett_spectral": lambda x, y: rademacher.bartlett_spectral(perceptron().to(x.device), x),
    "golowich_frobenius": lambda x, y: rademacher.golowich_frobenius(perceptron().to(x.device), x),
    "random_conv_features": lambda x, y: kernels.random_conv_features(
        images().tensors[0].to(x.device), num_filters=4, patches_from=None
    ),
    "gabor_features": lambda x, y: kernels.gabor_features(images().tensors[0].to(x.device)),
    "corrupt": lambda x, y: fit(
        perceptron().to(x.device),
        cl.corrupt(TensorDataset(x, y), cl.RandomLabels(), seed=1),
        recipe=RECIPE,
    ),
    "logits of replicas": lambda x, y: fit_replicas(
        perceptron().to(x.device), x, y[None].repeat(2, 1), recipe=RECIPE
    ).logits(x),
    "memorization_report": lambda x, y: cl.memorization_report(
        partial(trained_on, device=x.device), TensorDataset(x, y), canaries=4
    ),
}


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_on_a_gpu_give_the_results_of_the_cpu(name: str) -> None:
    assert_same_on_both(lambda device: TENSORS[name](points().to(device), labels().to(device)))


# --------------------------------------------------------------------------------------- no waiting


def waits_of(call: Callable[[int], Any], n: int) -> Counter[str]:
    with FakeGPU() as gpu:
        call(n)
    return gpu.waits


WORK: dict[str, Callable[[int], Any]] = {
    **{
        f"fit, {name}": partial(
            lambda n, more: trained("cuda", train=images(n), network=convnet, **more), more=more
        )
        for name, more in FITS.items()
        if name.partition(",")[0] not in ("stopped early", *IDS)  # "all" is all of the latter
    },
    **{
        f"replicas, {strategy}": partial(
            lambda n, strategy: fit_replicas(
                perceptron(),
                points(n),
                labels(n, count=2),
                recipe=RECIPE,
                strategy=strategy,
                device="cuda",
            ),
            strategy=strategy,
        )
        for strategy in ("wide", "vmap", "loop")
    },
}


@pytest.mark.parametrize("name", WORK)
def test_no_wait_grows_with_the_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)  # losses are looked at by the clock
    few, many = (waits_of(WORK[name], n) for n in (24, 48))  # 3 and 6 batches of 8
    assert few == many
