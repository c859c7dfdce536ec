"""Drawing exchanges, batch by batch, until there are enough."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corruptlab.experiments.permutation._exchange import Exchange
from corruptlab.experiments.permutation._p_value import at_least_as_good
from corruptlab.experiments.permutation._scores import Scorer
from corruptlab.experiments.permutation._split import Split

# Copies that are trained together: enough for one program, and their weights, gradients, and
# momenta stay below a gigabyte. A sequential test that is clear early shall train few in vain.
_AT_ONCE, _AT_ONCE_SEQUENTIAL = 256, 32
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

    @property
    def batches(self) -> list[range]:
        """Numbers of the exchanges that are trained together; 0 is the labels as they are."""
        numbers = sum(parameter.numel() for parameter in self.scorer.model.parameters())
        most = _AT_ONCE if self.stop_after is None else _AT_ONCE_SEQUENTIAL
        size = max(1, min(most, _NUMBERS_AT_ONCE // max(1, numbers)))
        total = self.permutations + 1
        return [range(first, min(first + size, total)) for first in range(0, total, size)]

    def drawn(self, tell: Callable[[], None]) -> tuple[float, NDArray[np.float64], bool]:
        """Draw until there are enough, a sequential test is clear, or Ctrl-C.

        Args:
            tell: Is told whenever a part of a batch is done.

        Returns:
            The statistic of the labels as they are, that of each exchange that counts, and whether
            Ctrl-C ended it.

        Raises:
            KeyboardInterrupt: On Ctrl-C before the first exchange is done.
        """
        found = np.empty(0)
        for numbers in self.batches:
            labels = self.split.labellings(self.exchange.drawn(self.seed, numbers))
            try:
                scores = self.scorer.scores(self.split.inputs, labels, self.split.parts, tell)
            except KeyboardInterrupt:
                if len(found) < 2:
                    raise
                return float(found[0]), found[1:], True
            found = np.concatenate([found, scores])
            null = self._until_clear(found[1:], found[0])
            if null is not None:
                return float(found[0]), null, False
        return float(found[0]), found[1:], False

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
