"""When a second of a replay is due. Pure but for the source of time, which is passed in.

due(sec) = base_mono + (sec - base_sec) / speed. Deadlines are absolute, so that what sending takes never adds up to a
drift; pausing, seeking, changing the speed and being held up set a new base.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from spymaster.serving.control import ClockState

MIN_SPEED = 0.25
Speed = float | Literal["max"]


@dataclass
class ReplayClock:
    """The clock of one replay. `monotonic` returns seconds; `sec` is the next second to be sent."""

    monotonic: Callable[[], float]
    sec: int = 0
    speed: Speed = 1.0
    state: ClockState = "paused"
    base_sec: int = 0
    base_mono: float = 0.0

    def __post_init__(self) -> None:
        self._rebase()

    def due(self, sec: int) -> float:
        """When a second is due, on the monotonic clock; in the past for speed `max`, never while paused."""
        if self.state in ("paused", "ended"):
            return math.inf
        if self.speed == "max":
            return -math.inf
        return self.base_mono + (sec - self.base_sec) / self.speed

    def due_count(self, most: int) -> int:
        """How many seconds from `sec` on are due now, at most `most`."""
        if self.state in ("paused", "ended", "throttled"):
            return 0
        if self.speed == "max":
            return most
        passed = (self.monotonic() - self.base_mono) * self.speed
        # Half a microsecond of tolerance: a timer may fire that much early.
        return max(0, min(most, math.floor(passed + 5e-7) + 1 + self.base_sec - self.sec))

    def advance(self, count: int) -> None:
        """`count` seconds have been sent."""
        self.sec += count

    def play(self) -> None:
        """Run from the next second on, which is due at once."""
        if self.state != "playing":
            self.state = "playing"
            self._rebase()

    def pause(self) -> None:
        """Stop."""
        if self.state != "ended":
            self.state = "paused"
            self._rebase()

    def throttle(self) -> None:
        """The reader is behind: nothing is due until `release`."""
        if self.state == "playing":
            self.state = "throttled"

    def release(self) -> None:
        """The reader has caught up: go on from the next second, without a rush to make up for the wait."""
        if self.state == "throttled":
            self.state = "playing"
            self._rebase()

    def end(self) -> None:
        """There is no next second."""
        self.state = "ended"
        self._rebase()

    def seek(self, sec: int) -> None:
        """Go on from `sec`, running or not as before; an ended clock is paused."""
        self.sec = sec
        if self.state == "ended":
            self.state = "paused"
        if self.state == "throttled":
            self.state = "playing"
        self._rebase()

    def set_speed(self, speed: Speed, max_speed: float) -> bool:
        """Change the speed; False, and no change, if it is out of range."""
        if speed != "max" and not (MIN_SPEED <= speed <= max_speed):
            return False
        self.speed = speed
        self._rebase()
        return True

    def _rebase(self) -> None:
        self.base_sec, self.base_mono = self.sec, self.monotonic()
