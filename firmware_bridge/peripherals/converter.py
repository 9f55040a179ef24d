"""The converter of a virtual wearable: any recording as the counts that the device samples at its own rate."""

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from edge.types import Recording

Counts = NDArray[np.int32]
Contact = NDArray[np.bool_]

WINDOW_S = 10.0  # read and resampled at once, so that memory does not grow with the recording
CACHED_WINDOWS = 4
MAX_RATIO_TERM = 2000  # of the resampling ratio: the rate is then within 0.3 ppm of what was asked
RAIL_NOISE = 0.002  # of the range: an open input at its rail is not silent


class Converter:
    """Counts at `fs_hz`, deterministic for every sample index, whatever is asked in whatever order.

    A gap of the recording is a flat line without contact. Where `lead_off` spans (start_s, duration_s) say so,
    the input sits at its rail with noise. `leads` are indices into the recording's leads, one per channel.
    """

    def __init__(
        self,
        recording: Recording,
        fs_hz: float,
        counts_per_mv: float,
        limits: tuple[int, int],
        leads: tuple[int, ...],
        *,
        loop: bool = False,
        lead_off: tuple[tuple[float, float], ...] = (),
        seed: int = 0,
    ) -> None:
        self._recording = recording
        self._counts_per_mv = counts_per_mv
        self._limits = limits
        self._leads = leads
        self._lead_off = lead_off
        self._seed = seed
        self.loop = loop
        ratio = Fraction(fs_hz / recording.info.fs_hz).limit_denominator(MAX_RATIO_TERM)
        self._up, self._down = ratio.numerator, ratio.denominator
        self.fs_hz = recording.info.fs_hz * self._up / self._down
        """The rate in fact: the nearest that a ratio of whole numbers gives."""
        self.n_samples = recording.info.n_samples * self._up // self._down
        """Length of the recording at this rate; with `loop` it begins again from there."""
        widest = max(2, self._up, self._down)  # a filter needs a cut-off, whether or not it is used
        self._filter: NDArray[np.float64] = signal.firwin(20 * widest + 1, 1 / widest, window=("kaiser", 5.0))
        self._pad = self._down * (
            -(-10 * widest // (self._up * self._down)) + 1
        )  # input samples, whole steps of `down`
        self._step = self._down * max(1, round(WINDOW_S * recording.info.fs_hz / self._down))
        self._cached = lru_cache(CACHED_WINDOWS)(self._window)

    def available(self, first: int, n: int) -> int:
        """How many of samples [first, first + n) exist."""
        return n if self.loop and self.n_samples else max(0, min(n, self.n_samples - first))

    def measured(self, first: int, n: int) -> Counts:
        """Counts of samples [first, first + n), shape (n, n_channels); fewer at the recording's end."""
        return self._measured(first, n)[0]

    def contact(self, first: int, n: int) -> Contact:
        """Whether the electrodes have contact at samples [first, first + n), shape (n,)."""
        return self._measured(first, n)[1]

    def _measured(self, first: int, n: int) -> tuple[Counts, Contact]:
        n = self.available(first, n)
        parts = list(self._parts(first, n))
        if not parts:
            return np.empty((0, len(self._leads)), np.int32), np.empty(0, np.bool_)
        counts = np.concatenate([part[0] for part in parts])
        contact = np.concatenate([part[1] for part in parts])
        for start_s, duration_s in self._lead_off:
            a = max(first, round(start_s * self.fs_hz))
            b = min(first + n, round((start_s + duration_s) * self.fs_hz))
            if a < b:
                counts[a - first : b - first] = self._open_input(a, b)
                contact[a - first : b - first] = False
        return counts, contact

    def _parts(self, first: int, n: int) -> Iterator[tuple[Counts, Contact]]:
        per_window = self._step * self._up // self._down
        while n > 0:
            at = first % self.n_samples
            k, offset = divmod(at, per_window)
            counts, contact = self._cached(k)
            taken = min(n, len(counts) - offset)
            yield counts[offset : offset + taken], contact[offset : offset + taken]
            first += taken
            n -= taken

    def _window(self, k: int) -> tuple[Counts, Contact]:
        info = self._recording.info
        start, stop = k * self._step, min((k + 1) * self._step, info.n_samples)
        wanted = np.arange(start - self._pad, stop + self._pad)
        a, b = max(0, start - self._pad), min(info.n_samples, stop + self._pad)
        read_mv = self._recording.read_mv(a, b)[:, list(self._leads)].astype(np.float64)
        signal_mv = read_mv[np.clip(wanted, a, b - 1) - a]  # held beyond the recording's ends
        absent = np.isnan(signal_mv)
        for lead in np.flatnonzero(absent.any(axis=0)):
            there = np.flatnonzero(~absent[:, lead])
            filled = np.interp(np.arange(len(wanted)), there, signal_mv[there, lead]) if len(there) else 0.0
            signal_mv[:, lead] = filled
        resampled: NDArray[np.float64] = signal_mv
        if self._up != self._down:
            resampled = signal.resample_poly(signal_mv, self._up, self._down, axis=0, window=self._filter)
        skip = self._pad * self._up // self._down
        n = min((stop * self._up) // self._down, self.n_samples) - start * self._up // self._down
        absent_at = absent[self._pad + np.arange(n) * self._down // self._up]
        counts = np.rint(np.clip(resampled[skip : skip + n] * self._counts_per_mv, *self._limits))
        counts[absent_at] = 0
        contact: Contact = ~np.all(absent_at, axis=1)
        return counts.astype(np.int32), contact

    def _open_input(self, a: int, b: int) -> Counts:
        low, high = self._limits
        # One hash per index keeps the noise independent of how samples are asked for.
        index = np.arange(a, b, dtype=np.uint64) + np.uint64(self._seed)
        noise = (index * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
        depth = np.maximum(1, round((high - low) * RAIL_NOISE))
        counts: Any = high - (noise.astype(np.int64) % depth)
        return np.repeat(counts.astype(np.int32)[:, None], len(self._leads), axis=1)
