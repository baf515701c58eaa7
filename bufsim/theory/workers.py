"""The queue behind the buffer: batches that meet workers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.errors import InvalidValueError
from bufsim.theory.closed_form import check_load, closed_form, poisson_most, poisson_probabilities
from bufsim.theory.traffic import leftover

if TYPE_CHECKING:
    from scipy import sparse


_MOST_STATES = 200_000


@closed_form("M^[X]/G/1: Chaudhry & Templeton (1983); M^[X]/M/1: Gross & Harris (1998) sec. 3.1")
def bulks_and_one_worker(
    *, bulk_rate: float, mean_bulk: float, bulk_scv: float, mean_service: Seconds, service_scv: float
) -> dict[str, float]:
    """One worker that batches reach at the times of a Poisson process, jobs served one after another.

    Parameters
    ----------
    bulk_rate : float
        Λ, batches per second.
    mean_bulk : float
        E[X], jobs a batch, ≥ 1.
    bulk_scv : float
        Var X/E[X]²: 0 for a fixed size, 1 − 1/E[X] for a geometric one from 1.
    mean_service : float
        E[S], s a job.
    service_scv : float
        Var S/E[S]²: 0 for a fixed time, 1 for an exponential one.

    Notes
    -----
    With λ = ΛE[X] and ρ = λE[S] < 1, Wq = (λE[S²] + (E[X²]/E[X] − 1)E[S])/(2(1 − ρ)): what a batch finds, and the jobs
    of its own batch before a job. Sojourn = Wq + E[S]; numbers by Little's law.

    References
    ----------
    Chaudhry, M. L. and Templeton, J. G. C. (1983). A First Course in Bulk Queues. Gross, D. and Harris, C. M. (1998).
    Fundamentals of Queueing Theory, sec. 3.1.

    Examples
    --------
    >>> form = bulks_and_one_worker(bulk_rate=0.5, mean_bulk=4, bulk_scv=0, mean_service=1 / 3, service_scv=1)
    >>> round(form.mean_in_system, 4), round(form.mean_queue_wait, 4)
    (5.0, 2.1667)
    """
    bulk_rate, mean_service = checks.positive("bulk_rate", bulk_rate), checks.positive("mean_service", mean_service)
    if checks.positive("mean_bulk", mean_bulk) < 1.0:
        raise InvalidValueError(f"mean_bulk must be >= 1, got {mean_bulk!r}; a batch has a job")
    bulk_scv, service_scv = checks.not_negative("bulk_scv", bulk_scv), checks.not_negative("service_scv", service_scv)
    rate = bulk_rate * mean_bulk
    load = check_load("bulk_rate * mean_bulk * mean_service", rate * mean_service, "lower one of them")
    before_in_batch = mean_bulk * (1.0 + bulk_scv) - 1.0
    wait = mean_service * (load * (1.0 + service_scv) + before_in_batch) / (2.0 * (1.0 - load))
    return {
        "rho": load,
        "mean_queue_wait": wait,
        "mean_sojourn": wait + mean_service,
        "mean_in_queue": rate * wait,
        "mean_in_system": rate * wait + load,
    }


@closed_form("M^[X]/M/c by cuts, derived in the Notes; Chaudhry & Templeton (1983)")
def bulks_and_workers(
    *, bulk_rate: float, mean_bulk: float, mean_service: Seconds, concurrency: int
) -> dict[str, float]:
    """`concurrency` workers that geometric batches reach at the times of a Poisson process; exponential service.

    Parameters
    ----------
    bulk_rate : float
        Λ, batches per second.
    mean_bulk : float
        1/p, jobs a batch, ≥ 1; geometric from 1.
    mean_service : float
        1/μ, s a job.
    concurrency : int
        c, workers.

    Notes
    -----
    What crosses from n or fewer jobs to more balances what comes back: π_{n+1}·min(n+1, c)·μ = ΛS_n with
    S_n = ∑_{k≤n} π_k(1−p)^(n−k). From n = c on, π falls by the factor 1 − p + Λ/(cμ): a geometric series.

    References
    ----------
    Chaudhry, M. L. and Templeton, J. G. C. (1983). A First Course in Bulk Queues.

    Examples
    --------
    >>> form = bulks_and_workers(bulk_rate=0.72, mean_bulk=5.0, mean_service=1.0, concurrency=4)
    >>> round(form.mean_in_system, 3), round(form.mean_queue_wait, 3)
    (45.732, 11.703)
    """
    bulk_rate, mean_service = checks.positive("bulk_rate", bulk_rate), checks.positive("mean_service", mean_service)
    stay = geometric_stay(mean_bulk)
    concurrency = checks.integer("concurrency", concurrency, at_least=1)
    load = check_load(
        "bulk_rate * mean_bulk * mean_service / concurrency",
        bulk_rate * mean_bulk * mean_service / concurrency,
        "raise concurrency or lower the others",
    )
    below = [1.0]
    crossing = 1.0
    for n in range(1, concurrency + 1):
        below.append(bulk_rate * crossing * mean_service / n)
        crossing = below[n] + stay * crossing
        if crossing > 1e200:
            # only ratios count, and hundreds of busy workers would pass what a float holds
            below, crossing = [share * 1e-200 for share in below], crossing * 1e-200
    first = below.pop()
    fall = stay + bulk_rate * mean_service / concurrency
    total = sum(below) + first / (1.0 - fall)
    tail = first * (concurrency + fall / (1.0 - fall)) / (1.0 - fall)
    number = (sum(n * share for n, share in enumerate(below)) + tail) / total
    sojourn = number / (bulk_rate * mean_bulk)
    return {
        "rho": load,
        "mean_in_system": number,
        "mean_sojourn": sojourn,
        "mean_queue_wait": sojourn - mean_service,
        "p_empty_system": 1.0 / total,
    }


def geometric_stay(mean_bulk: float) -> float:
    """1 − p of a geometric batch size from 1 with mean 1/p."""
    if checks.positive("mean_bulk", mean_bulk) < 1.0:
        raise InvalidValueError(f"mean_bulk must be >= 1, got {mean_bulk!r}; a batch has a job")
    return 1.0 - 1.0 / mean_bulk


@closed_form("E_N^[N]/M/c as a Markov chain of phase and number: Gross & Harris (1998) ch. 3")
def size_then_workers(*, rate: float, size: int, mean_service: Seconds, concurrency: int) -> dict[str, float]:
    """`concurrency` workers behind a buffer flushed at the `size`-th job; Poisson arrivals, exponential service.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    size : int
        N, jobs.
    mean_service : float
        1/μ, s a job.
    concurrency : int
        c, workers; ρ = λ/(cμ) < 1.

    Returns
    -------
    ClosedForm
        ``mean_total_sojourn`` is from arrival to service end, the wait in the buffer included.

    Notes
    -----
    The state is (jobs in the buffer, jobs at the workers); the N-th job moves N to the workers. Far up, the
    probabilities fall by ρ a job, so the chain is cut where 1e-17 is left, and its balance equations are solved.

    References
    ----------
    Gross, D. and Harris, C. M. (1998). Fundamentals of Queueing Theory, ch. 3.

    Examples
    --------
    >>> round(size_then_workers(rate=2.0, size=5, mean_service=1.25, concurrency=4).mean_in_workers, 4)
    3.3349
    """
    rate, mean_service = checks.positive("rate", rate), checks.positive("mean_service", mean_service)
    size = checks.integer("size", size, at_least=1)
    concurrency = checks.integer("concurrency", concurrency, at_least=1)
    load = check_load(
        "rate * mean_service / concurrency",
        rate * mean_service / concurrency,
        "raise concurrency or lower rate or mean_service",
    )
    levels = 1 + concurrency + size + int(np.ceil(40.0 / -np.log(load)))
    if levels * size > _MOST_STATES:
        raise InvalidValueError(
            f"size and load need {levels * size} states, more than {_MOST_STATES}; lower size or the load, or simulate"
        )
    number = _mean_at_workers(rate, size, 1.0 / mean_service, concurrency, levels)
    sojourn = number / rate
    return {
        "rho": load,
        "mean_in_workers": number,
        "mean_worker_sojourn": sojourn,
        "mean_total_sojourn": sojourn + (size - 1.0) / (2.0 * rate),
    }


def _mean_at_workers(rate: float, size: int, service_rate: float, concurrency: int, levels: int) -> float:
    """The stationary mean number at the workers; state = number·size + jobs in the buffer."""
    from scipy.sparse import linalg

    balance = _balance(rate, size, service_rate, concurrency, levels)
    # one state is set to 1 and its equation dropped; taken near the mean, its probability is not tiny
    fixed = min(int(rate / service_rate), levels - 1) * size
    others = np.delete(np.arange(levels * size), fixed)
    inflow = balance[others, :][:, [fixed]].toarray().ravel()
    shares = np.ones(levels * size)
    shares[others] = linalg.spsolve(balance[others, :][:, others].tocsc(), -inflow)
    per_level = shares.reshape(levels, size).sum(axis=1)
    return float(per_level @ np.arange(levels) / per_level.sum())


def _balance(rate: float, size: int, service_rate: float, concurrency: int, levels: int) -> sparse.csr_matrix:
    """The transposed generator: row = state, entries = flow into it."""
    from scipy import sparse

    states = np.arange(levels * size)
    number, buffered = np.divmod(states, size)
    served = np.minimum(number, concurrency) * service_rate
    after_arrival = np.where(buffered < size - 1, states + 1, states + size * size - (size - 1))
    # at the top an arrival that would leave the cut chain stays away
    admitted = np.where(after_arrival < len(states), rate, 0.0)
    target = np.concatenate([np.minimum(after_arrival, states[-1]), np.maximum(states - size, 0), states])
    origin = np.concatenate([states, states, states])
    flow = np.concatenate([admitted, served, -(admitted + served)])
    return sparse.csr_matrix((flow, (target, origin)))


@closed_form("discrete bulk queue, roots as in M/D/c: Crommelin (1932); Bailey (1954)")
def periodic_then_one_worker(*, rate: float, period: Seconds, served_per_period: int) -> dict[str, float]:
    """One worker with a fixed service time behind a buffer that is flushed every `period` seconds; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    period : float
        T, s.
    served_per_period : int
        c: a job takes T/c s; λT < c.

    Returns
    -------
    ClosedForm
        ``mean_unfinished_before_flush`` counts jobs at the worker just before the next flush.

    Notes
    -----
    A period serves up to c jobs: Q → (Q + Poisson(λT) − c)⁺, as in `periodic_at_most`.

    References
    ----------
    Crommelin, C. D. (1932). Delay probability formulae when the holding times are constant. POEEJ 25, 41-50.
    Bailey, N. T. J. (1954). On queueing processes with bulk service. J. Royal Stat. Soc. B 16, 80-87.

    Examples
    --------
    >>> form = periodic_then_one_worker(rate=2.0, period=4.0, served_per_period=10)
    >>> form.rho, round(form.mean_unfinished_before_flush, 4)
    (0.8, 0.8786)
    """
    mean = checks.positive("rate", rate) * checks.positive("period", period)
    served = checks.integer("served_per_period", served_per_period, at_least=1)
    left = leftover(mean, served, "rate * period / served_per_period", "lower the rate or speed up the worker")
    return {"rho": mean / served, "mean_unfinished_before_flush": left}


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
    return np.asarray(poisson_probabilities(jumps, mean) @ numbers)


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

        jumps = poisson_most(self.jump_rate * until)
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
