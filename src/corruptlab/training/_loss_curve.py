"""What the losses of a fit tell about how it went."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

State: TypeAlias = Literal["undecided", "unstable", "falling", "slow", "unmoved", "settled"]
"""How a fit stood when it ended, see `LossCurve.state`."""

_WINDOWS = 16
_PAIRS = np.triu_indices(_WINDOWS // 2, k=1)  # of windows in the second half
_ENOUGH_EPOCHS, _ENOUGH_STEPS = 10, 40  # random labels may need some epochs to start moving at all
_ENOUGH_TO_DIVERGE = 20  # steps
_SIGNIFICANT = 18  # of 28 pairs of 8 windows, falls less rises: p = 0.016 (Mann and Kendall)
_SOON, _WITHIN_REACH = 3.0, 10.0  # times the rate spent so far
_STEADY = 0.2  # share of the whole fall that the second half has; a straight line has 0.5
_ACCELERATING = 1.5  # times the fall of the first half
_FROZEN, _UNMOVED = 1e-4, 0.01  # shares of the loss
_UPHEAVAL = 2.0  # times the loss of chance and of the untrained network
_RECOVERED, _WORSE = 0.8, 1.05  # times the loss of chance
_RELAPSE, _MARGIN = 1.5, 0.1  # times the lowest loss, and a share of the loss of chance


@dataclass(frozen=True, kw_only=True, eq=False)
class LossCurve:
    """The training loss against the learning rate that was spent on it.

    The clock is not the number of steps but the sum of their rates, from 0 to 1: a step of a
    hundredth of the rate does a hundredth of the work, and only by this clock can a loss that has
    settled be told from one that was left without a rate.
    """

    losses: Sequence[float]
    steps_per_epoch: int
    decay: float
    # Cross-entropy of the best constant prediction; None if the loss is another one, whose zero and
    # scale are unknown: its curve is undecided, falling, or settled.
    chance_loss: float | None
    # Examples in the last batch of an epoch, as a share of those in the others. Without it the mean
    # over an epoch would jitter with who is in that batch.
    last_weight: float = 1.0

    @property
    def epochs(self) -> float:
        """Epochs made, with the fraction of one that was cut short."""
        return len(self.losses) / self.steps_per_epoch

    @cached_property
    def start(self) -> float:
        """Mean loss over the first part: an epoch, or a tenth of a fit of fewer than 10 epochs."""
        return float(self._parts[0])

    @cached_property
    def end(self) -> float:
        """Mean loss over as many steps at the end."""
        last = slice(-self._part, None)
        return float(np.average(self._steps[last], weights=self._weights[last]))

    @cached_property
    def peak(self) -> float:
        """Largest mean loss over a whole part, the first one left out."""
        whole = len(self.losses) // self._part
        return float(self._parts[1:whole].max())

    @cached_property
    def is_falling(self) -> bool:
        """Whether the loss fell, significantly or steeply, over the second half of the clock."""
        return self._falls_less_rises >= _SIGNIFICANT or self.rate_needed <= _SOON

    @cached_property
    def rate_needed(self) -> float:
        """Times the rate spent so far in which the loss, at its last speed, would reach zero."""
        if self.chance_loss is None or self._speed <= 0:
            return np.inf
        level = float(np.median(self._windows[-_WINDOWS // 4 :]))
        return level / self._speed

    @cached_property
    def epochs_at_first_rate(self) -> float:
        """Epochs in which the first rate adds up to all the rate there was."""
        whole, cut = divmod(len(self.losses), self.steps_per_epoch)
        fraction = self.decay**whole * cut / self.steps_per_epoch
        if self.decay == 1:
            return whole + fraction
        return (1 - self.decay**whole) / (1 - self.decay) + fraction

    @cached_property
    def rate_left(self) -> float:
        """Rate that infinitely many further epochs would add, as a multiple of the rate spent."""
        if self.decay == 1 or len(self.losses) == 0:
            return np.inf
        return 1 / (1 - self.decay) / self.epochs_at_first_rate - 1

    @cached_property
    def state(self) -> State:
        """How the fit stood at its end.

        - ``"unstable"``: it diverged. Some part had twice the loss of chance and of the untrained
          network, and the end has not recovered; or the loss does not fall, and ends worse than
          chance and its first part, or than an earlier time. Judged from 20 steps on.
        - ``"undecided"``: the rate spent is less than that of 10 epochs, or 40 steps, of the first.
        - ``"falling"``: the loss falls, and ten times the rate spent would bring it to zero, or
          it falls ever faster.
        - ``"slow"``: it falls steadily, and would need more than that; or it stands still to the
          fourth digit, as only untouched weights do.
        - ``"unmoved"``: it does not fall, and the last epoch's is within 1% of the first one's.
        - ``"settled"``: it fell, and does so no more, or hardly.
        """
        if self.chance_loss is not None and self._has_diverged(self.chance_loss):
            return "unstable"
        if not self._is_long:
            return "undecided"
        if self.chance_loss is None:
            return "falling" if self.is_falling else "settled"
        if self.is_falling and (self.rate_needed <= _WITHIN_REACH or self._accelerates):
            return "falling"
        if (self.is_falling and self._is_steady(self.chance_loss)) or self._is_frozen:
            return "slow"
        return "unmoved" if self._is_where_it_was else "settled"

    def _has_diverged(self, chance_loss: float) -> bool:
        if len(self.losses) < _ENOUGH_TO_DIVERGE:
            return False
        if self.peak > _UPHEAVAL * max(chance_loss, float(self._steps[0])) and not (
            self.end < _RECOVERED * chance_loss and self.rate_needed <= _SOON
        ):
            return True
        if self.is_falling:
            return False
        windows = self._windows
        worse = _WORSE * max(chance_loss, self.start)  # an untrained one may start above
        relapsed = _RELAPSE * float(windows.min()) + _MARGIN * chance_loss
        return bool(windows[-4:].min() > worse or windows[-2:].min() > relapsed)

    @property
    def _is_long(self) -> bool:
        epochs = self.epochs_at_first_rate
        return epochs >= _ENOUGH_EPOCHS and epochs * self.steps_per_epoch >= _ENOUGH_STEPS

    @property
    def _is_where_it_was(self) -> bool:
        return abs(self.start - self.end) <= _UNMOVED * self.start

    @property
    def _is_frozen(self) -> bool:
        last = self._windows[_WINDOWS // 2 :]
        return bool(np.ptp(last) <= _FROZEN * last[-1]) and self._is_where_it_was

    def _is_steady(self, chance_loss: float) -> bool:
        # What a network loses down to chance is its first overconfidence, which goes fast.
        return self._speed / 2 >= _STEADY * (min(self.start, chance_loss) - self.end)

    @property
    def _accelerates(self) -> bool:
        first, second = self._windows[: _WINDOWS // 2], self._windows[_WINDOWS // 2 :]
        return bool(second[0] - second[-1] > _ACCELERATING * max(0.0, first[0] - first[-1]))

    @property
    def _falls_less_rises(self) -> int:
        """Mann and Kendall's statistic of the windows of the second half."""
        return -int(np.sign(self._slopes).sum())

    @cached_property
    def _speed(self) -> float:
        """Fall of the loss by the clock in its second half: the median slope (Theil and Sen)."""
        return -float(np.median(self._slopes))

    @cached_property
    def _slopes(self) -> Floats:
        """Slope between each two windows of the second half of the clock."""
        y, (i, j) = self._windows[_WINDOWS // 2 :], _PAIRS
        return np.asarray((y[j] - y[i]) / ((j - i) / _WINDOWS))

    @cached_property
    def _windows(self) -> Floats:
        """Mean loss over each of 16 windows of equal rate: the integral over it, by its length."""
        # It is a straight line within each part, for losses there are of different examples.
        rates = self.decay ** (np.arange(len(self._steps)) // self.steps_per_epoch)
        spent = np.add.reduceat(rates, self._starts)
        clock = np.concatenate([[0.0], np.cumsum(spent)])
        integral = np.concatenate([[0.0], np.cumsum(spent * self._parts)])
        edges = np.linspace(0, clock[-1], _WINDOWS + 1)
        return np.asarray(np.diff(np.interp(edges, clock, integral)) / np.diff(edges))

    @cached_property
    def _parts(self) -> Floats:
        """Mean loss over the examples of each part; the last part may be cut short."""
        total = np.add.reduceat(self._weights * self._steps, self._starts)
        return np.asarray(total / np.add.reduceat(self._weights, self._starts))

    @cached_property
    def _part(self) -> int:
        """Steps in a part: an epoch, or fewer if there are not ten."""
        return max(1, min(self.steps_per_epoch, len(self.losses) // _ENOUGH_EPOCHS))

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        return np.arange(0, len(self.losses), self._part)

    @cached_property
    def _weights(self) -> Floats:
        weights = np.ones(len(self.losses))
        weights[self.steps_per_epoch - 1 :: self.steps_per_epoch] = self.last_weight
        return weights

    @cached_property
    def _steps(self) -> Floats:
        return np.asarray(self.losses, np.float64)
