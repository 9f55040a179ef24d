"""A wearable's clock against its own samples and against the host: where a stamp lies, and whether it can be true."""

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

NS = 1e-9
SMOOTHING = 0.1  # share of a stamp's deviation that is believed: stamps jitter by milliseconds, crystals do not
BASELINE_STEP_S = 10.0  # the period is the slope over up to 60 points so far apart: ten minutes
BASELINE_POINTS = 60
MIN_STEPS = 3
BASELINE_MIN_S = 2.0  # a shorter slope is worse than the nominal rate
HOST_DRIFT = 200e-6  # two crystals differ by at most so much (20 ppm each is usual; 100 ppm is bad)


@dataclass(slots=True)
class DeviceClock:
    """Fit of sample index against stamp (nanoseconds, any epoch), and the least delay of arrival seen so far."""

    period_ns: float
    """Length of one sample on the device's clock."""
    ref_sample: int = 0
    ref_ns: float = 0.0
    seen: int = 0
    """Stamps taken in since the clock was last set; 0: no reference yet."""
    baseline: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=BASELINE_POINTS))
    jitter_ns: float = 0.0
    """Usual size of a stamp's deviation."""
    least_lag_s: float = 0.0
    """Smallest host clock minus device clock, loosened with time so that it follows drifting crystals."""
    lag_at_s: float = 0.0

    def sample_at(self, stamp_ns: float) -> float:
        """Where on the recording's axis a stamp lies, as a fraction of samples; needs a reference."""
        return self.ref_sample + (stamp_ns - self.ref_ns) / self.period_ns

    def set_to(self, sample: int, stamp_ns: int, received_s: float) -> None:
        """Begin anew: the device's clock has been set, or is seen for the first time. The period stays."""
        self.ref_sample, self.ref_ns, self.seen = sample, float(stamp_ns), 1
        self.baseline.clear()
        self.baseline.append((sample, float(stamp_ns)))
        self.least_lag_s, self.lag_at_s = received_s - stamp_ns * NS, received_s

    def follow(self, sample: int, stamp_ns: int, received_s: float) -> None:
        """Take in a stamp whose place is known."""
        expected_ns = self.ref_ns + (sample - self.ref_sample) * self.period_ns
        self.jitter_ns += SMOOTHING * (abs(stamp_ns - expected_ns) - self.jitter_ns)
        self.seen += 1
        believed = max(SMOOTHING, 1 / self.seen)
        self.ref_sample, self.ref_ns = sample, expected_ns + believed * (stamp_ns - expected_ns)
        first_sample, first_ns = self.baseline[0]
        if (self.ref_ns - first_ns) * NS >= BASELINE_MIN_S and sample > first_sample:
            self.period_ns = (self.ref_ns - first_ns) / (sample - first_sample)
        if (self.ref_ns - self.baseline[-1][1]) * NS >= BASELINE_STEP_S:
            self.baseline.append((sample, self.ref_ns))
        lag_s = received_s - stamp_ns * NS
        loosened_s = self.least_lag_s + HOST_DRIFT * max(0.0, received_s - self.lag_at_s)
        self.least_lag_s, self.lag_at_s = min(loosened_s, lag_s), received_s

    def delay_s(self, stamp_ns: int, received_s: float) -> float:
        """By how much later than the quickest packet this one came; negative: it comes from the future."""
        loosened_s = self.least_lag_s + HOST_DRIFT * max(0.0, received_s - self.lag_at_s)
        return received_s - stamp_ns * NS - loosened_s


def median_period_ns(stamps: list[tuple[int, int]], nominal_ns: float) -> float | None:
    """Sample period from (number of samples, stamp of the last one) of packets; None below three steps.

    A step over lost packets is taken as so many packets as it is nearest to; the median lets what is left of
    disorder pass.
    """
    ordered = sorted(stamps, key=lambda packet: packet[1])
    steps = sorted(
        (b - a) / (n * max(1, round((b - a) / (n * nominal_ns)))) for (_, a), (n, b) in pairwise(ordered) if b > a
    )
    if len(steps) < MIN_STEPS:
        return None
    return (steps[(len(steps) - 1) // 2] + steps[len(steps) // 2]) / 2
