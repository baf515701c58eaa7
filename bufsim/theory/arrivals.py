"""Arrivals that are not Poisson with one rate: bursts, a daily cycle, bulks, jobs with sizes in bytes."""

from __future__ import annotations

import math

from bufsim import checks
from bufsim.checks import NBytes, Seconds
from bufsim.errors import InvalidValueError
from bufsim.theory.closed_form import closed_form


@closed_form("MMPP counts: Fischer & Meier-Hellstern (1993)")
def bursty_periodic(
    *, high_rate: float, low_rate: float, mean_high: Seconds, mean_low: Seconds, period: Seconds
) -> dict[str, float]:
    """A flush every `period` seconds of arrivals whose rate switches between high and low phases (MMPP-2).

    Parameters
    ----------
    high_rate, low_rate : float
        λ₁ ≥ λ₂ ≥ 0, jobs per second in a high and in a low phase.
    mean_high, mean_low : float
        Mean lengths of the phases, s, exponential; the phase at time 0 is stationary.
    period : float
        T, s.

    Returns
    -------
    ClosedForm
        Batch sizes count ticks that find the buffer empty.

    Notes
    -----
    With p₁ the share of the time in a high phase, p₂ = 1 − p₁ and r the sum of the switching rates, the rate's
    covariance is (λ₁−λ₂)²p₁p₂e^(−rt): Var B = λT + 2(λ₁−λ₂)²p₁p₂(T − (1 − e^(−rT))/r)/r. The mean wait stays T/2.

    References
    ----------
    Fischer, W. and Meier-Hellstern, K. (1993). The Markov-modulated Poisson process (MMPP) cookbook. Performance
    Evaluation 18, 149-171.

    Examples
    --------
    >>> form = bursty_periodic(high_rate=6.0, low_rate=0.5, mean_high=5.0, mean_low=10.0, period=4.0)
    >>> round(form.mean_batch, 4), round(form.index_of_dispersion, 4)
    (9.3333, 9.0218)
    """
    high_rate, low_rate = check_rates(high_rate, low_rate)
    mean_high, mean_low = checks.positive("mean_high", mean_high), checks.positive("mean_low", mean_low)
    period = checks.positive("period", period)
    share = mean_high / (mean_high + mean_low)
    rate = share * high_rate + (1.0 - share) * low_rate
    switching = 1.0 / mean_high + 1.0 / mean_low
    spread = 2.0 * (high_rate - low_rate) ** 2 * share * (1.0 - share)
    var_batch = rate * period + spread * _settling(switching * period) / switching**2
    return {
        "mean_rate": rate,
        "mean_batch": rate * period,
        "var_batch": var_batch,
        "index_of_dispersion": var_batch / (rate * period),
        "mean_wait": period / 2.0,
        "time_avg_buffer": rate * period / 2.0,
        "flush_rate": 1.0 / period,
    }


def check_rates(high_rate: float, low_rate: float) -> tuple[float, float]:
    """Return both rates if low_rate ≤ high_rate."""
    high_rate, low_rate = checks.positive("high_rate", high_rate), checks.not_negative("low_rate", low_rate)
    if low_rate > high_rate:
        raise InvalidValueError(f"low_rate must be <= high_rate = {high_rate!r}, got {low_rate!r}")
    return high_rate, low_rate


def _settling(x: float) -> float:
    """The value of x − 1 + e^(−x), by its series where the difference has few digits."""
    if x > 0.1:
        return x + math.expm1(-x)
    return math.fsum((-x) ** k / math.factorial(k) for k in range(2, 12))


@closed_form("nonhomogeneous Poisson process: Ross (2014) ch. 5")
def sinusoidal_periodic(*, mean_rate: float, amplitude: float, cycle: Seconds) -> dict[str, float]:
    """Flushes at the quarters of a cycle of arrivals whose rate is mean_rate·(1 + amplitude·sin(2πt/cycle)).

    Parameters
    ----------
    mean_rate : float
        λ₀, jobs per second.
    amplitude : float
        A, 0 to 1, as a share of the mean rate.
    cycle : float
        P, s; a quarter is the period of the flushes.

    Notes
    -----
    The batch of a quarter is Poisson with the integral of the rate: λ₀P(1/4 ± A/(2π)). The wait since arrival repeats
    every quarter and so has no harmonic in common with the sine: over all jobs its mean stays P/8.

    References
    ----------
    Ross, S. M. (2014). Introduction to Probability Models, ch. 5.

    Examples
    --------
    >>> form = sinusoidal_periodic(mean_rate=5.0, amplitude=0.8, cycle=40.0)
    >>> round(form.mean_batch_q1, 2), round(form.mean_batch_q3, 2), form.mean_wait
    (75.46, 24.54, 5.0)
    """
    cycle = checks.positive("cycle", cycle)
    jobs = checks.positive("mean_rate", mean_rate) * cycle
    swing = checks.probability("amplitude", amplitude) / (2.0 * math.pi)
    high, low = jobs * (0.25 + swing), jobs * (0.25 - swing)
    return {
        "mean_batch_q1": high,
        "mean_batch_q2": high,
        "mean_batch_q3": low,
        "mean_batch_q4": low,
        "mean_wait": cycle / 8.0,
    }


@closed_form("overshoot of a geometric renewal process, derived in the Notes")
def bulks_by_size(*, bulk_rate: float, mean_bulk: float, size: int) -> dict[str, float]:
    """A flush of everything once a whole bulk of arrivals has brought the buffer to `size` jobs or more.

    Parameters
    ----------
    bulk_rate : float
        Λ, bulks per second, at the times of a Poisson process.
    mean_bulk : float
        1/p, jobs a bulk, ≥ 1; geometric from 1.
    size : int
        N, jobs.

    Notes
    -----
    The geometric size is memoryless, so the bulk that reaches N exceeds it by a geometric number from 0: E[B] =
    N + (1−p)/p, Var B = (1−p)/p². ``FlushAtSize`` looks after each job of a bulk instead and flushes exactly N.

    Examples
    --------
    >>> bulks_by_size(bulk_rate=1.0, mean_bulk=4.0, size=20).mean_batch
    23.0
    """
    bulk_rate, size = checks.positive("bulk_rate", bulk_rate), checks.integer("size", size, at_least=1)
    if checks.positive("mean_bulk", mean_bulk) < 1.0:
        raise InvalidValueError(f"mean_bulk must be >= 1, got {mean_bulk!r}; a bulk has a job")
    batch = size + mean_bulk - 1.0
    return {
        "mean_batch": batch,
        "var_batch": mean_bulk * (mean_bulk - 1.0),
        "mean_interflush": batch / (bulk_rate * mean_bulk),
    }


@closed_form("overshoot of a Poisson process of sizes, derived in the Notes")
def bytes_only(*, rate: float, mean_nbytes: float | NBytes, nbytes: float | NBytes) -> dict[str, float]:
    """A flush at the job that brings the buffer to `nbytes` or more (``FlushAtBytes(nbytes)``); exponential job sizes.

    Parameters
    ----------
    rate : float
        λ, jobs per second; any arrivals with this rate.
    mean_nbytes : float
        m, bytes a job.
    nbytes : float
        B, bytes.

    Notes
    -----
    Job sizes added up are a Poisson process on the byte axis: 1 + Poisson(B/m) jobs reach B, with mE[jobs] bytes in
    the mean (Wald).

    Examples
    --------
    >>> form = bytes_only(rate=2.0, mean_nbytes=100.0, nbytes=1000.0)
    >>> form.mean_batch, form.mean_batch_bytes
    (11.0, 1100.0)
    """
    rate, mean_nbytes = checks.positive("rate", rate), checks.positive("mean_nbytes", mean_nbytes)
    below = checks.positive("nbytes", nbytes) / mean_nbytes
    return {
        "mean_batch": 1.0 + below,
        "var_batch": below,
        "mean_batch_bytes": mean_nbytes * (1.0 + below),
        "mean_interflush": (1.0 + below) / rate,
        "p_batch_1": math.exp(-below),
    }
