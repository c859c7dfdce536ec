"""What a corruption is."""

from collections.abc import Iterable
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

from numpy.typing import ArrayLike
from typing_extensions import Self, TypeIs

from corruptlab._arrays import ArrayT
from corruptlab._draws import Draws
from corruptlab._types import Array


@runtime_checkable
class LabelCorruption(Protocol):
    """A rule that gives examples new labels: immutable, without data, and without a seed.

    ``stream`` names its randomness. Corruptions of one name draw the same numbers for
    the same seed and example, so two rules that should be independent need two names.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> class NextLabels:  # nothing to inherit: having the parts is enough
        ...     stream = "next_labels"
        ...
        ...     def labels(self, clean, *, num_classes, draws, ids=None):
        ...         return (clean + 1) % num_classes
        >>> cl.corrupt([("a", 0), ("b", 1)], NextLabels()).targets
        array([1, 0])
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

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> class Negatives:
        ...     stream = "negatives"
        ...
        ...     def inputs(self, clean, *, draws, ids=None):
        ...         return 255 - clean
        >>> cl.corrupt([(np.array([5, 250]), 0)], Negatives())[0]
        (array([250,   5]), 0)
    """

    stream: ClassVar[str]

    def inputs(self, clean: ArrayT, *, draws: Draws, ids: ArrayLike | None = None) -> ArrayT:
        """Return the new inputs, of the shape, kind, and type that came in."""


@runtime_checkable
class InstanceCorruption(Protocol):
    """A rule that gives examples new labels by looking at their inputs.

    Like `LabelCorruption`, with the inputs as they arrive at that corruption.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> class BrightLabels:
        ...     stream = "bright_labels"
        ...
        ...     def labels_for(self, inputs, clean, *, num_classes, draws, ids=None):
        ...         return np.where(inputs.mean(1) > 9, 1, clean)
        >>> cl.corrupt([(np.array([5, 25]), 0), (np.array([5, 5]), 1)], BrightLabels()).targets
        array([1, 1])
    """

    stream: ClassVar[str]

    def labels_for(
        self,
        inputs: Array,
        clean: ArrayT,
        *,
        num_classes: int,
        draws: Draws,
        ids: ArrayLike | None = None,
    ) -> ArrayT:
        """Return the new labels, shape ``(n,)``, of inputs of shape ``(n, ...)``."""


@runtime_checkable
class Estimated(Protocol):
    """A corruption with numbers that can be estimated from the data it will be used on.

    `corrupt` estimates them, from the inputs as they arrive at that corruption.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> cl.GaussianPixels().estimated([np.array([[1.0, 3.0]])])
        GaussianPixels(mean=2.0, std=1.0)
    """

    @property
    def is_estimated(self) -> bool:
        """Whether the numbers are there."""

    def estimated(self, batches: Iterable[Array]) -> Self:
        """Return the corruption with its numbers estimated from batches of inputs."""


Corruption: TypeAlias = LabelCorruption | InstanceCorruption | InputCorruption
"""Anything that `corrupt` applies: an object with the methods of one of these protocols."""


def is_label_corruption(corruption: Any) -> TypeIs[LabelCorruption | InstanceCorruption]:
    """Return whether something changes labels: a `LabelCorruption` or an `InstanceCorruption`.

    Args:
        corruption: Anything.

    Returns:
        True if it has a ``stream`` and a ``labels`` or ``labels_for`` method.

    Example:
        >>> import corruptlab as cl
        >>> from corruptlab.corruptions import is_label_corruption
        >>> is_label_corruption(cl.RandomLabels()), is_label_corruption(cl.RandomPixels())
        (True, False)
    """
    kinds = (LabelCorruption, InstanceCorruption)
    return not isinstance(corruption, type) and isinstance(corruption, kinds)


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
