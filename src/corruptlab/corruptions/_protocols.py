"""What a corruption is, and several of them in order."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import tee
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self, TypeIs

from corruptlab._data import History, Key, chunks
from corruptlab._draws import Draws
from corruptlab._types import Array, Ids, Labels
from corruptlab.corruptions._masked_noise import MaskedNoise, Masks
from corruptlab.corruptions._noise import PerExample, product


@runtime_checkable
class LabelCorruption(Protocol):
    """Protocol of a corruption of labels: immutable, without data, and without a seed.

    ``stream`` is the name of its random stream. Corruptions with the same name use the same draws
    for the same seed and example, so independent corruptions need different names.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> class NextLabels:  # nothing to inherit: having the parts is enough
        ...     stream = "next_labels"
        ...
        ...     def labels(self, clean, *, num_classes, draws, ids):
        ...         return (clean + 1) % num_classes
        >>> cl.corrupt([("a", 0), ("b", 1)], NextLabels()).targets
        array([1, 0])
    """

    if not TYPE_CHECKING:  # of the class or of the object: a type checker would take one of them
        stream: str

    def labels(self, clean: Labels, *, num_classes: int, draws: Draws, ids: Ids) -> Labels:
        """Return the new labels, shape ``(n,)``; ``ids`` are the example ids."""


@runtime_checkable
class InputCorruption(Protocol):
    """Protocol of a corruption of inputs: immutable, without data, and without a seed.

    ``stream`` is the name of its random stream, as in `LabelCorruption`.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> class Negatives:
        ...     stream = "negatives"
        ...
        ...     def inputs(self, clean, *, draws, ids):
        ...         return 255 - clean
        >>> cl.corrupt([(np.array([5, 250]), 0)], Negatives())[0]
        (array([250,   5]), 0)
    """

    if not TYPE_CHECKING:  # of the class or of the object: a type checker would take one of them
        stream: str

    def inputs(self, clean: Array, *, draws: Draws, ids: Ids) -> Array:
        """Return the new inputs, of the same shape and type; their dtype may differ."""


@runtime_checkable
class InstanceCorruption(Protocol):
    """Protocol of a corruption of labels that depends on the inputs.

    It is like `LabelCorruption`; the inputs are those after earlier corruptions.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> class BrightLabels:
        ...     stream = "bright_labels"
        ...
        ...     def labels_for(self, inputs, clean, *, num_classes, draws, ids):
        ...         return np.where(inputs.mean(1) > 9, 1, clean)
        >>> cl.corrupt([(np.array([5, 25]), 0), (np.array([5, 5]), 1)], BrightLabels()).targets
        array([1, 1])
    """

    if not TYPE_CHECKING:  # of the class or of the object: a type checker would take one of them
        stream: str

    def labels_for(
        self, inputs: Array, clean: Labels, *, num_classes: int, draws: Draws, ids: Ids
    ) -> Labels:
        """Return the new labels, shape ``(n,)``, for inputs of shape ``(n, ...)``."""


@runtime_checkable
class Estimated(Protocol):
    """Protocol of a corruption with parameters that can be estimated from data.

    `corrupt` estimates them from the inputs, as earlier corruptions have changed them.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> cl.GaussianPixels().estimated([np.array([[1.0, 3.0]])])
        GaussianPixels(mean=2.0, std=1.0)
    """

    @property
    def is_estimated(self) -> bool:
        """Whether all parameters are set."""

    def estimated(self, batches: Iterable[Array]) -> Self:
        """Return the corruption with parameters estimated from batches of inputs."""


Corruption: TypeAlias = LabelCorruption | InstanceCorruption | InputCorruption
"""Anything that `corrupt` applies: an object with the methods of one of these protocols."""


def is_label_corruption(corruption: Any) -> TypeIs[LabelCorruption | InstanceCorruption]:
    """Return whether an object is a `LabelCorruption` or an `InstanceCorruption`.

    Args:
        corruption: Any object.

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
    """Return whether an object implements the `InputCorruption` protocol.

    Args:
        corruption: Any object.

    Returns:
        True if it has a ``stream`` and an ``inputs`` method.

    Example:
        >>> import corruptlab as cl
        >>> from corruptlab.corruptions import is_input_corruption
        >>> is_input_corruption(cl.RandomLabels()), is_input_corruption(cl.RandomPixels())
        (False, True)
    """
    return not isinstance(corruption, type) and isinstance(corruption, InputCorruption)


InputReader: TypeAlias = Callable[[Ids], tuple[Array, Masks]]
"""Positions in, inputs and their masks out: one batch of shape ``(k, ...)``."""


@dataclass(frozen=True)
class Pipeline:
    """Corruptions in order, each with its draws."""

    stages: tuple[tuple[Corruption, Draws], ...]
    changes_inputs: bool = field(init=False, compare=False, repr=False)
    changes_labels: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # Asked for with every item, so worked out once.
        object.__setattr__(self, "changes_inputs", any(map(is_input_corruption, self.corruptions)))
        object.__setattr__(self, "changes_labels", any(map(is_label_corruption, self.corruptions)))

    @classmethod
    def of(cls, corruptions: Sequence[Corruption], seed: int, history: History) -> "Pipeline":
        """Give each corruption draws of its own; ``history`` is what the data went through."""
        # The second corruption of one stream and seed is repeat 1, and so on, counting those of
        # the history; so it draws anew instead of finding its own work done.
        used = History(history)
        stages = []
        for corruption in corruptions:
            stream = _checked_stream(corruption)
            stages.append((corruption, Draws(seed, used[stream, seed])))
            used[stream, seed] += 1
        return cls(tuple(stages))

    def check_size(self, size: int) -> None:
        """Refuse corruptions that hold something for each example of a larger data set."""
        for corruption in self.corruptions:
            if isinstance(corruption, PerExample):
                corruption.check_size(size)

    @property
    def corruptions(self) -> tuple[Corruption, ...]:
        """What is done, in this order."""
        return tuple(corruption for corruption, _ in self.stages)

    @property
    def input_stages(self) -> tuple[tuple[Corruption, Draws], ...]:
        """Those that change inputs."""
        return tuple(stage for stage in self.stages if is_input_corruption(stage[0]))

    @property
    def mask_fields(self) -> tuple[Key, ...]:
        """The fields of the items from which masks are read."""
        fields = dict.fromkeys(map(_mask_field, self.corruptions))
        return tuple(field for field in fields if field is not None)

    @property
    def is_masked(self) -> bool:
        """Whether a corruption leaves positions alone that a mask tells."""
        return any(isinstance(c, MaskedNoise) and c.where is not None for c in self.corruptions)

    def labels(self, clean: Labels, *, num_classes: int, ids: Ids, read: InputReader) -> Labels:
        """Return the labels of a whole data set after all corruptions."""
        for k, (corruption, draws) in enumerate(self.stages):
            if isinstance(corruption, InstanceCorruption):
                arriving = Pipeline(self.stages[:k]).batches(read, ids)
                pieces = [
                    corruption.labels_for(
                        inputs, clean[at], num_classes=num_classes, draws=draws, ids=ids[at]
                    )
                    for at, (inputs, _) in zip(chunks(len(ids)), arriving, strict=True)
                ]
                clean = np.concatenate(pieces)
            elif is_label_corruption(corruption):
                clean = corruption.labels(clean, num_classes=num_classes, draws=draws, ids=ids)
        return clean

    def matrix(self, num_classes: int) -> NDArray[np.float64] | None:
        """Return the nominal transition matrix of all corruptions; None where one has none."""
        matrices = []
        for corruption, draws in self.stages:
            if not is_label_corruption(corruption):
                continue
            law = getattr(corruption, "matrix", None)
            if law is None:
                return None
            matrices.append(law(num_classes, draws))
        return product(matrices, num_classes)

    def inputs(self, clean: Array, *, ids: Ids, masks: Masks) -> Array:
        """Return a batch of inputs after all corruptions."""
        for corruption, draws in self.stages:
            if is_input_corruption(corruption):
                field = _mask_field(corruption)
                given = {} if field is None else {"where": masks[field]}
                clean = corruption.inputs(clean, draws=draws, ids=ids, **given)
        return clean

    def estimated(self, read: InputReader, ids: Ids) -> "Pipeline":
        """Fill in what has to be estimated, from the inputs as they arrive at each stage."""
        done = Pipeline(())
        for corruption, draws in self.stages:
            if isinstance(corruption, Estimated) and not corruption.is_estimated:
                corruption = done._estimate(corruption, read, ids)
            done = Pipeline((*done.stages, (corruption, draws)))
        return done

    def _estimate(self, corruption: Any, read: InputReader, ids: Ids) -> Any:
        arriving = self.batches(read, ids)
        if (field := _mask_field(corruption)) is None:
            return corruption.estimated(clean for clean, _ in arriving)
        arriving, again = tee(arriving)  # two walks in step over one reading
        where = (masks[field] for _, masks in again)
        return corruption.estimated((clean for clean, _ in arriving), where=where)

    def batches(self, read: InputReader, ids: Ids) -> Iterator[tuple[Array, Masks]]:
        """Yield all inputs after the corruptions, and their masks, a chunk at a time."""
        for at in chunks(len(ids)):
            inputs, masks = read(at)
            yield self.inputs(inputs, ids=ids[at], masks=masks), masks


def _mask_field(corruption: Any) -> Key | None:
    return corruption.mask_field if isinstance(corruption, MaskedNoise) else None


def _checked_stream(corruption: Any) -> str:
    if is_label_corruption(corruption) or is_input_corruption(corruption):
        return stream_of(corruption)
    remedy = f"; write {corruption.__name__}(...)" if isinstance(corruption, type) else ""
    raise TypeError(
        "`corruptions` must have a stream and a `labels`, `labels_for`, or `inputs` method, "
        f"got {corruption!r}{remedy}."
    )


def stream_of(corruption: Any) -> str:
    """Return the name of the randomness of a corruption."""
    name: str = corruption.stream
    return name


def shown(corruption: Corruption) -> str:
    """Return the ``repr`` of a corruption; where that is an address in memory, what it holds."""
    if type(corruption).__repr__ is object.__repr__:
        return f"{type(corruption).__qualname__}({getattr(corruption, '__dict__', {})})"
    return repr(corruption)


def listed(corruptions: tuple[Corruption, ...]) -> str:
    """Return several corruptions as they are printed."""
    return ", ".join(repr(corruption) for corruption in corruptions) or "nothing"
