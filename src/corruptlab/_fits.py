"""Which networks are being fitted, and how: who measures them prepares inputs likewise."""

from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from torch import nn

Fits: TypeAlias = "WeakKeyDictionary[nn.Module, Any]"
"""The last recipe that each network was fitted by."""

_watchers: list[Fits] = []


class watched_fits:  # noqa: N801  # reads as a word, as the functions of `contextlib` do
    """Keep the recipe of every fit that starts meanwhile."""

    # No generator: `contextlib` would write to an error that passes, which may be frozen.

    def __enter__(self) -> Fits:
        self._fits: Fits = WeakKeyDictionary()
        _watchers.append(self._fits)
        return self._fits

    def __exit__(self, *_: object) -> None:
        _watchers[:] = [each for each in _watchers if each is not self._fits]


def note_fit(model: nn.Module, recipe: Any) -> None:
    """Tell those who watch that a fit starts."""
    for fits in _watchers:
        fits[model] = recipe
