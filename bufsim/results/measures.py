"""The measures that tallies are made of: the window of a run, histograms on grids, samples of durations, levels."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from bufsim.engines import bins

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Window:
    """The part [start, end) of a run that metrics look at: the one place where the warm-up is cut.

    Parameters
    ----------
    start : float
        The end of the warm-up, s.
    end : float
        The end of the run, s. Nothing happens at or after it.

    Examples
    --------
    >>> Window(10.0, 60.0).span
    50.0
    """

    start: float
    end: float

    @property
    def span(self) -> float:
        """Its length, s."""
        return self.end - self.start

    def first(self, times: Floats) -> int:
        """Return the first position at which increasing `times` lie in the window."""
        return int(np.searchsorted(times, self.start, side="left"))

    def holds(self, times: Floats) -> npt.NDArray[np.bool_]:
        """Return which times lie in the window; a missing one does not."""
        return (times >= self.start) & (times < self.end)

    def share_of(self, intervals: Sequence[tuple[float, float]]) -> float:
        """Return how many seconds of these intervals, which do not meet, lie in the window."""
        if not intervals:
            return 0.0
        begin, end = np.array(intervals).T
        return float(self.overlap(begin, end).sum())

    def overlap(self, begin: Floats, end: Floats) -> Floats:
        """Return for how long each [begin, end) lies in the window, s; an end that has not come is the window's end."""
        overlap: Floats = np.fmin(end, self.end) - np.maximum(begin, self.start)
        return np.maximum(overlap, 0.0, out=overlap)


Numbers = npt.NDArray[np.signedinteger] | Floats

_KINDS = (np.int8, np.int16, np.int32, np.int64)
_MOST = [int(np.iinfo(kind).max) for kind in _KINDS]
_AT_ONCE = 2**14
"""So many values, and what is computed on the way to their bins, stay in the processor's cache."""
_SLACK = 1.0 - 1e-12
"""A share q of n may come out as k + 10⁻¹⁶ instead of k in floating point; the rank is k then."""


@dataclass(frozen=True, eq=False)
class Grid:
    """A grid for values ≥ 0: bin 0 for zeros, bin 1 for (0, 2^low), 2^bits bins an octave, and one for 2^high and more.

    Parameters
    ----------
    bins : Bins
        Its bins, as the engines find them.
    whole : bool
        Whether the values are whole numbers: those below 2^(bits + 1) then have bins of their own.

    Notes
    -----
    The middle of a bin differs from any value in it by at most a share of 2^−(bits + 1) of the value: by 1/1024 < 0.1 %
    on `TIMES`; on `SIZES` by 0 below 256 and by at most 1/256 < 0.4 % above. Values in (0, 2^low) count as 2^(low − 1),
    values from 2^high on as the largest. Where all values in a bin are nearly the same a histogram knows them.

    Examples
    --------
    >>> TIMES.index(np.array([0.0, 1.0, 1.01])).tolist()
    [0, 15362, 15367]
    """

    bins: bins.Bins
    whole: bool

    @property
    def size(self) -> int:
        """The number of bins."""
        return self.bins.last + 1

    def index(self, values: npt.NDArray[np.float64 | np.int64]) -> npt.NDArray[np.int64]:
        """Return the bin of each value ≥ 0."""
        bits = np.ascontiguousarray(values, dtype=np.float64).view(np.int64)
        index = np.empty(len(bits), np.int64)
        for first in range(0, len(bits), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            index[part] = bins.index(bits[part], self.bins)
        return index

    @cached_property
    def singles(self) -> int:
        """The number of bins, at the beginning, that have room for one value alone."""
        # whole numbers have bins of their own up to where as many bins as they are make an octave
        return int(self.index(np.array([2.0 ** (53 - self.bins.shift)]))[0]) if self.whole else 1

    @cached_property
    def edges(self) -> Floats:
        """The lower edge of each bin, and at last infinity: bin i is [edges[i], edges[i + 1])."""
        octaves = bins.first_of(np.arange(2, self.bins.last + 1), self.bins).view(np.float64)
        return np.concatenate(([0.0, math.ulp(0.0)], octaves, [math.inf]))

    @cached_property
    def middles(self) -> Floats:
        """The value that stands for each bin."""
        low, high = self.edges[:-1], self.edges[1:]
        if self.whole:
            low, high = np.ceil(low), np.ceil(high) - 1.0
        middles = low + (high - low) / 2.0
        middles[0] = 0.0
        return middles

    @cached_property
    def room(self) -> tuple[Floats, Floats]:
        """The least and the largest value that each bin has room for."""
        low, high = self.edges[:-1].copy(), self.edges[1:].copy()
        if self.whole:
            return np.ceil(low), np.ceil(high) - 1.0
        low[1] = high[0] = 0.0
        return low, high


TIMES = Grid(bins.TIMES, whole=False)
"""Seconds, from 1 ns to 34 years, in bins of at most 1/512 of their values."""
SIZES = Grid(bins.SIZES, whole=True)
"""Numbers of jobs: exact below 256, above in bins of at most 1/128 of their values."""


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """The counts, or weights such as seconds, of a grid's bins that are not empty.

    Whole numbers are held in the narrowest type that holds them: the histograms of many runs lie in memory together.
    Where all values in a bin are nearly the same (up to `bins.NARROW`), such as waits that an age ends, they are known.

    Parameters
    ----------
    bins : array of int8 to int64
        The bins that are not empty, ascending.
    amounts : array of int8 to int64, or of float64
        One number for each of them.
    narrow : array of int8 to int64
        Those of them whose values are nearly the same, but for those that have room for one value alone.
    least, most : array of float64
        The least and the largest value in each of these.

    Examples
    --------
    >>> kept = Histogram.of(TIMES, np.array([3.0, 3.0, 3.0, 5.0, 5.001]))
    >>> kept.amounts, kept.least, kept.most
    (array([3, 2], dtype=int8), array([3.]), array([3.]))
    """

    bins: npt.NDArray[np.signedinteger]
    amounts: Numbers
    narrow: npt.NDArray[np.signedinteger]
    least: Floats
    most: Floats

    def __post_init__(self) -> None:
        for name in ("bins", "amounts", "narrow"):
            object.__setattr__(self, name, _narrow(getattr(self, name)))

    @classmethod
    def of(cls, grid: Grid, values: npt.NDArray[np.float64 | np.int64], weights: Floats | None = None) -> Histogram:
        """Return the histogram of values ≥ 0, each of which counts 1, or its weight ≥ 0."""
        if weights is not None:
            values, weights = values[weights > 0.0], weights[weights > 0.0]
        values = np.asarray(values, np.float64)
        index = grid.index(values)
        amounts: Numbers = np.bincount(index, weights, grid.size)
        least, most = np.full(grid.size, math.inf), np.zeros(grid.size)
        if index.max(initial=0) >= grid.singles:
            np.minimum.at(least, index, values)
            np.maximum.at(most, index, values)
        some = np.flatnonzero(amounts)
        return cls.of_ends(some, amounts[some], least[some], most[some], singles=grid.singles)

    @classmethod
    def of_whole(cls, grid: Grid, weights: Floats) -> Histogram:
        """Return the histogram of the whole numbers 0, 1, 2, ..., each of which counts its weight ≥ 0.

        Examples
        --------
        >>> kept = Histogram.of_whole(SIZES, np.array([0.5, 0.0, 2.0]))
        >>> kept.bins, kept.amounts
        (array([  0, 130], dtype=int16), array([0.5, 2. ]))
        """
        some = np.flatnonzero(weights > 0.0)
        values, index = some.astype(np.float64), _index_of_whole(grid, len(weights))[some]
        last = np.flatnonzero(np.diff(index, append=-1))
        first = np.concatenate(([0], last[:-1] + 1)) if len(last) else last
        amounts: Numbers = np.bincount(index, weights[some])[index[last]]
        return cls.of_ends(index[last], amounts, values[first], values[last], singles=grid.singles)

    @classmethod
    def of_ends(
        cls, some: npt.NDArray[np.signedinteger], amounts: Numbers, least: Floats, most: Floats, *, singles: int
    ) -> Histogram:
        """Return the histogram of the bins that are not empty, with the ends of the values in each."""
        near = most.view(np.int64) - least.view(np.int64) <= bins.NARROW
        near &= some >= singles
        return cls(some, amounts, some[near], least[near], most[near])

    def quantile(self, grid: Grid, q: float, *, largest: float = math.inf) -> float:
        """Return the q-quantile: the least value with at least a share q at or below it, as far as its bin tells.

        Parameters
        ----------
        grid : Grid
            The histogram's.
        q : float
            In (0, 1].
        largest : float
            The largest value, where it is known: no quantile is above it.

        Returns
        -------
        float
            The middle of its bin; where all values in the bin are nearly the same, that of these nearest to it. nan
            without counts.
        """
        total = np.cumsum(self.amounts, dtype=np.result_type(self.amounts, np.int64))
        if not len(total) or not total[-1] > 0:
            return math.nan
        index = int(np.searchsorted(total, q * float(total[-1]) * _SLACK, side="left"))
        least, most = self.ends(grid)
        middle = float(grid.middles[self.bins[index]])
        return min(max(middle, float(least[index])), float(most[index]), largest)

    def ends(self, grid: Grid) -> tuple[Floats, Floats]:
        """The least and the largest value that each of the bins may hold."""
        least, most = (room[self.bins] for room in grid.room)
        at = np.searchsorted(self.bins, self.narrow)
        least[at], most[at] = self.least, self.most
        return least, most

    @classmethod
    def together(cls, parts: Sequence[Histogram]) -> Histogram:
        """Return the histogram of all of several together, on the same grid."""
        bins = np.concatenate([part.bins for part in parts], dtype=np.intp, casting="unsafe")
        amounts = np.concatenate([part.amounts for part in parts])
        narrow = np.concatenate([part.narrow for part in parts], dtype=np.intp, casting="unsafe")
        both: Numbers = np.bincount(bins, weights=amounts)
        if amounts.dtype.kind == "i":
            both = both.astype(np.int64)
        least, most = np.full(len(both), math.inf), np.zeros(len(both))
        np.minimum.at(least, narrow, np.concatenate([part.least for part in parts]))
        np.maximum.at(most, narrow, np.concatenate([part.most for part in parts]))
        # a bin is wide if it is not narrow in each
        wide = np.bincount(bins, minlength=len(both)) > np.bincount(narrow, minlength=len(both))
        least[wide], most[wide] = 0.0, math.inf
        some = np.flatnonzero(both)
        return cls.of_ends(some, both[some], least[some], most[some], singles=0)

    def __add__(self, other: Histogram) -> Histogram:
        """Return the histogram of both together, on the same grid."""
        return Histogram.together([self, other])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        # equal numbers have one narrowest type, and its bytes are compared in less time than they are
        return self.amounts.dtype == other.amounts.dtype and all(
            getattr(self, name).tobytes() == getattr(other, name).tobytes() for name in self.__slots__
        )

    def __hash__(self) -> int:
        return hash((self.bins.tobytes(), self.amounts.tobytes()))


def _narrow(numbers: Numbers) -> Numbers:
    """Return whole numbers ≥ 0 in the narrowest type that holds them all; others as they are."""
    if numbers.dtype.kind != "i":
        return numbers
    largest = int(numbers.max()) if len(numbers) else 0
    kind = _KINDS[bisect.bisect_left(_MOST, largest)]
    narrowed: npt.NDArray[np.signedinteger] = numbers.astype(kind, copy=False)
    return narrowed


EMPTY = Histogram.of(TIMES, np.zeros(0))
"""The histogram of nothing."""


@lru_cache(maxsize=8)
def _index_up_to(grid: Grid, n: int) -> npt.NDArray[np.int64]:
    return grid.index(np.arange(n))


def _index_of_whole(grid: Grid, n: int) -> npt.NDArray[np.int64]:
    """Return the bins of the whole numbers below `n`."""
    return _index_up_to(grid, 1 << max(n - 1, 1).bit_length())[:n]


def rank(q: float, n: int) -> int:
    """Return the position, from 0, of the q-quantile among n sorted values: the least with a share q at or below it."""
    return max(math.ceil(q * n * _SLACK), 1) - 1


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of durations in bounded memory: its count, sums, maximum and histogram.

    Parameters
    ----------
    count : int
        How many.
    total : float
        Their sum, s.
    squares : float
        The sum of their squares, s².
    largest : float
        The largest, s.
    histogram : Histogram
        Their counts on the grid `measures.TIMES`.
    """

    count: int
    total: float
    squares: float
    largest: float
    histogram: Histogram

    @classmethod
    def of(cls, durations: Floats) -> Sample:
        """The sample of these durations, s, each ≥ 0."""
        if not len(durations):
            return cls(0, 0.0, 0.0, 0.0, EMPTY)
        return cls(
            len(durations),
            float(durations.sum()),
            float((durations * durations).sum()),
            float(durations.max()),
            Histogram.of(TIMES, durations),
        )

    def __add__(self, other: Sample) -> Sample:
        """Both samples as one."""
        return Sample(
            self.count + other.count,
            self.total + other.total,
            self.squares + other.squares,
            max(self.largest, other.largest),
            self.histogram + other.histogram,
        )


@dataclass(frozen=True, slots=True)
class Level:
    """A level, which is a step function of time with whole values, in bounded memory: its integral and peak.

    Parameters
    ----------
    integral : float
        ∫ level dt over the window: job-seconds, or byte-seconds.
    peak : int
        The largest value; each level says which values count.
    """

    integral: float
    peak: int


@dataclass(frozen=True, slots=True)
class LevelDistribution:
    """A level with its distribution over time: the seconds spent at each value.

    Parameters
    ----------
    integral : float
        ∫ level dt over the window, job-seconds.
    squares : float
        ∫ level² dt over the window.
    peak : int
        The largest value; each level says which values count.
    time_at : Histogram
        The seconds of the window spent at each value, on the grid `measures.SIZES`; their sum is the window's span.
    """

    integral: float
    squares: float
    peak: int
    time_at: Histogram

    def without(self, seconds: float) -> LevelDistribution:
        """Return the distribution with so many seconds, spent at 0, left out."""
        if not seconds:
            return self
        at = self.time_at
        amounts = at.amounts.astype(np.float64) - np.where(at.bins == 0, seconds, 0.0)
        # the seconds at 0 are a sum of their own, and may come out a rounding below those that are left out
        some = amounts > 1e-9 * seconds
        left = np.isin(at.narrow, at.bins[some])
        kept = Histogram(at.bins[some], amounts[some], at.narrow[left], at.least[left], at.most[left])
        return replace(self, time_at=kept)
