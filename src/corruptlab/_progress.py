"""Progress of long work: one live line on a terminal, occasional plain lines elsewhere."""

import importlib.util
import sys
import time
from types import TracebackType
from typing import Any

from typing_extensions import Self

_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Progress on standard error: one live line on a terminal with tqdm, plain lines elsewhere."""

    # Work that ends before `least_seconds` is not mentioned.
    def __init__(self, total: int, label: str, *, show: bool, least_seconds: float = 0.0) -> None:
        self._total, self._label, self._show = total, label, show
        self._least_seconds, self._start = least_seconds, time.monotonic()
        self._done, self._note = 0, ""
        self._bar: Any = None
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        if self._show and sys.stderr.isatty() and importlib.util.find_spec("tqdm"):
            self._bar = _live_line(self._total, self._label, self._least_seconds)
        return self

    def update(self, done: int, note: str = "") -> None:
        """Report that ``done`` units are finished, with a short note."""
        advanced, self._done, self._note = done - self._done, done, note
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(advanced)
        elif time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._write()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        elif time.monotonic() - self._start >= self._least_seconds:
            self._write()

    def _write(self) -> None:
        if not self._show:
            return
        self._last = time.monotonic()
        note = f"  {self._note}" if self._note else ""
        print(f"{self._label}  {self._done}/{self._total}{note}", file=sys.stderr, flush=True)


def _live_line(total: int, label: str, delay: float) -> Any:
    from tqdm import tqdm  # only here: the core does not depend on it

    layout = "{desc}  {n_fmt}/{total_fmt} |{bar:20}| {elapsed}<{remaining}{postfix}"
    return tqdm(
        total=total,
        desc=label,
        delay=delay,
        file=sys.stderr,
        bar_format=layout,
        dynamic_ncols=True,
    )
