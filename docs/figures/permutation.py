"""Draw docs/images/permutation.png: one permutation test with two baselines.

    python docs/figures/permutation.py

It takes the test of docs/permutation.md with 199 permutations, and tells what it found.
"""

import sys
from pathlib import Path

from torch.utils.data import Subset

import corruptlab as cl

TARGET = Path(__file__).parent.parent / "images" / "permutation.png"


def main() -> None:
    """Run the test, and save its figure."""
    train, test = cl.datasets.load("fashion-mnist-mini")
    found = cl.permutation_test(
        cl.mlp(32, input_shape=(1, 28, 28)),
        Subset(train, range(0, 4000, 40)),
        test,
        recipe=cl.Recipe(learning_rate=0.05, decay=1.0, epochs=15, batch_size=20, whiten=True),
        baselines=[cl.ShuffledPixels(), cl.GaussianPixels()],
    )
    sys.stdout.write(f"{found!r}\n")
    found.plot().savefig(TARGET)


if __name__ == "__main__":
    main()
