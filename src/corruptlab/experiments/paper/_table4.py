"""Table 4: random labels with one regularizer on."""

from dataclasses import replace
from typing import Any

from corruptlab.experiments.paper._exhibit import Exhibit, Published, Quantity, Row
from corruptlab.experiments.paper._training import TRAINING
from corruptlab.training import recipes

_PUBLISHED: tuple[tuple[str, str, Published], ...] = (
    ("small-inception", "weight-decay", 100.0),
    ("small-alexnet", "weight-decay", "failed to converge"),
    ("mlp-3x512", "weight-decay", 100.0),
    ("mlp-1x512", "weight-decay", 99.21),
    ("small-inception", "crop", 99.93),
    ("small-inception", "augmentation", 99.28),
)
_LONGER = 500


def _parameters(model: str, how: str) -> dict[str, Any]:
    recipe = recipes.cifar10(
        model,
        weight_decay=how == "weight-decay",
        random_crop=how == "crop",
        augmentation=how == "augmentation",
    )
    if how != "weight-decay":
        recipe = replace(recipe, decay=0.999, epochs=_LONGER)
    return {
        "model": model,
        "setting": "random-labels",
        "recipe": recipe.to_dict(),
        "stop": {"accuracy": 1.0},
    }


TABLE_4 = Exhibit(
    name="table4",
    title="CIFAR-10, random labels, with one regularizer",
    source="Zhang et al. 2017, Table 4",
    quantities=(Quantity("train", "training accuracy, %"),),
    rows=tuple(
        Row(
            name=f"{model} {how}",
            published={"train": train},
            parameters=_parameters(model, how),
            work=TRAINING,
        )
        for model, how, train in _PUBLISHED
    ),
    remarks=(
        "With a random crop or augmentation, the paper trained for longer, with a decay of 0.999 "
        f"per epoch, but does not state the number of epochs; it is at most {_LONGER} here. All "
        "rows stop when every label is fitted.",
        "Training accuracy is that of a full pass over the center crops, without augmentation.",
        "Augmentation consists of flips, rotations of up to 25 degrees, and changes of brightness "
        "(63/255), saturation (0.5), and hue (0.1); the paper does not specify the last three.",
    ),
)
