"""Values drawn from those that the data have."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from corruptlab._arrays import ArrayT, like, to_numpy
from corruptlab._checks import check_number, one_of
from corruptlab._draws import Draws
from corruptlab._types import Array, Ids
from corruptlab.corruptions._noise import FrozenArray, checked_ids, put, short_repr

Pool: TypeAlias = Literal["position", "overall"]
"""What values are drawn from: those of the same position, or those of all positions."""

_MOST_VALUES = 1 << 32  # of one pool, which 32 random bits can tell apart

# Small enough for words, indices, and values to stay in the cache.
_VALUES_AT_ONCE = 1 << 15


@dataclass(frozen=True, kw_only=True, repr=False)
class ResampledValues:
    """Replace every value of every input by one that the data have at the same position.

    Each position is drawn by itself from its marginal: value by value, with replacement, from what
    all examples have there. Marginals stay, and everything that ties positions to one another, and
    inputs to labels, is gone. Values keep their type: integers stay integers, and categories
    stay categories. So this is what Gaussian noise is to images for inputs where a
    normal number means nothing: tokens, columns of a table, codes.

    The draw follows the example and is the same in every epoch. A test set needs the values of the
    training set (``corrupt(train, ...)`` shows them in ``.corruptions``) and example numbers of its
    own (``corrupt(test, ..., ids=...)``), or its example ``i`` is drawn equal to training example
    ``i``.

    Args:
        pool: ``"position"`` draws from the values of the same position (default), ``"overall"``
            from those of all positions alike.
        keep: Values that stay where they are and are never drawn, such as the numbers of padding
            and of special tokens. What stands at a position where the data have nothing else stays
            as well.
        values: The values to draw from, one position after the other. None: taken from the data
            set that is wrapped, in one pass; it takes as much memory as they do.
        sizes: How many of them each position has.

    Raises:
        TypeError: If ``keep`` holds something else than numbers.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> tokens = np.array([[7, 3, 4, 0], [7, 5, 6, 9], [7, 8, 0, 0]])  # 0 is padding
        >>> labels = np.array([0, 1, 1])
        >>> cl.materialize(cl.corrupt((tokens, labels), cl.ResampledValues(keep=(0,))))[0]
        tensor([[7, 8, 6, 0],
                [7, 5, 6, 9],
                [7, 3, 0, 0]])

    Source: in the place of Zhang et al. 2017, §2.1, "Gaussian"; the law is that of the synthetic
    class "Addcl1" of Shi, Horvath 2006, "Unsupervised Learning With Random Forest Predictors",
    Journal of Computational and Graphical Statistics 15.
    """

    pool: Pool = "position"
    keep: tuple[float, ...] = ()
    values: Any = None
    sizes: Any = None
    stream: ClassVar[str] = "resampled_values"
    __repr__ = short_repr

    def __post_init__(self) -> None:
        put(self, pool=one_of("pool", self.pool, ("position", "overall")), keep=tuple(self.keep))
        for value in self.keep:
            check_number("keep", value)
        if (self.values is None) != (self.sizes is None):
            given = "values" if self.sizes is None else "sizes"
            raise ValueError(
                f"`values` and `sizes` must be given together, or neither, got `{given}` alone."
            )
        if self.values is not None and self.sizes is not None:
            put(self, values=_frozen(self.values), sizes=_frozen(self.sizes))
            sizes = self.sizes.array
            if sizes.dtype.kind not in "iu" or sizes.ndim != 1 or (sizes < 0).any():
                raise ValueError(f"`sizes` must be counts, one a position, got {sizes!r}.")
            if self.values.array.shape != (sizes.sum(),):
                raise ValueError(
                    f"`values` must hold {sizes.sum()} values, as many as `sizes` counts, got "
                    f"shape {self.values.array.shape}."
                )

    @property
    def is_estimated(self) -> bool:
        """Whether the values are there."""
        return self.values is not None

    def estimated(self, batches: Iterable[Array]) -> "ResampledValues":
        """Return the same corruption with the values of the data.

        Args:
            batches: Batches of inputs, each of shape ``(n, ...)``, read once.

        Returns:
            A corruption with ``values`` and ``sizes`` filled in.

        Raises:
            ValueError: If there is no data, or more than 2**32 values share a pool.
        """
        rows = [to_numpy(batch) for batch in batches]
        if not sum(map(len, rows)):
            raise ValueError("`inputs` must hold at least one example, got none.")
        columns = np.concatenate([batch.reshape(len(batch), -1) for batch in rows]).T
        free = ~np.isin(columns, self.keep)
        sizes = free.sum(1)
        most = int(sizes.max(initial=0) if self.pool == "position" else sizes.sum())
        if most > _MOST_VALUES:
            raise ValueError(f"`inputs` must hold at most 2**32 values to draw from, got {most}.")
        return replace(self, values=FrozenArray(columns[free]), sizes=FrozenArray(sizes))

    def inputs(self, clean: ArrayT, *, draws: Draws, ids: ArrayLike | None = None) -> ArrayT:
        """Return the corrupted inputs.

        Args:
            clean: Batch of inputs, shape ``(n, ...)``, array or tensor of any type.
            draws: Where the randomness comes from.
            ids: Example numbers, shape ``(n,)``; ``0 .. n - 1`` if not given.

        Returns:
            Inputs of the shape, kind, and type of ``clean``.

        Raises:
            ValueError: If the values are not known yet, were taken from inputs of another size, or
                ``ids`` do not fit.
        """
        if self.values is None or self.sizes is None:
            raise ValueError(
                "`values` must be known before inputs are drawn, got None; take them from the data "
                "with `estimated(batches)`."
            )
        batch = to_numpy(clean)
        numbers = checked_ids(ids, len(batch))
        rows = batch.reshape(len(batch), -1)
        sizes = self.sizes.array
        if rows.shape[1] != len(sizes):
            raise ValueError(
                f"`inputs` must have {len(sizes)} values each, as those that were drawn from, got "
                f"{rows.shape[1]}."
            )
        drawn = np.empty_like(rows)
        step = max(1, _VALUES_AT_ONCE // max(1, rows.shape[1]))
        for start in range(0, len(rows), step):
            some = slice(start, start + step)
            drawn[some] = self._drawn(rows[some], numbers[some], draws)
        return like(clean, drawn.reshape(batch.shape))

    def _drawn(self, rows: Array, ids: Ids, draws: Draws) -> Array:
        values, sizes = self.values.array, self.sizes.array.astype(np.uint64)
        d = len(sizes)
        words = draws.words("resampled_values/value", ids, (d + 1) // 2)
        halves = words.astype("<u8", copy=False).view("<u4")[:, :d]  # lowest bits first
        # The 32 upper bits of the product of 32 random bits and a size of at most 2**32.
        if self.pool == "overall":
            at = halves * np.uint64(len(values))
            at >>= np.uint64(32)
            stays = np.full(d, len(values) == 0)
        else:
            at = halves * sizes
            at >>= np.uint64(32)
            at += np.cumsum(sizes) - sizes
            stays = sizes == 0
        if not len(values):
            return rows
        new: Array = values.take(
            at.view(np.int64), mode="clip"
        )  # an empty pool at the end points past it
        if self.keep or stays.any():
            return np.where(np.isin(rows, self.keep) | stays, rows, new)
        return new


def _frozen(values: Any) -> FrozenArray:
    return values if isinstance(values, FrozenArray) else FrozenArray(values)
