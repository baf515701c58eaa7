"""Flushes at times that do not look at the buffer: on the clock, with jitter, at random."""

from __future__ import annotations

import math

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.theory.closed_form import closed_form


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
