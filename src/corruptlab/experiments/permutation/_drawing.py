"""Drawing exchanges, batch by batch, until there are enough."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch.nn import UninitializedParameter

from corruptlab.experiments.permutation._exchange import Exchange
from corruptlab.experiments.permutation._p_value import at_least_as_good
from corruptlab.experiments.permutation._scores import Scorer
from corruptlab.experiments.permutation._split import Split

# Copies that are trained together: few at first, because Ctrl-C loses a batch that is under way,
# and more as long as a batch is quick. A sequential test that is clear early shall train few in
# vain, and the weights, gradients, and momenta of a batch stay below a gigabyte.
_FIRST, _GROWTH, _QUICK_SECONDS = 4, 4, 30.0
_MOST, _MOST_SEQUENTIAL = 256, 32
_NUMBERS_AT_ONCE = 1 << 26


@dataclass(frozen=True)
class Drawing:
    """The exchanges of one test.

    Args:
        scorer: What is done with each.
        split: The data.
        exchange: How labels are exchanged.
        permutations: Exchanges at most.
        stop_after: Exceedances at which to stop, or None.
        seed: Decides the exchanges.
    """

    scorer: Scorer
    split: Split
    exchange: Exchange
    permutations: int
    stop_after: int | None
    seed: int

    _known: dict[bytes, float] = field(default_factory=dict, init=False, repr=False)

    def drawn(self, tell: Callable[[int], None]) -> tuple[float, NDArray[np.float64], bool]:
        """Draw until there are enough, a sequential test is clear, or Ctrl-C.

        Args:
            tell: Is told of how many orders another part is done.

        Returns:
            The statistic of the labels as they are, that of each exchange that counts, and whether
            Ctrl-C ended it.

        Raises:
            KeyboardInterrupt: On Ctrl-C before the first exchange is done.
        """
        found, size = np.empty(0), min(_FIRST, self._most)
        while len(found) <= self.permutations:
            numbers = range(len(found), min(len(found) + size, self.permutations + 1))
            start = time.perf_counter()
            try:
                scores = self._scores(numbers, tell)
            except KeyboardInterrupt:
                if len(found) < 2:
                    raise
                return float(found[0]), found[1:], True
            found = np.concatenate([found, scores])
            null = self._until_clear(found[1:], found[0])
            if null is not None:
                return float(found[0]), null, False
            if time.perf_counter() - start < _QUICK_SECONDS:
                size = min(_GROWTH * size, self._most)
        return float(found[0]), found[1:], False

    @property
    def _most(self) -> int:
        """How many orders are trained together at most."""
        parameters = self.scorer.model.parameters()
        numbers = sum(
            each.numel() for each in parameters if not isinstance(each, UninitializedParameter)
        )
        most = _MOST if self.stop_after is None else _MOST_SEQUENTIAL
        return max(1, min(most, _NUMBERS_AT_ONCE // max(1, numbers)))

    def _scores(self, numbers: range, tell: Callable[[int], None]) -> NDArray[np.float64]:
        """Return the statistics of some exchanges; number 0 is the labels as they are.

        An order that was drawn before is not trained again. So orders that are equal tie to the
        last bit, in whatever company each would have been trained.
        """
        rows = self.exchange.drawn(self.seed, numbers)
        names = [hashlib.sha256(row.tobytes()).digest() for row in rows]
        new = {name: row for name, row in zip(names, rows, strict=True) if name not in self._known}
        if new:
            labels = self.split.labellings(np.stack(list(new.values())))
            scores = self.scorer.scores(self.split.inputs, labels, self.split.parts, tell)
            self._known.update(zip(new, scores.tolist(), strict=True))
        tell((len(rows) - len(new)) * len(self.split.parts))
        return np.array([self._known[name] for name in names])

    def _until_clear(
        self, null: NDArray[np.float64], observed: float
    ) -> NDArray[np.float64] | None:
        """Return the exchanges up to the one that ends a sequential test, or None."""
        if self.stop_after is None:
            return None
        good = np.cumsum(at_least_as_good(null, observed))
        if len(good) == 0 or good[-1] < self.stop_after:
            return None
        return null[: int(np.searchsorted(good, self.stop_after)) + 1]
