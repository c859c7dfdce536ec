"""Values drawn from the empirical distribution of the data."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corruptlab._arrays import ArrayT, like, to_numpy
from corruptlab._checks import one_of
from corruptlab._draws import Draws
from corruptlab._types import Array, Ids
from corruptlab.corruptions._masked_noise import MaskedNoise
from corruptlab.corruptions._noise import FrozenArray, checked_ids, put, short_repr

Pool: TypeAlias = Literal["position", "overall"]
"""Whether values are drawn from the same position or from all positions."""

_MOST_VALUES = 1 << 32  # of one pool, which 32 random bits can tell apart

# Small enough for words, indices, and values to stay in the cache.
_VALUES_AT_ONCE = 1 << 15


@dataclass(frozen=True, kw_only=True, repr=False)
class ResampledValues(MaskedNoise):
    """Replace every value of every input by a random value of the data at the same position.

    Each value is drawn with replacement from the values of all examples at the same position,
    independently of the other positions. This preserves the marginal distributions and removes all
    dependence between positions, and between inputs and labels. Integers and categories keep their
    type. Use it in place of Gaussian noise for inputs that are not continuous: tokens, categorical
    columns of a table, codes.

    The values depend on the seed and the example id, and are the same in every epoch. For a test
    set, pass the values of the training set (in ``.corruptions`` of ``corrupt(train, ...)``) and
    different example ids (``corrupt(test, ..., ids=...)``); otherwise the random numbers of test
    example ``i`` are those of training example ``i``.

    Args:
        pool: ``"position"`` (default) draws from the values at the same position, ``"overall"``
            from the values at all positions.
        where: Positions whose values are replaced and drawn from. A mask of the shape of one input
            (array, tensor, or nested list of booleans), or the name or position of the field of
            the items that holds the mask of each input, such as ``"attention_mask"``. None means
            all positions.
        keep: Values that are neither replaced nor drawn, such as the ids of padding and of special
            tokens. Positions without any other value in the data do not change either.
        values: Values to draw from, ordered by position. None takes them from the wrapped data
            set, in one pass; they take as much memory as the data.
        sizes: Number of values at each position.

    Raises:
        TypeError: If ``keep`` contains values that are not numbers, or ``where`` is of another
            kind.
        ValueError: If an argument is out of range, or ``values`` and ``sizes`` do not fit.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> tokens = np.array([[7, 3, 4, 0], [7, 5, 6, 9], [7, 8, 0, 0]])  # 0 is padding
        >>> labels = np.array([0, 1, 1])
        >>> cl.materialize(cl.corrupt((tokens, labels), cl.ResampledValues(keep=(0,))))[0]
        tensor([[7, 8, 6, 0],
                [7, 5, 6, 9],
                [7, 3, 0, 0]])

    Source: replaces "Gaussian" of Zhang et al. 2017, §2.1. The distribution is that of the
    synthetic class "Addcl1" of Shi, Horvath 2006, "Unsupervised Learning With Random Forest
    Predictors", Journal of Computational and Graphical Statistics 15.
    """

    pool: Pool = "position"
    values: Any = None
    sizes: Any = None
    stream: ClassVar[str] = "resampled_values"
    __repr__ = short_repr

    def __post_init__(self) -> None:
        super().__post_init__()
        put(self, pool=one_of("pool", self.pool, ("position", "overall")))
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
        """Whether the values are known."""
        return self.values is not None

    def estimated(
        self, batches: Iterable[Array], *, where: Iterable[ArrayLike] | None = None
    ) -> "ResampledValues":
        """Return the same corruption with the values of the data.

        Args:
            batches: Batches of inputs, each of shape ``(n, ...)``, read once.
            where: Masks of each batch if the corruption names their field.

        Returns:
            A corruption with ``values`` and ``sizes`` filled in.

        Raises:
            ValueError: If there is no data, masks do not fit, or more than 2**32 values share a
                pool.
        """
        rows, masks = [], []
        for batch, free in self._with_free(batches, where):
            rows.append(batch.reshape(len(batch), -1))
            masks.append(_as_rows(free, rows[-1]))
        if not sum(map(len, rows)):
            raise ValueError("`inputs` must hold at least one example, got none.")
        columns, free = np.concatenate(rows).T, np.concatenate(masks).T
        sizes = free.sum(1)
        most = int(sizes.max(initial=0) if self.pool == "position" else sizes.sum())
        if most > _MOST_VALUES:
            raise ValueError(f"`inputs` must hold at most 2**32 values to draw from, got {most}.")
        return replace(self, values=FrozenArray(columns[free]), sizes=FrozenArray(sizes))

    def inputs(
        self,
        clean: ArrayT,
        *,
        draws: Draws,
        ids: ArrayLike | None = None,
        where: ArrayLike | None = None,
    ) -> ArrayT:
        """Return the corrupted inputs.

        Args:
            clean: Batch of inputs, shape ``(n, ...)``, array or tensor of any type.
            draws: Source of the random numbers.
            ids: Example ids, shape ``(n,)``; ``0 .. n - 1`` by default.
            where: Masks of the shape of ``clean`` if the corruption names their field.

        Returns:
            Inputs with the shape, type, and dtype of ``clean``.

        Raises:
            ValueError: If the values are unknown, were taken from inputs of another size, or
                ``ids`` or ``where`` do not fit.
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
        found = self._free(batch, where)
        free = None if found is None else _as_rows(found, rows)
        step = max(1, _VALUES_AT_ONCE // max(1, rows.shape[1]))
        for start in range(0, len(rows), step):
            some = slice(start, start + step)
            may = None if free is None else free[some]
            drawn[some] = self._drawn(rows[some], may, numbers[some], draws)
        return like(clean, drawn.reshape(batch.shape))

    def _drawn(self, rows: Array, free: NDArray[np.bool_] | None, ids: Ids, draws: Draws) -> Array:
        values, sizes = self.values.array, self.sizes.array.astype(np.uint64)
        d = len(sizes)
        words = draws.words("resampled_values/value", ids, (d + 1) // 2)
        halves = words.astype("<u8", copy=False).view("<u4")[:, :d]  # lowest bits first
        # The 32 upper bits of the product of 32 random bits and a size of at most 2**32.
        if self.pool == "overall":
            at = np.multiply(halves, len(values), dtype=np.uint64)  # NumPy 1 keeps 32 bits
            at >>= np.uint64(32)
            pools = np.full(d, len(values) > 0)
        else:
            at = halves * sizes
            at >>= np.uint64(32)
            at += np.cumsum(sizes) - sizes
            pools = sizes > 0
        if not len(values):
            return rows
        new: Array = values.take(
            at.view(np.int64), mode="clip"
        )  # an empty pool at the end points past it
        if free is None and pools.all():
            return new
        return np.where(pools if free is None else pools & free, new, rows)


def _as_rows(free: NDArray[np.bool_] | None, rows: Array) -> NDArray[np.bool_]:
    """Return which values may change in the shape of rows ``(n, d)``."""
    return np.broadcast_to(True if free is None else free.reshape(len(free), -1), rows.shape)


def _frozen(values: Any) -> FrozenArray:
    return values if isinstance(values, FrozenArray) else FrozenArray(values)
