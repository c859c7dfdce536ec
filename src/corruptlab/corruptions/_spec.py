"""How a corruption writes itself down."""

from dataclasses import MISSING, fields
from typing import Any


def short_repr(corruption: Any) -> str:
    """Return a dataclass as the shortest call that makes it: defaults are left out."""
    told = [
        f"{field.name}={value!r}"
        for field in fields(corruption)
        if (value := getattr(corruption, field.name)) != field.default or field.default is MISSING
    ]
    return f"{type(corruption).__name__}({', '.join(told)})"
