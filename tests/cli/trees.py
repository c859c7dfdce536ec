"""Small images and tables for the command line."""

import gzip
import struct
from pathlib import Path

import numpy as np


def idx_tree(folder: Path, n: int = 80, side: int = 6) -> Path:
    """Write ``n`` training and 40 test images of two classes in the layout of MNIST."""
    folder.mkdir()
    for prefix, count, seed in (("train", n, 0), ("t10k", 40, 1)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = np.random.default_rng(seed).integers(0, 200, (count, side, side)).astype(np.uint8)
        images[:, 0] = labels[:, None] * 25
        header = struct.pack(">IIII", 2051, count, side, side)
        path = folder / f"{prefix}-images-idx3-ubyte.gz"
        path.write_bytes(gzip.compress(header + images.tobytes()))
        header = struct.pack(">II", 2049, count)
        path = folder / f"{prefix}-labels-idx1-ubyte.gz"
        path.write_bytes(gzip.compress(header + labels.tobytes()))
    return folder


def table_of(folder: Path, cells: str = "") -> str:
    """Write a table with a column of numbers, one of categories, and two classes."""
    rows = [f"{k % 7},{'red' if k % 3 else 'blue'},{'yes' if k % 2 else 'no'}" for k in range(40)]
    path = folder / "x.csv"
    path.write_text("\n".join(["size,color,ill", *rows, *([cells] if cells else [])]) + "\n")
    return str(path)
