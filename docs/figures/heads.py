"""Draw docs/images/heads.png: accuracy of random label heads by layer and epoch.

    python docs/figures/heads.py

The network, the data, and the loop are those of docs/heads.md.
"""

from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, Subset

import corruptlab as cl

TARGET = Path(__file__).parent.parent / "images" / "heads.png"


def report() -> cl.HeadsReport:
    """Train a small network on true labels, with heads on its input and its layers."""
    torch.manual_seed(0)
    layers = nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
    network = nn.Sequential(nn.Flatten(), *layers)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    train = cl.with_ids(Subset(cl.datasets.fashion_mnist_mini("train"), range(500)))
    shown = ["0", "2", "4", "5"]
    with cl.RandomLabelHeads(network, train, layers=shown, num_labels=8) as heads:
        for _ in range(60):
            for images, labels, ids in DataLoader(train, batch_size=50, shuffle=True):
                loss = nn.functional.cross_entropy(network(images / 255 - 0.5), labels)
                loss = loss + heads.loss(ids)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
    return heads.report()


def main() -> None:
    """Train, draw, and save the figure."""
    TARGET.parent.mkdir(exist_ok=True)
    report().plot().savefig(TARGET, dpi=100)


if __name__ == "__main__":
    main()
