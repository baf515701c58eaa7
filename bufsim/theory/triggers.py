"""Flushes by size, by age, by whichever comes first."""

from __future__ import annotations

import decimal
import math

import numpy as np

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.errors import InvalidValueError
from bufsim.theory import closed_form as poisson
from bufsim.theory.closed_form import closed_form, quantile


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


@closed_form("renewal reward with a capped Poisson count, derived in the Notes; Ross (2014) ch. 7")
def size_or_timer(*, rate: float, size: int, period: Seconds) -> dict[str, float]:
    """A flush at the `size`-th job or `period` seconds after the last flush of either kind; Poisson arrivals.

    This is ``FlushAtSize(size) | FlushEvery(period, anchor="flush_start")``, as in OpenTelemetry's Python SDK.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    size : int
        N, jobs.
    period : float
        T, s.

    Returns
    -------
    ClosedForm
        ``mean_batch``, ``mean_interflush``, ``flush_rate`` and ``p_size_trigger`` count timer flushes of an empty
        buffer, which a run does not record; ``mean_batch_nonempty`` and ``nonempty_flush_rate`` leave them out.

    Notes
    -----
    The batch is B = min(X, N), X ~ Poisson(λT); while j jobs are there they add j to the area: W = E[B(B−1)/2]/(λE[B]).
    P(size) = P(X ≥ N), P(empty) = e^(−λT). The ticks after a flush are one period apart, so that a tick that finds
    nothing and one that flushes nothing are the same.

    References
    ----------
    Ross, S. M. (2014). Introduction to Probability Models, ch. 7 (renewal reward).

    Examples
    --------
    >>> round(size_or_timer(rate=2.0, size=10, period=5.0).mean_wait, 4)
    2.0234
    """
    rate, period = checks.positive("rate", rate), checks.positive("period", period)
    size = checks.integer("size", size, at_least=1)
    mean = rate * period
    batch, batch_squared = poisson.capped_moments(mean, size)
    wait = (batch_squared - batch) / (2.0 * rate * batch)
    return {
        "mean_batch": batch,
        "mean_batch_nonempty": batch / -math.expm1(-mean),
        "mean_wait": wait,
        "time_avg_buffer": rate * wait,
        "mean_interflush": batch / rate,
        "flush_rate": rate / batch,
        "nonempty_flush_rate": rate * -math.expm1(-mean) / batch,
        "p_size_trigger": poisson.more_than(size - 1, mean),
        "p_empty": math.exp(-mean),
    }


@closed_form("Poisson counts modulo the size, derived in the Notes")
def size_or_clock(*, rate: float, size: int, period: Seconds) -> dict[str, float]:
    """A flush at the `size`-th job or at every tick k·`period` of the clock; Poisson arrivals.

    This is ``FlushAtSize(size) | FlushEvery(period)``: a flush by size does not move the ticks.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    size : int
        N, jobs.
    period : float
        T, s.

    Notes
    -----
    M ~ Poisson(λT) jobs come in a period: ⌊M/N⌋ flushes by size, and M mod N jobs at the tick. The buffer just before
    the j-th job is j mod N, so W = ∑_j (j mod N)·P(M > j)/(λ·λT). Compare over whole periods only.

    Examples
    --------
    >>> round(size_or_clock(rate=2.0, size=10, period=5.0).mean_wait, 4)
    1.8731
    """
    rate, period = checks.positive("rate", rate), checks.positive("period", period)
    by_size, left, area = _collected(rate * period, checks.integer("size", size, at_least=1))
    p_tick = left["p_any"]
    return {
        "size_flushes_per_period": by_size,
        "nonempty_ticks_fraction": p_tick,
        "mean_batch_nonempty": rate * period / (by_size + p_tick),
        "mean_wait": area / (rate * rate * period),
        "time_avg_buffer": area / (rate * period),
        "nonempty_flush_rate": (by_size + p_tick) / period,
    }


@closed_form("Poisson counts modulo the size, derived in the Notes")
def size_until(*, rate: float, size: int, until: Seconds) -> dict[str, float]:
    """What `until` seconds bring from an empty start under a flush at the `size`-th job: an import that ends.

    Parameters
    ----------
    rate : float
        λ, jobs per second; Poisson arrivals.
    size : int
        N, jobs.
    until : float
        H, the end of the run, s; there is no final flush.

    Returns
    -------
    ClosedForm
        Expectations over runs of this length, not limits of a long run: ``time_avg_buffer`` is below or above (N−1)/2,
        by where the import ends.

    Notes
    -----
    With M ~ Poisson(λH): ⌊M/N⌋ flushes, M mod N jobs left, and the buffer is j mod N from the j-th job to the next:
    E∫L = ∑_j (j mod N)·P(M > j)/λ.

    Examples
    --------
    >>> form = size_until(rate=40.0, size=500, until=139.0)
    >>> round(form.time_avg_buffer, 2)  # a long run would show 249.5
    246.83
    """
    rate, until = checks.positive("rate", rate), checks.positive("until", until)
    flushes, left, area = _collected(rate * until, checks.integer("size", size, at_least=1))
    return {
        "mean_jobs": rate * until,
        "mean_flushes": flushes,
        "mean_left_in_buffer": left["mean"],
        "time_avg_buffer": area / (rate * until),
    }


def _collected(mean: float, size: int) -> tuple[float, dict[str, float], float]:
    """E⌊M/N⌋; mean of M mod N and its chance to be above 0; E of the sum of (j mod N) over j < M."""
    counts, weights = poisson.support(mean)
    whole, rest = counts // size, (counts % size).astype(float)
    per_count = whole * (size * (size - 1.0) / 2.0) + rest * (rest - 1.0) / 2.0
    left = {"mean": float(weights @ rest), "p_any": float(weights[rest > 0].sum())}
    return float(weights @ whole), left, float(weights @ per_count)


@closed_form("geometric number of non-empty ticks, derived in the Notes from celery-batches 0.11")
def repeating_timer(*, rate: float, period: Seconds) -> dict[str, float]:
    """A timer that the first job after idle starts, that rings every `period` seconds, and that an empty ring ends.

    This is celery-batches' timer; Poisson arrivals, everything is taken.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    period : float
        T, s.

    Notes
    -----
    With m = λT and q = e^(−m), the first ring takes 1 + Poisson(m) jobs, and each further one ends the cycle with
    probability q: (1−q)/q more batches, m/q more jobs. Jobs a cycle J = 1 + m + m/q, all but the first of them waiting
    T/2 in the mean: W = (T + mT/2 + mT/(2q))/J.

    Examples
    --------
    >>> round(repeating_timer(rate=0.4, period=3.0).mean_wait, 4)
    1.7426
    """
    rate, period = checks.positive("rate", rate), checks.positive("period", period)
    mean = rate * period
    p_empty = math.exp(-mean)
    later = mean / p_empty if p_empty else math.inf
    jobs = 1.0 + mean + later
    return {
        "jobs_per_cycle": jobs,
        "mean_cycle": jobs / rate,
        "mean_wait": (period + (mean + later) * period / 2.0) / jobs,
        "nonempty_ticks_per_cycle": later / mean,
        "mean_batch_nonempty": (1.0 + mean) * p_empty + mean,
    }


@closed_form("uniform phase of the first job in a tick, derived in the Notes from Fluentd's output")
def age_checked_every(*, rate: float, age: Seconds, tick: Seconds) -> dict[str, float]:
    """A flush at the first tick at which the oldest job has waited `age` seconds; Poisson arrivals.

    This is ``FlushAfterAge(age).checked_every(tick)``: Fluentd's flush_interval.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    age : float
        T, s, ≥ 0.
    tick : float
        τ, s between two looks.

    Notes
    -----
    A flush leaves an empty buffer at a tick, so the first job comes at a phase u of a later tick that is exponential(λ)
    cut off at τ. With s = T mod τ it waits D = T + v, where v = τ−s−u if u ≤ τ−s, else 2τ−s−u. If T is a multiple of τ,
    E[D] = T + τ − 1/λ + τ/(e^(λτ) − 1). The Poisson(λD) jobs that follow wait D/2 in the mean:
    E[B] = 1 + λE[D], W = (E[D] + λE[D²]/2)/E[B].

    Examples
    --------
    >>> form = age_checked_every(rate=0.5, age=4.0, tick=1.0)
    >>> round(form.mean_first_job_wait, 4), round(form.mean_batch, 4)
    (4.5415, 3.2707)
    """
    rate, age, tick = checks.positive("rate", rate), checks.not_negative("age", age), checks.positive("tick", tick)
    extra, extra_squared = _beyond_age(rate, tick, math.fmod(age, tick))
    first = age + extra
    batch = 1.0 + rate * first
    wait = (first + rate * (age**2 + 2.0 * age * extra + extra_squared) / 2.0) / batch
    return {
        "mean_first_job_wait": first,
        "mean_batch": batch,
        "mean_interflush": first + 1.0 / rate,
        "mean_wait": wait,
        "time_avg_buffer": rate * wait,
    }


def _beyond_age(rate: float, tick: float, rest: float) -> tuple[float, float]:
    """E[v] and E[v²] of the wait beyond the age, of which `rest` reaches into a tick."""
    p_early = math.expm1(-rate * (tick - rest)) / math.expm1(-rate * tick)
    mean = squared = 0.0
    # a first job before the phase τ−s counts down to τ−s, a later one down to τ
    for weight, length, top in ((p_early, tick - rest, tick - rest), (1.0 - p_early, rest, tick)):
        first, second = _cut_exponential(rate, length)
        mean += weight * (top - first)
        squared += weight * (top**2 - 2.0 * top * first + second)
    return mean, squared


def _cut_exponential(rate: float, length: float) -> tuple[float, float]:
    """E[y] and E[y²] of an exponential(rate) variable known to be below `length`."""
    load = rate * length
    if load > 1.0:
        tail = 1.0 / math.expm1(load) if load < 700.0 else 0.0
        return (1.0 - load * tail) / rate, (2.0 - load * tail * (2.0 + load)) / rate**2
    # the closed forms above lose their digits to differences of 1/load; this quadrature is exact to the last ones
    nodes, weights = np.polynomial.legendre.leggauss(16)
    points = (nodes + 1.0) / 2.0
    density = weights * np.exp(-load * points)
    density /= density.sum()
    return float(density @ points) * length, float(density @ points**2) * length**2


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


@closed_form("Ross (2014) ch. 5; size bias: Cox (1962)")
def periodic(*, rate: float, period: Seconds) -> dict[str, float]:
    """A flush every `period` seconds on the clock; Poisson arrivals; everything is taken.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    period : float
        T, s.

    Returns
    -------
    ClosedForm
        ``mean_batch`` and ``var_batch`` count ticks that find the buffer empty; ``mean_batch_nonempty`` and
        ``nonempty_flush_rate`` are over flushes of at least one job, the only ones that a run records.

    Notes
    -----
    With m = λT the batch is Poisson(m), and given their number the arrivals lie uniformly in the period: the wait is
    uniform on (0, T). At a random time the buffer is Poisson(λU), U uniform on (0, T): E[L] = m/2,
    E[L²] = m/2 + m²/3. A job sees a batch of E[B²]/E[B] = 1 + m. Compare over whole periods only.

    References
    ----------
    Ross, S. M. (2014). Introduction to Probability Models, ch. 5. Cox, D. R. (1962). Renewal Theory.

    Examples
    --------
    >>> form = periodic(rate=2.0, period=5.0)
    >>> form.mean_wait, form.mean_batch, form.job_seen_batch
    (2.5, 10.0, 11.0)
    """
    rate, period = checks.positive("rate", rate), checks.positive("period", period)
    mean = rate * period
    p_nonempty = -math.expm1(-mean)
    return {
        "mean_batch": mean,
        "var_batch": mean,
        "p_empty": math.exp(-mean),
        "mean_batch_nonempty": mean / p_nonempty,
        "job_seen_batch": 1.0 + mean,
        "mean_wait": period / 2.0,
        "wait_second_moment": period**2 / 3.0,
        "time_avg_buffer": mean / 2.0,
        "buffer_second_moment": mean / 2.0 + mean**2 / 3.0,
        "flush_rate": 1.0 / period,
        "nonempty_flush_rate": p_nonempty / period,
    }


@closed_form("inspection paradox: Ross (2014) ch. 7; Cox (1962)")
def periodic_with_jitter(*, rate: float, period: Seconds, jitter: Seconds) -> dict[str, float]:
    """A flush after independent intervals of `period` + U(0, `jitter`) seconds; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    period : float
        T, the shortest interval, s.
    jitter : float
        J, the greatest addition, s, ≥ 0.

    Returns
    -------
    ClosedForm
        Batch sizes count empty flushes.

    Notes
    -----
    With the interval I, E[I] = T + J/2 and Var I = J²/12: a job falls into an interval of E[I²]/E[I] and waits half of
    it; E[B] = λE[I], Var B = λE[I] + λ² Var I.

    References
    ----------
    Ross, S. M. (2014). Introduction to Probability Models, ch. 7. Cox, D. R. (1962). Renewal Theory.

    Examples
    --------
    >>> periodic_with_jitter(rate=3.0, period=5.0, jitter=1.0).mean_batch
    16.5
    """
    rate, period = checks.positive("rate", rate), checks.positive("period", period)
    jitter = checks.not_negative("jitter", jitter)
    interval = period + jitter / 2.0
    variance = jitter**2 / 12.0
    seen_interval = interval + variance / interval
    mean = rate * interval
    var_batch = mean + rate**2 * variance
    return {
        "mean_batch": mean,
        "var_batch": var_batch,
        "mean_wait": seen_interval / 2.0,
        "time_avg_buffer": rate * seen_interval / 2.0,
        "job_seen_batch": mean + var_batch / mean,
        "job_seen_interval": seen_interval,
        "flush_rate": 1.0 / interval,
    }


@closed_form("competing exponentials: Ross (2014) ch. 5")
def random_flush(*, rate: float, flush_rate: float) -> dict[str, float]:
    """A flush at the times of a Poisson process: an operator who flushes now and then; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    flush_rate : float
        μ, flushes per second, those of an empty buffer included.

    Returns
    -------
    ClosedForm
        Batch sizes count empty flushes.

    Notes
    -----
    The next event is an arrival with probability λ/(λ + μ): the batch is geometric on 0, 1, ... with mean r = λ/μ and
    variance r + r². The time to the next flush is exponential, so the wait is too: 1/μ.

    References
    ----------
    Ross, S. M. (2014). Introduction to Probability Models, ch. 5.

    Examples
    --------
    >>> random_flush(rate=4.0, flush_rate=0.5).job_seen_batch
    17.0
    """
    rate, flush_rate = checks.positive("rate", rate), checks.positive("flush_rate", flush_rate)
    mean = rate / flush_rate
    return {
        "mean_batch": mean,
        "var_batch": mean + mean**2,
        "p_empty": flush_rate / (rate + flush_rate),
        "mean_wait": 1.0 / flush_rate,
        "time_avg_buffer": mean,
        "job_seen_batch": 1.0 + 2.0 * mean,
        "flush_rate": flush_rate,
    }


@closed_form("thinning of a Poisson process, derived in the Notes; Little (1961)")
def aged_only_drain(*, rate: float, age: Seconds, tick: Seconds) -> dict[str, float]:
    """A look at the buffer every `tick` seconds that takes only the jobs of at least `age`: Linux' writeback.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    age : float
        A, the least age of a job that is taken, s.
    tick : float
        τ, s between two looks.

    Returns
    -------
    ClosedForm
        Batch sizes count ticks that take nothing.

    Notes
    -----
    A job becomes ripe A seconds after it came, at a uniform phase of the tick, and waits on for τ/2: W = A + τ/2. What
    ripens in a tick is Poisson(λτ). L = λW.

    References
    ----------
    Little, J. D. C. (1961). A proof for the queuing formula L = λW. Operations Research 9, 383-387.

    Examples
    --------
    >>> aged_only_drain(rate=2.0, age=30.0, tick=5.0).time_avg_buffer
    65.0
    """
    rate, tick = checks.positive("rate", rate), checks.positive("tick", tick)
    wait = checks.not_negative("age", age) + tick / 2.0
    return {
        "mean_wait": wait,
        "time_avg_buffer": rate * wait,
        "mean_batch": rate * tick,
        "var_batch": rate * tick,
    }
