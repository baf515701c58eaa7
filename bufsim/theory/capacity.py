"""Periodic flushes with a limit: a buffer that can be full, a drain that does not take everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.theory import poisson
from bufsim.theory.closed_form import check_load, closed_form

if TYPE_CHECKING:
    import numpy.typing as npt


@closed_form("capped Poisson count and uniform arrivals, derived in the Notes; Ross (2014) ch. 5")
def periodic_with_capacity(*, rate: float, period: Seconds, capacity: int) -> dict[str, float]:
    """A flush every `period` seconds of a buffer that holds at most `capacity` jobs; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    period : float
        T, s.
    capacity : int
        C, jobs; what comes when it is full is dropped, or drops the oldest job.

    Returns
    -------
    ClosedForm
        ``mean_wait_drop_newest`` and ``mean_wait_drop_oldest`` are over flushed jobs; the loss and the buffer size are
        the same under both rules.

    Notes
    -----
    M ~ Poisson(m), m = λT: min(M, C) jobs are flushed, (M − C)⁺ are lost. Under drop-oldest the last C stay; the j-th
    from the end came Erlang(j, λ) before the flush, so the waits add up to S = E[Y(Y−1)/2]/λ with Y = min(M, C+1).
    Under drop-newest the first C stay, and time reversal gives T·E[min(M, C)] − S. Under both, the buffer is
    min(X_t, C).

    References
    ----------
    Ross, S. M. (2014). Introduction to Probability Models, ch. 5.

    Examples
    --------
    >>> form = periodic_with_capacity(rate=2.0, period=5.0, capacity=10)
    >>> round(form.loss_fraction, 4), round(form.mean_wait_drop_oldest, 4)
    (0.1251, 2.2616)
    """
    rate, period = checks.positive("rate", rate), checks.positive("period", period)
    capacity = checks.integer("capacity", capacity, at_least=1)
    mean = rate * period
    batch = poisson.capped_moments(mean, capacity)[0]
    first, second = poisson.capped_moments(mean, capacity + 1)
    wait_oldest = (second - first) / (2.0 * rate * batch)
    return {
        "loss_fraction": poisson.excess(mean, capacity) / mean,
        "mean_delivered_batch": batch,
        "mean_wait_drop_newest": period - wait_oldest,
        "mean_wait_drop_oldest": wait_oldest,
        "time_avg_buffer": batch * (period - wait_oldest) / period,
        "p_any_loss": poisson.more_than(capacity, mean),
    }


@closed_form("Crommelin (1932); Bailey (1954)")
def periodic_at_most(*, rate: float, period: Seconds, at_most: int) -> dict[str, float]:
    """A flush every `period` seconds that takes the oldest `at_most` jobs (``DrainAtMost(at_most)``); Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    period : float
        T, s.
    at_most : int
        b, jobs a flush; λT < b.

    Notes
    -----
    What a tick leaves, Q → (Q + Poisson(m) − b)⁺ with m = λT, is the queue of an M/D/b at service starts:
    E[Q] = ∑_{k=1}^{b−1} 1/(1 − z_k) + (m² − b(b−1))/(2(b−m)) over the roots of z^b = e^(m(z−1)) inside the unit circle,
    z_k = −(b/m)·W₀(−(m/b)·e^(2πik/b − m/b)) with Lambert's W. L = E[Q] + m/2 and W = L/λ.

    References
    ----------
    Crommelin, C. D. (1932). Delay probability formulae when the holding times are constant. POEEJ 25, 41-50.
    Bailey, N. T. J. (1954). On queueing processes with bulk service. J. Royal Stat. Soc. B 16, 80-87.

    Examples
    --------
    >>> round(periodic_at_most(rate=2.0, period=4.0, at_most=10).mean_leftover, 4)
    0.8786
    """
    rate, period = checks.positive("rate", rate), checks.positive("period", period)
    at_most = checks.integer("at_most", at_most, at_least=1)
    left = leftover(rate * period, at_most, "rate * period / at_most", "shorten the period or raise at_most")
    return {
        "mean_leftover": left,
        "time_avg_buffer": left + rate * period / 2.0,
        "mean_wait": left / rate + period / 2.0,
        "mean_batch": rate * period,
    }


def leftover(mean: float, taken: int, formula: str, way_out: str) -> float:
    """Mean of the stationary Q = (Q + Poisson(`mean`) − `taken`)⁺, to some 1e-14·`taken`."""
    check_load(formula, mean / taken, way_out)
    roots = _roots(mean, taken)
    value = float((1.0 / (1.0 - roots)).sum().real)
    return max(value + (mean**2 - taken * (taken - 1.0)) / (2.0 * (taken - mean)), 0.0)


def _roots(mean: float, taken: int) -> npt.NDArray[np.complex128]:
    """The roots of z^taken = e^(mean·(z−1)) inside the unit circle."""
    from scipy import special

    load = mean / taken
    turns = np.exp(2j * np.pi * np.arange(1, taken) / taken)
    return np.asarray(-special.lambertw(-load * turns * np.exp(-load)) / load)
