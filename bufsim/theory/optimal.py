"""Costs of flush policies, and the best of each kind: so much a flush, so much a job and second of waiting."""

from __future__ import annotations

import math

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.theory.closed_form import closed_form


@closed_form("EOQ: Harris (1913)")
def best_period(*, rate: float, cost_per_flush: float, cost_per_job_second: float) -> dict[str, float]:
    """The period that costs least when every tick costs a flush, even with an empty buffer; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    cost_per_flush : float
        K, a tick.
    cost_per_job_second : float
        h, a job and second in the buffer.

    Notes
    -----
    K/T + hλT/2 is least at T = √(2K/(hλ)), where it is √(2Khλ); half and twice that period cost a quarter more.

    References
    ----------
    Harris, F. W. (1913). How many parts to make at once. Factory, The Magazine of Management 10, 135-136.

    Examples
    --------
    >>> form = best_period(rate=2.0, cost_per_flush=8.0, cost_per_job_second=0.5)
    >>> form.best_period, form.cost_at_best_period
    (4.0, 4.0)
    """
    rate, flush, hold = _costs(rate, cost_per_flush, cost_per_job_second)
    least = math.sqrt(2.0 * flush * hold * rate)
    return {
        "best_period": math.sqrt(2.0 * flush / (hold * rate)),
        "cost_at_best_period": least,
        "cost_at_half_period": 1.25 * least,
        "cost_at_double_period": 1.25 * least,
    }


@closed_form("Deb & Serfozo (1973) with zero service time; ages and periods derived in the Notes")
def best_policies(*, rate: float, cost_per_flush: float, cost_per_job_second: float) -> dict[str, float]:
    """The best size, age and period, and what each costs: best size < best age < best period; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    cost_per_flush : float
        K, a flush of at least one job.
    cost_per_job_second : float
        h, a job and second in the buffer.

    Returns
    -------
    ClosedForm
        ``best_size`` is the least best size; if N(N+1)·h = 2Kλ, then N + 1 is as good. ``cost_period_charged_always``
        is that of `best_period`, which charges empty ticks too. A best age or period of 0: flush every job at once.

    Notes
    -----
    With x = 2Kλ/h: a size N costs Kλ/N + h(N−1)/2, least at the smallest N with N(N+1) ≥ x. An age costs
    λ(K + h(T + λT²/2))/(1 + λT), least at (√(x−1) − 1)/λ. A period costs K(1 − e^(−λT))/T + hλT/2, least where
    (1 − (1+m)e^(−m))/m² = 1/x, m = λT. Below x = 2 no job should wait. Deb and Serfozo prove that no policy at all
    beats the best size: timers only bound the longest wait.

    References
    ----------
    Deb, R. K. and Serfozo, R. F. (1973). Optimal control of batch service queues. Adv. Appl. Probab. 5, 340-361.

    Examples
    --------
    >>> form = best_policies(rate=4.0, cost_per_flush=47.5, cost_per_job_second=1.0)
    >>> form.best_size, form.cost_size, round(form.cost_age, 3), round(form.cost_period, 3)
    (19.0, 19.0, 19.468, 19.494)
    """
    rate, flush, hold = _costs(rate, cost_per_flush, cost_per_job_second)
    ratio = 2.0 * flush * rate / hold
    size = _best_size(ratio)
    age = max((math.sqrt(max(ratio - 1.0, 0.0)) - 1.0) / rate, 0.0)
    period = _best_paid_period(ratio) / rate
    return {
        "best_size": size,
        "cost_size": flush * rate / size + hold * (size - 1.0) / 2.0,
        "best_age": age,
        "cost_age": _age_cost(rate, age, flush, hold),
        "best_period": period,
        "cost_period": _period_cost(rate, period, flush, hold),
        "cost_period_charged_always": math.sqrt(2.0 * flush * hold * rate),
    }


@closed_form("renewal reward: Ross (2014) ch. 7")
def cost_of_size(*, rate: float, size: int, cost_per_flush: float, cost_per_job_second: float) -> dict[str, float]:
    """The cost per second of a flush at the `size`-th job; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    size : int
        N, jobs.
    cost_per_flush : float
        K, a flush.
    cost_per_job_second : float
        h, a job and second in the buffer.

    Notes
    -----
    Kλ/N + h(N−1)/2.

    References
    ----------
    Ross, S. M. (2014). Introduction to Probability Models, ch. 7.

    Examples
    --------
    >>> cost_of_size(rate=4.0, size=24, cost_per_flush=48.0, cost_per_job_second=1.0).cost_rate
    19.5
    """
    rate, flush, hold = _costs(rate, cost_per_flush, cost_per_job_second)
    size = checks.integer("size", size, at_least=1)
    return {"cost_rate": flush * rate / size + hold * (size - 1.0) / 2.0}


@closed_form("renewal reward: Ross (2014) ch. 7")
def cost_of_age(*, rate: float, age: Seconds, cost_per_flush: float, cost_per_job_second: float) -> dict[str, float]:
    """The cost per second of a flush when the oldest job has waited `age` seconds; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    age : float
        T, s, ≥ 0.
    cost_per_flush : float
        K, a flush.
    cost_per_job_second : float
        h, a job and second in the buffer.

    Notes
    -----
    λ(K + h(T + λT²/2))/(1 + λT).

    References
    ----------
    Ross, S. M. (2014). Introduction to Probability Models, ch. 7.

    Examples
    --------
    >>> cost_of_age(rate=2.0, age=3.0, cost_per_flush=8.0, cost_per_job_second=0.5).cost_rate
    4.0
    """
    rate, flush, hold = _costs(rate, cost_per_flush, cost_per_job_second)
    return {"cost_rate": _age_cost(rate, checks.not_negative("age", age), flush, hold)}


@closed_form("renewal reward: Ross (2014) ch. 7")
def cost_of_period(
    *, rate: float, period: Seconds, cost_per_flush: float, cost_per_job_second: float
) -> dict[str, float]:
    """The cost per second of a flush every `period` seconds, where a tick that finds the buffer empty costs nothing.

    Parameters
    ----------
    rate : float
        λ, jobs per second; Poisson arrivals.
    period : float
        T, s.
    cost_per_flush : float
        K, a flush of at least one job.
    cost_per_job_second : float
        h, a job and second in the buffer.

    Notes
    -----
    K(1 − e^(−λT))/T + hλT/2.

    References
    ----------
    Ross, S. M. (2014). Introduction to Probability Models, ch. 7.

    Examples
    --------
    >>> round(cost_of_period(rate=5.0, period=4.0, cost_per_flush=40.0, cost_per_job_second=1.0).cost_rate, 4)
    20.0
    """
    rate, flush, hold = _costs(rate, cost_per_flush, cost_per_job_second)
    return {"cost_rate": _period_cost(rate, checks.positive("period", period), flush, hold)}


def _costs(rate: float, per_flush: float, per_job_second: float) -> tuple[float, float, float]:
    return (
        checks.positive("rate", rate),
        checks.positive("cost_per_flush", per_flush),
        checks.positive("cost_per_job_second", per_job_second),
    )


def _best_size(ratio: float) -> int:
    """The least N ≥ 1 with N(N+1) ≥ `ratio`."""
    size = max(1, math.floor((math.sqrt(1.0 + 4.0 * ratio) - 1.0) / 2.0))
    return size if size * (size + 1) >= ratio else size + 1


def _age_cost(rate: float, age: float, flush: float, hold: float) -> float:
    return rate * (flush + hold * (age + rate * age**2 / 2.0)) / (1.0 + rate * age)


def _period_cost(rate: float, period: float, flush: float, hold: float) -> float:
    flushes = -math.expm1(-rate * period) / period if period else rate
    return flush * flushes + hold * rate * period / 2.0


def _best_paid_period(ratio: float) -> float:
    """The m > 0 with (1 − (1+m)e^(−m))/m² = 1/`ratio`, or 0 if there is none: `ratio` ≤ 2."""
    from scipy import optimize, special

    if ratio <= 2.0 + 1e-6:
        # next to 2 the equation is ratio/2 − 1 = ratio·m/3, of which a search would see only rounding
        return max(1.5 * (ratio - 2.0) / ratio, 0.0)
    # gammainc(2, m) is 1 − (1+m)e^(−m) without the cancellation; beyond m² = ratio there is no root
    return float(
        optimize.brentq(
            lambda mean: ratio * special.gammainc(2.0, mean) - mean**2,
            1e-8 * (ratio - 2.0) / ratio,
            2.0 * math.sqrt(ratio),
            xtol=1e-300,
            rtol=1e-14,
        )
    )
