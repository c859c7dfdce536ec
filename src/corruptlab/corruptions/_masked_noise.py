"""Which positions of an input a corruption may change, and masks among the fields of items."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from corruptlab._arrays import ArrayT, to_numpy
from corruptlab._checks import check_number, natural
from corruptlab._data import Examples, Fields, Key, one_array, stacked
from corruptlab._draws import Draws
from corruptlab._types import Array, Ids
from corruptlab.corruptions._noise import put

Masks: TypeAlias = Mapping[Key, Array]
"""The masks of some examples by the field of the items that holds them."""


@dataclass(frozen=True, kw_only=True, repr=False)
class MaskedNoise(ABC):
    """An input corruption that leaves masked positions, and positions of some values, alone."""

    where: Key | ArrayLike | None = None
    keep: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        keep: object = self.keep
        if not isinstance(keep, Iterable):
            raise TypeError(f"`keep` must be a list of numbers, got {keep!r}.")
        put(self, where=_checked_where(self.where), keep=tuple(keep))
        for value in self.keep:
            check_number("keep", value)

    @abstractmethod
    def inputs(
        self,
        clean: ArrayT,
        *,
        draws: Draws,
        ids: ArrayLike | None = None,
        where: ArrayLike | None = None,
    ) -> ArrayT:
        """Return the corrupted inputs, given their masks if ``where`` names the field of these."""

    @property
    def mask_field(self) -> Key | None:
        """The field of the items that holds their masks, if ``where`` names one."""
        return self.where if isinstance(self.where, int | str) else None

    def _free(self, batch: Array, where: ArrayLike | None) -> NDArray[np.bool_] | None:
        """Return which values may change, of the shape of the batch or for one; None for all."""
        mask = self._mask(where)
        if mask is not None and mask.shape != (len(mask), *batch.shape[1:]):
            raise ValueError(
                f"`where` must have the shape of an input, {batch.shape[1:]}, got {mask.shape[1:]}."
            )
        if mask is not None and self.mask_field is not None and len(mask) != len(batch):
            raise ValueError(
                f"`where` must have one mask for each of {len(batch)} inputs, got {len(mask)}."
            )
        if not self.keep:
            return mask
        free = np.isin(batch, self.keep, invert=True)
        return free if mask is None else free & mask

    def _with_free(
        self, batches: Iterable[Array], where: Iterable[ArrayLike] | None
    ) -> Iterator[tuple[Array, NDArray[np.bool_] | None]]:
        """Yield batches, and which of their values may change, as `_free` tells."""
        masks = repeat(None) if where is None else where
        for batch, mask in zip(map(to_numpy, batches), masks, strict=where is not None):
            yield batch, self._free(batch, mask)

    def _mask(self, where: ArrayLike | None) -> NDArray[np.bool_] | None:
        """Return the masks that are given, or the fixed one."""
        if self.mask_field is None:
            if where is not None:
                raise ValueError(
                    "`where` must be left out unless the corruption names a field, got a mask."
                )
            return self._fixed_mask
        if where is None:
            raise ValueError(
                f"`where` must hold the masks from the field {self.mask_field!r}, got None; "
                "`corrupt` reads them from the items."
            )
        return _as_booleans(where)

    @cached_property
    def _fixed_mask(self) -> NDArray[np.bool_] | None:
        return None if self.where is None else np.array(self.where, np.bool_)[None]


def check_one_input(examples: Examples) -> None:
    """Refuse inputs of several parts where they are to be corrupted."""
    value = examples.fields.input_of(examples.items_at([0])[0], "dataset", 0)
    if isinstance(value, list | tuple | Mapping):
        raise TypeError(
            "`dataset` must serve one tensor, array, or image as the input where inputs are "
            f"corrupted, got a {type(value).__name__} of {len(value)}; put a transform that makes "
            "several views on top: corrupt(dataset, ...).with_transform(...)."
        )


def read_inputs(
    items: Sequence[Any], fields: Fields, at: Ids, mask_fields: Sequence[Key], name: str
) -> tuple[Array, Masks]:
    """Return the inputs of items as one batch, and their masks; `at` are their positions."""
    where = at.tolist()
    found = [fields.input_of(item, name, i) for item, i in zip(items, where, strict=True)]
    inputs = one_array(stacked(found, name, where), name)
    return inputs, {key: _masks_in(items, where, key, inputs.shape[1:]) for key in mask_fields}


def _masks_in(
    items: Sequence[Any], at: Sequence[int], key: Key, shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    masks = np.empty((len(items), *shape), np.bool_)
    for row, (item, position) in enumerate(zip(items, at, strict=True)):
        mask = _as_booleans(_field_of(item, key, position), f" at position {position}")
        if mask.shape != shape:
            raise ValueError(
                f"`where` must name masks of the shape of the inputs, {shape}, got {mask.shape} "
                f"at position {position}."
            )
        masks[row] = mask
    return masks


def _field_of(item: Any, key: Key, position: int) -> Any:
    try:
        names = getattr(item, "_fields", ())  # of a named tuple
        return item[names.index(key) if key in names else key]
    except (TypeError, LookupError):
        has = sorted(map(str, item)) if isinstance(item, Mapping) else range(len(item))
        raise ValueError(
            f"`where` must name a field of the items, got {key!r}; the fields are {list(has)} "
            f"at position {position}."
        ) from None


def _checked_where(where: Any) -> Any:
    """Return the name or position of a field, or a mask as (nested) tuples."""
    if where is None or isinstance(where, str):
        return where
    if isinstance(where, int | np.integer) and not isinstance(where, bool):
        return natural("where", where)
    mask = _as_booleans(where)
    if mask.ndim == 0:
        raise TypeError(
            "`where` must be a field of the items, or a mask of the shape of an input, "
            f"got {where!r}."
        )
    return _as_tuples(mask.tolist())


def _as_tuples(values: Any) -> Any:
    return tuple(map(_as_tuples, values)) if isinstance(values, list) else values


def _as_booleans(values: Any, where: str = "") -> NDArray[np.bool_]:
    array = to_numpy(values) if isinstance(values, torch.Tensor) else np.asarray(values)
    if array.dtype.kind not in "biu":
        raise TypeError(f"`where` must hold booleans, or 0 and 1, got {array.dtype}{where}.")
    if len(wrong := array[(array != 0) & (array != 1)]):
        raise ValueError(f"`where` must hold booleans, or 0 and 1, got {wrong[0]}{where}.")
    return array.astype(np.bool_, copy=False)
