"""Flushes that take time, spare work by their reduce, and lose jobs at stops."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.errors import InvalidValueError
from bufsim.theory.closed_form import check_load, closed_form, poisson_capped_moments


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
    ``FlushEvery(period, anchor="flush_end")`` differs where a batch would be empty: such a flush is no anchor.

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


@closed_form("occupancy: Johnson & Kotz (1977)")
def unique_keys_of_batch(*, batch_size: int, keys: int, exponent: float) -> dict[str, float]:
    """Number of distinct keys in a batch of `batch_size` jobs, which a reduce to one job per key leaves.

    Parameters
    ----------
    batch_size : int
        n, jobs.
    keys : int
        K; key k = 1, ..., K has a probability proportional to k^(−exponent).
    exponent : float
        s, ≥ 0; 0 makes all keys equally likely.

    Notes
    -----
    Key i is absent with probability aᵢ = (1−pᵢ)ⁿ: E = ∑(1 − aᵢ), Var = ∑aᵢ(1−aᵢ) + ∑_{i≠j}((1−pᵢ−pⱼ)ⁿ − aᵢaⱼ). The
    double sum takes K² steps: 10⁴ keys cost a few seconds.

    References
    ----------
    Johnson, N. L. and Kotz, S. (1977). Urn Models and Their Application.

    Examples
    --------
    >>> form = unique_keys_of_batch(batch_size=100, keys=200, exponent=1.1)
    >>> round(form.mean_distinct, 3), round(form.var_distinct, 3)
    (43.955, 15.773)
    """
    batch_size = checks.integer("batch_size", batch_size, at_least=1)
    shares = _zipf(keys, exponent)
    # a single key has probability 1: log(0) is meant
    with np.errstate(divide="ignore"):
        absent_log = batch_size * np.log1p(-shares)
    present = -np.expm1(absent_log)
    mean = float(present.sum())
    return {
        "mean_distinct": mean,
        "var_distinct": float((present * np.exp(absent_log)).sum()) + _joint_absence(shares, batch_size),
        "dedupe_ratio": mean / batch_size,
        "p_top_key_present": float(present[0]),
    }


@closed_form("Poissonised occupancy: Gnedin, Hansen & Pitman (2007)")
def unique_keys_periodic(*, rate: float, period: Seconds, keys: int, exponent: float) -> dict[str, float]:
    """Number of distinct keys in a flush every `period` seconds, one job each after the reduce; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    period : float
        T, s.
    keys : int
        K; key k = 1, ..., K has a probability proportional to k^(−exponent).
    exponent : float
        s, ≥ 0; 0 makes all keys equally likely.

    Notes
    -----
    The jobs of key i are Poisson(pᵢλT), independent of the others, and absent with probability aᵢ = e^(−pᵢλT):
    E = ∑(1 − aᵢ), Var = ∑aᵢ(1 − aᵢ).

    References
    ----------
    Gnedin, A., Hansen, B. and Pitman, J. (2007). Notes on the occupancy problem with infinitely many boxes. Probability
    Surveys 4, 146-171.

    Examples
    --------
    >>> form = unique_keys_periodic(rate=50.0, period=10.0, keys=1000, exponent=1.1)
    >>> round(form.mean_distinct, 2), round(form.saved_fraction, 3)
    (177.0, 0.646)
    """
    rate, period = checks.positive("rate", rate), checks.positive("period", period)
    expected = _zipf(keys, exponent) * (rate * period)
    present = -np.expm1(-expected)
    mean = float(present.sum())
    return {
        "mean_distinct": mean,
        "var_distinct": float((present * np.exp(-expected)).sum()),
        "output_rate": mean / period,
        "dedupe_ratio": mean / (rate * period),
        "saved_fraction": 1.0 - mean / (rate * period),
    }


def _zipf(keys: int, exponent: float) -> npt.NDArray[np.float64]:
    ranks = np.arange(1.0, checks.integer("keys", keys, at_least=1) + 1.0)
    shares = ranks ** -checks.not_negative("exponent", exponent)
    return np.asarray(shares / shares.sum())


def _joint_absence(shares: npt.NDArray[np.float64], batch_size: int) -> float:
    """The sum over i ≠ j of P(neither key is there) − P(i is not)·P(j is not): ≤ 0."""
    total = 0.0
    for i in range(len(shares) - 1):
        one, others = shares[i], shares[i + 1 :]
        # two keys that are all keys leave (1−p)(1−q) = pq: the log of 0 is meant, and rounding may pass it
        with np.errstate(divide="ignore"):
            ratio_log = np.log1p(-np.minimum(one * others / ((1.0 - one) * (1.0 - others)), 1.0))
        apart = np.exp(batch_size * (np.log1p(-one) + np.log1p(-others)))
        total += float((apart * np.expm1(batch_size * ratio_log)).sum())
    return 2.0 * total


@closed_form("PASTA: Wolff (1982)")
def stop_loss_periodic(
    *, rate: float, period: Seconds, flush_time: Seconds = 0.0, stop_rate: float = 0.0
) -> dict[str, float]:
    """The loss at a stop at a random moment, from a volatile buffer that is flushed every `period` seconds.

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
        if poisson_capped_moments(mean, middle + 1)[0] >= share * mean:
            high = middle
        else:
            low = middle + 1
    return low


@closed_form("PASTA: Wolff (1982)")
def stop_loss_size(*, rate: float, size: int) -> dict[str, float]:
    """The loss at a stop at a random moment, from a volatile buffer that is flushed at the `size`-th job.

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


@closed_form("truncated geometric series, derived in the Notes")
def retries(*, p_failure: float, most: int, first: Seconds, factor: float, longest: Seconds) -> dict[str, float]:
    """Attempts of a task, and its time in back-off, when each attempt fails independently.

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
