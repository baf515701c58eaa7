"""How a queue fills from an empty start, exactly: what a warm-up cuts off."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.errors import InvalidValueError
from bufsim.theory import poisson
from bufsim.theory.closed_form import check_load, closed_form
from bufsim.theory.workers import geometric_stay

_MOST_JUMPS = 2_000_000


@closed_form("M^[X]/M/c by uniformisation: Jensen (1953)")
def bulks_and_workers_from_empty(
    *,
    bulk_rate: float,
    mean_bulk: float,
    mean_service: Seconds,
    concurrency: int,
    until: Seconds,
    warm_up: Seconds = 0.0,
) -> dict[str, float]:
    """The expected time average over [warm_up, until) of the number at the workers of `bulks_and_workers`, from empty.

    Parameters
    ----------
    bulk_rate : float
        Λ, batches per second, at the times of a Poisson process.
    mean_bulk : float
        1/p, jobs a batch, ≥ 1; geometric from 1.
    mean_service : float
        1/μ, s a job, exponential.
    concurrency : int
        c, workers.
    until : float
        The end of the run, s.
    warm_up : float, default 0
        The start of the average, s, < until.

    Notes
    -----
    Jumps come at the rate Λ + cμ, some of them to the state itself. With ℓ_k the mean number after k jumps,
    E∫₀^t L = ∑_k ℓ_k·P(Poisson((Λ + cμ)t) > k)/(Λ + cμ).

    References
    ----------
    Jensen, A. (1953). Markoff chains as an aid in the study of Markoff processes. Skandinavisk Aktuarietidskrift 36,
    87-91.

    Examples
    --------
    >>> queue = dict(bulk_rate=0.72, mean_bulk=5.0, mean_service=1.0, concurrency=4)
    >>> round(bulks_and_workers_from_empty(**queue, until=700.0).time_avg_in_system, 3)  # in the long run: 45.732
    38.245
    """
    until, warm_up = checks.positive("until", until), checks.not_negative("warm_up", warm_up)
    if warm_up >= until:
        raise InvalidValueError(f"warm_up must be < until = {until!r}, got {warm_up!r}")
    queue = _Queue(bulk_rate, mean_bulk, checks.positive("mean_service", mean_service), concurrency)
    numbers = queue.mean_after_jumps(until)
    area = queue.area(numbers, until) - (queue.area(numbers, warm_up) if warm_up else 0.0)
    return {"time_avg_in_system": area / (until - warm_up)}


def mean_in_system_at(
    times: npt.ArrayLike, *, bulk_rate: float, mean_bulk: float, mean_service: float, concurrency: int
) -> npt.NDArray[np.float64]:
    """The expected number at the workers of `bulks_and_workers` at each of `times`, from an empty start.

    Parameters
    ----------
    times : array of float, shape (n,)
        s, ≥ 0.
    bulk_rate, mean_bulk, mean_service, concurrency
        As in `bulks_and_workers_from_empty`.

    Returns
    -------
    array of float, shape (n,)
        Jobs.

    Notes
    -----
    ∑_k ℓ_k·P(Poisson((Λ + cμ)t) = k), with ℓ_k the mean number after k jumps.

    References
    ----------
    Jensen, A. (1953). Markoff chains as an aid in the study of Markoff processes. Skandinavisk Aktuarietidskrift 36,
    87-91.

    Examples
    --------
    >>> queue = dict(bulk_rate=0.72, mean_bulk=5.0, mean_service=1.0, concurrency=4)
    >>> mean_in_system_at([0.0, 100.0, 1000.0], **queue).round(2)
    array([ 0.  , 30.81, 45.26])
    """
    moments = np.atleast_1d(np.asarray(times, dtype=float))
    if not moments.size or not np.all(np.isfinite(moments)) or moments.min() < 0.0:
        raise InvalidValueError(f"times must be finite and >= 0, and not empty, got {times!r}")
    queue = _Queue(bulk_rate, mean_bulk, checks.positive("mean_service", mean_service), concurrency)
    numbers = queue.mean_after_jumps(float(moments.max()))
    jumps = np.arange(len(numbers))
    mean = queue.jump_rate * moments[:, None]
    return np.asarray(poisson.probabilities(jumps, mean) @ numbers)


class _Queue:
    """M^[X]/M/c with geometric batches, seen at the jumps of a Poisson process of rate Λ + cμ."""

    def __init__(self, bulk_rate: float, mean_bulk: float, mean_service: float, concurrency: int) -> None:
        self.bulk_rate = checks.positive("bulk_rate", bulk_rate)
        self.service_rate = 1.0 / checks.positive("mean_service", mean_service)
        self.concurrency = checks.integer("concurrency", concurrency, at_least=1)
        self.stay = geometric_stay(mean_bulk)
        check_load(
            "bulk_rate * mean_bulk * mean_service / concurrency",
            bulk_rate * mean_bulk * mean_service / concurrency,
            "raise concurrency or lower the others",
        )
        self.jump_rate = self.bulk_rate + self.concurrency * self.service_rate

    def mean_after_jumps(self, until: float) -> npt.NDArray[np.float64]:
        """The mean number after 0, 1, ... jumps, as many as may happen until then."""
        from scipy import signal

        jumps = poisson.most(self.jump_rate * until)
        if jumps > _MOST_JUMPS:
            raise InvalidValueError(f"until needs {jumps} jumps, more than {_MOST_JUMPS}; lower until")
        states = np.arange(self._states())
        served = np.minimum(states, self.concurrency) * self.service_rate / self.jump_rate
        arrives = self.bulk_rate / self.jump_rate
        stays = 1.0 - served - arrives
        shares = np.zeros(len(states))
        shares[0] = 1.0
        means = np.empty(jumps)
        for k in range(jumps):
            means[k] = shares @ states
            # a geometric batch from n spreads over n+1, n+2, ... as a first-order filter does
            landed = signal.lfilter([arrives * (1.0 - self.stay)], [1.0, -self.stay], shares)
            nxt = shares * stays
            nxt[1:] += landed[:-1]
            nxt[:-1] += (served * shares)[1:]
            shares = nxt
        return means

    def _states(self) -> int:
        # from c on, the long-run probabilities fall by this factor a job, and an empty start stays below them
        fall = self.stay + self.bulk_rate / (self.concurrency * self.service_rate)
        return self.concurrency + 10 + math.ceil(-40.0 / math.log(fall))

    def area(self, means: npt.NDArray[np.float64], time: float) -> float:
        """E∫₀^time of the number."""
        from scipy import special

        jumps = np.arange(len(means))
        return float(special.pdtrc(jumps, self.jump_rate * time) @ means) / self.jump_rate
