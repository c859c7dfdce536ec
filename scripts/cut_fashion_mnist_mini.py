"""Cut the embedded subset of Fashion-MNIST out of the whole data set.

    python scripts/cut_fashion_mnist_mini.py /usr/share/datasets/fashion-mnist

reads the four IDX files of that folder (where Debian's package `dataset-fashion-mnist` puts them)
and writes four smaller ones of the same layout to `src/corruptlab/datasets/data`: the first 400
images of each class of the training set and the first 100 of each class of the test set, kept
in file order, their bytes unchanged. The same input always gives the same pixels and labels; the
compressed bytes may differ with the version of zlib, so the checksums in the tests are taken
over the unpacked files.
"""

import gzip
import struct
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from corruptlab.datasets import idx

TARGET = Path(__file__).parent.parent / "src" / "corruptlab" / "datasets" / "data"
PER_CLASS = {"train": 400, "t10k": 100}


def first_of_each_class(labels: NDArray[np.int64], count: int) -> NDArray[np.intp]:
    """Return the positions of the first `count` examples of each class, in file order."""
    picked = [np.flatnonzero(labels == label)[:count] for label in np.unique(labels)]
    return np.sort(np.concatenate(picked))


def write(path: Path, values: NDArray[np.uint8]) -> None:
    header = struct.pack(f">{1 + values.ndim}I", 0x0800 + values.ndim, *values.shape)
    # No time and no name in the gzip header: nothing but the data (and zlib) decides the bytes.
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(header + values.tobytes())


def main(source: str) -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    for prefix, count in PER_CLASS.items():
        whole = idx(source, split="train" if prefix == "train" else "test")
        chosen = first_of_each_class(whole.targets.numpy(), count)
        pixels = whole.images.numpy()[chosen, 0]
        labels = whole.targets.numpy()[chosen].astype(np.uint8)
        write(TARGET / f"{prefix}-images-idx3-ubyte.gz", pixels)
        write(TARGET / f"{prefix}-labels-idx1-ubyte.gz", labels)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
