"""How a long task reports where it is, and learns that it should stop."""

import sys
import time
from typing import Protocol


class Progress(Protocol):
    """Receives a task's progress."""

    def update(self, fraction: float, message: str, **figures: float) -> None:
        """Report ``fraction`` in [0, 1] done, a sentence for a person, and figures to plot (for example ``loss=0.3``).

        Raises:
            Cancelled: the task should stop now; everything worth keeping is already in its checkpoint.
        """
        ...


class Silent:
    """Reports to nobody."""

    def update(self, fraction: float, message: str, **figures: float) -> None:
        """Do nothing."""


class Console:
    """A progress line on standard error, at most five a second."""

    def __init__(self) -> None:
        self._last = 0.0

    def update(self, fraction: float, message: str, **figures: float) -> None:
        """Rewrite the progress line."""
        now = time.monotonic()
        if fraction < 1 and now - self._last < 0.2:
            return
        self._last = now
        detail = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        end = "\n" if fraction >= 1 else ""
        print(f"\r\033[K{fraction:4.0%}  {message}  {detail}", end=end, file=sys.stderr, flush=True)


class Part:
    """The share [start, end] of another task's progress, so that steps compose."""

    def __init__(self, whole: Progress, start: float, end: float) -> None:
        self._whole, self._start, self._end = whole, start, end

    def update(self, fraction: float, message: str, **figures: float) -> None:
        """Report to the whole."""
        self._whole.update(self._start + (self._end - self._start) * fraction, message, **figures)
