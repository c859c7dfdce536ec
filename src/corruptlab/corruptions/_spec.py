"""How a corruption writes itself down."""

from dataclasses import fields
from typing import Any


def changed_fields(corruption: Any) -> list[str]:
    """Return ``name=value`` for each field that is not at its default."""
    return [
        f"{field.name}={getattr(corruption, field.name)!r}"
        for field in fields(corruption)
        if getattr(corruption, field.name) != field.default
    ]


def short_repr(corruption: Any) -> str:
    """Return a dataclass as the shortest call that makes it."""
    return f"{type(corruption).__name__}({', '.join(changed_fields(corruption))})"
