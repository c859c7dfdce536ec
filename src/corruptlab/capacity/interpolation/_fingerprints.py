"""Sixteen bytes for each point, by which equal points are known after the points are gone."""

import hashlib
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, uint8

Fingerprints: TypeAlias = NDArray[np.uint64]
"""Shape ``(n, 2)``; rows are equal exactly if the points are."""

_BYTES = 16


def fingerprints(x: Tensor) -> Fingerprints:
    """Return 128 bits for each point: its own bytes if they are so few, else their BLAKE2b hash.

    Points of one type are equal exactly if their bytes are, once -0.0 is 0.0. That two different
    points among n share a hash has probability below ``n**2 / 2**129``.

    Args:
        x: Points, shape ``(m, d)``, finite.

    Returns:
        The fingerprints, shape ``(m, 2)``.
    """
    x = x + 0.0 if x.is_floating_point() else x  # -0.0 + 0.0 is 0.0
    rows = x.contiguous().view(uint8).cpu().numpy()
    if rows.shape[1] <= _BYTES:
        padded = np.zeros((len(rows), _BYTES), np.uint8)
        padded[:, : rows.shape[1]] = rows
    else:
        digests = [hashlib.blake2b(row, digest_size=_BYTES).digest() for row in rows]
        padded = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, _BYTES)
    return padded.view(np.uint64)
