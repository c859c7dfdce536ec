"""A clock for tests, in place of `time.perf_counter`, and a network that takes its time by it."""

from typing import Any

import torch
from torch import Tensor

from .programs.problem import Watched


class Clock:
    """It stands still but for `forward`, and for `tick` seconds at each look; copies are itself."""

    def __init__(self) -> None:
        self.now, self.tick = 0.0, 0.0

    def __call__(self) -> float:
        self.now += self.tick
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds

    def __deepcopy__(self, memo: Any) -> "Clock":
        return self


class Timed(Watched):
    """A network whose training passes take some seconds, and others with the channels last.

    Args:
        clock: Is put forward.
        plain: Seconds of a pass.
        channels_last: Seconds of a pass if the channels of a pixel lie side by side.
        fails_at: Training pass at which the power fails; copies, which are tried out, go on.
    """

    def __init__(
        self, clock: Clock, *, plain: float, channels_last: float, fails_at: int | None = None
    ) -> None:
        super().__init__()
        self.clock, self.seconds = clock, {False: plain, True: channels_last}
        self.fails_at, self.itself = fails_at, id(self)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            last = x.is_contiguous(memory_format=torch.channels_last)
            self.clock.forward(self.seconds[last])
            if self.steps + 1 == self.fails_at and id(self) == self.itself:
                raise InterruptedError
        return super().forward(x)
