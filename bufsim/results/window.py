"""The part of a run that metrics look at: [warm_up, until)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
