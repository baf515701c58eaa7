"""The running sum of gaps for numba: one pass where NumPy needs five."""

from __future__ import annotations

from bufsim.engines.kernel_state import Floats


def running_sum(gaps: Floats, scale: float, now: float, times: Floats) -> float:
    """Write now + the running sum of gaps·scale into `times`, and return the last: `model.running_sum` to the bit."""
    half = len(gaps) // 2
    even, odd = gaps[0] * scale + now, gaps[1] * scale
    times[0], times[half] = even, odd
    for i in range(1, half):
        even += gaps[2 * i] * scale
        odd += gaps[2 * i + 1] * scale
        times[i], times[half + i] = even, odd
    for i in range(half, 2 * half):
        times[i] += even
    last: float = times[2 * half - 1]
    return last
