"""Arrivals that come in bursts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from bufsim.checks import Seconds, not_negative, one_of, positive, seconds
from bufsim.errors import InvalidValueError
from bufsim.model import reprs
from bufsim.model.arrivals import Arrivals
from bufsim.model.distribution import FloatArray
from bufsim.model.gaps import before, cumulated, exponential_gaps

_CYCLES = 1024
"""Pairs of a high and a low phase that are drawn at once."""


@dataclass(frozen=True, slots=True, repr=False)
class Bursty(Arrivals):
    """A Poisson process whose rate switches between high and low phases of exponential length (MMPP-2).

    Parameters
    ----------
    high_rate : float
        Jobs per second in a high phase, > 0.
    low_rate : float
        Jobs per second in a low phase, 0 <= low_rate <= high_rate; 0 makes it an on/off process.
    mean_high, mean_low : float, str or timedelta
        Mean lengths of the phases, s, > 0.
    start : {"stationary", "high", "low"}, default "stationary"
        The phase at time 0; "stationary" draws it with the long-run probability of each.

    Notes
    -----
    Arrivals of a Poisson process of rate 1 are carried to where the integral of the rate reaches them (time change).

    References
    ----------
    W. Fischer and K. Meier-Hellstern, The Markov-modulated Poisson process (MMPP) cookbook, Performance Evaluation 18
    (1993).

    Examples
    --------
    >>> Bursty(100, 0, 1, 9).mean_rate
    10.0
    """

    high_rate: float
    low_rate: float
    mean_high: float
    mean_low: float
    start: Literal["stationary", "high", "low"] = field(default="stationary", kw_only=True)

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(
            self,
            high_rate: float,
            low_rate: float,
            mean_high: Seconds,
            mean_low: Seconds,
            *,
            start: Literal["stationary", "high", "low"] = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "high_rate", positive("high_rate", self.high_rate))
        object.__setattr__(self, "low_rate", not_negative("low_rate", self.low_rate))
        object.__setattr__(self, "mean_high", positive("mean_high", seconds("mean_high", self.mean_high)))
        object.__setattr__(self, "mean_low", positive("mean_low", seconds("mean_low", self.mean_low)))
        one_of("start", self.start, ("stationary", "high", "low"))
        if self.low_rate > self.high_rate:
            raise InvalidValueError(f"low_rate must be <= high_rate = {self.high_rate!r}, got {self.low_rate!r}")

    def blocks(self, generator: np.random.Generator, until: float) -> Iterator[FloatArray]:
        """Yield the arrival times before `until` in blocks; the phases come from a child of `generator`."""
        units = cumulated(exponential_gaps(generator, 1.0), math.inf)
        waiting = next(units)
        for ends, integral, rates in self._phases(generator.spawn(1)[0]):
            while inside := int(np.searchsorted(waiting, integral[-1])):
                phase = np.searchsorted(integral, waiting[:inside], side="right") - 1
                times = ends[phase] + (waiting[:inside] - integral[phase]) / rates[phase]
                # rounding must not carry a job into the next phase
                np.minimum(times, ends[phase + 1], out=times)
                yield from before(until, times)
                if times[-1] >= until:
                    return
                waiting = waiting[inside:] if inside < len(waiting) else next(units)
            if ends[-1] >= until:
                return

    def _phases(self, generator: np.random.Generator) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
        """Yield blocks of phases without end: their limits in time, the rate's integral there, and the rates."""
        high, low = (self.high_rate, self.mean_high), (self.low_rate, self.mean_low)
        share = self.mean_high / (self.mean_high + self.mean_low)
        starts_high = generator.random() < share if self.start == "stationary" else self.start == "high"
        rates, means = (
            np.tile(pair, _CYCLES) for pair in zip(*((high, low) if starts_high else (low, high)), strict=True)
        )
        now = reached = 0.0
        while True:
            lengths = generator.standard_exponential(2 * _CYCLES) * means
            ends = np.cumsum(np.concatenate(([now], lengths)))
            integral = np.cumsum(np.concatenate(([reached], lengths * rates)))
            yield ends, integral, rates
            now, reached = float(ends[-1]), float(integral[-1])

    @property
    def mean_rate(self) -> float:
        """The rates, weighted by the mean lengths of their phases."""
        jobs = self.high_rate * self.mean_high + self.low_rate * self.mean_low
        return jobs / (self.mean_high + self.mean_low)

    def scaled(self, factor: float) -> Bursty:
        """Return the process with `factor` times both rates, and the same phases."""
        factor = positive("factor", factor)
        return replace(self, high_rate=self.high_rate * factor, low_rate=self.low_rate * factor)

    __repr__ = reprs.call
