"""Arrays that a corruption holds: read-only, compared and hashed by content."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, repr=False)
class Held:
    """An array that can be a field of a frozen dataclass.

    Args:
        array: The values; copied and made read-only.
    """

    array: NDArray[Any]

    def __post_init__(self) -> None:
        array = np.array(self.array)
        array.flags.writeable = False
        object.__setattr__(self, "array", array)

    @property
    def digest(self) -> str:
        """SHA-256 of type, shape, and values, 16 hexadecimal digits of it."""
        values = np.ascontiguousarray(self.array)
        little = values.astype(values.dtype.newbyteorder("<"))
        text = f"{little.dtype.str}{little.shape}".encode()
        return hashlib.sha256(text + little.tobytes()).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Held) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<{self.array.dtype} {self.array.shape} sha256:{self.digest}>"
