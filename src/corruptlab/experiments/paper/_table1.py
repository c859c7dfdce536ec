"""Table 1: training and test accuracy on CIFAR-10, with and without regularizers."""

from typing import Any

from corruptlab.experiments.paper._exhibit import Exhibit, Quantity, Row
from corruptlab.experiments.paper._training import TRAINING
from corruptlab.training import recipes

# Model, regularizers or labels, training and test accuracy in percent.
_PUBLISHED = (
    ("small-inception", "crop weight-decay", 100.0, 89.05),
    ("small-inception", "crop", 100.0, 89.31),
    ("small-inception", "weight-decay", 100.0, 86.03),
    ("small-inception", "plain", 100.0, 85.75),
    ("small-inception", "random-labels", 100.0, 9.78),
    ("small-inception-no-bn", "weight-decay", 100.0, 83.00),
    ("small-inception-no-bn", "plain", 100.0, 82.00),
    ("small-inception-no-bn", "random-labels", 100.0, 10.12),
    ("small-alexnet", "crop weight-decay", 99.90, 81.22),
    ("small-alexnet", "crop", 99.82, 79.66),
    ("small-alexnet", "weight-decay", 100.0, 77.36),
    ("small-alexnet", "plain", 100.0, 76.07),
    ("small-alexnet", "random-labels", 99.82, 9.86),
    ("mlp-3x512", "weight-decay", 100.0, 53.35),
    ("mlp-3x512", "plain", 100.0, 52.39),
    ("mlp-3x512", "random-labels", 100.0, 10.48),
    ("mlp-1x512", "weight-decay", 99.80, 50.39),
    ("mlp-1x512", "plain", 100.0, 50.51),
    ("mlp-1x512", "random-labels", 99.34, 10.61),
)


def _parameters(model: str, how: str) -> dict[str, Any]:
    recipe = recipes.cifar10(model, weight_decay="weight-decay" in how, random_crop="crop" in how)
    random = how == "random-labels"
    return {
        "model": model,
        "setting": "random-labels" if random else "true",
        "recipe": recipe.to_dict(),
        "stop": {"accuracy": 1.0} if random else {},
    }


TABLE_1 = Exhibit(
    name="table1",
    title="CIFAR-10, true and random labels, with and without regularizers",
    source="Zhang et al. 2017, Table 1",
    quantities=(
        Quantity("train", "training accuracy, %", tolerance=0.7),
        Quantity("test", "test accuracy, %", tolerance=2.0),
    ),
    rows=tuple(
        Row(
            name=f"{model} {how}",
            published={"train": train, "test": test},
            parameters=_parameters(model, how),
            work=TRAINING,
        )
        for model, how, train, test in _PUBLISHED
    ),
    remarks=(
        "The paper does not state the number of epochs. Rows with true labels train for 100 "
        "epochs, with and without regularizers; rows with random labels stop when every label is "
        "fitted. Accuracies are those at the end of training, not the best ones.",
        "Nor does it state the batch size (64 for MLPs, 128 for the others), the weight decay "
        "(1e-4 and 5e-4), and the decay of the running averages of batch norm (0.9).",
        "Training accuracy is that of a full pass over the center crops.",
    ),
)
