"""Flushes that the buffer itself triggers: by its size, by the age of its oldest job, by idleness."""

from __future__ import annotations

import decimal
import math

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.errors import InvalidValueError
from bufsim.theory.closed_form import (
    closed_form,
    poisson_at_most,
    poisson_capped_moments,
    poisson_more_than,
    quantile,
)


@closed_form("Erlang sums: Ross (2014) ch. 5")
def size_only(*, rate: float, size: int) -> dict[str, float]:
    """A flush at the `size`-th job (``FlushAtSize(size)``); Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    size : int
        N, jobs.

    Notes
    -----
    The j-th job waits for N − j more: Erlang(N − j, λ), the last one 0. W = (N−1)/2λ, E[W²] = (N²−1)/3λ². The buffer is
    uniform on 0, ..., N−1; a cycle is Erlang(N, λ). P(W > w) = E[(N − 1 − X)⁺]/N with X ~ Poisson(λw).

    References
    ----------
    Ross, S. M. (2014). Introduction to Probability Models, ch. 5.

    Examples
    --------
    >>> form = size_only(rate=2.0, size=10)
    >>> form.mean_wait, form.time_avg_buffer, form.mean_interflush
    (2.25, 4.5, 5.0)
    """
    rate, size = checks.positive("rate", rate), checks.integer("size", size, at_least=1)

    def longer_than(wait: float) -> float:
        return max(0.0, size - 1.0 - poisson_capped_moments(rate * wait, size - 1)[0]) / size

    # at twice the mean time to collect a batch, plus a margin for small batches, no job waits any more
    longest = (2.0 * size + 50.0) / rate
    return {
        "mean_wait": (size - 1.0) / (2.0 * rate),
        "wait_second_moment": (size**2 - 1.0) / (3.0 * rate**2),
        "wait_p95": quantile(longer_than, 0.95, longest),
        "wait_p99": quantile(longer_than, 0.99, longest),
        "time_avg_buffer": (size - 1.0) / 2.0,
        "mean_batch": size,
        "mean_interflush": size / rate,
        "var_interflush": size / rate**2,
        "first_job_wait": (size - 1.0) / rate,
        "flush_rate": rate / size,
    }


@closed_form("Cox (1962); Little (1961)")
def size_only_renewal(*, rate: float, size: int, scv: float) -> dict[str, float]:
    """A flush at the `size`-th job; arrivals with independent gaps of any distribution.

    Parameters
    ----------
    rate : float
        λ, jobs per second: 1 over the mean gap.
    size : int
        N, jobs.
    scv : float
        Squared coefficient of variation of a gap: variance over squared mean; 1 for a Poisson process.

    Notes
    -----
    The j-th job waits for N − j gaps, so the means are those of Poisson arrivals; only the variance of a cycle,
    N·scv/λ², knows the distribution.

    References
    ----------
    Cox, D. R. (1962). Renewal Theory. Little, J. D. C. (1961). A proof for the queuing formula L = λW. Operations
    Research 9, 383-387.

    Examples
    --------
    >>> size_only_renewal(rate=2.0, size=8, scv=4.0).var_interflush
    8.0
    """
    rate, size = checks.positive("rate", rate), checks.integer("size", size, at_least=1)
    return {
        "mean_wait": (size - 1.0) / (2.0 * rate),
        "time_avg_buffer": (size - 1.0) / 2.0,
        "mean_interflush": size / rate,
        "var_interflush": size * checks.not_negative("scv", scv) / rate**2,
    }


@closed_form("renewal reward, derived in the Notes; Ross (2014) ch. 7")
def age_only(*, rate: float, age: Seconds) -> dict[str, float]:
    """A flush when the oldest job has waited `age` seconds (``FlushAfterAge(age)``); Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    age : float
        T, s, ≥ 0.

    Notes
    -----
    A batch is the first job, which waits T, and the Poisson(m) that come in the next T seconds, m = λT, which wait T/2
    in the mean: E[B] = 1 + m, W = T(1 + m/2)/(1 + m).

    References
    ----------
    Ross, S. M. (2014). Introduction to Probability Models, ch. 7.

    Examples
    --------
    >>> form = age_only(rate=1.5, age=4.0)
    >>> form.mean_batch, round(form.mean_wait, 4)
    (7.0, 2.2857)
    """
    rate, age = checks.positive("rate", rate), checks.not_negative("age", age)
    mean = rate * age
    wait = age * (1.0 + mean / 2.0) / (1.0 + mean)
    return {
        "mean_batch": 1.0 + mean,
        "var_batch": mean,
        "mean_wait": wait,
        "time_avg_buffer": rate * wait,
        "mean_interflush": age + 1.0 / rate,
        "flush_rate": rate / (1.0 + mean),
        "job_seen_batch": 1.0 + mean + mean / (1.0 + mean),
        "p_batch_1": math.exp(-mean),
    }


@closed_form("renewal reward with a capped Poisson count, derived in the Notes; Ross (2014) ch. 7")
def size_or_age(*, rate: float, size: int, age: Seconds) -> dict[str, float]:
    """A flush at the `size`-th job or when the oldest has waited `age` seconds, whichever is first; Poisson arrivals.

    This is ``FlushAtSize(size) | FlushAfterAge(age)``.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    size : int
        N, jobs.
    age : float
        T, s, ≥ 0.

    Returns
    -------
    ClosedForm
        Among others ``p_size_trigger``, the share of the flushes that the size causes, and ``p_wait_is_age``, the share
        of the jobs that wait exactly T: from there on every wait percentile is T itself.

    Notes
    -----
    The first job is joined by Y = min(X, N−1) others, X ~ Poisson(λT). E[B] = 1 + E[Y]; while j others are there the
    buffer is 1 + j, so a cycle's area is E[Y(Y+1)/2]/λ, and W = area/E[B]. P(size) = P(X ≥ N−1). For w < T,
    P(W > w) = (P(X_w ≤ N−2) + E[min(X, N−2)] − E[min(X_w, N−2)])/E[B] with X_w ~ Poisson(λw): the first job, then the
    others, wait longer than w.

    References
    ----------
    Ross, S. M. (2014). Introduction to Probability Models, ch. 7 (renewal reward).

    Examples
    --------
    >>> form = size_or_age(rate=10.0, size=40, age=5.0)
    >>> round(form.mean_wait, 4), round(form.mean_batch, 3), round(form.wait_p99, 3)
    (1.9434, 39.85, 4.59)
    """
    rate, age = checks.positive("rate", rate), checks.not_negative("age", age)
    size = checks.integer("size", size, at_least=1)
    others, others_squared = poisson_capped_moments(rate * age, size - 1)
    batch = 1.0 + others
    wait = (others_squared + others) / (2.0 * rate * batch)
    inner = poisson_capped_moments(rate * age, size - 2)[0] if size > 1 else 0.0

    def longer_than(limit: float) -> float:
        if size == 1 or limit >= age:
            return 0.0
        mean = rate * limit
        return (poisson_at_most(size - 2, mean) + inner - poisson_capped_moments(mean, size - 2)[0]) / batch

    return {
        "mean_batch": batch,
        "mean_wait": wait,
        "wait_p95": quantile(longer_than, 0.95, age),
        "wait_p99": quantile(longer_than, 0.99, age),
        "p_wait_is_age": poisson_at_most(size - 2, rate * age) / batch,
        "time_avg_buffer": rate * wait,
        "mean_interflush": batch / rate,
        "flush_rate": rate / batch,
        "p_size_trigger": poisson_more_than(size - 2, rate * age),
        "job_seen_batch": (1.0 + 2.0 * others + others_squared) / batch,
        "p_batch_1": math.exp(-rate * age) if size > 1 else 1.0,
    }


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
    early, early_squared = poisson_capped_moments(rate * min_age, max_size - 1)
    cut, cut_squared = poisson_capped_moments(rate * min_age, min_size - 1)
    late, late_squared = poisson_capped_moments(rate * max_age, min_size - 1)
    first = (early + (late - cut)) / rate
    batch = 1.0 + rate * first
    area = (early + early_squared + (late - cut) + (late_squared - cut_squared)) / (2.0 * rate)
    return {
        "mean_first_job_wait": first,
        "mean_batch": batch,
        "mean_wait": area / batch,
        "time_avg_buffer": rate * area / batch,
        "mean_interflush": batch / rate,
        "p_count_max_trigger": poisson_more_than(max_size - 2, rate * min_age),
        "p_age_max_trigger": poisson_at_most(min_size - 2, rate * max_age),
    }


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
