"""Stateless randomness: every random number is a fixed word of NumPy's Philox stream."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from corruptlab._checks import example_ids, natural
from corruptlab._types import Ids

Words = NDArray[np.uint64]

ALGORITHM = 1
"""Version of everything below; it is part of every key, so that no two versions share a stream."""

# Moving the engine costs about as much as drawing this many words (measured: 1.3 us and 4.9 ns a
# word on an AMD EPYC), so neighbours closer than this are drawn in one go and the rest dropped.
_WORTH_SKIPPING = 256

# Far from one another, words cost less by the arithmetic of Philox in NumPy (0.7 us a word) than by
# an engine that is moved each time: where runs have few words, and there are enough of them.
_SCATTERED = 4
_FEWEST_SCATTERED = 32
_AT_ONCE = 1 << 12  # words: what they need meanwhile stays in the cache

_HALF = np.uint64(32)
_LOW = np.uint64((1 << 32) - 1)

# Up to this size a permutation packs word and position into one 64-bit key (see `permutations`).
_PACKED_SIZE = 1 << 16

# From this size on, a radix sort of 16 bits and a sort of what is then nearly sorted take less than
# half of the time of one sort (measured).
_RADIX_SIZE = 512


@dataclass(frozen=True)
class Draws:
    """Random numbers that are a pure function of seed, stream, and example.

    Word ``j`` of example ``i`` is word ``i * width + j`` of the Philox4x64-10 stream whose
    128-bit key is the first 16 bytes of the SHA-256 of ``"corruptlab/1/{seed}/{repeat}/{stream}"``
    and whose counter starts at 0. NumPy guarantees this stream. Uniforms, classes, permutations,
    and normals are computed from its words by the arithmetic stated at each method, which is
    integer or exactly rounded. The results are therefore bitwise identical in any process, order of
    access, batch size, platform, and version of NumPy. Global generators are neither used nor
    changed.

    Args:
        seed: Any integer >= 0. Different seeds give independent streams.
        repeat: Number of earlier applications of the same kind of corruption to the same data,
            so that each application has its own random numbers; an integer >= 0.

    Raises:
        TypeError: If ``seed`` or ``repeat`` is not an integer.
        ValueError: If one of them is negative.

    Example:
        >>> draws = Draws(seed=0)
        >>> draws.integers("class", [7, 8, 9], high=10)
        array([3, 4, 9])
        >>> draws.integers("class", [9], high=10)  # depends on the example, not its position
        array([9])

    Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox).
    """

    seed: int
    repeat: int = 0

    def __post_init__(self) -> None:
        for name in ("seed", "repeat"):
            object.__setattr__(self, name, natural(name, getattr(self, name)))

    def words(self, stream: str, ids: ArrayLike, width: int = 1) -> Words:
        """Return the words of some examples, ``width`` words each.

        Args:
            stream: Name of the stream. Streams with different names are independent.
            ids: Example ids >= 0, shape ``(n,)``, in any order, with or without repetition.
            width: Number of words per example, >= 1. It determines the position of an example in
                the stream, so a stream must always be read with the same width.

        Returns:
            ``uint64`` of shape ``(n, width)``, each word uniform over the 2**64 values.

        Raises:
            TypeError: If ``ids`` are not integers.
            ValueError: If an id is negative, ``ids`` is not one-dimensional, or ``width < 1``.
        """
        wanted = example_ids(ids)
        if width < 1:
            raise ValueError(f"`width` must be at least 1, got {width}.")
        key = _key(self.seed, self.repeat, stream)
        n = len(wanted)
        if n == 0:
            return np.empty((0, width), np.uint64)
        if int(wanted[-1]) - int(wanted[0]) == n - 1 and (n < 3 or int(np.diff(wanted).max()) == 1):
            return _read(key, int(wanted[0]) * width, n * width).reshape(n, width)
        unique, back = np.unique(wanted, return_inverse=True)
        rows = np.empty((len(unique), width), np.uint64)
        runs = list(_runs(unique, max(1, _WORTH_SKIPPING // width)))
        is_scattered = rows.size <= _SCATTERED * len(runs) and len(runs) >= _FEWEST_SCATTERED
        if is_scattered and int(unique[-1]) < (1 << 62) // width:
            positions = (unique[:, None] * width + np.arange(width)).reshape(-1)
            return _words_at(key, positions).reshape(rows.shape)[back]
        for run in runs:
            first = int(unique[run.start])
            count = int(unique[run.stop - 1]) - first + 1
            block = _read(key, first * width, count * width).reshape(count, width)
            rows[run] = block[unique[run] - first]
        return rows[back]

    def uniform(self, stream: str, ids: ArrayLike) -> NDArray[np.float64]:
        """Return one uniform number in ``[0, 1)`` for each example: ``(word >> 11) * 2**-53``.

        Args:
            stream: Name of the stream.
            ids: Example numbers, shape ``(n,)``.

        Returns:
            ``float64`` of shape ``(n,)``, a multiple of 2**-53.
        """
        return self.uniforms(stream, ids, 1)[:, 0]

    def uniforms(self, stream: str, ids: ArrayLike, size: int) -> NDArray[np.float64]:
        """Return ``size`` uniform numbers in ``[0, 1)`` for each example, as `uniform` does one.

        Args:
            stream: Name of the stream.
            ids: Example numbers, shape ``(n,)``.
            size: Number of draws per example, >= 1.

        Returns:
            ``float64`` of shape ``(n, size)``, multiples of 2**-53.
        """
        words = self.words(stream, ids, size)
        words >>= np.uint64(11)
        uniform = words.view(np.int64).astype(np.float64)  # below 2**53; signed ones are faster
        uniform *= 2.0**-53
        return uniform

    def integers(self, stream: str, ids: ArrayLike, high: int) -> NDArray[np.int64]:
        """Return one integer in ``0 .. high - 1`` for each example: ``floor(word * high / 2**64)``.

        No probability differs from ``1 / high`` by more than 2**-64.

        Args:
            stream: Name of the stream.
            ids: Example numbers, shape ``(n,)``.
            high: Number of values, in ``1 .. 2**31``.

        Returns:
            ``int64`` of shape ``(n,)``.

        Raises:
            ValueError: If ``high`` is out of range.
        """
        if not 1 <= high <= 1 << 31:
            raise ValueError(f"`high` must lie in 1 .. 2**31, got {high}.")
        words = self.words(stream, ids)[:, 0]
        # The 96-bit product in two 64-bit halves: neither of them can overflow.
        low = words & _LOW
        low *= np.uint64(high)
        low >>= _HALF
        words >>= _HALF
        words *= np.uint64(high)
        words += low
        words >>= _HALF
        return words.view(np.int64)

    def permutations(self, stream: str, ids: ArrayLike, size: int) -> NDArray[np.int64]:
        """Return a permutation of ``0 .. size - 1`` for each example.

        Positions are ordered by their word, equal words by position. Up to ``size`` 65,536 the
        lowest ``(size - 1).bit_length()`` bits of a word are replaced by the position, so that one
        sort of distinct integers does both. The distribution is uniform except for ties between
        words: the total variation distance is below 2**-18 up to size 65,536, and below
        ``size**2 / 2**66`` beyond.

        Args:
            stream: Name of the stream.
            ids: Example numbers, shape ``(n,)``.
            size: Number of positions, >= 1.

        Returns:
            ``int64`` of shape ``(n, size)``; each row is a permutation.
        """
        words = self.words(stream, ids, size)
        if size > _PACKED_SIZE:
            return np.argsort(words, axis=1, kind="stable").astype(np.int64, copy=False)
        mask = np.uint64((1 << (size - 1).bit_length()) - 1)
        words &= ~mask
        words |= np.arange(size, dtype=np.uint64)
        if size < _RADIX_SIZE:
            words.sort(axis=1)
        else:
            words = _nearly_sorted(words)
            words.sort(axis=1, kind="stable")  # fast where runs have the right order
        words &= mask
        return words.view(np.int64)

    def normals(self, stream: str, ids: ArrayLike, size: int) -> NDArray[np.float32]:
        """Return ``size`` standard normal numbers for each example.

        Each is the sum of two independent draws from the 65,536 equally likely mid-quantiles of
        the normal distribution, scaled to variance 1. The mean is 0, the variance 1, the absolute
        value at most 6.2, and the distribution function within 2**-16 of the normal one. Only table
        look-ups and one exactly rounded sum are used, so results do not depend on a math library.

        Args:
            stream: Name of the stream.
            ids: Example numbers, shape ``(n,)``.
            size: Number of draws per example, >= 1.

        Returns:
            ``float32`` of shape ``(n, size)``.
        """
        width = (size + 1) // 2
        words = self.words(stream, ids, width)
        halves = words.astype("<u8", copy=False).view("<u2")  # (n, 4 * width), lowest bits first
        table = _half_normals()
        total: NDArray[np.float32] = table.take(halves[:, :size])
        np.add(total, table.take(halves[:, 2 * width : 2 * width + size]), out=total)
        return total


def _nearly_sorted(words: Words) -> Words:
    """Return each row in the order of the leading 16 bits of its words."""
    leading = words.astype("<u8", copy=False).view("<u2")[:, 3::4]
    order = np.argsort(leading, axis=1, kind="stable")  # of 16 bits: a radix sort
    order += np.arange(0, words.size, words.shape[1])[:, None]
    return words.take(order)


@cache
def _half_normals() -> NDArray[np.float32]:
    """Return the mid-quantiles of the normal law, scaled so that the sum of two has variance 1."""
    upper = scipy.special.ndtri(0.5 + (np.arange(1 << 15) + 0.5) / (1 << 16))
    quantiles = np.concatenate([-upper[::-1], upper])  # symmetric to the bit: the mean is exactly 0
    table: NDArray[np.float32] = (quantiles / np.sqrt(2 * np.mean(quantiles**2))).astype(np.float32)
    table.flags.writeable = False
    return table


@lru_cache(maxsize=256)
def _key(seed: int, repeat: int, stream: str) -> Words:
    digest = hashlib.sha256(f"corruptlab/{ALGORITHM}/{seed}/{repeat}/{stream}".encode()).digest()
    return np.frombuffer(digest[:16], "<u8").astype(np.uint64)


_engines = threading.local()
_LIMB = (1 << 64) - 1


def _read(key: Words, position: int, count: int) -> Words:
    """Return ``count`` words from ``position`` on of the stream of ``key``."""
    block, skip = divmod(position, 4)  # Philox yields four words a counter value
    counter = np.array([block & _LIMB, block >> 64, 0, 0], np.uint64)
    # One engine a thread; its whole state is set before each use, so nothing carries over.
    engine = getattr(_engines, "philox", None)
    if engine is None:
        engine = _engines.philox = np.random.Philox(key=0)
    engine.state = {
        "bit_generator": "Philox",
        "state": {"counter": counter, "key": key},
        "buffer": np.zeros(4, np.uint64),
        "buffer_pos": 4,  # nothing buffered: the next word comes from the next counter value
        "has_uint32": 0,
        "uinteger": 0,
    }
    words: Words = engine.random_raw(skip + count)
    return words[skip:]


_MULTIPLIERS = np.array([[0xD2E7470EE14C6C93], [0xCA5A826395121157]], np.uint64)
_KEY_STEPS = np.array([[0x9E3779B97F4A7C15], [0xBB67AE8584CAA73B]], np.uint64)
_ROUNDS = 10


def _words_at(key: Words, positions: NDArray[np.int64]) -> Words:
    """Return the words at some positions of the stream of ``key``, as `_read` does one by one."""
    words = np.empty(len(positions), np.uint64)
    for start in range(0, len(positions), _AT_ONCE):
        at = positions[start : start + _AT_ONCE]
        # Four words a block; the engine adds 1 to its counter before it computes the first.
        even = np.zeros((2, len(at)), np.uint64)  # words 0 and 2 of the counter, then of the block
        even[0] = (at >> 2) + 1
        odd, step = np.zeros_like(even), key[:, None]
        for _ in range(_ROUNDS):
            high, low = _product(even)
            even, odd = high[::-1] ^ odd ^ step, low[::-1]
            step = step + _KEY_STEPS
        block = np.stack([even[0], odd[0], even[1], odd[1]])
        words[start : start + _AT_ONCE] = block[at & 3, np.arange(len(at))]
    return words


def _product(words: Words) -> tuple[Words, Words]:
    """Return the high and the low halves of the 128-bit products with the multipliers."""
    a, b = _MULTIPLIERS & _LOW, _MULTIPLIERS >> _HALF
    c, d = words & _LOW, words >> _HALF
    middle = b * c + ((a * c) >> _HALF)
    lower = a * d + (middle & _LOW)
    return b * d + (middle >> _HALF) + (lower >> _HALF), _MULTIPLIERS * words


def _runs(unique: Ids, gap: int) -> Iterator[slice]:
    """Yield slices of sorted ids in which no two neighbours lie further apart than ``gap``."""
    ends = [*(np.flatnonzero(np.diff(unique) > gap) + 1).tolist(), len(unique)]
    start = 0
    for end in ends:
        yield slice(start, end)
        start = end
