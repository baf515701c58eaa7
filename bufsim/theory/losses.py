"""Jobs that are lost: by a stop of the server, by a store that reads and then deletes, by retries that run out."""

from __future__ import annotations

import math

import numpy as np

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.errors import InvalidValueError
from bufsim.theory import poisson
from bufsim.theory.closed_form import closed_form


@closed_form("PASTA: Wolff (1982)")
def stop_loss_periodic(
    *, rate: float, period: Seconds, flush_time: Seconds = 0.0, stop_rate: float = 0.0
) -> dict[str, float]:
    """What a stop at a random moment loses from a volatile buffer that is flushed every `period` seconds.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    period : float
        T, s.
    flush_time : float, default 0
        d, s, ≤ T, during which a batch is in flight and is lost too.
    stop_rate : float, default 0
        θ, stops per second, so few that two seldom fall into one period.

    Returns
    -------
    ClosedForm
        ``sd_loss_buffer``, ``loss_p95`` and ``loss_p99`` are of the buffer alone, in jobs.

    Notes
    -----
    A stop sees the long-run distribution (PASTA): Poisson(λU), U uniform on (0, T): mean m/2, variance m/2 + m²/12,
    P(L ≤ k) = ∑_{i≤k} P(Poisson(m) > i)/m with m = λT. A batch is in flight for d/T of the time: λd more.

    References
    ----------
    Wolff, R. W. (1982). Poisson arrivals see time averages. Operations Research 30, 223-231.

    Examples
    --------
    >>> form = stop_loss_periodic(rate=30.0, period=20.0)
    >>> form.mean_loss_buffer, form.loss_p95, form.loss_p99
    (300.0, 571.0, 608.0)
    """
    rate, period = checks.positive("rate", rate), checks.positive("period", period)
    flush_time = checks.not_negative("flush_time", flush_time)
    if flush_time > period:
        raise InvalidValueError(
            f"flush_time must be <= period = {period!r}, got {flush_time!r}; flushes may not overlap"
        )
    stop_rate = checks.not_negative("stop_rate", stop_rate)
    mean = rate * period
    lost = mean / 2.0 + rate * flush_time
    return {
        "mean_loss_buffer": mean / 2.0,
        "sd_loss_buffer": math.sqrt(mean / 2.0 + mean**2 / 12.0),
        "loss_p95": _uniform_phase_quantile(mean, 0.95),
        "loss_p99": _uniform_phase_quantile(mean, 0.99),
        "mean_loss_with_in_flight": lost,
        "loss_rate": stop_rate * lost,
        "loss_fraction": stop_rate * lost / rate,
    }


def _uniform_phase_quantile(mean: float, share: float) -> int:
    """The least k with ∑_{i≤k} P(Poisson(`mean`) > i) ≥ `share`·`mean`."""
    # the sum is E[min(X, k+1)], which bisection finds without the terms
    low, high = 0, math.ceil(mean + 20.0 * math.sqrt(mean) + 100.0)
    while low < high:
        middle = (low + high) // 2
        if poisson.capped_moments(mean, middle + 1)[0] >= share * mean:
            high = middle
        else:
            low = middle + 1
    return low


@closed_form("PASTA: Wolff (1982)")
def stop_loss_size(*, rate: float, size: int) -> dict[str, float]:
    """What a stop at a random moment loses from a volatile buffer that is flushed at the `size`-th job.

    Parameters
    ----------
    rate : float
        λ, jobs per second; the loss does not depend on it.
    size : int
        N, jobs.

    Notes
    -----
    The buffer is uniform on 0, ..., N−1 at a random time, and a stop sees that (PASTA).

    References
    ----------
    Wolff, R. W. (1982). Poisson arrivals see time averages. Operations Research 30, 223-231.

    Examples
    --------
    >>> form = stop_loss_size(rate=30.0, size=600)
    >>> form.mean_loss_buffer, form.loss_p95, form.loss_p99
    (299.5, 569.0, 593.0)
    """
    checks.positive("rate", rate)
    size = checks.integer("size", size, at_least=1)
    return {
        "mean_loss_buffer": (size - 1.0) / 2.0,
        "sd_loss_buffer": math.sqrt((size**2 - 1.0) / 12.0),
        "loss_second_moment": (size - 1.0) * (2.0 * size - 1.0) / 6.0,
        # whole numbers: 0.95·N may round up past one
        "loss_p95": -(-95 * size // 100) - 1,
        "loss_p99": -(-99 * size // 100) - 1,
        "p_no_loss": 1.0 / size,
    }


@closed_form("thinning of a Poisson process, derived in the Notes from Vendure's SQL and Redis strategies")
def race_loss_periodic(*, rate: float, period: Seconds, window: Seconds) -> dict[str, float]:
    """What a store loses that reads every `period` seconds and deletes `window` seconds later; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    period : float
        T, s.
    window : float
        d, s, < T; jobs that come within it are deleted unread.

    Notes
    -----
    Poisson(λd) jobs are lost a flush, a share d/T of all. The others come in the T − d seconds before a flush:
    W = (T − d)/2.

    Every period counts, also one that brought no job: the real stores delete what comes after an empty read too. A run
    never flushes an empty buffer, so that only about a share 1 − exp(−λ(T − d)) of its periods lose anything.

    Stops have no part in it. In a run a stop during a flush loses the whole batch; recorded was that the jobs queued
    before it are saved, so that 50 − k of 50 were lost after k were queued. See `bufsim.Storage`.

    Examples
    --------
    >>> form = race_loss_periodic(rate=20.0, period=5.0, window=0.05)
    >>> form.mean_lost_per_flush, form.loss_fraction, form.mean_batch
    (1.0, 0.01, 99.0)
    """
    rate, period = checks.positive("rate", rate), checks.positive("period", period)
    window = checks.not_negative("window", window)
    if window >= period:
        raise InvalidValueError(f"window must be < period = {period!r}, got {window!r}; flushes may not overlap")
    return {
        "mean_lost_per_flush": rate * window,
        "p_loss_in_flush": -math.expm1(-rate * window),
        "loss_fraction": window / period,
        "mean_batch": rate * (period - window),
        "mean_wait": (period - window) / 2.0,
    }


@closed_form("mixed Poisson, derived in the Notes")
def race_loss_exponential_window(*, rate: float, mean_window: Seconds) -> dict[str, float]:
    """What a flush loses in a store whose time from reading to deleting is exponential; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    mean_window : float
        d, s, far below the time between flushes.

    Notes
    -----
    A Poisson count over an exponential time is geometric from 0: mean r = λd, variance r + r², P(any) = r/(1 + r).

    Examples
    --------
    >>> race_loss_exponential_window(rate=20.0, mean_window=0.05).p_loss_in_flush
    0.5
    """
    lost = checks.positive("rate", rate) * checks.not_negative("mean_window", mean_window)
    return {
        "mean_lost_per_flush": lost,
        "p_loss_in_flush": lost / (1.0 + lost),
        "var_lost_per_flush": lost + lost**2,
    }


@closed_form("Wald (1944), derived in the Notes")
def race_loss_size(*, rate: float, size: int, window: Seconds) -> dict[str, float]:
    """What a store loses that reads at the `size`-th job and deletes `window` seconds later; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    size : int
        N, jobs.
    window : float
        d, s; jobs that come within it are deleted unread, and the next batch starts after it.

    Notes
    -----
    A cycle is the window, which loses λd jobs in the mean, and the time N/λ of a batch.

    References
    ----------
    Wald, A. (1944). On cumulative sums of random variables. Annals of Mathematical Statistics 15, 283-296.

    Examples
    --------
    >>> race_loss_size(rate=20.0, size=50, window=0.05).mean_interflush
    2.55
    """
    rate, size = checks.positive("rate", rate), checks.integer("size", size, at_least=1)
    lost = rate * checks.not_negative("window", window)
    return {
        "mean_lost_per_flush": lost,
        "loss_fraction": lost / (size + lost),
        "mean_interflush": size / rate + lost / rate,
    }


@closed_form("truncated geometric series, derived in the Notes")
def retries(*, p_failure: float, most: int, first: Seconds, factor: float, longest: Seconds) -> dict[str, float]:
    """How often work is attempted, and how long it backs off, when each attempt fails independently.

    Parameters
    ----------
    p_failure : float
        p, the probability that an attempt fails.
    most : int
        R, the most retries after the first attempt; then the work is dropped.
    first : float
        r, s of back-off before the first retry, ≥ 0.
    factor : float
        Each further back-off is so many times the last, ≥ 1.
    longest : float
        The longest back-off, s, ≥ 0.

    Notes
    -----
    Retry i happens with probability pⁱ: P(dropped) = p^(R+1), E[attempts] = ∑_{i=0}^R pⁱ, and the back-off is
    ∑_{i=1}^R pⁱ·min(r·factor^(i−1), longest) in the mean.

    Examples
    --------
    >>> form = retries(p_failure=0.4, most=5, first=1.0, factor=2.0, longest=10.0)
    >>> round(form.p_drop, 6), round(form.mean_backoff, 4)
    (0.004096, 1.2832)
    """
    p_failure, most = checks.probability("p_failure", p_failure), checks.integer("most", most, at_least=0)
    first, longest = checks.not_negative("first", first), checks.not_negative("longest", longest)
    if checks.positive("factor", factor) < 1.0:
        raise InvalidValueError(f"factor must be >= 1, got {factor!r}")
    reached = p_failure ** np.arange(most + 1.0)
    # a back-off may pass what a float holds, long after `longest` has capped it
    with np.errstate(over="ignore"):
        backoffs = np.minimum(first * float(factor) ** np.arange(float(most)), longest) if first else np.zeros(most)
    return {
        "p_drop": p_failure ** (most + 1),
        "mean_attempts": float(reached.sum()),
        "mean_backoff": float(reached[1:] @ backoffs),
    }
