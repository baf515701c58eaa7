"""How many ticks of a rule stand before a time: for one number, as the kernel asks, or for arrays, as tables do."""

from __future__ import annotations

from typing import Any

import numpy as np


def before(origin: Any, period: float, smallest: int, time: Any) -> Any:
    """Return how many of the ticks origin + k·period, k ≥ `smallest`, stand before `time`: a whole number as a float.

    Ticks are the doubles origin + k·period, as in `bufsim.model.rules.first_tick`, and there are at most 2⁵⁰ of them.
    """
    # the quotient is rounded, so that the count may err by one in both directions
    k = np.maximum(np.floor((time - origin) / period) - 1.0, smallest)
    for _ in range(3):
        k = k + (origin + k * period < time)
    return k - smallest
