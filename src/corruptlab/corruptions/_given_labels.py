"""Labels that are given: by people, by a file, by a manifest."""

from dataclasses import dataclass
from os import PathLike
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from corruptlab._draws import Draws
from corruptlab._types import Ids, Labels
from corruptlab.corruptions._arrays import to_numpy
from corruptlab.corruptions._held import Held
from corruptlab.corruptions._label_noise import LabelNoise
from corruptlab.corruptions._manifest import Manifest


@dataclass(frozen=True, init=False, repr=False)
class GivenLabels(LabelNoise):
    """Replace the labels by given ones, one for each example, found by its number.

    If the clean labels that they were made for are given too, they are compared with those of the
    data set, so that labels of another data set, or in another order, are refused.

    Args:
        given: The new labels, shape ``(N,)``.
        clean: The clean labels they belong to, shape ``(N,)``; not checked if not given.
        ids: Numbers of the examples, shape ``(N,)``; ``0 .. N - 1`` if not given.

    Raises:
        TypeError: If labels are not integers.
        ValueError: If lengths differ, or an example is numbered twice.

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

    given: Held
    clean: Held | None
    ids: Held
    stream: ClassVar[str] = "given_labels"

    def __init__(
        self, given: ArrayLike, *, clean: ArrayLike | None = None, ids: ArrayLike | None = None
    ) -> None:
        new = _integers("given", given)
        numbers = np.arange(len(new)) if ids is None else _integers("ids", ids)
        old = None if clean is None else _integers("clean", clean)
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
        object.__setattr__(self, "given", Held(new[order]))
        object.__setattr__(self, "clean", None if old is None else Held(old[order]))
        object.__setattr__(self, "ids", Held(numbers[order]))

    @classmethod
    def from_manifest(cls, manifest: "Manifest | str | PathLike[str]") -> "GivenLabels":
        """Return the labels that a manifest shares.

        Args:
            manifest: A manifest, or the path of a saved one.

        Returns:
            Labels that refuse a data set whose clean labels differ from the manifest's.
        """
        if not isinstance(manifest, Manifest):
            manifest = Manifest.load(manifest)
        return cls(manifest.targets, clean=manifest.clean_targets, ids=manifest.ids)

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
                f"`given` must lie in 0 .. {num_classes - 1}, got {new.min()} .. {new.max()}."
            )
        return new


def _integers(name: str, values: ArrayLike) -> Labels:
    array = to_numpy(values)  # type: ignore[arg-type]  # lists are welcome too
    if array.ndim != 1 or array.dtype.kind not in "iu" or array.size == 0:
        raise TypeError(
            f"`{name}` must be one integer for each example, "
            f"got {array.dtype} of shape {array.shape}."
        )
    return array.astype(np.int64)
