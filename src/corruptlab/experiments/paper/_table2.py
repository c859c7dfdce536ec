"""Table 2: Inception V3 on ImageNet, with and without regularizers."""

from typing import Any

from corruptlab.experiments.paper._exhibit import Exhibit, Quantity, Row
from corruptlab.experiments.paper._imagenet import IMAGENET
from corruptlab.training import recipes

# Labels and regularizers; top-1 and top-5 accuracy in percent on training and on validation images,
# and the best ones that early stopping could have had, where the paper gives them.
_PUBLISHED: dict[str, tuple[float, ...]] = {
    "true augment dropout weight-decay": (92.18, 99.21, 77.84, 93.92),
    "true augment": (92.33, 99.17, 72.95, 90.43),
    "true weight-decay": (90.60, 100.0, 67.18, 86.44, 72.57, 91.31),
    "true plain": (99.53, 100.0, 59.80, 80.38, 63.16, 84.49),
    "random-labels dropout weight-decay": (91.18, 97.95, 0.09, 0.49),
    "random-labels weight-decay": (87.81, 96.15, 0.12, 0.50),
    "random-labels plain": (95.20, 99.14, 0.11, 0.56),
}

_QUANTITIES = {
    "train_top1": "training, top-1, %",
    "train_top5": "training, top-5, %",
    "test_top1": "test, top-1, %",
    "test_top5": "test, top-5, %",
    "best_test_top1": "best epoch, top-1, %",
    "best_test_top5": "best epoch, top-5, %",
}


def imagenet_parameters(how: str) -> dict[str, Any]:
    """Return the parameters of a row from the words of its name."""
    recipe = recipes.imagenet(weight_decay="weight-decay" in how, dropout="dropout" in how)
    return {
        "random_labels": "random-labels" in how,
        "augment": "augment" in how,
        "recipe": recipe.to_dict(),
    }


TABLE_2 = Exhibit(
    name="table2",
    title="ImageNet, Inception V3, true and random labels, with and without regularizers",
    source="Zhang et al. 2017, Table 2",
    quantities=tuple(Quantity(name, title) for name, title in _QUANTITIES.items()),
    rows=tuple(
        Row(
            name=f"inception-v3 {how}",
            published=dict(zip(_QUANTITIES, numbers, strict=False)),
            parameters=imagenet_parameters(how),
            work=IMAGENET,
            data="imagenet",
        )
        for how, numbers in _PUBLISHED.items()
    ),
    remarks=(
        "1,281,167 training and 50,000 validation images of 1,000 classes. The paper trained on 50 "
        "asynchronous workers with TensorFlow's own set-up, and prints no hyper-parameter: "
        "those here are of Szegedy et al. 2016, with one worker, and without their label "
        "smoothing, second classifier, and clipped gradients.",
        "A batch of 1,600 images needs more than one GPU has: `--set recipe.batch_size=256 --set "
        "recipe.learning_rate=0.0072` takes a smaller one, with a rate in proportion.",
        "Training accuracy is measured without augmentation.",
    ),
)
