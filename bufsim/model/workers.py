"""Workers: what serves the jobs of a job queue after the flush."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bufsim import checks
from bufsim.checks import Seconds, Written
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model import declared
from bufsim.model.distributions import Constant, Distribution, DistributionLike, as_distribution


@dataclass(frozen=True, slots=True, repr=False)
class Backoff:
    """How long a failed job waits before it goes back to the queue's tail.

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

    first: float
    factor: float = 1.0
    longest: float = 1e18

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(self, first: Seconds, factor: float = ..., longest: Seconds = ...) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", checks.not_negative("first", checks.seconds("first", self.first)))
        object.__setattr__(self, "longest", checks.not_negative("longest", checks.seconds("longest", self.longest)))
        if checks.positive("factor", self.factor) < 1.0:
            raise InvalidValueError(f"factor must be >= 1, got {self.factor!r}")
        object.__setattr__(self, "factor", float(self.factor))

    __repr__ = declared.call


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class GivenTimes:
    """Service times as given, in the order in which jobs are handed to the queue: row i takes the i-th in each attempt.

    Parameters
    ----------
    times : array of float, shape (jobs,), or sequence of str or timedelta
        s, ≥ 0, finite; texts as in "20ms". A run that needs more of them than there are is refused.

    Examples
    --------
    >>> GivenTimes([0.5, 0.25])
    GivenTimes(<2 times>)
    """

    times: np.ndarray
    digest: bytes = field(init=False)

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(self, times: npt.ArrayLike | Sequence[Seconds]) -> None: ...

    def __post_init__(self) -> None:
        given = checks.all_seconds("service times", self.times)
        try:
            times = np.array(given, dtype=np.float64)
        except (TypeError, ValueError):
            raise InvalidTypeError(f"service times must be numbers, got {self.times!r}") from None
        if times.ndim != 1 or not len(times):
            raise InvalidValueError(f"service times must be one row of numbers, at least one, got shape {times.shape}")
        if not (np.isfinite(times).all() and (times >= 0.0).all()):
            row = int(np.flatnonzero(~(np.isfinite(times) & (times >= 0.0)))[0])
            raise InvalidValueError(f"service times must be finite and >= 0, got {times[row].item()!r} in row {row}")
        times.flags.writeable = False
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "digest", hashlib.blake2b(times.tobytes(), digest_size=16).digest())

    def __reduce__(self) -> tuple[type[GivenTimes], tuple[np.ndarray]]:
        # through the constructor: numpy restores arrays as writeable
        return GivenTimes, (self.times,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GivenTimes) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"GivenTimes(<{len(self.times)} times>)"


@dataclass(frozen=True, slots=True, repr=False)
class _Workers:
    concurrency: int
    _: KW_ONLY
    queue: str | None = None
    service: Distribution | GivenTimes = Constant(0.0)
    per_item: float = 0.0
    failure: float = 0.0
    retries: int = 0
    backoff: Backoff = Backoff(0.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "concurrency", checks.integer("concurrency", self.concurrency, at_least=1))
        if self.queue is not None:
            checks.text("queue", self.queue)
        object.__setattr__(self, "service", _service(self.service))
        object.__setattr__(self, "per_item", checks.not_negative("per_item", checks.seconds("per_item", self.per_item)))
        object.__setattr__(self, "failure", checks.probability("failure", self.failure))
        object.__setattr__(self, "retries", checks.integer("retries", self.retries, at_least=0))
        backoff: Backoff | Seconds = self.backoff
        object.__setattr__(self, "backoff", backoff if isinstance(backoff, Backoff) else Backoff(backoff))

    __repr__ = declared.call


@dataclass(frozen=True, slots=True, repr=False)
class PushWorkers(_Workers):
    """A free worker takes the queue's next job at once: BullMQ, as Vendure's plugin uses it.

    Parameters
    ----------
    concurrency : int
        Jobs in service at once, ≥ 1.
    queue : str, optional
        The queue that they serve. None: each queue without workers of its own gets a pool like this.
    service : distribution, number, or array of float
        Service time of an attempt, s; an array gives the times in the order in which jobs come to the queue.
    per_item : float, str or timedelta
        So much more for every item that a reduced job carries, s.
    failure : float
        Probability that an attempt fails.
    retries : int
        Attempts after the first, ≥ 0. A job that fails for good has a finish.
    backoff : Backoff, or a duration for a constant one
        The wait before a failed job goes back to the queue's tail.

    Examples
    --------
    >>> PushWorkers(4, service=0.02, per_item="5ms")
    PushWorkers(concurrency=4, service=Constant(0.02), per_item=0.005)
    """

    concurrency: int = 3

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(
            self,
            concurrency: int = ...,
            *,
            queue: str | None = ...,
            service: DistributionLike | npt.ArrayLike | Seconds | GivenTimes = ...,
            per_item: Seconds = ...,
            failure: float = ...,
            retries: int = ...,
            backoff: Backoff | Seconds = ...,
        ) -> None: ...


@dataclass(frozen=True, slots=True, repr=False)
class PollingWorkers(_Workers):
    """At every poll, k·poll_interval, as many jobs start as there are free workers: Vendure's SQL and in-memory queues.

    By default at most 5 jobs a second start, whatever they take. A job that arrives, or a worker that gets free, at the
    poll's instant counts; one that gets free by a job started at that poll does not.

    Parameters
    ----------
    concurrency : int
        Jobs in service at once, ≥ 1.
    poll_interval : float, str or timedelta
        Between polls, s, > 0.
    queue, service, per_item, failure, retries, backoff
        As for `PushWorkers`.

    Examples
    --------
    >>> PollingWorkers(service=0.02)
    PollingWorkers(service=Constant(0.02))
    """

    concurrency: int = 1
    _: KW_ONLY
    poll_interval: float = 0.2

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(
            self,
            concurrency: int = ...,
            *,
            poll_interval: Seconds = ...,
            queue: str | None = ...,
            service: DistributionLike | npt.ArrayLike | Seconds | GivenTimes = ...,
            per_item: Seconds = ...,
            failure: float = ...,
            retries: int = ...,
            backoff: Backoff | Seconds = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        _Workers.__post_init__(self)
        interval = checks.positive("poll_interval", checks.seconds("poll_interval", self.poll_interval))
        object.__setattr__(self, "poll_interval", interval)


Workers = PushWorkers | PollingWorkers


def _service(value: object) -> Distribution | GivenTimes:
    if isinstance(value, GivenTimes):
        return value
    if isinstance(value, list | tuple | np.ndarray):
        return GivenTimes(value)
    if isinstance(value, Written):
        return Constant(checks.not_negative("service", checks.seconds("service", value)))
    return as_distribution("service", value)


def service_source(workers: Workers) -> Distribution | np.ndarray:
    """Return where the service times come from: a distribution, or the array that was given."""
    return workers.service.times if isinstance(workers.service, GivenTimes) else workers.service
