"""Fig. 1a: training loss against steps, in five settings."""

from corruptlab.experiments.paper._exhibit import Exhibit, Quantity, Row
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
    source="Zhang et al. 2017, Fig. 1a; the numbers are those of another public rerun, one seed",
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
        "The paper prints curves and no numbers. What stands beside what is measured is another "
        "public rerun, of one seed, rounded to hundreds of steps; it is no result of the paper.",
        "Here it is the end of the first epoch whose batches have a mean loss of at most 0.01.",
    ),
)
