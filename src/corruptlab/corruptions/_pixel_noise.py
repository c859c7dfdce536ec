"""What all pixel noises share: inputs in, inputs out, of the shape and kind that came in."""

from abc import ABC, abstractmethod
from typing import ClassVar

from numpy.typing import ArrayLike

from corruptlab._draws import Draws
from corruptlab._types import Array, Ids
from corruptlab.corruptions._arrays import ArrayT, checked_ids, like, to_numpy
from corruptlab.corruptions._pixels import Planes
from corruptlab.corruptions._spec import short_repr


class PixelNoise(ABC):
    """An input corruption of images seen as planes; each noise says what happens to them."""

    channel_axis: int | None
    stream: ClassVar[str]
    __repr__ = short_repr

    def inputs(self, clean: ArrayT, *, draws: Draws, ids: ArrayLike | None = None) -> ArrayT:
        """Return the corrupted inputs.

        Args:
            clean: Batch of inputs, shape ``(n, ...)``, array or tensor of any type.
            draws: Where the randomness comes from.
            ids: Example numbers, shape ``(n,)``; ``0 .. n - 1`` if not given.

        Returns:
            Inputs of the shape, kind, and type of ``clean``.

        Raises:
            ValueError: If the channel axis cannot be told, or ``ids`` or the noise do not fit.
        """
        batch = to_numpy(clean)
        ids = checked_ids(ids, len(batch))
        planes = Planes.of(batch, self.channel_axis)
        return like(clean, planes.restore(self._changed(planes.values, ids, draws)))

    @abstractmethod
    def _changed(self, planes: Array, ids: Ids, draws: Draws) -> Array:
        """Return new planes, ``(n, channels, pixels)``, in as many values as came in."""
