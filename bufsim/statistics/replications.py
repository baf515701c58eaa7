"""Number of replications that are needed: for a half-width, or to show a difference."""

from __future__ import annotations

import functools
import math

import numpy as np

from bufsim.checks import finite, not_negative, positive
from bufsim.statistics.intervals import FloatArray, critical_value, inner_probability


def replications_for_half_width(standard_deviation: float, half_width: float, *, confidence: float = 0.95) -> int:
    """The fewest replications whose t interval, at this standard deviation, reaches out by at most `half_width`.

    Parameters
    ----------
    standard_deviation : float
        Of one value per replication (or of one paired difference), as a pilot showed it.
    half_width : float
        The half-width wanted, > 0, in the same unit.
    confidence : float, default 0.95
        Level of the interval.

    References
    ----------
    Law (2015), Simulation Modeling and Analysis, 5th ed., section 9.4.1.

    Examples
    --------
    >>> replications_for_half_width(1.0, 0.25)
    64
    """
    spread = not_negative("standard_deviation", standard_deviation)
    wanted = positive("half_width", half_width)
    level = inner_probability("confidence", confidence)
    # the normal quantile is below t's, so this start is never too many
    n = max(2, math.floor((_normal(level) * spread / wanted) ** 2))
    while critical_value(level, n) * spread / math.sqrt(n) > wanted:
        n += 1
    return n


def power_of_t_test(difference: float, standard_deviation: float, n: int, *, confidence: float = 0.95) -> float:
    """The chance that a two-sided t test over `n` replications shows a true `difference`, of either sign.

    Notes
    -----
    P(|Z + δ√n/σ| > c·√(V/(n − 1))), averaged over 4,000 equal shares of V's chi-squared distribution. scipy's
    noncentral t, on which statsmodels' solver rests, is not a number where the effect is large and n is small.
    """
    from scipy.special import ndtr

    scale = critical_value(confidence, n) * _deviations(n)
    shift = abs(difference) / standard_deviation * math.sqrt(n)
    return float(np.mean(ndtr(shift - scale) + ndtr(-shift - scale)))


@functools.lru_cache(maxsize=256)
def _deviations(n: int) -> FloatArray:
    """Sample standard deviations of `n` normal values, as their 4,000 equally likely sizes."""
    from scipy.special import chdtri

    return np.asarray(np.sqrt(chdtri(n - 1, (np.arange(4000) + 0.5) / 4000) / (n - 1)))


def replications_for_power(
    difference: float, standard_deviation: float, *, power: float = 0.8, confidence: float = 0.95
) -> int | None:
    """The fewest replications with which a t test shows a true `difference` with probability `power`.

    Parameters
    ----------
    difference : float
        The true difference; its sign does not matter.
    standard_deviation : float
        Of one paired difference.
    power : float, default 0.8
        Probability of showing it.
    confidence : float, default 0.95
        1 − the level of the two-sided test.

    Returns
    -------
    int or None
        None if the difference is 0: no number of replications shows that.

    References
    ----------
    Guenther (1981), Sample size formulas for normal theory t tests, American Statistician 35, 243-244, beyond
    2,000 replications; the exact power (see `power_of_t_test`) up to there.

    Examples
    --------
    >>> replications_for_power(0.0472, 0.0663)
    18
    """
    shift, spread = abs(finite("difference", difference)), not_negative("standard_deviation", standard_deviation)
    wanted, level = inner_probability("power", power), inner_probability("confidence", confidence)
    if shift == 0.0:
        return None
    if spread == 0.0:
        return 2
    guess = _guenther(shift / spread, wanted, level)
    return _exact(shift, spread, wanted, level, math.ceil(guess)) if guess < 2000.0 else math.ceil(guess)


def _exact(shift: float, spread: float, wanted: float, level: float, guess: int) -> int:
    """The fewest, looked for in steps that double from a guess, which is seldom off by more than a few."""

    def is_enough(n: int) -> bool:
        return power_of_t_test(shift, spread, n, confidence=level) >= wanted

    step, below, enough = 1, max(guess, 2), max(guess, 2)
    while below > 1 and is_enough(below):
        below, enough, step = max(below - step, 1), below, step * 2
    while not is_enough(enough):
        below, enough, step = enough, enough + step, step * 2
    while enough - below > 1:
        middle = (below + enough) // 2
        below, enough = (below, middle) if is_enough(middle) else (middle, enough)
    return enough


def _guenther(effect: float, wanted: float, level: float) -> float:
    from scipy.special import ndtri

    return ((_normal(level) + float(ndtri(wanted))) / effect) ** 2 + _normal(level) ** 2 / 2.0


def _normal(level: float) -> float:
    from scipy.special import ndtri

    return -float(ndtri((1.0 - level) / 2.0))
