"""The host's clock, steady: it neither steps when the system's time is set nor stops while the machine sleeps."""

import time
from dataclasses import dataclass, field

# Linux's monotonic clock stops in suspend; the one since boot does not.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


@dataclass(slots=True)
class HostClock:
    """Seconds since the Unix epoch as they were when the clock was made, counted on steadily."""

    speed: float = 1.0
    """Multiple of real time, for virtual wearables that run faster."""
    _began_utc_s: float = field(default_factory=time.time)
    _began_s: float = field(default_factory=lambda: time.clock_gettime(_STEADY))
    _stepped_s: float = 0.0

    def now(self) -> float:
        """Steady seconds since the Unix epoch."""
        return self._began_utc_s + (time.clock_gettime(_STEADY) - self._began_s) * self.speed

    def step(self) -> float:
        """By how many seconds the system's time was set since this was last asked; 0 for virtual time."""
        if self.speed != 1.0:
            return 0.0
        ahead_s = time.time() - self.now()
        step_s, self._stepped_s = ahead_s - self._stepped_s, ahead_s
        return step_s

    def host_s(self, duration_s: float) -> float:
        """How long a duration on this clock takes on the wall."""
        return duration_s / self.speed
