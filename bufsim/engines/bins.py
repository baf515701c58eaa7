"""Number of ticks of a rule before a time: for one number, as the kernel asks, or for arrays, as tables do."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


def ticks_before(origin: Any, period: float, smallest: int, time: Any) -> Any:
    """Number of the ticks origin + k·period, k ≥ `smallest`, before `time`: a whole number as a float.

    Ticks are the doubles origin + k·period, as in `bufsim.model.rules.first_tick`, and there are at most 2⁵⁰ of them.
    """
    # the quotient is rounded, so that the count may err by one in both directions
    k = np.maximum(np.floor((time - origin) / period) - 1.0, smallest)
    for _ in range(3):
        k = k + (origin + k * period < time)
    return k - smallest


_MANTISSA, _BIAS = 52, 1023


class Bins(NamedTuple):
    """A grid: bin 0 for zeros, bin 1 for (0, 2^low), 2^bits bins an octave up to 2^high, and a last one from there on.

    Bins of durations begin a hair below their round numbers: a wait that an age of 3 s ends comes out as 3 s ± 10⁻¹³ s,
    and is to lie in one bin.

    Parameters
    ----------
    shift : int
        How many of a double's bits are left out.
    offset : int
        What is taken off the leading bits, so that the first octave begins at bin 2.
    last : int
        The last bin.
    hair : int
        By so many doubles the bins begin below round numbers.
    """

    shift: int
    offset: int
    last: int
    hair: int

    @classmethod
    def of_octaves(cls, bits: int, low: int, high: int, hair: int) -> Bins:
        """Return the grid of the octaves in [2^low, 2^high)."""
        return cls(_MANTISSA - bits, ((_BIAS + low) << bits) - 2, ((high - low) << bits) + 2, hair)


NARROW = 1 << 35
"""Values are nearly the same where at most so many doubles lie between them: 1/256 of a bin of `TIMES`."""
WIDE = -(1 << 62)
"""This is added to the count of a bin as soon as its values are not nearly the same."""

TIMES = Bins.of_octaves(9, -30, 30, NARROW // 2)
"""Seconds, from 1 ns to 34 years, in bins of at most 1/512 of their values."""
SIZES = Bins.of_octaves(7, 0, 62, 0)
"""Numbers of jobs: exact below 256, above in bins of at most 1/128 of their values."""

SHORT, LONG = 2.0**-29, 2.0**29
"""Durations between these lie in octaves of `TIMES`, s."""
_ALL_BITS = (1 << TIMES.last.bit_length()) - 1

ROOM = 3
"""So many numbers are kept of each bin: its count, and the least and the largest value in it."""

SERIES = 128
"""Into so many equal bins [0, `until`) is cut, to judge a warm-up."""


def index(bits: Any, grid: Bins) -> Any:
    """Return the bin of a number ≥ 0 of which these are the bits, an int64 or an array of them."""
    # of the two that compete, one is 0 for a zero and 1 for what is below the first octave
    return np.minimum(np.maximum(((bits + grid.hair) >> grid.shift) - grid.offset, bits != 0), grid.last)


def usual_index(bits: Any) -> Any:
    """Return the bin, on `TIMES`, of a duration between `SHORT` and `LONG` of which these are the bits."""
    # that no bit is lost tells the compiler that it is no negative index
    return (((bits + TIMES.hair) >> TIMES.shift) - TIMES.offset) & _ALL_BITS


def first_of(number: Any, grid: Bins) -> Any:
    """Return the bits of the least value in a bin of an octave, or in each of an array of them."""
    return ((number + grid.offset) << grid.shift) - grid.hair


def of_time(seconds: float) -> int:
    """Return the bin of a duration, s."""
    return index(np.float64(seconds).view(np.int64), TIMES)  # type: ignore[no-any-return]  # a scalar in, a scalar out


def of_size(number: float) -> int:
    """Return the bin of a number of jobs."""
    return index(np.float64(number).view(np.int64), SIZES)  # type: ignore[no-any-return]  # a scalar in, a scalar out


def times_before(times: npt.NDArray[np.float64], time: float) -> int:
    """Number of the increasing times before `time`."""
    low, high = 0, len(times)
    while low < high:
        middle = (low + high) // 2
        if times[middle] < time:
            low = middle + 1
        else:
            high = middle
    return low
