"""Fig. 2: learning curves, and what early stopping and batch norm do to them."""

from corruptlab.experiments.paper._exhibit import Exhibit, Published, Quantity, Row
from corruptlab.experiments.paper._table2 import IMAGENET, imagenet_parameters
from corruptlab.experiments.paper._training import TRAINING
from corruptlab.training import recipes

_IMAGENET: dict[str, dict[str, Published]] = {
    "true augment dropout weight-decay": {"test_top1": 77.84},
    "true weight-decay": {"test_top1": 67.18, "best_test_top1": 72.57},
    "true plain": {"test_top1": 59.80, "best_test_top1": 63.16},
}
_CIFAR10: dict[str, dict[str, Published]] = {
    "small-inception": {"test": 85.75},
    "small-inception-no-bn": {"test": 82.00},
}

FIG_2 = Exhibit(
    name="fig2",
    title="accuracy by epoch: (a) Inception V3 on ImageNet, (b) small Inception on CIFAR-10",
    source="Zhang et al. 2017, Fig. 2; numbers of (a) are those of Table 2, of (b) of Table 1",
    quantities=(
        Quantity("test_top1", "(a) test, top-1, %"),
        Quantity("best_test_top1", "(a) best epoch, top-1, %"),
        Quantity("test", "(b) test accuracy, %"),
        Quantity("best_test", "(b) best epoch, %"),
    ),
    rows=(
        *(
            Row(
                name=f"fig2a inception-v3 {how}",
                published=published,
                parameters={**imagenet_parameters(how), "by_epoch": True},
                work=IMAGENET,
                data="imagenet",
            )
            for how, published in _IMAGENET.items()
        ),
        *(
            Row(
                name=f"fig2b {model}",
                published=published,
                parameters={
                    "model": model,
                    "setting": "true",
                    "recipe": recipes.cifar10(model).to_dict(),
                    "stop": {},
                    "record": "accuracies",
                },
                work=TRAINING,
            )
            for model, published in _CIFAR10.items()
        ),
    ),
    remarks=(
        "Early stopping helps on ImageNet without other regularizers, but not on CIFAR-10. Batch "
        "norm stabilizes the learning curve and changes the test accuracy on CIFAR-10 by 3 to 4 "
        "percentage points.",
        "Training and test accuracy are measured after every epoch by full passes, without "
        "augmentation.",
    ),
)
