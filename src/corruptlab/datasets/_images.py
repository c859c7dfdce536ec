"""Labelled images in memory."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset


def checked_split(split: str) -> None:
    """Refuse what is neither the training nor the test part."""
    if split not in ("train", "test"):
        raise ValueError(f"`split` must be 'train' or 'test', got {split!r}.")


@dataclass(frozen=True, eq=False, repr=False)
class Images(Dataset[tuple[Tensor, int]]):
    """In-memory map-style data set of labelled ``uint8`` images of one size.

    Items are ``(image, label)``: a ``uint8`` tensor of shape ``(channels, height, width)`` and an
    ``int``. Images are not scaled. An image is a view of ``images``, so modifying it in place
    modifies the data set.

    Args:
        images: ``uint8`` tensor of shape ``(n, channels, height, width)``, values 0 to 255.
        targets: ``int64`` tensor of shape ``(n,)``, values ``0 .. len(classes) - 1``.
        classes: Name of each class, in the order of the labels.
        name: Name of the data set in tables and error messages.

    Attributes:
        tensors: The pair ``(images, targets)``, as in ``torch.utils.data.TensorDataset``.

    Raises:
        TypeError: If ``images`` or ``targets`` is not a tensor of the required dtype.
        ValueError: If shapes do not match, or a label is out of range.

    Example:
        >>> black = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> two = Images(black, targets=torch.tensor([1, 0]), classes=("cat", "dog"), name="pets")
        >>> two
        Images('pets': 2 images of 1x28x28, 2 classes)
        >>> image, label = two[0]
        >>> image.shape, label
        (torch.Size([1, 28, 28]), 1)
    """

    images: Tensor
    targets: Tensor
    classes: tuple[str, ...]
    name: str

    def __post_init__(self) -> None:
        _check_tensor("images", self.images, torch.uint8, "(n, channels, height, width)", 4)
        _check_tensor("targets", self.targets, torch.int64, "(n,)", 1)
        object.__setattr__(self, "classes", tuple(self.classes))
        if len(self.images) != len(self.targets):
            raise ValueError(
                f"`targets` must hold one label for each of the {len(self.images)} images, "
                f"got {len(self.targets)}."
            )
        strays = (self.targets < 0) | (self.targets >= len(self.classes))
        if strays.any():
            first = int(strays.nonzero()[0])
            raise ValueError(
                f"`targets` must lie in 0 .. {len(self.classes) - 1}, "
                f"got {int(self.targets[first])} at position {first}."
            )

    @property
    def tensors(self) -> tuple[Tensor, Tensor]:
        """Pair ``(images, targets)`` of the whole data set, without a copy."""
        return self.images, self.targets

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.images[index], int(self.targets[index])

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Tensor, int]]:
        """Return several examples at once, as a ``DataLoader`` asks for them.

        Args:
            indices: Positions of the examples, in any order.

        Returns:
            The examples, in the order of ``indices``.
        """
        rows = torch.as_tensor(indices, dtype=torch.int64)
        return list(zip(self.images[rows], self.targets[rows].tolist(), strict=True))

    def __repr__(self) -> str:
        size = "x".join(map(str, self.images.shape[1:]))
        return f"Images({self.name!r}: {len(self)} images of {size}, {len(self.classes)} classes)"


def _check_tensor(name: str, value: Tensor, dtype: torch.dtype, shape: str, ndim: int) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(f"`{name}` must be a tensor, got {type(value).__name__}.")
    if value.dtype != dtype:
        raise TypeError(f"`{name}` must be of type {dtype}, got {value.dtype}.")
    if value.ndim != ndim:
        raise ValueError(f"`{name}` must have shape {shape}, got {tuple(value.shape)}.")
