"""Where a curve crosses a limit, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bufsim.studies.statistics import Interval

_SLACK = 1e-12

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where a curve crosses a limit.

    Attributes
    ----------
    at : Interval
        Where the estimates cross it; from end to end the limit lies in the curve's band. An end is infinite where it
        still does at the last point.
    is_rising : bool
        Whether the curve goes up there.
    """

    at: Interval
    is_rising: bool


def crossings(x: Sequence[float], intervals: Sequence[Interval], bound: float, *, log: bool = True) -> list[Crossing]:
    """Return where a curve through intervals crosses a bound, straight between its points on the axes that are shown.

    Parameters
    ----------
    x : sequence of float
        Where the points are, ascending, > 0; the axis is a log axis.
    intervals : sequence of Interval
        The curve's values.
    bound : float
        The limit.
    log : bool
        Whether the axis of values is a log axis too.

    Notes
    -----
    A place belongs to the stretch of a crossing unless the interval there excludes the limit: the inversion of a test,
    so that the stretch holds the crossing with the confidence of the intervals, as far as the curve is straight between
    its points.

    Examples
    --------
    >>> values = [Interval(y, 0.5 * y, 2.0 * y, 0.95, 30, "t") for y in (1.0, 10.0, 100.0)]
    >>> [crossing] = crossings([1.0, 10.0, 100.0], values, 10.0)
    >>> print(crossing.at)
    10 [5, 20]
    """
    along = np.log(np.asarray(x, dtype=np.float64))
    low, middle, high = (
        _shown([getattr(one, end) for one in intervals], log=log) for end in ("low", "estimate", "high")
    )
    level = math.log(bound) if log else bound
    edges = np.array([at for curve in (low, high) for at, _ in _where(along, curve, level)])
    found = []
    for at, is_rising in _where(along, middle, level):
        before, after = edges[edges <= at + _SLACK], edges[edges >= at - _SLACK]
        estimate = math.exp(at)
        first = math.exp(before.max()) if len(before) else -math.inf
        last = math.exp(after.min()) if len(after) else math.inf
        ends = min(first, estimate), max(last, estimate)
        stretch = Interval(estimate, *ends, intervals[0].confidence, intervals[0].n, "where the band holds the limit")
        found.append(Crossing(stretch, is_rising))
    return found


def _shown(values: Sequence[float], *, log: bool) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if not log:
        return array
    return np.log(array, out=np.full_like(array, -np.inf), where=array > 0.0)


def _where(x: FloatArray, y: FloatArray, level: float) -> list[tuple[float, bool]]:
    """Return where a line crosses a level, and whether it rises there.

    Where one end is infinite it may cross anywhere: the place is that of the other end.
    """
    found = []
    for place in range(len(x) - 1):
        start, end = y[place], y[place + 1]
        # a point on the level belongs to the line on which it is the end, but the first point of all
        if not (min(start, end) < level <= max(start, end) or min(start, end) <= level < max(start, end)):
            continue
        if start == level and place > 0:
            continue
        if math.isinf(start) or math.isinf(end):
            at = x[place] if math.isinf(end) else x[place + 1]
        else:
            at = x[place] + (level - start) / (end - start) * (x[place + 1] - x[place])
        found.append((float(at), bool(end > start)))
    return found
