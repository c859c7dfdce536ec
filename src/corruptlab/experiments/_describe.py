"""What to call a data set."""

from typing import Any

from corruptlab._types import MapDataset


def describe(dataset: MapDataset[Any]) -> str:
    """Return what to call a data set: its ``name`` if it has one, or else its type's."""
    name = getattr(dataset, "name", None)
    return name if isinstance(name, str) and name else type(dataset).__name__
