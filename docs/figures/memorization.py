"""Draw what a network learns first, and what it memorizes later.

    python docs/figures/memorization.py

writes memorization.png and learning-order.png in docs/images.

A fully connected network is trained on 1,600 images of the embedded Fashion-MNIST, a fifth of whose
labels are wrong, with 160 canaries planted among them and 160 held out; five times, each with other
canaries, other noise, other initial weights, and another order of the data.
"""

from pathlib import Path

import torch
from torch.utils.data import Subset

import corruptlab as cl
from corruptlab.corruptions import Corrupted
from corruptlab.experiments import MemorizationMeter, MemorizationReport, Prepared

IMAGES = Path(__file__).parent.parent / "images"
RECIPE = cl.Recipe(learning_rate=0.01, decay=0.99, epochs=60, batch_size=32, whiten=True)


def report(seed: int) -> MemorizationReport:
    """Plant, train until every label is fitted, and measure after each epoch."""

    def mlp(dataset: Corrupted, epoch_end: MemorizationMeter) -> torch.nn.Module:
        network = cl.mlp(256, input_shape=(1, 28, 28), seed=seed)
        whole = Prepared(network, RECIPE)
        rules = epoch_end.rule(whole), cl.stopping.interpolated()
        cl.fit(network, dataset, recipe=RECIPE, stop=rules, seed=seed)
        return whole

    train = Subset(cl.datasets.fashion_mnist_mini("train"), range(1600))
    noisy = cl.corrupt(train, cl.SymmetricLabels(rate=0.2), seed=seed)
    return cl.memorization_report(mlp, noisy, canaries=160, seed=seed)


def main() -> None:
    """Train, draw, and save the figures."""
    first, *rest = (report(seed) for seed in range(5))
    IMAGES.mkdir(exist_ok=True)
    first.plot(others=rest).savefig(IMAGES / "memorization.png", dpi=100)
    first.plot_learning().savefig(IMAGES / "learning-order.png", dpi=100)


if __name__ == "__main__":
    main()
