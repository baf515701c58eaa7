"""Arrival processes: when a producer creates jobs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bufsim import memory
from bufsim.checks import Seconds, Written, integer, not_negative, positive, seconds
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model import reprs
from bufsim.model.distribution import BLOCK, DistributionLike, FloatArray
from bufsim.model.distributions import Constant, Geometric
from bufsim.model.gaps import before, cumulated
from bufsim.model.running_sum import RunningSum, running_sum
from bufsim.model.sampling import as_distribution, mean, sample, scaled

_PIECE = 65_536
"""Jobs in one block of bulk arrivals, so that memory stays bounded however large the bulks are."""


class Arrivals(ABC):
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

    @property
    def has_attributes(self) -> bool:
        """Whether the arrivals were recorded together with their jobs' attributes."""
        return False

    def all_times(self, generator: np.random.Generator, until: float) -> FloatArray:
        """Return the arrival times before `until` in one array."""
        blocks = list(self.blocks(generator, until))
        return np.concatenate(blocks) if blocks else np.empty(0)


@dataclass(frozen=True, slots=True, repr=False)
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

    rate: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", positive("rate", self.rate))

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

    __repr__ = reprs.call


@dataclass(frozen=True, slots=True, repr=False)
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

    distribution: DistributionLike

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(self, distribution: DistributionLike | Seconds) -> None: ...

    def __post_init__(self) -> None:
        given: object = self.distribution
        if isinstance(given, Written):
            given = seconds("distribution", given)
        object.__setattr__(self, "distribution", as_distribution("distribution", given))
        if mean(self.distribution) <= 0.0:
            raise InvalidValueError(
                f"distribution must have a mean > 0, so that time goes on, got {self.distribution!r}"
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

    __repr__ = reprs.call


@dataclass(frozen=True, slots=True, repr=False)
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

    interval: float
    offset: float = 0.0

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(self, interval: Seconds, offset: Seconds = ...) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "interval", positive("interval", seconds("interval", self.interval)))
        object.__setattr__(self, "offset", not_negative("offset", seconds("offset", self.offset)))

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

    def scaled(self, factor: float) -> Deterministic:
        """Return the process with an interval `factor` times as short, and the same offset."""
        return Deterministic(self.interval / positive("factor", factor), self.offset)

    __repr__ = reprs.call


@dataclass(frozen=True, slots=True, repr=False)
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

    arrivals: Arrivals
    size: int | DistributionLike

    def __post_init__(self) -> None:
        arrivals = as_arrivals("arrivals", self.arrivals)
        if arrivals.has_attributes:
            raise InvalidTypeError(
                f"arrivals of a Bulk must not have their jobs' attributes, got {arrivals!r}; "
                "repeat the time in the trace, once for each job"
            )
        number = isinstance(self.size, int | np.integer) and not isinstance(self.size, bool)
        size = integer("size", self.size, at_least=1) if number else as_distribution("size", self.size)
        object.__setattr__(self, "size", size)

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
                yield np.maximum(np.rint(sample(self.size, generator, BLOCK)), 1.0).astype(np.int64)

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

    def scaled(self, factor: float) -> Bulk:
        """Return the process with `factor` times as many bulks of the same sizes."""
        return Bulk(self.arrivals.scaled(factor), self.size)

    __repr__ = reprs.call


def as_arrivals(name: str, value: object) -> Arrivals:
    """Return `value` if it is an arrival process; else say what would be one."""
    if isinstance(value, Arrivals):
        return value
    raise InvalidTypeError(f"{name} must be an arrival process such as Poisson(rate=10.0) or a Trace, got {value!r}")


def _gaps(distribution: DistributionLike, generator: np.random.Generator) -> Iterator[FloatArray]:
    """Yield blocks of gaps without end."""
    while True:
        yield sample(distribution, generator, BLOCK)


def _repeated(times: FloatArray, counts: npt.NDArray[np.int64]) -> Iterator[FloatArray]:
    """Yield each of `times` as often as `counts` says, at most `_PIECE` jobs at once."""
    ends = np.cumsum(counts)
    total = int(ends[-1])
    for first in range(0, total, _PIECE):
        last = min(first + _PIECE, total)
        low, high = np.searchsorted(ends, first, side="right"), np.searchsorted(ends, last)
        inside = counts[low : high + 1].copy()
        inside[-1] -= ends[high] - last
        # the first bulk may have begun in the piece before
        inside[0] -= first - (ends[low] - counts[low])
        yield np.repeat(times[low : high + 1], inside)
