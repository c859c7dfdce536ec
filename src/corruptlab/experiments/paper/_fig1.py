"""Fig. 1: training loss against steps, and time to fit and test error against label noise."""

from collections.abc import Callable
from typing import Any

from corruptlab.experiments.paper._exhibit import Exhibit, Published, Quantity, Row
from corruptlab.experiments.paper._training import TRAINING
from corruptlab.training import recipes

# Steps until the training loss is at most 0.01, and test accuracy in percent, of the rerun.
_RERUN: dict[str, dict[str, float]] = {
    "true": {"steps": 5_700, "test": 86.7},
    "random-labels": {"steps": 17_700, "test": 10.3},
    "shuffled-pixels": {"steps": 6_700},
    "random-pixels": {"steps": 13_000},
    "gaussian": {"steps": 9_900},
}

FIG_1A = Exhibit(
    name="fig1a",
    title="CIFAR-10, small Inception, training loss against steps in five settings",
    source="Zhang et al. 2017, Fig. 1a; values from another public reproduction, one seed",
    quantities=(
        Quantity("steps", "steps to a loss of 0.01", "{:,.0f}"),
        Quantity("test", "test accuracy, %"),
    ),
    rows=tuple(
        Row(
            name=f"small-inception {setting}",
            published=published,
            parameters={
                "model": "small-inception",
                "setting": setting,
                "recipe": recipes.cifar10("small-inception").to_dict(),
                "stop": {"loss": 0.01},
                "record": "losses",
            },
            work=TRAINING,
        )
        for setting, published in _RERUN.items()
    ),
    remarks=(
        "The paper shows curves without numbers. The published values are those of another public "
        "reproduction with one seed, rounded to hundreds of steps, and not results of the paper.",
        "Steps are counted to the end of the first epoch with a mean batch loss of at most 0.01.",
        "Gaussian inputs are floats that are neither rounded nor clipped, so their mean and "
        "variance are those of the data.",
    ),
)

_MODELS = ("small-inception", "small-alexnet", "mlp-1x512")
_P = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_FITTED = 0.99
_REMARK = (
    "The paper shows curves without numbers, and does not define when labels count as fitted. Its "
    f"MLP 1x512 fits 99.34% of random labels (Table 1), so the threshold here is {_FITTED:.0%} of "
    "the corrupted training labels at the end of an epoch. Fig. 1b and 1c use the same trials, "
    "which they share in one folder."
)


def _slowdown(p: float) -> dict[str, Published]:
    if p == 0:
        return {"slowdown": "1"}
    return {"slowdown": "roughly 2 to 4" if p == 1 else "grows smoothly"}


def _test_error(p: float) -> dict[str, Published]:
    return {"test_error": "90" if p == 1 else "that of true labels" if p == 0 else "grows smoothly"}


def _rows(published: Callable[[float], dict[str, Published]], *, relative: bool) -> tuple[Row, ...]:
    return tuple(
        Row(
            name=_name(model, p),
            published=published(p),
            parameters=_parameters(model, p),
            work=TRAINING,
            reference=_name(model, 0.0) if relative else None,
        )
        for model in _MODELS
        for p in _P
    )


def _name(model: str, p: float) -> str:
    return f"{model} p={p:g}"


def _parameters(model: str, p: float) -> dict[str, Any]:
    return {
        "model": model,
        "setting": "partial-labels",
        "p": p,
        "recipe": recipes.cifar10(model).to_dict(),
        "stop": {"accuracy": _FITTED},
    }


FIG_1B = Exhibit(
    name="fig1b",
    title="CIFAR-10, relative time to fit partially corrupted labels",
    source="Zhang et al. 2017, Fig. 1b",
    quantities=(
        Quantity("slowdown", "steps relative to p = 0"),
        Quantity("steps", f"steps to {_FITTED:.0%}", "{:,.0f}"),
    ),
    rows=_rows(_slowdown, relative=True),
    remarks=(_REMARK,),
)

FIG_1C = Exhibit(
    name="fig1c",
    title="CIFAR-10, test error after fitting partially corrupted labels",
    source="Zhang et al. 2017, Fig. 1c",
    quantities=(Quantity("test_error", "test error, %"),),
    rows=_rows(_test_error, relative=False),
    remarks=(_REMARK, "Test labels are clean."),
)
