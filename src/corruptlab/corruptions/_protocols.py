"""What a corruption is."""

from collections.abc import Iterable
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

from numpy.typing import ArrayLike
from typing_extensions import Self, TypeIs

from corruptlab._draws import Draws
from corruptlab._types import Array
from corruptlab.corruptions._arrays import ArrayT


@runtime_checkable
class LabelCorruption(Protocol):
    """A rule that gives examples new labels: immutable, without data, and without a seed.

    ``stream`` names its randomness. Corruptions of one name draw the same numbers for
    the same seed and example, so two rules that should be independent need two names.
    """

    stream: ClassVar[str]

    def labels(
        self, clean: ArrayT, *, num_classes: int, draws: Draws, ids: ArrayLike | None = None
    ) -> ArrayT:
        """Return the new labels, shape ``(n,)``, of the kind and type that came in."""


@runtime_checkable
class InputCorruption(Protocol):
    """A rule that gives examples new inputs: immutable, without data, and without a seed.

    ``stream`` names its randomness, as in `LabelCorruption`.
    """

    stream: ClassVar[str]

    def inputs(self, clean: ArrayT, *, draws: Draws, ids: ArrayLike | None = None) -> ArrayT:
        """Return the new inputs, of the shape, kind, and type that came in."""


@runtime_checkable
class EstimatedCorruption(InputCorruption, Protocol):
    """An input corruption with numbers that can be estimated from the data it will be used on."""

    @property
    def is_estimated(self) -> bool:
        """Whether the numbers are there."""

    def estimated(self, batches: Iterable[Array]) -> Self:
        """Return the corruption with its numbers estimated from batches of inputs."""


Corruption: TypeAlias = LabelCorruption | InputCorruption


def is_label_corruption(corruption: Any) -> TypeIs[LabelCorruption]:
    """Return whether something follows the `LabelCorruption` protocol.

    Args:
        corruption: Anything.

    Returns:
        True if it has a ``stream`` and a ``labels`` method.

    Example:
        >>> import corruptlab as cl
        >>> from corruptlab.corruptions import is_label_corruption
        >>> is_label_corruption(cl.RandomLabels()), is_label_corruption(cl.RandomPixels())
        (True, False)
    """
    return not isinstance(corruption, type) and isinstance(corruption, LabelCorruption)


def is_input_corruption(corruption: Any) -> TypeIs[InputCorruption]:
    """Return whether something follows the `InputCorruption` protocol.

    Args:
        corruption: Anything.

    Returns:
        True if it has a ``stream`` and an ``inputs`` method.

    Example:
        >>> import corruptlab as cl
        >>> from corruptlab.corruptions import is_input_corruption
        >>> is_input_corruption(cl.RandomLabels()), is_input_corruption(cl.RandomPixels())
        (False, True)
    """
    return not isinstance(corruption, type) and isinstance(corruption, InputCorruption)
