"""Noise as one small file that can be shared and checked."""

import json
import zipfile
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptlab._errors import DataFileError
from corruptlab._io import whole_file
from corruptlab._types import Ids, Labels
from corruptlab.corruptions._held import Held

_FORMAT = "corruptlab manifest 1"
_EXPECTED = "a corruptlab manifest"
_ARRAYS = ("ids", "clean_targets", "targets")
_LARGEST = 1 << 30  # bytes an array may unpack to: 134 million labels


@dataclass(frozen=True, kw_only=True, eq=False)
class Manifest:
    """Everything needed to re-create, share, and check the labels of a corrupted data set.

    Saved as one ``.npz`` file without pickled objects: a JSON header and three integer arrays in
    the smallest type that holds them (about 30 kB for CIFAR-10).

    Args:
        corruption: What was done, as `Corrupted` prints it.
        seed: The seed.
        algorithm: Version of the random numbers.
        num_classes: Number of classes.
        version: Version of corruptlab that wrote it.
        ids: Number of each example, shape ``(n,)``.
        clean_targets: Labels before, shape ``(n,)``.
        targets: Labels after, shape ``(n,)``.

    Example:
        >>> import tempfile
        >>> import corruptlab as cl
        >>> noisy = cl.corrupt([("a", 0), ("b", 1)], cl.RandomLabels(), seed=3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = noisy.manifest().save(f"{folder}/noise.npz")
        ...     shared = cl.GivenLabels.from_manifest(path)
        >>> bool((cl.corrupt([("a", 0), ("b", 1)], shared).targets == noisy.targets).all())
        True
    """

    corruption: str
    seed: int
    algorithm: int
    num_classes: int
    version: str
    ids: Ids
    clean_targets: Labels
    targets: Labels

    @property
    def digest(self) -> str:
        """Hash of the three arrays, 16 hexadecimal digits."""
        whole = np.stack([self.ids, self.clean_targets, self.targets])
        return Held(whole).digest

    def save(self, path: "str | PathLike[str]") -> Path:
        """Write the manifest, whole or not at all.

        Args:
            path: Where to; an existing file is replaced.

        Returns:
            The path.
        """
        path = Path(path)
        header = {
            "format": _FORMAT,
            "corruption": self.corruption,
            "seed": self.seed,
            "algorithm": self.algorithm,
            "num_classes": self.num_classes,
            "version": self.version,
            "digest": self.digest,
        }
        arrays = {name: _smallest(getattr(self, name)) for name in _ARRAYS}
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        with whole_file(path) as beside, beside.open("wb") as file:
            np.savez_compressed(file, header=text, allow_pickle=False, **arrays)
        return path

    @classmethod
    def load(cls, path: "str | PathLike[str]") -> "Manifest":
        """Read a manifest and check that it is whole.

        Args:
            path: The file.

        Returns:
            The manifest.

        Raises:
            DataFileError: If the file is missing, is no manifest, was cut short, or was changed.
        """
        path = Path(path)
        try:
            parts = _unpacked(path)
            header: dict[str, Any] = json.loads(parts["header"].tobytes())
            told = header.pop("format"), header.pop("digest")
            arrays: dict[str, Any] = {name: parts[name].astype(np.int64) for name in _ARRAYS}
            manifest = cls(**header, **arrays)
        except FileNotFoundError:
            raise DataFileError(path, _EXPECTED, "no such file") from None
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise DataFileError(path, _EXPECTED, f"what cannot be read as one ({error})") from None
        if told != (_FORMAT, manifest.digest):
            found = f"one of format {told[0]!r} with another digest: it was changed"
            raise DataFileError(path, f"format {_FORMAT!r} and its own digest", found)
        return manifest


def _unpacked(path: Path) -> dict[str, NDArray[Any]]:
    """Read the arrays of an .npz file; pickled objects are refused by NumPy."""
    with zipfile.ZipFile(path) as archive:
        largest = max((member.file_size for member in archive.infolist()), default=0)
    if largest > _LARGEST:
        raise ValueError(f"an array of {largest} bytes")
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in ("header", *_ARRAYS)}


def _smallest(values: NDArray[np.int64]) -> NDArray[Any]:
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))
