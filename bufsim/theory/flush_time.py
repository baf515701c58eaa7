"""Flushes that take time: jobs that come meanwhile join the next batch."""

from __future__ import annotations

import math

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.theory.closed_form import check_load, closed_form


@closed_form("linear recursion with Poisson noise, derived in the Notes")
def periodic_with_flush_time(*, rate: float, period: Seconds, fixed: Seconds, per_job: Seconds) -> dict[str, float]:
    """A flush `period` seconds after the end of the last, taking `fixed` + `per_job`·batch seconds; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    period : float
        T, s from a flush's end to the next one's start, an empty flush's too.
    fixed : float
        d₀, s, ≥ 0.
    per_job : float
        d₁, s a job, ≥ 0; λd₁ < 1.

    Notes
    -----
    The time C from one flush's start to the next is T + d₀ + d₁B, and the next batch is Poisson(λC):
    E[C] = (T + d₀)/(1 − λd₁), Var B = λE[C]/(1 − λ²d₁²), Var C = d₁² Var B, W = E[C²]/(2E[C]).
    ``FlushEvery(period, anchor="flush_end")`` differs where a batch would be empty, which it never flushes.

    Examples
    --------
    >>> form = periodic_with_flush_time(rate=5.0, period=2.0, fixed=0.5, per_job=0.08)
    >>> round(form.mean_interflush, 4), round(form.mean_wait, 4)
    (4.1667, 2.1024)
    """
    rate, period = checks.positive("rate", rate), checks.positive("period", period)
    fixed, per_job = checks.not_negative("fixed", fixed), checks.not_negative("per_job", per_job)
    load = check_load("rate * per_job", rate * per_job, "lower rate or per_job")
    cycle = (period + fixed) / (1.0 - load)
    var_batch = rate * cycle / (1.0 - load**2)
    wait = (cycle + per_job**2 * var_batch / cycle) / 2.0
    busy = fixed + load * cycle
    return {
        "mean_interflush": cycle,
        "mean_batch": rate * cycle,
        "var_batch": var_batch,
        "mean_wait": wait,
        "time_avg_buffer": rate * wait,
        "mean_flush_duration": busy,
        "busy_fraction": busy / cycle,
        "flush_rate": 1.0 / cycle,
    }


@closed_form("M/G^[1,∞]/1: Bailey (1954); Neuts (1967)")
def flush_when_free(*, rate: float, flush_time: Seconds) -> dict[str, float]:
    """A flush whenever none is under way and a job is there (``FlushAtSize(1)``): natural batching; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    flush_time : float
        d, s a flush, whatever its size.

    Notes
    -----
    A flush starts with what came during the last one, or, with probability e^(−λd), with the next single job:
    E[B] = λd + e^(−λd), E[C] = E[B]/λ. Jobs that come during a flush wait d/2 in the mean: W = (λd²/2)/E[B].

    References
    ----------
    Bailey, N. T. J. (1954). On queueing processes with bulk service. J. Royal Stat. Soc. B 16, 80-87. Neuts, M. F.
    (1967). A general class of bulk queues with Poisson input. Annals of Mathematical Statistics 38, 759-770.

    Examples
    --------
    >>> form = flush_when_free(rate=4.0, flush_time=0.5)
    >>> round(form.mean_batch, 4), round(form.mean_wait, 4)
    (2.1353, 0.2342)
    """
    rate, flush_time = checks.positive("rate", rate), checks.positive("flush_time", flush_time)
    meanwhile = rate * flush_time
    batch = meanwhile + math.exp(-meanwhile)
    wait = meanwhile * flush_time / 2.0 / batch
    return {
        "mean_batch": batch,
        "mean_interflush": batch / rate,
        "mean_wait": wait,
        "time_avg_buffer": rate * wait,
        "busy_fraction": meanwhile / batch,
        "mean_time_to_durable": wait + flush_time,
        "flush_rate": rate / batch,
    }


@closed_form("regenerative argument, derived in the Notes from PostgreSQL's commit_delay")
def group_commit(*, rate: float, flush_time: Seconds, delay: Seconds) -> dict[str, float]:
    """A flush `delay` seconds after none is under way and a job is there; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    flush_time : float
        d, s a flush, whatever its size.
    delay : float
        c, s that the first waiting job stays for others, ≥ 0.

    Notes
    -----
    The batch is what came during the last flush, or the next single job if none did, and what comes during the delay:
    E[B] = λ(d + c) + e^(−λd). The first wait d/2 + c in the mean, the single one c, the last c/2:
    W = (λd(d/2 + c) + λc²/2 + c·e^(−λd))/E[B].

    Examples
    --------
    >>> round(group_commit(rate=4.0, flush_time=0.3, delay=0.2).mean_batch, 4)
    2.3012
    """
    rate, flush_time = checks.positive("rate", rate), checks.positive("flush_time", flush_time)
    delay = checks.not_negative("delay", delay)
    p_none = math.exp(-rate * flush_time)
    batch = rate * (flush_time + delay) + p_none
    waits = rate * flush_time * (flush_time / 2.0 + delay) + rate * delay**2 / 2.0 + delay * p_none
    return {
        "mean_batch": batch,
        "mean_interflush": batch / rate,
        "mean_wait": waits / batch,
        "time_avg_buffer": rate * waits / batch,
        "busy_fraction": rate * flush_time / batch,
        "flush_rate": rate / batch,
    }


@closed_form("general bulk service: Neuts (1967); Medhi (1984)")
def bulk_service(*, rate: float, mean_flush_time: Seconds, at_least: int, at_most: int) -> dict[str, float]:
    """A flush whenever none is under way and `at_least` jobs are there, of at most `at_most`; Poisson arrivals.

    The flush time is exponential. This is M/M^[a,b]/1, or ``FlushAtSize(at_least)`` with ``DrainAtMost(at_most)``.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    mean_flush_time : float
        1/μ, s a flush, whatever its size.
    at_least, at_most : int
        a ≤ b, jobs; λ/μ < b.

    Returns
    -------
    ClosedForm
        ``mean_queue`` and ``mean_wait`` are of jobs in the buffer, not of those in flight.

    Notes
    -----
    With r the root of λ(1−r) = μr(1−r^b) in (0, 1): P(busy, n in the buffer) = C·r^n, and
    P(idle, n) = (μ/λ)·C·(1−r^(n+1))/(1−r) for n < a; C makes them add up to 1. E[B] = λ/(μ·P(busy)).

    References
    ----------
    Neuts, M. F. (1967). A general class of bulk queues with Poisson input. Annals of Mathematical Statistics 38,
    759-770. Medhi, J. (1984). Recent Developments in Bulk Queueing Models.

    Examples
    --------
    >>> form = bulk_service(rate=3.0, mean_flush_time=1.0, at_least=4, at_most=8)
    >>> round(form.mean_queue, 4), round(form.p_busy, 4)
    (2.8635, 0.6255)
    """
    rate, mean_flush_time = checks.positive("rate", rate), checks.positive("mean_flush_time", mean_flush_time)
    at_least = checks.integer("at_least", at_least, at_least=1)
    at_most = checks.integer("at_most", at_most, at_least=at_least)
    meanwhile = rate * mean_flush_time
    check_load("rate * mean_flush_time / at_most", meanwhile / at_most, "raise at_most or lower mean_flush_time")
    root = _bulk_root(meanwhile, at_most)
    gap = 1.0 - root
    idle = [(1.0 - root ** (n + 1)) / (gap * meanwhile) for n in range(at_least)]
    scale = 1.0 / (1.0 / gap + sum(idle))
    queue = scale * (root / gap**2 + sum(n * share for n, share in enumerate(idle)))
    p_busy = scale / gap
    return {
        "mean_queue": queue,
        "mean_wait": queue / rate,
        "p_busy": p_busy,
        "mean_batch": meanwhile / p_busy,
        "root": root,
    }


def _bulk_root(meanwhile: float, at_most: int) -> float:
    """The r in (0, 1) with r + r² + ... + r^b = λ/μ, which is λ(1−r) = μr(1−r^b) without its root at 1."""
    from scipy import optimize

    def surplus(root: float) -> float:
        return at_most - meanwhile if root == 1.0 else root * (1.0 - root**at_most) / (1.0 - root) - meanwhile

    return float(optimize.brentq(surplus, 0.0, 1.0, xtol=1e-300, rtol=1e-14))
