"""Every built-in part of a model, as random models have it: on a grid of times, so that much falls on one instant.

This is the one list of parts. `bufsim verify`, the laws of policies and the generated equality of the two engines draw
from it; a public part that is missing here fails a test.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bufsim.model.arrivals import Arrivals, Bulk, Bursty, Deterministic, Poisson, Renewal
from bufsim.model.buffers import Capacity, CollectAll, CollectQueues, Drain, DrainAll, DrainAtMost, DrainUntil, Storage
from bufsim.model.distributions import (
    Constant,
    Distribution,
    Exponential,
    Gamma,
    Geometric,
    LogNormal,
    Scaled,
    Uniform,
)
from bufsim.model.flush_policy import FlushPolicy
from bufsim.model.given import GivenFailures, GivenTimes
from bufsim.model.policies import (
    FlushAfterAge,
    FlushAfterGap,
    FlushAt,
    FlushAtBytes,
    FlushAtSize,
    FlushCron,
    FlushEvery,
    FlushWhenIdle,
    NeverFlush,
)
from bufsim.model.producers import Keys, UniformKeys, Zipf
from bufsim.model.reducers import KeepAll, Merge, Reduce, SearchIndexReduce, UniqueByKey
from bufsim.model.time_varying import Rate, Sinusoid, StepRate, TimeVarying
from bufsim.model.traces import ScaledTrace, Trace
from bufsim.model.workers import Backoff, PollingWorkers, PushWorkers, Workers

QUEUES = ("x", "y", "z")
# what a search index, a cache or nobody has for a key
KEY_VALUES = (None, "a", 7, "product:1", "product:2", "variants:1,2", "variants:2,3", "variants:")
# a cron knows minutes: in this unit its ticks meet the others
MINUTE = 60.0
_CRON_START = dt.datetime(2026, 3, 29, 0, 58, tzinfo=dt.UTC)


class Chooser(ABC):
    """A source of choices; all times are multiples of its unit.

    Parameters
    ----------
    unit : float
        The distance of the grid of times, s.

    Attributes
    ----------
    queues : sequence of str
        The queues that jobs may name.
    """

    def __init__(self, unit: float) -> None:
        self.unit = unit
        self.queues: Sequence[str] = QUEUES

    @abstractmethod
    def whole(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`."""

    def among(self, values: Sequence[Any]) -> Any:
        """Return one of the values."""
        return values[self.whole(0, len(values) - 1)]

    def time(self, low: int, high: int) -> float:
        """Return a multiple of the unit."""
        return self.whole(low, high) * self.unit

    def part(self, makers: Mapping[Any, Callable[[Chooser], Any]]) -> Any:
        """Return a part of one of the kinds."""
        return self.among(list(makers.values()))(self)


LEAVES: Mapping[type[FlushPolicy], Callable[[Chooser], FlushPolicy]] = {
    NeverFlush: lambda c: NeverFlush(),
    FlushAtSize: lambda c: FlushAtSize(c.whole(1, 4)),
    FlushAtBytes: lambda c: FlushAtBytes(c.whole(1, 9)),
    FlushAfterAge: lambda c: FlushAfterAge(c.time(0, 5)),
    FlushWhenIdle: lambda c: FlushWhenIdle(c.time(0, 5)),
    FlushAfterGap: lambda c: FlushAfterGap(c.time(0, 5)),
    FlushEvery: lambda c: c.among((_on_the_clock, _since_a_flush, _since_activation))(c),
    FlushAt: lambda c: FlushAt(sorted({c.time(0, 24) for _ in range(c.whole(1, 6))})),
    FlushCron: lambda c: FlushCron(c.among(("* * * * *", "*/2 * * * *", "1-59/3 * * * *")), _CRON_START),
}
DRAINS: Mapping[type[Drain], Callable[[Chooser], Drain]] = {
    DrainAll: lambda c: DrainAll(),
    DrainAtMost: lambda c: _limited(c, DrainAtMost),
    DrainUntil: lambda c: _limited(c, DrainUntil),
}
REDUCES: Mapping[type[Reduce], Callable[[Chooser], Reduce]] = {
    KeepAll: lambda c: KeepAll(),
    UniqueByKey: lambda c: UniqueByKey(),
    Merge: lambda c: Merge(),
    SearchIndexReduce: lambda c: SearchIndexReduce(),
}
COLLECTS: Mapping[type, Callable[[Chooser], Any]] = {
    CollectAll: lambda c: CollectAll(),
    CollectQueues: lambda c: CollectQueues([c.among(c.queues)]),
}
KEYS: Mapping[type[Keys], Callable[[Chooser], Keys]] = {
    UniformKeys: lambda c: UniformKeys(3),
    Zipf: lambda c: Zipf(4, 1.0),
}
DURATIONS: Mapping[type[Distribution], Callable[[Chooser], Distribution]] = {
    Constant: lambda c: Constant(c.time(0, 3)),
    Exponential: lambda c: Exponential(c.unit),
    Uniform: lambda c: Uniform(0.0, 2.0 * c.unit),
    Gamma: lambda c: Gamma(c.unit, 0.5),
    LogNormal: lambda c: LogNormal(c.unit, 2.0),
    Geometric: lambda c: Geometric(2.0),
    Scaled: lambda c: Scaled(Geometric(2.0), c.unit),
}
SERVICES: Mapping[type, Callable[[Chooser], Any]] = {
    **DURATIONS,
    # more than any of the random models needs
    GivenTimes: lambda c: GivenTimes([c.time(0, 3) for _ in range(8)] * 250),
}
RATES: Mapping[type[Rate], Callable[[Chooser], Rate]] = {
    Sinusoid: lambda c: Sinusoid(1.0 / c.unit, 0.5 / c.unit, 10.0 * c.unit),
    StepRate: lambda c: StepRate([0.0, 5.0 * c.unit, 20.0 * c.unit], [1.5 / c.unit, 0.5 / c.unit]),
}
ARRIVALS: Mapping[type[Arrivals], Callable[[Chooser], Arrivals]] = {
    Trace: lambda c: trace(c),
    ScaledTrace: lambda c: ScaledTrace(trace(c).keeping(c.among(("pattern", "independent"))), 1.7),
    Deterministic: lambda c: Deterministic(c.unit),
    Poisson: lambda c: Poisson(1.0 / c.unit),
    Renewal: lambda c: Renewal(c.among((Constant(c.unit), Scaled(Geometric(2.0), c.unit), Gamma(c.unit, 0.5)))),
    Bursty: lambda c: Bursty(3.0 / c.unit, 0.0, 4.0 * c.unit, 4.0 * c.unit),
    TimeVarying: lambda c: TimeVarying(c.part(RATES), 1.5 / c.unit),
    Bulk: lambda c: Bulk(c.among((Deterministic(c.unit), Poisson(1.0 / c.unit))), c.among((3, Geometric(2.0)))),
}
WORKERS: Mapping[type[Workers], Callable[..., Workers]] = {
    PushWorkers: lambda c, concurrency, **options: PushWorkers(concurrency, **options),
    PollingWorkers: lambda c, concurrency, **options: PollingWorkers(
        concurrency, poll_interval=c.time(1, 3), **options
    ),
}


def _on_the_clock(c: Chooser) -> FlushPolicy:
    return FlushEvery(c.time(1, 4), phase=c.time(0, 3), spent_by=c.among(("any", "any", "own")))


def _since_a_flush(c: Chooser) -> FlushPolicy:
    return FlushEvery(c.time(1, 4), anchor=c.among(("flush_start", "flush_end")))


def _since_activation(c: Chooser) -> FlushPolicy:
    repeat, spent_by = c.among(((True, "any"), (True, "own"), (False, "any")))
    return FlushEvery(c.time(1, 4), anchor="activation", repeat=repeat, spent_by=spent_by)


def _limited(c: Chooser, kind: type[DrainAtMost] | type[DrainUntil]) -> Drain:
    n, nbytes = c.among(((c.whole(1, 4), None), (None, c.whole(1, 9)), (c.whole(1, 4), c.whole(1, 9))))
    return kind(n, nbytes, repeat=c.among((None, None, "while_full", "until_empty")))


def trace(c: Chooser) -> Trace:
    """Return a trace of at most 25 jobs, many of them at the same time."""
    steps = sorted(c.whole(0, 24) for _ in range(c.whole(1, 25)))
    return Trace(
        [step * c.unit for step in steps],
        queues=[c.among(c.queues) for _ in steps],
        keys=[c.among(KEY_VALUES) for _ in steps],
        nbytes=[c.whole(0, 5) for _ in steps],
    )


def storage(c: Chooser) -> Storage:
    """Return a storage with Vendure's default strategy; half of them have no window between read and delete."""
    return Storage(
        durable=c.among((True, False)), read_delete_window=c.among((0.0, c.time(0, 2))), servers=c.among((1, 1, 2, 3))
    )


def capacity(c: Chooser) -> Capacity:
    """Return a limit in jobs, in bytes, or in both."""
    jobs, nbytes = c.among(((c.whole(1, 4), None), (None, c.whole(1, 9)), (c.whole(1, 4), c.whole(1, 9))))
    return Capacity(jobs, nbytes, on_full=c.among(("drop_newest", "drop_oldest")))


def workers(c: Chooser, queue: str | None, service: Any = None, concurrency: int | None = None) -> Workers:
    """Return workers of a queue; one time in two none of them fails, and jobs are served in the order of their coming.

    Parameters
    ----------
    c : Chooser
        What chooses.
    queue : str, optional
        The queue.
    service : distribution or array, optional
        The service times; None: one of the built-in ones.
    concurrency : int, optional
        How many; None: one to three, or one time in four up to 60.
    """
    concurrency = c.among((1, 2, 3, c.whole(4, 60))) if concurrency is None else concurrency
    service = c.part(SERVICES) if service is None else service
    options = {"queue": queue, "service": service, "per_item": c.among((0.0, c.unit))}
    if c.whole(0, 1):
        longest = c.among((3.0 * c.unit, 1e18))
        options["failure"] = c.among((0.0, 0.5, 1.0, None))
        if options["failure"] is None:
            options["failure"] = GivenFailures([[c.among((True, False)) for _ in range(3)] for _ in range(4)] * 500)
        options["retries"] = c.whole(0, 2)
        options["backoff"] = Backoff(c.time(0, 2), factor=c.among((1.0, 2.0)), longest=longest)
    made: Workers = c.among(list(WORKERS.values()))(c, concurrency, **options)
    return made
