"""Thinning: fewer points for the same picture, with every peak kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """A step function seen through columns of time: its least, greatest and average level in each.

    Attributes
    ----------
    edges : array of float, shape (columns + 1,)
        Where the columns begin, and where the last one ends, s.
    low, high, mean : array of float, shape (columns,)
        The least and the greatest level, levels of no duration included, and the time average.
    """

    edges: FloatArray
    low: FloatArray
    high: FloatArray
    mean: FloatArray


def envelope(times: FloatArray, values: npt.ArrayLike, *, start: float, end: float, columns: int = 600) -> Envelope:
    """Return the least, greatest and average level of a step function in each of `columns` equal parts of the time.

    Parameters
    ----------
    times : array of float
        When the level changes, s, non-decreasing; the first at or before `start`.
    values : array
        The level from then on.
    start, end : float
        The time that is seen, s.
    columns : int
        How many parts.

    Examples
    --------
    >>> seen = envelope(np.array([0.0, 1.0, 3.0]), [0, 4, 1], start=0.0, end=4.0, columns=2)
    >>> seen.low, seen.high, seen.mean
    (array([0., 1.]), array([4., 4.]), array([2. , 2.5]))
    """
    levels = np.asarray(values, dtype=np.float64)
    edges = np.linspace(start, end, columns + 1)
    first = np.searchsorted(times, edges)
    # the level that was there before the column begins counts, unless it changes at that very instant
    at_edge = times[np.minimum(first[:-1], len(times) - 1)] == edges[:-1]
    from_row = np.maximum(np.where(at_edge, first[:-1], first[:-1] - 1), 0)
    to_row = np.maximum(first[1:], from_row + 1)
    # reduceat takes the rows between each two positions; every other one is a column
    ends = np.column_stack((from_row, to_row)).ravel()
    padded = np.append(levels, levels[-1])
    low = np.minimum.reduceat(padded, ends)[::2]
    high = np.maximum.reduceat(padded, ends)[::2]
    return Envelope(edges, low, high, np.diff(_area(times, levels, edges)) / np.diff(edges))


def _area(times: FloatArray, levels: FloatArray, at: FloatArray) -> FloatArray:
    """Return the area under a step function up to each of the times `at`."""
    areas = np.concatenate(([0.0], np.cumsum(levels[:-1] * np.diff(times))))
    row = np.maximum(np.searchsorted(times, at, side="right") - 1, 0)
    area: FloatArray = areas[row] + levels[row] * (at - times[row])
    return area


def rows_to_draw(x: FloatArray, y: npt.ArrayLike, *, columns: int = 2000) -> IntArray:
    """Return the rows that draw the same line: of each column of x the first, the last, the least and the greatest.

    All rows, if there are no more than four for each column.

    Parameters
    ----------
    x : array of float
        Non-decreasing.
    y : array
        As long as `x`.
    columns : int
        How many equal parts of the range of x; as many as the picture has pixels are enough.

    References
    ----------
    U. Jugel, Z. Jerzak, G. Hackenbroich, V. Markl, "M4: a visualization-oriented time series data aggregation",
    Proceedings of the VLDB Endowment 7 (2014).

    Examples
    --------
    >>> x = np.arange(9.0)
    >>> rows_to_draw(x, [0, 1, 7, 1, 2, 3, -5, 3, 3], columns=1)
    array([0, 2, 6, 8])
    """
    if len(x) <= 4 * columns:
        return np.arange(len(x))
    levels = np.asarray(y)
    first = np.unique(np.searchsorted(x, np.linspace(x[0], x[-1], columns + 1)[:-1]))
    last = np.append(first[1:], len(x)) - 1
    column = np.repeat(np.arange(len(first)), last - first + 1)
    extremes = [first, last]
    for extreme in (np.minimum.reduceat(levels, first), np.maximum.reduceat(levels, first)):
        rows = np.flatnonzero(levels == extreme[column])
        extremes.append(rows[np.unique(column[rows], return_index=True)[1]])
    return np.unique(np.concatenate(extremes))
