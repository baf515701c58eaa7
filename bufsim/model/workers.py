"""Workers that serve the jobs of a job queue after the flush, their service times and back-off."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from bufsim import checks
from bufsim.checks import Seconds, Written
from bufsim.declared import (
    Duration,
    Period,
    Positive,
    Text,
    Value,
    Wide,
    default,
    value,
)
from bufsim.errors import InvalidValueError, quoted
from bufsim.model.distributions import Constant, Distribution, DistributionLike, as_distribution
from bufsim.model.given import GivenFailures, GivenTimes


@value
class Backoff(Value):
    """The wait of a failed job before it goes back to the queue's tail.

    After the a-th failed attempt: min(longest, first·factor^(a−1)).

    Parameters
    ----------
    first : float, str or timedelta
        After the first failed attempt, s, ≥ 0.
    factor : float
        Each further wait is so many times the last, ≥ 1.
    longest : float, str or timedelta
        The longest wait, s.

    Examples
    --------
    >>> Backoff("1s", factor=2.0, longest="1min")
    Backoff(1.0, factor=2.0, longest=60.0)
    """

    first: Duration
    factor: Positive = 1.0
    longest: Duration = default(1e18)

    def __post_init__(self) -> None:
        if self.factor < 1.0:
            raise InvalidValueError(f"factor must be >= 1, got {quoted(self.factor)}")


def _service(name: str, given: object) -> Distribution | GivenTimes:
    if isinstance(given, GivenTimes):
        return given
    if isinstance(given, list | tuple | np.ndarray):
        return GivenTimes(given)
    return as_distribution(name, checks.seconds(name, given) if isinstance(given, Written) else given)


def _failure(name: str, given: object) -> float | GivenFailures:
    if isinstance(given, GivenFailures):
        return given
    if isinstance(given, list | tuple | np.ndarray):
        return GivenFailures(given)
    return checks.probability(name, given)


def _backoff(name: str, given: Any) -> Backoff:
    return given if isinstance(given, Backoff) else Backoff(given)


_MOST_WORKERS = _MOST_RETRIES = 1_000_000
Concurrency = Annotated[int, lambda name, given: checks.integer(name, given, at_least=1, at_most=_MOST_WORKERS)]
Retries = Annotated[int, lambda name, given: checks.integer(name, given, at_least=0, at_most=_MOST_RETRIES)]
Service = Annotated[
    Wide[DistributionLike | npt.ArrayLike | Seconds | GivenTimes, Distribution | GivenTimes],
    _service,
]
Failure = Annotated[Wide[float | npt.ArrayLike | GivenFailures, float | GivenFailures], _failure]
AnyBackoff = Annotated[Wide[Backoff | Seconds, Backoff], _backoff]


@value
class PushWorkers(Value):
    """A free worker takes the queue's next job at once: BullMQ, as Vendure's plugin uses it.

    Parameters
    ----------
    concurrency : int
        Jobs in service at once, 1 to 1,000,000.
    queue : str, optional
        The queue that they serve. None: each queue without workers of its own gets a pool like this.
    service : distribution, number, or array of float
        Service time of an attempt, s; an array gives the times in the order in which jobs come to the queue, one
        column for all attempts or one for each.
    per_item : float, str or timedelta
        So much more for every item that a reduced job carries, s.
    failure : float, or array of bool
        Probability that an attempt fails; an array says which do, as that of `service` gives their times.
    retries : int
        Attempts after the first, 0 to 1,000,000. A job that fails for good has a finish.
    backoff : Backoff, or a duration for a constant one
        The wait before a failed job goes back to the queue's tail.

    Examples
    --------
    >>> PushWorkers(4, service=0.02, per_item="5ms")
    PushWorkers(concurrency=4, service=Constant(0.02), per_item=0.005)
    """

    concurrency: Concurrency = 3
    _: KW_ONLY
    queue: Text | None = None
    service: Service = default(Constant(0.0))
    per_item: Duration = default(0.0)
    failure: Failure = default(0.0)
    retries: Retries = 0
    backoff: AnyBackoff = default(Backoff(0.0))


@value
class PollingWorkers(Value):
    """At every poll, k·poll_interval, as many jobs start as there are free workers: Vendure's SQL and in-memory queues.

    By default at most 5 jobs a second start, whatever they take. A job that arrives, or a worker that gets free, at the
    poll's instant counts; one that gets free by a job started at that poll does not.

    Parameters
    ----------
    concurrency : int
        Jobs in service at once, 1 to 1,000,000.
    poll_interval : float, str or timedelta
        Between polls, s, > 0.
    queue, service, per_item, failure, retries, backoff
        As for `PushWorkers`.

    Examples
    --------
    >>> PollingWorkers(service=0.02)
    PollingWorkers(service=Constant(0.02))
    """

    concurrency: Concurrency = 1
    _: KW_ONLY
    queue: Text | None = None
    service: Service = default(Constant(0.0))
    per_item: Duration = default(0.0)
    failure: Failure = default(0.0)
    retries: Retries = 0
    backoff: AnyBackoff = default(Backoff(0.0))
    poll_interval: Period = default(0.2)


Workers = PushWorkers | PollingWorkers


def service_source(workers: Workers) -> Distribution | np.ndarray:
    """Return where the service times come from: a distribution, or the array that was given."""
    return workers.service.times if isinstance(workers.service, GivenTimes) else workers.service


def failure_source(workers: Workers) -> tuple[float, np.ndarray | None]:
    """Return below which draw an attempt fails, 0 if none does, and the draws if they are given."""
    if isinstance(workers.failure, GivenFailures):
        return 0.5, np.where(workers.failure.failures, 0.0, 1.0)
    return workers.failure, None


def mean_attempts(workers: Workers) -> float:
    """Return how often a job is tried in the mean, by what is declared."""
    if isinstance(workers.failure, GivenFailures):
        failures = workers.failure.failures.reshape(len(workers.failure.failures), -1)
        again = np.cumprod(failures[:, : workers.retries], axis=1)
        # the last column is that of all later attempts
        later = max(workers.retries - failures.shape[1], 0)
        return 1.0 + float(again.sum() + later * again[:, -1].sum()) / len(failures) if workers.retries else 1.0
    if workers.failure == 1.0:
        return 1.0 + workers.retries
    return (1.0 - workers.failure ** (workers.retries + 1)) / (1.0 - workers.failure)
