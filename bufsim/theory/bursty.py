"""Size or age under arrivals that come in bursts: a Markov chain of the batch's count and the arrivals' phase."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.errors import InvalidValueError
from bufsim.theory import poisson
from bufsim.theory.arrivals import check_rates
from bufsim.theory.closed_form import closed_form
from bufsim.theory.quantile import quantile

if TYPE_CHECKING:
    from scipy import sparse

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
        jumps = poisson.most(self.jump_rate * age)
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
        return poisson.probabilities(self.jumps, self.jump_rate * time)

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
