"""Which part of an item is the input and which the label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Key: TypeAlias = int | str
"""A position in a tuple or list, or a name in a dictionary."""

INPUT_NAMES = ("image", "img", "pixel_values", "input", "inputs", "x", "data")
"""Names looked for, in this order, when items are dictionaries."""

LABEL_NAMES = ("label", "labels", "target", "targets", "y", "fine_label")
"""Names looked for, in this order, when items are dictionaries."""


_SPOT_CHECKS = 3


def spots(n: int) -> list[int]:
    """Return a few positions at which what a data set says is compared with its items."""
    return [k * (n - 1) // (_SPOT_CHECKS - 1) for k in range(_SPOT_CHECKS)]


@dataclass(frozen=True)
class Fields:
    """Where an item keeps its input and its label.

    Tuples, named tuples, and lists keep them at positions 0 and 1 unless told otherwise, and
    dictionaries under the first known name.

    Args:
        input: Key of the input.
        label: Key of the label.
    """

    input: Key
    label: Key

    @classmethod
    def of(cls, item: Any, input_key: Key | None, label_key: Key | None) -> "Fields":
        """Find the fields of an item; keys that are given are only checked."""
        if isinstance(item, Mapping):
            return cls(
                _named(item, "input_key", input_key, INPUT_NAMES),
                _named(item, "label_key", label_key, LABEL_NAMES),
            )
        if isinstance(item, Sequence) and not isinstance(item, str):
            return cls(
                _placed(item, "input_key", input_key, 0), _placed(item, "label_key", label_key, 1)
            )
        raise TypeError(
            "`dataset` must have items that are tuples, lists, or dictionaries with an input "
            f"and a label, got {type(item).__name__}."
        )

    def relabelled(self, item: Any, label: int) -> Any:
        """Return an item of the same structure with another label."""
        if type(item) is tuple and len(item) == 2 and self.label == 1:
            return item[0], label  # the common case, an order of magnitude faster
        return self.replace(item, {self.label: label})

    def replace(self, item: Any, changes: Mapping[Key, Any]) -> Any:
        """Return an item of the same structure with some fields replaced."""
        if isinstance(item, Mapping):
            return {**item, **changes}
        values = [changes.get(position, value) for position, value in enumerate(item)]
        if hasattr(item, "_fields"):  # a named tuple takes its fields one by one
            return type(item)(*values)
        return values if isinstance(item, list) else tuple(values)


def _named(item: Mapping[Any, Any], argument: str, key: Key | None, known: Sequence[str]) -> Key:
    if key is None:
        key = next((name for name in known if name in item), None)
    if key is None or key not in item:
        raise ValueError(
            f"`{argument}` must name a field of the items, got {key!r}; "
            f"the fields are {sorted(item)}."
        )
    return key


def _placed(item: Sequence[Any], argument: str, key: Key | None, default: int) -> Key:
    names = getattr(item, "_fields", ())
    if isinstance(key, str) and key in names:
        return int(names.index(key))
    position = default if key is None else key
    if not isinstance(position, int) or not 0 <= position < len(item):
        raise ValueError(
            f"`{argument}` must be a position in items of length {len(item)}, got {position!r}."
        )
    return position
