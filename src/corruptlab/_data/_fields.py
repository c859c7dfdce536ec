"""Which part of an item is the input and which the label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from corruptlab._data._encoding import LabelEncoding
from corruptlab._data._labels import all_relabelled, named_kind, plain, relabelled
from corruptlab._types import Array

Key: TypeAlias = int | str
"""A position in a tuple or list, or a name in a dictionary."""

InputKey: TypeAlias = Key | Sequence[Key]
"""One field, or several that make the input together."""

INPUT_NAMES = ("image", "img", "pixel_values", "input", "inputs", "x", "data")
"""Names looked for, in this order, when items are dictionaries."""

LABEL_NAMES = ("label", "labels", "target", "targets", "y", "fine_label", "coarse_label")
"""Names looked for when items are dictionaries; two of them are one too many."""


@dataclass(frozen=True)
class Fields:
    """Where an item keeps its input and its label; the input is None where nothing tells.

    What audits items one by one also keeps here what their labels stand for.
    """

    input: Key | tuple[Key, ...] | None
    label: Key
    encoding: LabelEncoding | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(
        cls, item: Any, input_key: InputKey | None, label_key: Key | None, name: str = "dataset"
    ) -> "Fields":
        """Find the fields of an item; keys that are given are only checked."""
        if isinstance(input_key, Sequence) and not isinstance(input_key, str):
            if not input_key:
                raise ValueError("`input_key` must name at least one field, got none.")
            found = [cls.of(item, key, label_key, name) for key in input_key]
            return cls(tuple(each.input for each in found), found[0].label)  # type: ignore[misc]  # keys are given
        if isinstance(item, Mapping):
            return cls(_named_input(item, input_key), _named_label(item, label_key))
        if has_fields(item):
            return cls(
                _position_of(item, "input_key", input_key, 0),
                _position_of(
                    item, "label_key", label_key, 1 if label_key is not None else _label_at(item)
                ),
            )
        raise TypeError(
            f"`{name}` must have items that are tuples, lists, or dictionaries with an input "
            f"and a label, or be a pair of arrays (inputs, labels), got {type(item).__name__}."
        )

    def label_of(self, item: Any, name: str, position: int) -> Any:
        """Return the label of the item at a position."""
        return _get_field(item, self.label, name, position)

    def input_of(self, item: Any, name: str, position: int) -> Any:
        """Return the input of the item at a position."""
        if self.input is None:
            raise _no_such_field("input_key", None, item)
        if isinstance(self.input, tuple):
            values = [_get_field(item, key, name, position) for key in self.input]
            named = isinstance(item, Mapping)
            return dict(zip(self.input, values, strict=True)) if named else tuple(values)
        return _get_field(item, self.input, name, position)

    def relabelled(self, item: Any, label: Any) -> Any:
        """Return an item of the same structure with another label of the same type."""
        if type(item) is tuple and len(item) == 2 and self.label == 1:
            return item[0], relabelled(item[1], label)  # the common case, faster by far
        return _replace_field(item, self.label, relabelled(item[self.label], label))

    def all_relabelled(self, items: Sequence[Any], labels: Array) -> list[Any]:
        """Return items with other labels of the same types."""
        key = self.label
        new = all_relabelled([item[key] for item in items], labels)
        if key == 1 and all(type(item) is tuple and len(item) == 2 for item in items):
            return [(item[0], label) for item, label in zip(items, new, strict=True)]
        return [_replace_field(item, key, label) for item, label in zip(items, new, strict=True)]

    def with_label(self, item: Any, value: Any) -> Any:
        """Return an item of the same structure with this very label."""
        return _replace_field(item, self.label, value)

    def with_input(self, item: Any, value: Any) -> Any:
        """Return an item of the same structure with another input."""
        if isinstance(self.input, tuple):
            values = value.values() if isinstance(value, Mapping) else value
            for key, each in zip(self.input, values, strict=True):
                item = _replace_field(item, key, each)
            return item
        return _replace_field(item, self.input, value)


def with_added(item: Any, names: Sequence[str], values: Sequence[Any]) -> Any:
    """Return an item with further fields: at its end, or in a dictionary under their names."""
    if not isinstance(item, Mapping):
        return item + list(values) if isinstance(item, list) else (*item, *values)
    if taken := [name for name in names if name in item]:
        raise ValueError(f"`names` must be names that items do not have yet, got {taken[0]!r}.")
    return {**item, **dict(zip(names, values, strict=True))}


def has_fields(item: Any) -> bool:
    """Return whether an item has parts, by position or by name."""
    return isinstance(item, Mapping | Sequence) and not isinstance(item, str | bytes)


def _replace_field(item: Any, key: Key | None, new: Any) -> Any:
    if isinstance(item, Mapping):
        return {**item, key: new}
    values = [new if position == key else value for position, value in enumerate(item)]
    if hasattr(item, "_fields"):  # a named tuple takes its fields one by one
        return type(item)(*values)
    return values if isinstance(item, list) else tuple(values)


def _get_field(item: Any, key: Key, name: str, position: int) -> Any:
    try:
        return item[key]
    except (TypeError, LookupError):
        got = type(item).__name__
        if isinstance(item, Mapping):
            got = f"one with the fields {sorted(map(str, item))}"
        elif isinstance(item, Sequence):
            got = f"a {got} of length {len(item)}"
        raise ValueError(
            f"`{name}` must have items that all have a field {key!r}, got {got} "
            f"at position {position}."
        ) from None


def _named_input(item: Mapping[Any, Any], key: Key | None) -> Key | None:
    if key is None:  # what never reads an input need not know where it is
        return next((name for name in INPUT_NAMES if name in item), None)
    if key not in item:
        raise _no_such_field("input_key", key, item)
    return key


def _named_label(item: Mapping[Any, Any], key: Key | None) -> Key:
    if key is not None and key in item:
        return key
    found = [name for name in LABEL_NAMES if name in item] if key is None else []
    if len(found) > 1:
        raise ValueError(
            "`label_key` must say which field is the label, as the items have "
            f"{' and '.join(map(repr, found))}; pass label_key={found[0]!r}, for instance."
        )
    if not found:
        raise _no_such_field("label_key", key, item)
    return found[0]


def _no_such_field(argument: str, key: Key | None, item: Mapping[Any, Any]) -> ValueError:
    return ValueError(
        f"`{argument}` must name a field of the items, got {key!r}; "
        f"the fields are {sorted(map(str, item))}."
    )


def _label_at(item: Sequence[Any]) -> int:
    """Return 1, where labels usually are; refuse to guess where another part looks like one."""
    if len(item) > 2 and not _may_be_label(item[1]):
        found = [k for k, part in enumerate(item) if k != 1 and _may_be_label(part)]
        if found:
            raise ValueError(
                "`label_key` must say which part of an item is the label, as part 1 is a "
                f"{type(item[1]).__name__} and no class; pass label_key={found[0]}, for instance."
            )
    return 1


def _may_be_label(part: Any) -> bool:
    """Return whether a part of an item could be a class: one integer, name, or boolean."""
    return named_kind(part) is not None or isinstance(plain(part), int)


def _position_of(item: Sequence[Any], argument: str, key: Key | None, default: int) -> Key:
    names = getattr(item, "_fields", ())
    if isinstance(key, str) and key in names:
        return int(names.index(key))
    position = default if key is None else key
    if not isinstance(position, int) or not 0 <= position < len(item):
        raise ValueError(
            f"`{argument}` must be a position in items of length {len(item)}, got {position!r}."
        )
    return position
