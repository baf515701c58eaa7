"""Families of comparisons: Holm's adjustment for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bufsim.checks import probability
from bufsim.errors import InvalidValueError
from bufsim.statistics.intervals import inner_probability


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Adjusted p-values of a family of comparisons, and the level of each printed interval.

    Parameters
    ----------
    p_values : tuple of float
        Adjusted, in the order given.
    confidences : tuple of float
        Level of each interval: it excludes 0 exactly where the adjusted p-value is at most 1 − confidence.
    confidence : float
        Level of the family.
    """

    p_values: tuple[float, ...]
    confidences: tuple[float, ...]
    confidence: float

    @property
    def separated(self) -> tuple[bool, ...]:
        """Which comparisons are separated after adjustment."""
        return tuple(p <= 1.0 - self.confidence for p in self.p_values)


def holm(p_values: Sequence[float], *, confidence: float = 0.95) -> Adjustment:
    """Holm's step-down adjustment: the chance of naming any difference where there is none is at most 1 − confidence.

    Parameters
    ----------
    p_values : sequence of float
        Raw p-values, one a comparison.
    confidence : float, default 0.95
        Level of the family.

    Notes
    -----
    Holm's test has no simple intervals: those compatible with it say nothing of a difference but its sign as soon
    as one comparison is not separated (Strassburger and Bretz). The interval of a comparison is therefore
    Bonferroni's, at 1 − α/m, wherever that agrees with the verdict, and at 1 − α·p/p_adjusted for the few that
    Holm separates and Bonferroni does not. The chance of any wrong verdict is at most α; that all intervals hold
    together lies between 1 − 2α, where one true tie stands among clear differences, and 1 − α (measured with six
    comparisons at 0.95: 0.91 to 0.96).

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian J. Statistics 6, 65-70;
    Strassburger and Bretz (2008), Compatible simultaneous lower confidence bounds, Statistics in Medicine 27,
    4914-4927.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.30]).p_values
    (0.03, 0.08, 0.3)
    """
    level = inner_probability("confidence", confidence)
    raw = np.array([probability("p_values", p) for p in p_values])
    if not raw.size:
        raise InvalidValueError("p_values must not be empty; ask for at least one comparison")
    # the smallest of m counts m times, the next m − 1 times; none is called surer than one with a smaller p-value
    order = np.argsort(raw, kind="stable")
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(np.maximum.accumulate(raw[order] * np.arange(raw.size, 0, -1)), 1.0)
    bonferroni = (1.0 - level) / raw.size
    stepped = (adjusted <= 1.0 - level) & (raw > bonferroni)
    levels = np.where(stepped, (1.0 - level) * raw / np.where(stepped, adjusted, 1.0), bonferroni)
    return Adjustment(tuple(map(float, adjusted)), tuple(map(float, 1.0 - levels)), level)
