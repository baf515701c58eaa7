"""How gaps become arrival times: their running sum, on an order of additions that is fixed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bufsim.model.distribution import FloatArray

RunningSum = Callable[[FloatArray, float, float, FloatArray], float]
"""What `running_sum` is; another may only be faster, and gives the same bits."""


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
