"""Labels that people gave, beside the true ones."""

from dataclasses import dataclass

import numpy as np

from corruptlab._types import Labels


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class HumanLabels:
    """Labels that people gave to the examples of a data set, beside the true ones.

    They hold no images: `corrupt` brings them to the data set, and refuses one with other labels
    or in another order.

    Args:
        noisy: What people said, ``int64`` of shape ``(n,)``; copied and made read-only.
        clean: The true labels, of the same type and shape; copied and made read-only.
        num_classes: Number of classes; all labels lie in ``0 .. num_classes - 1``.
        name: What the labels are called in tables.
        licence: On what terms they may be used.

    Raises:
        ValueError: If shapes differ, there are no labels, or one is out of range.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> people = HumanLabels(
        ...     noisy=np.array([0, 1, 1, 0]), clean=np.array([0, 1, 1, 1]),
        ...     num_classes=2, name="two friends", licence="CC0 1.0",
        ... )
        >>> people
        HumanLabels('two friends': 4 labels, 2 classes, 25.00% noisy, licence CC0 1.0)
        >>> pets = [("Tom", 0), ("Rex", 1), ("Fido", 1), ("Spike", 1)]
        >>> cl.corrupt(pets, cl.GivenLabels(people.noisy, clean=people.clean))[3]
        ('Spike', 0)
    """

    noisy: Labels
    clean: Labels
    num_classes: int
    name: str
    licence: str

    def __post_init__(self) -> None:
        for name in ("noisy", "clean"):
            labels = np.array(getattr(self, name), np.int64)
            labels.flags.writeable = False
            object.__setattr__(self, name, labels)
            if labels.ndim != 1 or not len(labels):
                raise ValueError(f"`{name}` must have shape (n,) with n > 0, got {labels.shape}.")
            if labels.min() < 0 or labels.max() >= self.num_classes:
                raise ValueError(
                    f"`{name}` must lie in 0 .. {self.num_classes - 1}, "
                    f"got {labels.min()} .. {labels.max()}."
                )
        if len(self.noisy) != len(self.clean):
            raise ValueError(
                f"`clean` must hold one label for each of the {len(self.noisy)} in `noisy`, "
                f"got {len(self.clean)}."
            )

    @property
    def noise_rate(self) -> float:
        """Share of labels that differ from the true ones."""
        return float((self.noisy != self.clean).mean())

    def __len__(self) -> int:
        return len(self.noisy)

    def __repr__(self) -> str:
        return (
            f"HumanLabels({self.name!r}: {len(self)} labels, {self.num_classes} classes, "
            f"{self.noise_rate:.2%} noisy, licence {self.licence})"
        )
