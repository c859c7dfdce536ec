"""Labelled image files, opened when they are asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch.utils.data import Dataset

from corruptlab._errors import DataFileError, require
from corruptlab._types import Labels
from corruptlab.datasets._file_paths import FilePaths

# What photographs come as. Pillow knows formats that start other programs (EPS); not here.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ImageFiles(Dataset[tuple[Any, int]]):
    """Labelled image files with noisy labels, clean labels, or both: a map-style data set.

    Items are ``(image, label)``: an RGB image of Pillow (extra ``vision``), or what
    ``transform`` makes of it, and an ``int``. A file is opened when its item is asked for; labels
    can be had without Pillow and without the images.

    Args:
        folder: What the paths start from.
        paths: Path of each image below ``folder``.
        noisy: Noisy label of each image, ``int64`` of shape ``(n,)``; -1 where there is none.
        clean: Clean label of each image, likewise.
        serves: Which labels the items have, ``"noisy"`` or ``"clean"``; none of them may miss.
        classes: Name of each class, in the order of the labels.
        name: What the data set is called in tables and error messages.
        transform: What to do with each image, as in torchvision; nothing if not given.

    Raises:
        ValueError: If ``serves`` is not one of its values, lengths differ, or a label names no
            class.

    Example:
        >>> from pathlib import Path
        >>> import numpy as np
        >>> shop = ImageFiles(
        ...     folder=Path("shop"), paths=["a.jpg", "b.jpg", "c.jpg"],
        ...     noisy=np.array([0, 1, 1]), clean=np.array([1, 1, -1]),
        ...     serves="noisy", classes=("shirt", "dress"), name="shop",
        ... )
        >>> shop
        ImageFiles('shop': 3 images with noisy labels, 2 classes, 2 with both labels)
        >>> shop.targets
        array([0, 1, 1])
        >>> known = shop.both()
        >>> known.noisy, known.clean
        (array([0, 1]), array([1, 1]))
    """

    folder: Path
    paths: Sequence[str]
    noisy: Labels
    clean: Labels
    serves: Literal["noisy", "clean"]
    classes: tuple[str, ...]
    name: str
    transform: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        if self.serves not in ("noisy", "clean"):
            raise ValueError(f"`serves` must be 'noisy' or 'clean', got {self.serves!r}.")
        if not isinstance(self.paths, FilePaths):
            object.__setattr__(self, "paths", FilePaths(self.paths))
        object.__setattr__(self, "classes", tuple(self.classes))
        for name in ("noisy", "clean"):
            labels = np.array(getattr(self, name), np.int64)
            labels.flags.writeable = False
            object.__setattr__(self, name, labels)
            self._check(name, labels)

    def _check(self, name: str, labels: Labels) -> None:
        if labels.shape != (len(self.paths),):
            raise ValueError(
                f"`{name}` must hold one label for each of the {len(self.paths)} paths, "
                f"got shape {labels.shape}."
            )
        least = 0 if self.serves == name else -1
        strays = np.flatnonzero((labels < least) | (labels >= len(self.classes)))
        if len(strays):
            raise ValueError(
                f"`{name}` must lie in {least} .. {len(self.classes) - 1}, "
                f"got {labels[strays[0]]} at position {strays[0]}."
            )

    @property
    def targets(self) -> Labels:
        """Labels as served, ``int64`` of shape ``(n,)``, read-only."""
        return self.noisy if self.serves == "noisy" else self.clean

    def both(self) -> "ImageFiles":
        """Return the images that have a noisy label and a clean one; it serves the clean ones.

        So its noise is known: ``corrupt`` it with ``GivenLabels(noisy, clean=clean)``.

        Returns:
            The same data set, cut to these images.
        """
        at = np.flatnonzero((self.noisy >= 0) & (self.clean >= 0))
        return replace(
            self,
            paths=FilePaths(self.paths[int(position)] for position in at),
            noisy=self.noisy[at],
            clean=self.clean[at],
            serves="clean",
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = _open(self.folder / self.paths[index])
        return image if self.transform is None else self.transform(image), int(self.targets[index])

    def __repr__(self) -> str:
        both = int(((self.noisy >= 0) & (self.clean >= 0)).sum())
        return (
            f"ImageFiles({self.name!r}: {len(self)} images with {self.serves} labels, "
            f"{len(self.classes)} classes, {both} with both labels)"
        )


def _open(path: Path) -> Any:
    """Return the image in a file, decoded, as RGB."""
    library = require("PIL.Image", extra="vision")
    try:
        with library.open(path, formats=_FORMATS) as image:
            return image.convert("RGB")
    except FileNotFoundError:
        raise DataFileError(path, "an image", "no such file") from None
    except Exception as error:  # Pillow lets a broken file raise anything
        reason = str(error) or type(error).__name__
        raise DataFileError(path, "a whole image", f"this: {reason.rstrip('.')}") from error
