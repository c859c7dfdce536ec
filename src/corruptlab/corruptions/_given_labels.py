"""Labels that are given: by people, by a file, by a manifest, which is noise as one small file."""

import hashlib
import json
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corruptlab._arrays import ArrayT
from corruptlab._checks import natural
from corruptlab._data_files import read_npz
from corruptlab._draws import Draws
from corruptlab._errors import DataFileError
from corruptlab._io import whole_file
from corruptlab._types import Ids, Labels
from corruptlab.corruptions._noise import FrozenArray, LabelNoise, integers, put

_FORMAT = "corruptlab manifest 1"
_EXPECTED = "a corruptlab manifest"
_ARRAYS = ("ids", "clean_targets", "targets")


@dataclass(frozen=True, kw_only=True, eq=False)
class Manifest:
    """The labels of a corrupted data set with their provenance, to share and verify them.

    A manifest is saved as one ``.npz`` file without pickled objects: a JSON header and three
    integer arrays of the smallest sufficient dtype (about 30 kB for CIFAR-10).

    Args:
        corruption: Description of the corruption, as in the ``repr`` of `Corrupted`.
        seed: Seed of the corruption.
        algorithm: Version of the random number algorithm.
        num_classes: Number of classes.
        version: Version of corruptlab that wrote the manifest.
        ids: Example ids, shape ``(n,)``.
        clean_targets: Clean labels, shape ``(n,)``.
        targets: Corrupted labels, shape ``(n,)``.

    Example:
        >>> import tempfile
        >>> import corruptlab as cl
        >>> noisy = cl.corrupt([("a", 0), ("b", 1)], cl.RandomLabels(), seed=3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = noisy.manifest().save(f"{folder}/noise.npz")
        ...     shared = cl.GivenLabels.from_manifest(path)
        >>> (cl.corrupt([("a", 0), ("b", 1)], shared).targets == noisy.targets).tolist()
        [True, True]
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
        # That of one array with these as its rows, without making it.
        state = hashlib.sha256(f"<i8{(3, len(self.ids))}".encode())
        for row in (self.ids, self.clean_targets, self.targets):
            state.update(np.ascontiguousarray(row, "<i8").data)
        return state.hexdigest()[:16]

    def save(self, path: "str | PathLike[str]") -> Path:
        """Write the manifest to a file, atomically.

        Args:
            path: Path with the extension ``.npz``; an existing file is replaced.

        Returns:
            The path.

        Raises:
            ValueError: If ``path`` has another extension.
        """
        path = Path(path)
        if path.suffix.lower() != ".npz":
            raise ValueError(f"`path` must end in .npz, got {path.name!r}.")
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
        """Read a manifest and verify its checksum.

        Args:
            path: Path of the file.

        Returns:
            The manifest.

        Raises:
            DataFileError: If the file is missing, is not a manifest, or is truncated or modified.
        """
        path = Path(path)
        try:
            header = json.loads(read_npz(path, "header").astype(np.uint8).tobytes())
            told = header.pop("format"), header.pop("digest")
            arrays: dict[str, Any] = {name: read_npz(path, name) for name in _ARRAYS}
            manifest = cls(**header, **arrays)
            manifest._check()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataFileError(path, _EXPECTED, _reason(error)) from None
        if told != (_FORMAT, manifest.digest):
            found = f"one of format {told[0]!r} with another digest: it was changed"
            raise DataFileError(path, f"format {_FORMAT!r} and its own digest", found)
        return manifest

    def _check(self) -> None:
        """Refuse a header with values of other types, and arrays that do not fit one another."""
        for name in ("seed", "algorithm", "num_classes"):
            natural(name, getattr(self, name))
        for name in ("corruption", "version"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"`{name}` must be text.")
        if not len(self.ids) == len(self.clean_targets) == len(self.targets):
            raise ValueError("the arrays must be equally long")


@dataclass(frozen=True, init=False, repr=False)
class GivenLabels(LabelNoise):
    """Replace the labels by given ones, by example id.

    With ``clean``, the clean labels of the data set are compared with these, so that labels of
    another data set, or in another order, raise an error. More labels than examples raise an error
    too, because they may include a header or another split. For a part of a data set, such as a
    ``Subset``, pass the labels of the full data set.

    Args:
        given: The new labels, shape ``(N,)``.
        clean: Clean labels of the same examples, shape ``(N,)``; None for no check.
        ids: Example ids, shape ``(N,)``; ``0 .. N - 1`` by default.

    Raises:
        TypeError: If labels are not integers.
        ValueError: If lengths differ, or an id is repeated; on application, if an example has
            no label, a label is not a class, clean labels differ, or there are more labels than
            examples in the full data set. That number is unknown if ``ids`` were passed to
            `corrupt`, and for a Hugging Face table in memory, which may be a part.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> people = cl.GivenLabels([2, 1, 0], clean=[0, 1, 2])
        >>> people.labels(np.array([2, 0]), ids=[2, 0], num_classes=3, draws=cl.Draws(seed=0))
        array([0, 2])
        >>> people.labels(np.array([0, 2]), ids=[2, 0], num_classes=3, draws=cl.Draws(seed=0))
        Traceback (most recent call last):
        ValueError: `dataset` must have the clean labels that the given ones belong to, ...

    Source: Wei et al. 2022, "Learning with noisy labels revisited" (labels given by people).
    """

    given: FrozenArray
    clean: FrozenArray | None
    ids: FrozenArray
    stream: ClassVar[str] = "given_labels"

    def __init__(
        self, given: ArrayLike, *, clean: ArrayLike | None = None, ids: ArrayLike | None = None
    ) -> None:
        new = integers("given", given)
        numbers = np.arange(len(new)) if ids is None else integers("ids", ids)
        old = None if clean is None else integers("clean", clean)
        for name, values in (("ids", numbers), ("clean", old)):
            if values is not None and len(values) != len(new):
                raise ValueError(
                    f"`{name}` must have as many entries as `given`, {len(new)}, got {len(values)}."
                )
        order = np.argsort(numbers, kind="stable")
        twice = np.flatnonzero(np.diff(numbers[order]) == 0)
        if len(twice):
            raise ValueError(
                f"`ids` must name every example once, got {numbers[order][twice[0]]} twice."
            )
        put(
            self,
            given=FrozenArray(new[order]),
            clean=None if old is None else FrozenArray(old[order]),
            ids=FrozenArray(numbers[order]),
        )

    @classmethod
    def from_manifest(cls, manifest: "Manifest | str | PathLike[str]") -> "GivenLabels":
        """Return the labels of a manifest.

        Args:
            manifest: A manifest, or the path of a saved one.

        Returns:
            The corruption, which raises an error for a data set with other clean labels.
        """
        if not isinstance(manifest, Manifest):
            manifest = Manifest.load(manifest)
        return cls(manifest.targets, clean=manifest.clean_targets, ids=manifest.ids)

    def labels(
        self, clean: ArrayT, *, num_classes: int, draws: Draws, ids: ArrayLike | None = None
    ) -> ArrayT:
        """Return the given labels."""
        noisy = super().labels(clean, num_classes=num_classes, draws=draws, ids=ids)
        if ids is None:  # these are all examples
            self.check_size(len(noisy))
        return noisy

    def check_size(self, size: int) -> None:
        """Check that there are not more labels than examples.

        Args:
            size: Number of examples.

        Raises:
            ValueError: If an example with a label has a number of ``size`` or more.
        """
        last = int(self.ids.array[-1])  # they are sorted
        if last >= size:
            raise ValueError(
                f"`given` must have labels for the examples of `dataset` alone, "
                f"got {len(self.ids.array)} labels, the last for example {last}, "
                f"and {size} examples; for a part of a data set use a Subset of it."
            )

    def _noisy(self, clean: Labels, num_classes: int, ids: Ids, draws: Draws) -> Labels:
        known = self.ids.array
        at = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        missing = np.flatnonzero(known[at] != ids)
        if len(missing):
            raise ValueError(
                f"`given` must have a label for every example, got none for {ids[missing[0]]} "
                f"(and {len(missing) - 1} more)."
            )
        if self.clean is not None:
            different = np.flatnonzero(self.clean.array[at] != clean)
            if len(different):
                i = different[0]
                raise ValueError(
                    "`dataset` must have the clean labels that the given ones belong to, "
                    f"got {clean[i]} instead of {self.clean.array[at[i]]} for example {ids[i]} "
                    f"({len(different)} of {len(clean)} differ)."
                )
        new: Labels = self.given.array[at]
        if new.min() < 0 or new.max() >= num_classes:
            raise ValueError(
                f"`given` must lie in 0 .. {num_classes - 1}, got {new.min()} .. {new.max()}; "
                "if the data set has more classes than its labels show, pass num_classes=."
            )
        return new


def _reason(error: Exception) -> str:
    """Say what was found instead of a manifest."""
    if not isinstance(error, DataFileError):
        return f"what cannot be read as one ({error})"
    if error.found == "no such file":
        return error.found
    return f"what cannot be read as one (expected {error.expected}, found {error.found})"


def _smallest(values: NDArray[np.int64]) -> NDArray[Any]:
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))
