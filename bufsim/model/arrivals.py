"""Arrival processes: Poisson, renewal, deterministic, bursty and in bulk."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, replace
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from bufsim import memory
from bufsim.checks import LARGEST, integer, positive
from bufsim.declared import Duration, NotNegative, Period, Positive, Value, Wide, default, value
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.model.distributions import (
    BLOCK,
    AnyTime,
    Constant,
    Distribution,
    DistributionLike,
    FloatArray,
    Geometric,
    as_distribution,
    mean,
    sample,
    scaled,
)


def exponential_gaps(generator: np.random.Generator, mean: float) -> Iterator[FloatArray]:
    """Yield blocks of exponential gaps without end."""
    while True:
        gaps = generator.standard_exponential(BLOCK)
        gaps *= mean
        yield gaps


def accumulate(gaps: FloatArray, now: float) -> float:
    """Turn gaps into times after `now`, in place, and return the last of them."""
    gaps[0] += now
    np.cumsum(gaps, out=gaps)
    return float(gaps[-1])


def cumulated(gap_blocks: Iterator[FloatArray], until: float) -> Iterator[FloatArray]:
    """Yield the partial sums below `until`, block by block; the blocks of gaps are overwritten."""
    now = 0.0
    while now < until:
        times = next(gap_blocks)
        now = accumulate(times, now)
        yield from before(until, times)


def before(until: float, times: FloatArray) -> Iterator[FloatArray]:
    """Yield the sorted `times` below `until`, if there are any."""
    kept = times if times[-1] < until else times[: np.searchsorted(times, until)]
    if kept.size:
        yield kept


RunningSum = Callable[[FloatArray, float, float, FloatArray], float]
"""The type of `running_sum`; another one may only be faster, and gives the same bits."""


def running_sum(gaps: FloatArray, scale: float, now: float, times: FloatArray) -> float:
    """Write now + the running sum of gaps·scale into `times`, and return the last.

    Parameters
    ----------
    gaps : array
        An even number of gaps; they are used up.
    scale : float
        What one gap counts for, s.
    now : float
        The time before the first gap, s.
    times : array
        As long as `gaps`; the gaps in even places, added up, are its first half, those in odd places its second.

    Examples
    --------
    >>> times = np.empty(4)
    >>> running_sum(np.array([1.0, 10.0, 2.0, 20.0]), 0.5, 100.0, times)
    116.5
    >>> times
    array([100.5, 101.5, 106.5, 116.5])
    """
    gaps *= scale
    gaps[0] += now
    # a running sum waits for each addition; as the parts of complex numbers, two halves run at once
    halves = gaps.view(np.complex128)
    np.cumsum(halves, out=halves)
    times[: len(halves)] = halves.real
    np.add(halves.imag, halves.real[-1], out=times[len(halves) :])
    return float(times[-1])


PIECE = 65_536
"""Jobs in one block of bulk arrivals, so that memory stays bounded however large the bulks are."""


class Arrivals(Value, ABC):
    """An arrival process on [0, ∞): the times, in seconds, at which jobs are created."""

    __slots__ = ()

    @abstractmethod
    def blocks(self, generator: np.random.Generator, until: float) -> Iterator[FloatArray]:
        """Yield the arrival times before `until`, in order, in blocks of bounded size.

        A generator in the same state yields the same times, whatever `until` is: a longer run only has more.
        """

    @property
    @abstractmethod
    def mean_rate(self) -> float:
        """Jobs per second in the long run; nan when unknown."""

    @abstractmethod
    def scaled(self, factor: float) -> Arrivals:
        """Return an arrival process with `factor` times as many arrivals."""

    def expected(self, until: float) -> float:
        """Jobs before `until`, about; 0 where the rate is not known."""
        jobs = self.mean_rate * until
        return jobs if jobs >= 0.0 else 0.0

    def drawn(self, until: float) -> float:
        """What is drawn to make the jobs before `until`, about: no less than they are."""
        return self.expected(until)

    @property
    def at_once(self) -> float:
        """Jobs that come at one instant, at least."""
        return 1.0

    @property
    def span(self) -> tuple[float, float]:
        """The time before which no job can come, and that from which on none can, s; by default 0 and inf."""
        return 0.0, math.inf

    @property
    def has_attributes(self) -> bool:
        """Whether the arrivals were recorded together with their jobs' attributes."""
        return False

    def all_times(self, generator: np.random.Generator, until: float) -> FloatArray:
        """Return the arrival times before `until` in one array."""
        blocks = list(self.blocks(generator, until))
        return np.concatenate(blocks) if blocks else np.empty(0)


@value
class Poisson(Arrivals):
    """A Poisson process: independent exponential gaps.

    Parameters
    ----------
    rate : float
        Jobs per second, > 0.

    Examples
    --------
    >>> Poisson(10)
    Poisson(10.0)
    """

    rate: Positive

    def blocks(
        self, generator: np.random.Generator, until: float, *, add_up: RunningSum = running_sum
    ) -> Iterator[FloatArray]:
        """Yield the arrival times before `until` in blocks."""
        gaps = np.empty(BLOCK)
        now = 0.0
        while now < until:
            times = np.empty(BLOCK)
            generator.standard_exponential(out=gaps)
            now = add_up(gaps, 1.0 / self.rate, now, times)
            yield from before(until, times)

    def all_times(
        self, generator: np.random.Generator, until: float, *, add_up: RunningSum = running_sum
    ) -> FloatArray:
        """Return the same times in one array; each block is drawn where it will lie."""
        expected = self.rate * until
        times = memory.empty(BLOCK * math.ceil((expected + 6.0 * math.sqrt(expected)) / BLOCK + 1.0))
        gaps = np.empty(BLOCK)
        now, drawn = 0.0, 0
        while now < until:
            if drawn == len(times):
                times = np.concatenate((times, np.empty(BLOCK)))
            generator.standard_exponential(out=gaps)
            now = add_up(gaps, 1.0 / self.rate, now, times[drawn : drawn + BLOCK])
            drawn += BLOCK
        return times[: np.searchsorted(times[:drawn], until)]

    @property
    def mean_rate(self) -> float:
        """The rate."""
        return self.rate

    def scaled(self, factor: float) -> Poisson:
        """Return the process with `factor` times the rate."""
        return Poisson(self.rate * positive("factor", factor))


@value
class Renewal(Arrivals):
    """A renewal process: independent gaps from one distribution, the first of them from time 0 on.

    Parameters
    ----------
    distribution : number, str, timedelta, Distribution or frozen scipy.stats distribution
        The gaps, s; the mean must be > 0.

    Examples
    --------
    >>> from bufsim.model.distributions import Gamma
    >>> Renewal(Gamma(0.1, 4))
    Renewal(Gamma(0.1, 4.0))
    """

    distribution: AnyTime

    def __post_init__(self) -> None:
        if mean(self.distribution) <= 0.0:
            raise InvalidValueError(
                f"distribution must have a mean > 0, so that time goes on, got {quoted(self.distribution)}"
            )

    def blocks(self, generator: np.random.Generator, until: float) -> Iterator[FloatArray]:
        """Yield the arrival times before `until` in blocks."""
        return cumulated(_gaps(self.distribution, generator), until)

    @property
    def mean_rate(self) -> float:
        """The inverse of the mean gap."""
        return 1.0 / mean(self.distribution)

    def scaled(self, factor: float) -> Renewal:
        """Return the process whose gaps are `factor` times as short."""
        return Renewal(scaled(self.distribution, 1.0 / positive("factor", factor)))


@value
class Deterministic(Arrivals):
    """One job every `interval` seconds: at offset + k·interval for k = 1, 2, ...

    Parameters
    ----------
    interval : float, str or timedelta
        Between jobs, s, > 0.
    offset : float, str or timedelta, default 0.0
        By how much all are later, s, >= 0.

    Notes
    -----
    Each time is computed from its own k and never accumulated, so that the millionth is as exact as the first.

    Examples
    --------
    >>> Deterministic(0.5)
    Deterministic(0.5)
    """

    interval: Period
    offset: Duration = default(0.0)

    def blocks(self, generator: np.random.Generator, until: float) -> Iterator[FloatArray]:
        """Yield the arrival times before `until` in blocks; draws nothing."""
        first = 1
        last = 0.0
        while last < until:
            times = np.arange(first, first + BLOCK, dtype=np.float64)
            times *= self.interval
            times += self.offset
            last = float(times[-1])
            yield from before(until, times)
            first += BLOCK

    @property
    def mean_rate(self) -> float:
        """The inverse of the interval."""
        return 1.0 / self.interval

    @property
    def span(self) -> tuple[float, float]:
        """From the first job on, without end."""
        return self.offset + self.interval, math.inf

    def scaled(self, factor: float) -> Deterministic:
        """Return the process with an interval `factor` times as short, and the same offset."""
        return Deterministic(self.interval / positive("factor", factor), self.offset)


def as_arrivals(name: str, value: object) -> Arrivals:
    """Return `value` if it is an arrival process; else say what would be one."""
    if isinstance(value, Arrivals):
        return value
    raise InvalidTypeError(
        f"{name} must be an arrival process such as Poisson(rate=10.0) or a Trace, got {quoted(value)}"
    )


def _bulk_size(name: str, given: object) -> int | Distribution:
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        return integer(name, given, at_least=1)
    return as_distribution(name, given)


@value
class Bulk(Arrivals):
    """Several jobs at one instant: at every arrival of another process, as many jobs as `size` says.

    Parameters
    ----------
    arrivals : Arrivals
        When the bulks arrive. Not a trace that has its jobs' attributes: there, repeat the time in the trace itself.
    size : int, Distribution or frozen scipy.stats distribution
        Jobs in a bulk: a whole number, `Geometric`, or another distribution, whose draws are rounded to the nearest
        whole number, but at least 1.

    Examples
    --------
    >>> from bufsim.model.distributions import Geometric
    >>> Bulk(Poisson(2), Geometric(5))
    Bulk(Poisson(2.0), Geometric(5.0))
    """

    arrivals: Annotated[Arrivals, as_arrivals]
    size: Annotated[Wide[int | DistributionLike, int | Distribution], _bulk_size]

    def __post_init__(self) -> None:
        if self.arrivals.has_attributes:
            raise InvalidTypeError(
                f"arrivals of a Bulk must not have their jobs' attributes, got {quoted(self.arrivals)}; "
                "repeat the time in the trace, once for each job"
            )

    def blocks(self, generator: np.random.Generator, until: float) -> Iterator[FloatArray]:
        """Yield the arrival times before `until` in blocks; the sizes come from a child of `generator`."""
        # a stream of their own: the bulks' times do not depend on how many sizes have been drawn
        sizes = self._sizes(generator.spawn(1)[0])
        pending = np.empty(0, dtype=np.int64)
        for times in self.arrivals.blocks(generator, until):
            while len(pending) < len(times):
                pending = np.concatenate((pending, next(sizes)))
            yield from _repeated(times, pending[: len(times)])
            pending = pending[len(times) :]

    def _sizes(self, generator: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
        """Yield bulk sizes without end."""
        while True:
            if isinstance(self.size, int):
                yield np.full(BLOCK, self.size, dtype=np.int64)
            else:
                sizes = np.maximum(np.rint(sample(self.size, generator, BLOCK)), 1.0)
                if sizes.max() > LARGEST:
                    raise InvalidValueError(f"size of a bulk must be <= {LARGEST:,}, got {float(sizes.max())!r}")
                yield sizes.astype(np.int64)

    @property
    def mean_rate(self) -> float:
        """Rate of the bulks times their mean size; nan for a size whose mean changes by rounding."""
        if isinstance(self.size, int):
            return self.arrivals.mean_rate * self.size
        if isinstance(self.size, Geometric):
            return self.arrivals.mean_rate * self.size.mean
        if isinstance(self.size, Constant):
            return self.arrivals.mean_rate * max(1, round(self.size.value))
        return math.nan

    def expected(self, until: float) -> float:
        """The bulks, times their mean size."""
        return self.arrivals.expected(until) * self.at_once

    def drawn(self, until: float) -> float:
        """What is drawn for the bulks, or their jobs if these are more."""
        return max(self.arrivals.drawn(until), self.expected(until))

    @property
    def at_once(self) -> float:
        """The mean size of a bulk; of a size whose mean changes by rounding no more than that."""
        if isinstance(self.size, int):
            return float(self.size)
        size = mean(self.size)
        if isinstance(self.size, Geometric | Constant):
            return max(1.0, size)
        return max(1.0, size - 0.5) if math.isfinite(size) else 1.0

    @property
    def span(self) -> tuple[float, float]:
        """That of the bulks."""
        return self.arrivals.span

    def scaled(self, factor: float) -> Bulk:
        """Return the process with `factor` times as many bulks of the same sizes."""
        return Bulk(self.arrivals.scaled(factor), self.size)


def _gaps(distribution: DistributionLike, generator: np.random.Generator) -> Iterator[FloatArray]:
    """Yield blocks of gaps without end."""
    while True:
        yield sample(distribution, generator, BLOCK)


def _repeated(times: FloatArray, counts: npt.NDArray[np.int64]) -> Iterator[FloatArray]:
    """Yield each of `times` as often as `counts` says, at most `PIECE` jobs at once."""
    ends = np.cumsum(counts)
    total = int(ends[-1])
    for first in range(0, total, PIECE):
        last = min(first + PIECE, total)
        low, high = np.searchsorted(ends, first, side="right"), np.searchsorted(ends, last)
        inside = counts[low : high + 1].copy()
        inside[-1] -= ends[high] - last
        # the first bulk may have begun in the piece before
        inside[0] -= first - (ends[low] - counts[low])
        yield np.repeat(times[low : high + 1], inside)


_CYCLES = 1024
"""Pairs of a high and a low phase that are drawn at once."""


@value
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

    high_rate: Positive
    low_rate: NotNegative
    mean_high: Period
    mean_low: Period
    _: KW_ONLY
    start: Literal["stationary", "high", "low"] = "stationary"

    def __post_init__(self) -> None:
        if self.low_rate > self.high_rate:
            raise InvalidValueError(f"low_rate must be <= high_rate = {self.high_rate!r}, got {quoted(self.low_rate)}")

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

    def drawn(self, until: float) -> float:
        """The jobs, or the phases if these are more."""
        return max(self.expected(until), 2.0 * until / (self.mean_high + self.mean_low))

    @property
    def mean_rate(self) -> float:
        """The rates, weighted by the mean lengths of their phases."""
        jobs = self.high_rate * self.mean_high + self.low_rate * self.mean_low
        return jobs / (self.mean_high + self.mean_low)

    def scaled(self, factor: float) -> Bursty:
        """Return the process with `factor` times both rates, and the same phases."""
        factor = positive("factor", factor)
        return replace(self, high_rate=self.high_rate * factor, low_rate=self.low_rate * factor)
