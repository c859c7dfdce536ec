"""Inputs of several fields: dictionaries and tuples of tensors, and what models return for them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor


class StructuredInputs:
    """A batch of inputs with several fields, with the interface of a tensor as far as it is needed.

    A model is called with a dictionary as keyword arguments, with a tuple or list as positional
    arguments, and with anything else as the only argument. Leaves are tensors or arrays with one
    row an example, or, in what a collate function made, anything.

    Args:
        value: A dictionary, a tuple, a list, each possibly nested, or an object of any type.
        size: Number of examples.
    """

    def __init__(self, value: Any, size: int) -> None:
        self.value: Any = value
        self._size = size

    def __len__(self) -> int:
        return self._size

    def leaves(self) -> Iterator[tuple[str, Any]]:
        """Yield the leaves with their paths, such as ``['input_ids']``."""
        return _leaves(self.value, "")

    def tensors(self) -> list[Tensor]:
        """Return the leaves that are tensors."""
        return [leaf for _, leaf in self.leaves() if isinstance(leaf, Tensor)]

    def map(
        self,
        function: Callable[..., Any],
        *others: "StructuredInputs",
        size: int | None = None,
        kinds: Any = Tensor | np.ndarray,
    ) -> "StructuredInputs":
        """Return the same structure with a function of each leaf of some kinds; others stay.

        Args:
            function: Function of a leaf, and of those of ``others`` at the same place.
            *others: Inputs of the same structure.
            size: Number of examples of the result, if it is another one.
            kinds: Types of the leaves.
        """
        values = [other.value for other in others]
        made = _mapped(function, self.value, values, kinds)
        return StructuredInputs(made, self._size if size is None else size)

    def __getitem__(self, rows: Any) -> "StructuredInputs":
        """Return some examples, for a slice, positions, or a mask."""
        size = len(torch.arange(self._size)[rows])
        return self.map(lambda leaf: leaf[rows], size=size)

    def row(self, position: int) -> Any:
        """Return the input of one example as an item has it."""
        return self.map(lambda leaf: leaf[position]).value

    def index_select(self, dim: int, at: Tensor) -> "StructuredInputs":
        """Return the examples at some positions."""
        return self.map(lambda leaf: leaf.index_select(dim, at), size=len(at))

    def split(self, size: int) -> list["StructuredInputs"]:
        """Return the examples in order, in batches of at most this size."""
        return [self[start : start + size] for start in range(0, len(self), size)]

    def clone(self) -> "StructuredInputs":
        """Return a copy of the tensors."""
        return self.map(Tensor.clone, kinds=Tensor)

    def cpu(self) -> "StructuredInputs":
        """Return the inputs on the CPU."""
        return self.to(torch.device("cpu"))

    def to(self, device: torch.device, *, non_blocking: bool = False) -> "StructuredInputs":
        """Return the inputs on a device; objects of other types are moved by their own ``to``."""

        def moved(leaf: Any) -> Any:
            if isinstance(leaf, Tensor):
                return leaf.to(device, non_blocking=non_blocking)
            return leaf.to(device) if _can_move(leaf) else leaf

        return self.map(moved, kinds=object)

    def pin_memory(self) -> "StructuredInputs":
        """Return the tensors in pinned memory; a ``DataLoader`` calls this."""
        return self.map(Tensor.pin_memory, kinds=Tensor)

    @property
    def device(self) -> torch.device:
        """The device of the first tensor."""
        return next((leaf.device for leaf in self.tensors()), torch.device("cpu"))

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(leaf.nbytes for leaf in self.tensors())

    def passed_to(self, model: Callable[..., Any]) -> Any:
        """Call a model with the fields."""
        if isinstance(self.value, Mapping):
            return model(**self.value)
        return model(*self.value) if is_sequence(self.value) else model(self.value)


Inputs: TypeAlias = Tensor | StructuredInputs
"""A batch of inputs as a model takes them."""


ModelInputs: TypeAlias = Tensor | Mapping[str, Tensor] | tuple[Tensor, ...]
"""The same as users write it: fields are in a dictionary or tuple."""


def as_inputs(values: ModelInputs | StructuredInputs) -> Inputs:
    """Return a batch of inputs that a user has written."""
    if isinstance(values, Tensor | StructuredInputs):
        return values
    size = next((len(leaf) for _, leaf in _leaves(values, "")), 0)
    return StructuredInputs(values, size)


def bare(inputs: Any) -> Any:
    """Return a batch as users see it: rows, or a dictionary or tuple of rows."""
    return inputs.value if isinstance(inputs, StructuredInputs) else inputs


def joined(parts: Sequence[Inputs]) -> Inputs:
    """Return batches of one structure, one after the other."""
    first, *others = parts
    if isinstance(first, Tensor):
        return torch.cat(parts)  # type: ignore[arg-type]  # tensors all
    rest: list[Any] = others
    return first.map(lambda *fields: torch.cat(fields), *rest, size=sum(map(len, parts)))


def outputs_of(model: Callable[..., Any], inputs: Inputs) -> Any:
    """Call a model and return its class scores, also those of an output with ``logits``."""
    if isinstance(inputs, StructuredInputs):
        return logits_of(inputs.passed_to(model))
    return logits_of(model(inputs))


def logits_of(outputs: Any) -> Any:
    """Return the ``logits`` of an output, or an output without any as it is.

    A tuple stays as it is: a named one has further outputs, which a loss must not lose.
    """
    if isinstance(outputs, Tensor | tuple):
        return outputs
    if isinstance(outputs, Mapping) and "logits" in outputs:
        return outputs["logits"]
    return getattr(outputs, "logits", outputs)


def leaves_of(inputs: Inputs) -> Iterator[tuple[str, Any]]:
    """Yield the fields with their paths; a tensor is one field without a path."""
    return iter([("", inputs)]) if isinstance(inputs, Tensor) else inputs.leaves()


def tensors_of(inputs: Inputs) -> list[Tensor]:
    """Return the fields that are tensors."""
    return [inputs] if isinstance(inputs, Tensor) else inputs.tensors()


def like_batch(inputs: Inputs, function: Callable[[Tensor], Tensor], size: int) -> Inputs:
    """Return a function of every tensor, as inputs of another number of examples."""
    return function(inputs) if isinstance(inputs, Tensor) else inputs.map(function, size=size)


def shapes_of(inputs: Inputs) -> tuple[int, ...] | dict[str, tuple[int, ...]]:
    """Return the shape of one input, by field if there are several."""
    if isinstance(inputs, Tensor):
        return tuple(inputs.shape[1:])
    return {path: tuple(leaf.shape[1:]) for path, leaf in inputs.leaves() if _has_rows(leaf)}


def shown_type(inputs: Inputs) -> str:
    """Return the shape and type of one input, by field if there are several."""
    return ", ".join(
        f"{path and path + ': '}{tuple(field.shape[1:])} of {field.dtype}"
        for path, field in leaves_of(inputs)
    )


def described(inputs: Inputs) -> str:
    """Return what errors say about inputs: shapes, types, and the device."""
    if isinstance(inputs, Tensor):
        return f"of shape {tuple(inputs.shape)} and type {inputs.dtype} on {inputs.device}"
    parts = [
        f"{path} of shape {tuple(leaf.shape)} and type {leaf.dtype}"
        if _has_rows(leaf)
        else f"{path or 'one'} of type {type(leaf).__name__}"
        for path, leaf in inputs.leaves()
    ]
    return f"with the fields {', '.join(parts)} on {inputs.device}"


def is_sequence(value: Any) -> bool:
    """Return whether a value is a plain tuple or list, and no object that moves as a whole."""
    return isinstance(value, tuple | list) and not _can_move(value)


def _can_move(value: Any) -> bool:
    return callable(getattr(value, "to", None))


def _has_rows(leaf: Any) -> bool:
    return isinstance(leaf, Tensor | np.ndarray)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(each, f"{path}[{key!r}]")
    elif is_sequence(value):
        for k, each in enumerate(value):
            yield from _leaves(each, f"{path}[{k}]")
    else:
        yield path, value


def _mapped(function: Callable[..., Any], value: Any, others: Sequence[Any], kinds: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _mapped(function, each, [other[key] for other in others], kinds)
            for key, each in value.items()
        }
    if is_sequence(value):
        parts = zip(value, *others, strict=True)
        return tuple(_mapped(function, each, rest, kinds) for each, *rest in parts)
    return function(value, *others) if isinstance(value, kinds) else value
