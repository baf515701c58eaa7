"""Arrivals that are not Poisson with one rate (bursts, cycles, bulks, bytes), and limits of a flush or a buffer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bufsim import checks
from bufsim.checks import NBytes, Seconds
from bufsim.errors import InvalidValueError
from bufsim.theory.closed_form import (
    check_load,
    closed_form,
    poisson_capped_moments,
    poisson_excess,
    poisson_more_than,
    poisson_most,
    poisson_probabilities,
    quantile,
)

if TYPE_CHECKING:
    from scipy import sparse


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
    """Both rates, checked: low_rate ≤ high_rate."""
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


FloatArray = npt.NDArray[np.float64]

_MOST_CELLS = 20_000_000


@closed_form("(count, phase) chain, derived in the Notes; MMPP: Fischer & Meier-Hellstern (1993); Jensen (1953)")
def bursty_size_or_age(
    *, high_rate: float, low_rate: float, mean_high: Seconds, mean_low: Seconds, size: int, age: Seconds
) -> dict[str, float]:
    """A flush at the `size`-th job or when the oldest has waited `age` seconds, under arrivals in bursts (MMPP-2).

    Parameters
    ----------
    high_rate, low_rate : float
        λ₁ ≥ λ₂ ≥ 0, jobs per second in a high and in a low phase.
    mean_high, mean_low : float
        Mean lengths of the phases, s, exponential.
    size : int
        N, jobs, ≥ 2.
    age : float
        T, s, > 0.

    Returns
    -------
    ClosedForm
        As `bufsim.theory.size_or_age`.

    Notes
    -----
    From the first job on, (count, phase) is a chain with sub-generator S on counts 1, ..., N−1. With a the phase of the
    first job and V(t) = ∫₀^t e^(Su), aV(T) is the time spent in each state: weighted with the phase's rate, with the
    count, and with the rate out of N−1, it gives E[B] − 1, the area and P(size). A flush leaves its phase to the next
    first job, which fixes a. The wait exceeds w with probability (ae^(Sw)1 + aV(T−w)Ae^(Sw)1)/E[B], A the arrivals that
    do not flush. The exponentials are summed by uniformisation: all terms are positive.

    References
    ----------
    Fischer, W. and Meier-Hellstern, K. (1993). The Markov-modulated Poisson process (MMPP) cookbook. Performance
    Evaluation 18, 149-171. Jensen, A. (1953). Markoff chains as an aid in the study of Markoff processes. Skandinavisk
    Aktuarietidskrift 36, 87-91.

    Examples
    --------
    >>> form = bursty_size_or_age(high_rate=80.0, low_rate=3.0, mean_high=5.0, mean_low=20.0, size=60, age=4.0)
    >>> round(form.mean_wait, 4), round(form.mean_batch, 2), round(form.p_size_trigger, 3)
    (0.7463, 42.72, 0.596)
    """
    high_rate, low_rate = check_rates(high_rate, low_rate)
    mean_high, mean_low = checks.positive("mean_high", mean_high), checks.positive("mean_low", mean_low)
    size, age = checks.integer("size", size, at_least=2), checks.positive("age", age)
    chain = _Chain(np.array([high_rate, low_rate]), np.array([1.0 / mean_high, 1.0 / mean_low]), size, age)
    rate = (high_rate * mean_high + low_rate * mean_low) / (mean_high + mean_low)
    spent = chain.spent(age).reshape(size - 1, 2)
    counts = np.arange(1.0, size)
    batch = 1.0 + float((spent @ chain.rates).sum())
    wait = float(counts @ spent.sum(axis=1)) / batch
    by_size = float(spent[-1] @ chain.rates)
    return {
        "mean_batch": batch,
        "mean_wait": wait,
        "wait_p95": quantile(lambda limit: chain.longer_than(limit) / batch, 0.95, age),
        "wait_p99": quantile(lambda limit: chain.longer_than(limit) / batch, 0.99, age),
        "p_wait_is_age": chain.unflushed(age) / batch,
        "time_avg_buffer": rate * wait,
        "mean_interflush": batch / rate,
        "flush_rate": rate / batch,
        "p_size_trigger": by_size,
    }


class _Chain:
    """The (count, phase) chain, seen at the jumps of a Poisson process; state = 2·(count − 1) + phase."""

    def __init__(self, rates: FloatArray, leaving: FloatArray, size: int, age: float) -> None:
        self.rates, self.size, self.age = rates, size, age
        self.jump_rate = float((rates + leaving).max())
        jumps = poisson_most(self.jump_rate * age)
        cells = 6 * jumps * (size - 1)
        if cells > _MOST_CELLS:
            raise InvalidValueError(
                f"rate * age and size need {cells} numbers, more than {_MOST_CELLS}; lower them, or simulate"
            )
        self.jumps = np.arange(jumps)
        step = self._step(leaving)
        forward: list[FloatArray] = [np.eye(2, 2 * (size - 1))]
        surviving: list[FloatArray] = [np.ones(2 * (size - 1))]
        for _ in range(jumps - 1):
            forward.append(forward[-1] @ step)
            surviving.append(step @ surviving[-1])
        self.surviving = np.array(surviving)
        by_start = np.array(forward)
        self.forward = np.einsum("s,ksj->kj", self._first_phase(by_start, leaving), by_start)

    def _step(self, leaving: FloatArray) -> sparse.csr_array:
        """The probabilities of one jump; what is missing in a row is the flush by size."""
        from scipy import sparse

        states = np.arange(2 * (self.size - 1))
        phase = states % 2
        switch, arrive = leaving[phase] / self.jump_rate, self.rates[phase] / self.jump_rate
        return sparse.csr_array(
            sparse.coo_array(
                (
                    np.concatenate([1.0 - switch - arrive, switch, arrive[:-2]]),
                    (
                        np.concatenate([states, states, states[:-2]]),
                        np.concatenate([states, states + 1 - 2 * phase, states[2:]]),
                    ),
                ),
                shape=(len(states), len(states)),
            )
        )

    def _first_phase(self, by_start: FloatArray, leaving: FloatArray) -> FloatArray:
        """The long-run distribution of the phase at a batch's first job."""
        spent = np.einsum("k,ksj->sj", self._still(self.age), by_start)
        at_age = np.einsum("k,ksj->sj", self._now(self.age), by_start).reshape(2, self.size - 1, 2).sum(axis=1)
        at_flush = at_age + spent[:, -2:] * self.rates
        out = np.diag(self.rates + leaving) - np.array([[0.0, leaving[0]], [leaving[1], 0.0]])
        change = at_flush @ np.linalg.solve(out, np.diag(self.rates))
        share = np.array([change[1, 0], change[0, 1]])
        return np.asarray(share / share.sum())

    def _now(self, time: float) -> FloatArray:
        """P(k jumps until `time`) for every k."""
        return poisson_probabilities(self.jumps, self.jump_rate * time)

    def _still(self, time: float) -> FloatArray:
        """The mean time until `time` that is spent after exactly k jumps, for every k."""
        from scipy import special

        return np.asarray(special.pdtrc(self.jumps, self.jump_rate * time) / self.jump_rate, dtype=np.float64)

    def spent(self, time: float) -> FloatArray:
        """The mean time in each state until `time` after a batch's first job."""
        return np.asarray(self._still(time) @ self.forward)

    def unflushed(self, time: float) -> float:
        """The probability that a batch is not flushed within `time` after its first job."""
        return float(self._now(time) @ self.forward.sum(axis=1))

    def longer_than(self, wait: float) -> float:
        """The mean number of a batch's jobs that wait longer than `wait`."""
        if wait >= self.age:
            return 0.0
        lasting = self._now(wait) @ self.surviving
        joined = (self.spent(self.age - wait).reshape(-1, 2)[:-1] * self.rates).ravel()
        return self.unflushed(wait) + float(joined @ lasting[2:])


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
    batch = poisson_capped_moments(mean, capacity)[0]
    first, second = poisson_capped_moments(mean, capacity + 1)
    wait_oldest = (second - first) / (2.0 * rate * batch)
    return {
        "loss_fraction": poisson_excess(mean, capacity) / mean,
        "mean_delivered_batch": batch,
        "mean_wait_drop_newest": period - wait_oldest,
        "mean_wait_drop_oldest": wait_oldest,
        "time_avg_buffer": batch * (period - wait_oldest) / period,
        "p_any_loss": poisson_more_than(capacity, mean),
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
