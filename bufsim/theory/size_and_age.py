"""Flushes by size, by age, by whichever comes first."""

from __future__ import annotations

import math

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.theory import poisson
from bufsim.theory.closed_form import closed_form
from bufsim.theory.quantile import quantile


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
        return max(0.0, size - 1.0 - poisson.capped_moments(rate * wait, size - 1)[0]) / size

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
    others, others_squared = poisson.capped_moments(rate * age, size - 1)
    batch = 1.0 + others
    wait = (others_squared + others) / (2.0 * rate * batch)
    inner = poisson.capped_moments(rate * age, size - 2)[0] if size > 1 else 0.0

    def longer_than(limit: float) -> float:
        if size == 1 or limit >= age:
            return 0.0
        mean = rate * limit
        return (poisson.at_most(size - 2, mean) + inner - poisson.capped_moments(mean, size - 2)[0]) / batch

    return {
        "mean_batch": batch,
        "mean_wait": wait,
        "wait_p95": quantile(longer_than, 0.95, age),
        "wait_p99": quantile(longer_than, 0.99, age),
        "p_wait_is_age": poisson.at_most(size - 2, rate * age) / batch,
        "time_avg_buffer": rate * wait,
        "mean_interflush": batch / rate,
        "flush_rate": rate / batch,
        "p_size_trigger": poisson.more_than(size - 2, rate * age),
        "job_seen_batch": (1.0 + 2.0 * others + others_squared) / batch,
        "p_batch_1": math.exp(-rate * age) if size > 1 else 1.0,
    }
