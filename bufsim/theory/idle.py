"""Flushes when arrivals pause, with and without a longest wait; and limits of size and age together."""

from __future__ import annotations

import decimal
import math

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.errors import InvalidValueError
from bufsim.theory import poisson
from bufsim.theory.closed_form import closed_form

# the series of idle_or_age keeps as many digits as its largest term needs; more than these take seconds
_MOST_DIGITS = 1_000


@closed_form("type II counter: Takacs (1962); Cox (1962)")
def idle_only(*, rate: float, idle: Seconds) -> dict[str, float]:
    """A flush when no job has come for `idle` seconds (``FlushWhenIdle(idle)``, a debounce); Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    idle : float
        g, s, ≥ 0.

    Notes
    -----
    Each gap ends the batch with probability p = e^(−λg): the batch is geometric from 1 with mean 1/p. A job waits until
    the first gap of g seconds after it: W = (e^(λg) − 1)/λ, without bound in λg.

    References
    ----------
    Takacs, L. (1962). Introduction to the Theory of Queues. Cox, D. R. (1962). Renewal Theory.

    Examples
    --------
    >>> round(idle_only(rate=1.0, idle=1.5).mean_wait, 4)
    3.4817
    """
    rate, idle = checks.positive("rate", rate), checks.not_negative("idle", idle)
    if rate * idle > 300.0:
        raise InvalidValueError(
            f"rate * idle must be <= 300, got {rate * idle:.6g}: such a buffer is never flushed; "
            "lower idle, or add an age with idle_or_age"
        )
    odds = math.expm1(rate * idle)
    return {
        "mean_batch": odds + 1.0,
        "var_batch": odds * (odds + 1.0),
        "mean_wait": odds / rate,
        "time_avg_buffer": odds,
        "mean_interflush": (odds + 1.0) / rate,
        "flush_rate": rate / (odds + 1.0),
        "p_batch_1": math.exp(-rate * idle),
    }


@closed_form("Laplace transform of the time to a gap: Takacs (1962); Wald (1944)")
def idle_or_age(*, rate: float, idle: Seconds, age: Seconds) -> dict[str, float]:
    """A flush when no job has come for `idle` seconds, or when the oldest has waited `age` seconds; Poisson arrivals.

    This is ``FlushWhenIdle(idle) | FlushAfterAge(age)``.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    idle : float
        g, s, > 0.
    age : float
        M, s, ≥ 0.

    Notes
    -----
    The first gap of g seconds ends later than t after the first job with probability
    R(t) = 1 − ∑_k (−λ)^k e^(−(k+1)λg) [u^k/k! + λu^(k+1)/(k+1)!], u = t − (k+1)g ≥ 0. The first job waits D, with
    E[D] = ∫₀^M R, E[B] = 1 + λE[D] and P(age) = R(M). Marking each arrival with z turns R_λ into e^(λ(z−1)t)·R_zλ, so
    that E[X(t); D > t] = λtR + λ∂R/∂λ for the number X of jobs after the first, and W = ∫₀^M (R + λtR + λ∂R/∂λ)/E[B].
    The terms alternate and can be huge: they are summed in decimal arithmetic with as many digits as the largest needs.

    References
    ----------
    Takacs, L. (1962). Introduction to the Theory of Queues. Wald, A. (1944). On cumulative sums of random variables.
    Annals of Mathematical Statistics 15, 283-296.

    Examples
    --------
    >>> form = idle_or_age(rate=2.0, idle=0.8, age=4.0)
    >>> round(form.mean_batch, 4), round(form.p_max_trigger, 4)
    (4.7136, 0.0857)
    """
    rate, idle = checks.positive("rate", rate), checks.positive("idle", idle)
    age = checks.not_negative("age", age)
    survival, first, area = _until_gap(rate, idle, age)
    batch = 1.0 + rate * first
    return {
        "mean_first_job_wait": first,
        "mean_batch": batch,
        "mean_wait": area / batch,
        "time_avg_buffer": rate * area / batch,
        "p_max_trigger": survival,
        "mean_interflush": batch / rate,
        "flush_rate": rate / batch,
    }


def _until_gap(rate: float, idle: float, age: float) -> tuple[float, float, float]:
    """R(M), E[D] and the area under the buffer size from the first job to the flush."""
    digits = math.ceil(rate * age / math.log(10.0)) + 30
    if digits > _MOST_DIGITS:
        most = math.floor((_MOST_DIGITS - 30) * math.log(10.0))
        raise InvalidValueError(f"rate * age must be <= {most}, got {rate * age:.6g}; lower age, or simulate")
    # no term exceeds e^(rate * age): thirty digits are left when the terms cancel
    with decimal.localcontext(prec=digits):
        lam, gap, limit = (decimal.Decimal(number) for number in (rate, idle, age))
        survival, first, area = decimal.Decimal(1), limit, limit + lam * limit**2 / 2
        weight, shrink, k = (-lam * gap).exp(), -lam * (-lam * gap).exp(), 0
        while (u := limit - (k + 1) * gap) >= 0:
            power, past = weight * u**k / math.factorial(k), (k + 1) * gap
            p, q = power * u / (k + 1), lam * power * u * u / ((k + 1) * (k + 2))
            survival -= power + lam * p
            first -= p + q
            # the last two rows: the integral of t·R(t), and the derivative in the rate
            area -= p + q + lam * ((k + 1) * p * u / (k + 2) + (k + 2) * q * u / (k + 3) + past * (p + q))
            area -= (k - past * lam) * p + (k + 1 - past * lam) * q
            if k > lam * limit and abs(power) * (1 + limit) < decimal.Decimal("1e-30"):
                break
            weight, k = weight * shrink, k + 1
        return max(float(survival), 0.0), float(first), float(area)


@closed_form("integral of the survival of the flush time, derived in the Notes from ClickHouse's Buffer engine")
def min_and_max(*, rate: float, min_size: int, min_age: Seconds, max_size: int, max_age: Seconds) -> dict[str, float]:
    """A flush at both of two lower limits of size and age, or at either of two upper ones; Poisson arrivals.

    This is ``FlushAtSize(min_size) & FlushAfterAge(min_age) | FlushAtSize(max_size) | FlushAfterAge(max_age)``.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    min_size, max_size : int
        n ≤ N, jobs; ClickHouse's "more than min_rows" is ``min_size = min_rows + 1``.
    min_age, max_age : float
        t ≤ T, s, ≥ 0.

    Notes
    -----
    With X_s ~ Poisson(λs) jobs after the first, the first job waits longer than s while X_s ≤ N−2 (s < t), then while
    X_s ≤ n−2 (t ≤ s < T). As ∫₀^s P(X = j) = P(X_s > j)/λ, E[D] = (E[min(X_t, N−1)] + E[min(X_T, n−1)] −
    E[min(X_t, n−1)])/λ; the area weighs j with 1 + j. P(max size) = P(X_t ≥ N−1), P(max age) = P(X_T ≤ n−2).

    Examples
    --------
    >>> form = min_and_max(rate=2.0, min_size=7, min_age=2.0, max_size=13, max_age=8.0)
    >>> round(form.mean_batch, 4), round(form.mean_wait, 4)
    (7.1932, 1.5632)
    """
    rate, min_age = checks.positive("rate", rate), checks.not_negative("min_age", min_age)
    max_age, min_size = checks.not_negative("max_age", max_age), checks.integer("min_size", min_size, at_least=1)
    max_size = checks.integer("max_size", max_size, at_least=1)
    if min_size > max_size:
        raise InvalidValueError(f"min_size must be <= max_size = {max_size}, got {min_size}")
    if min_age > max_age:
        raise InvalidValueError(f"min_age must be <= max_age = {max_age!r}, got {min_age!r}")
    early, early_squared = poisson.capped_moments(rate * min_age, max_size - 1)
    cut, cut_squared = poisson.capped_moments(rate * min_age, min_size - 1)
    late, late_squared = poisson.capped_moments(rate * max_age, min_size - 1)
    first = (early + (late - cut)) / rate
    batch = 1.0 + rate * first
    area = (early + early_squared + (late - cut) + (late_squared - cut_squared)) / (2.0 * rate)
    return {
        "mean_first_job_wait": first,
        "mean_batch": batch,
        "mean_wait": area / batch,
        "time_avg_buffer": rate * area / batch,
        "mean_interflush": batch / rate,
        "p_count_max_trigger": poisson.more_than(max_size - 2, rate * min_age),
        "p_age_max_trigger": poisson.at_most(min_size - 2, rate * max_age),
    }
