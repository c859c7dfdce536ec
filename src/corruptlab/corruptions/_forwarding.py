"""What training loops read from a data set, and set, on the one that is wrapped."""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from corruptlab._data import Traced, is_subset

_SETTABLE = ("transform", "transforms")


def _forwarding(name: str) -> property:
    """Return a property that is the wrapped data set's; the rest of it is found at `dataset`."""
    return property(lambda self: self._forwarded(name), doc=f"``{name}`` of the wrapped data set.")


class Forwarding(Traced):
    """A wrapper whose ``dataset`` is asked for what loops look for."""

    if TYPE_CHECKING:
        transform: Any
        transforms: Any
        class_to_idx: Mapping[str, int]
        data: Any
    else:
        # No `__getattr__`: with one, Python reads every attribute of every item more slowly.
        transform = _forwarding("transform")
        transforms = _forwarding("transforms")
        classes = _forwarding("classes")
        class_to_idx = _forwarding("class_to_idx")
        data = _forwarding("data")

        def __setattr__(self, name: str, value: Any) -> None:
            """Set an attribute, or one of the wrapped data set; refuse what would do nothing."""
            dataset = self.__dict__.get("dataset")
            is_made = "provenance" in self.__dict__  # what is set last
            if name[0] == "_" or name in self.__dict__ or not is_made:
                object.__setattr__(self, name, value)
            elif name in _SETTABLE and hasattr(dataset, name) and not is_subset(dataset):
                setattr(dataset, name, value)
            elif name in _SETTABLE:
                raise AttributeError(
                    f"`{name}` cannot be set, as the wrapped {type(dataset).__name__} has none of "
                    "its own; use with_transform(...), which works on top of the corruption."
                )
            elif hasattr(type(self), name) or hasattr(dataset, name):
                raise AttributeError(
                    f"`{name}` cannot be set on a corrupted data set, where it would do nothing; "
                    "set it on the data set itself, and corrupt that."
                )
            else:
                object.__setattr__(self, name, value)

    @property
    def _data_is_clean(self) -> bool:
        """Whether items have other inputs than ``data``."""
        raise NotImplementedError

    def _forwarded(self, name: str) -> Any:
        dataset = self.__dict__.get("dataset")
        while dataset is not None and is_subset(dataset):
            dataset = dataset.dataset
        if not hasattr(dataset, name):
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}, and neither has the "
                f"data set it wraps, of type {type(dataset).__name__}."
            )
        if name == "data" and self._data_is_clean:
            warnings.warn(
                "`data` holds the inputs from before the corruption; items have the corrupted "
                "ones, and `materialize` reads them all.",
                stacklevel=3,  # who reads the attribute
            )
        return getattr(dataset, name)
