"""Flushes by clocks and timers, also beside a size or an age."""

from __future__ import annotations

import math

import numpy as np

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.theory.closed_form import (
    closed_form,
    poisson_capped_moments,
    poisson_more_than,
    poisson_support,
)


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
    batch, batch_squared = poisson_capped_moments(mean, size)
    wait = (batch_squared - batch) / (2.0 * rate * batch)
    return {
        "mean_batch": batch,
        "mean_batch_nonempty": batch / -math.expm1(-mean),
        "mean_wait": wait,
        "time_avg_buffer": rate * wait,
        "mean_interflush": batch / rate,
        "flush_rate": rate / batch,
        "nonempty_flush_rate": rate * -math.expm1(-mean) / batch,
        "p_size_trigger": poisson_more_than(size - 1, mean),
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
    """The first `until` seconds from an empty start under a flush at the `size`-th job: an import that ends.

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
    counts, weights = poisson_support(mean)
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
