"""The host's clock, steady: it neither steps when the system's time is set nor stops while the machine sleeps."""

import time
from dataclasses import dataclass, field

# Linux's monotonic clock stops in suspend; the one since boot does not.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


STEP_S = 0.5  # smaller steps are the system's ordinary correction


@dataclass(slots=True)
class HostClock:
    """Seconds since the Unix epoch as they were when the clock was made, counted on steadily."""

    speed: float = 1.0
    """Multiple of real time, for virtual wearables that run faster."""
    _began_utc_s: float = field(default_factory=time.time)
    _began_s: float = field(default_factory=lambda: time.clock_gettime(_STEADY))
    shift_s: float = 0.0
    """By how much the system's time was set since then: `now() + shift_s` is the time by the system's clock."""

    def now(self) -> float:
        """Steady seconds since the Unix epoch."""
        return self._began_utc_s + (time.clock_gettime(_STEADY) - self._began_s) * self.speed

    def step(self) -> float:
        """By how many seconds the system's time was set since this was last asked; 0 for virtual time."""
        step_s = time.time() - self.now() - self.shift_s if self.speed == 1.0 else 0.0
        if abs(step_s) < STEP_S:  # not forgotten: small ones add up
            return 0.0
        self.shift_s += step_s
        return step_s

    def host_s(self, duration_s: float) -> float:
        """How long a duration on this clock takes on the wall."""
        return duration_s / self.speed
