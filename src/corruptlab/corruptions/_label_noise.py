"""What all label noises share: labels in, labels out, of the kind that came in."""

from abc import ABC, abstractmethod
from typing import ClassVar

from numpy.typing import ArrayLike

from corruptlab._draws import Draws
from corruptlab._types import Ids, Labels
from corruptlab.corruptions._arrays import ArrayT, checked_ids, checked_labels, like
from corruptlab.corruptions._spec import short_repr


class LabelNoise(ABC):
    """A label corruption that needs the labels alone; each noise says how they are drawn."""

    stream: ClassVar[str]
    __repr__ = short_repr

    def labels(
        self, clean: ArrayT, *, num_classes: int, draws: Draws, ids: ArrayLike | None = None
    ) -> ArrayT:
        """Return the noisy labels.

        Args:
            clean: Labels in ``0 .. num_classes - 1``, shape ``(n,)``, array or tensor of integers.
            num_classes: Number of classes.
            draws: Where the randomness comes from.
            ids: Example numbers, shape ``(n,)``; ``0 .. n - 1`` if not given.

        Returns:
            Labels of the kind, type, and shape of ``clean``.

        Raises:
            TypeError: If ``clean`` is not one integer for each example.
            ValueError: If a label is out of range, or ``ids`` or the noise do not fit.
        """
        y = checked_labels(clean, num_classes)
        return like(clean, self._noisy(y, num_classes, checked_ids(ids, len(y)), draws))

    @abstractmethod
    def _noisy(self, clean: Labels, num_classes: int, ids: Ids, draws: Draws) -> Labels:
        """Return the noisy labels, from labels and ids known to be good."""
