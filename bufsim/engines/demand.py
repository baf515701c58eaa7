"""The demand of a run: events and memory that it needs at least, estimated from what is declared before it starts.

Each figure is a lower bound, about, so that no run is refused that the machine could do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from bufsim import formats, memory
from bufsim.errors import InvalidValueError
from bufsim.model.declaration import Declaration
from bufsim.model.distributions import BLOCK, mean
from bufsim.model.given import GivenFailures, GivenTimes
from bufsim.model.policies import FlushAfterAge, FlushAt, FlushCron, FlushEvery, FlushWhenIdle, NeverFlush
from bufsim.model.producers import Keys, Zipf
from bufsim.model.reducers import KeepAll, SearchIndexReduce, UniqueByKey
from bufsim.model.workers import PollingWorkers, Workers, mean_attempts

MOST_EVENTS = 2**38
"""So many jobs, draws, attempts or stops a run may have, about 2.7·10¹¹: hours of the fastest processors."""
MOST_BYTES = 2**62
"""So many bytes all jobs of a run may have: 64-bit numbers count them."""
_BYTES_OF_A_JOB = {"simpy": 160, "compiled": 40}
"""What an engine writes down of each job, at least."""
_BYTES_OF_A_HELD_JOB = 8
_BYTES_OF_A_KEY = 32
_BYTES_OF_A_COPY = 24
_BYTES_OF_A_TICK = 32
_BYTES_OF_AN_ATTEMPT_NUMBER = 2 * 8 * BLOCK
"""Service times and failures are drawn in a block for each number of an attempt."""
_LONG, _WEEK, _LAST_DATE = 1e9, 604_800.0, 2.5e11
_BY_TIME = (FlushAfterAge, FlushWhenIdle, FlushEvery, FlushAt, FlushCron, NeverFlush)


class Need(NamedTuple):
    """Something that a run needs.

    Parameters
    ----------
    amount : float
        How much of it, at least.
    what : str
        What it is for.
    way_out : str
        How to need less.
    """

    amount: float
    what: str
    way_out: str


def check(simulation: Declaration, *, engine: str, record: str) -> None:
    """Refuse a run that needs more than a machine has, with the figure.

    Parameters
    ----------
    simulation : Declaration
        What is to run.
    engine : {"simpy", "compiled"}
        On which engine.
    record : {"all", "flushes", "summary"}
        What is kept of it.

    Raises
    ------
    InvalidValueError
        If it needs too many events, or more memory than this machine has.

    Examples
    --------
    >>> from bufsim import Bulk, Constant, FlushAtSize, JobBuffer, Poisson, Producer, Simulation
    >>> producers = [Producer("edits", Bulk(Poisson(1), Constant(1e12)))]
    >>> buffers = [JobBuffer("search", policy=FlushAtSize(3))]
    >>> simulation = Simulation(producers=producers, buffers=buffers, until=60)
    >>> check(simulation, engine="compiled", record="summary")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    bufsim.errors.InvalidValueError: a run may have ... got about 6e+13 jobs and draws for producer 'edits'; ...
    """
    for need in events(simulation):
        if not need.amount <= MOST_EVENTS:
            raise InvalidValueError(
                f"a run may have at most {MOST_EVENTS:,} events of a kind, got about {need.amount:.3g} {need.what}; "
                f"{need.way_out}"
            )
    _check_bytes(simulation)
    needs = list(memory_of(simulation, engine=engine, record=record))
    total, room = math.fsum(need.amount for need in needs), memory.physical()
    if total > room:
        most = max(needs)
        raise InvalidValueError(
            f"the run needs at least {formats.nbytes(total)} of memory, most of it for {most.what}, and this "
            f"machine has {formats.nbytes(room)}; {most.way_out}"
        )


def events(simulation: Declaration) -> Iterator[Need]:
    """The events of a run, by kind."""
    for producer in simulation.producers:
        drawn = producer.arrivals.drawn(simulation.until)
        yield Need(drawn, f"jobs and draws for producer {producer.name!r}", "shorten the run, or lower the rate")
    for workers in simulation.workers:
        name = "all queues" if workers.queue is None else f"queue {workers.queue!r}"
        yield Need(_attempts(simulation, workers), f"attempts of {name}", "lower retries, or give a longer backoff")
    if simulation.stops is not None and simulation.stops.mean_time_between is not None:
        between = simulation.stops.mean_time_between + simulation.stops.downtime
        yield Need(simulation.until / between, "stops", "give a longer mean_time_between")


def memory_of(simulation: Declaration, *, engine: str, record: str) -> Iterator[Need]:
    """The memory that a run needs, in bytes, by what it is for."""
    jobs = _jobs(simulation)
    if engine == "simpy" or record == "all":
        way_out = "run it on the compiled engine with record='summary', or shorten it"
        yield Need(jobs * _BYTES_OF_A_JOB[engine], f"{jobs:,.0f} jobs", way_out)
    else:
        held = _held(simulation)
        yield Need(held * _BYTES_OF_A_HELD_JOB, f"{held:,.0f} jobs in a buffer", "give it a capacity or a size")
    for producer in simulation.producers:
        if producer.trace is not None and producer.trace is not producer.arrivals:
            copies = producer.arrivals.drawn(simulation.until)
            yield Need(copies * _BYTES_OF_A_COPY, f"{copies:,.0f} recorded jobs", "lower the factor")
        if producer.keys is not None:
            amount = producer.keys.n * _bytes_of_a_key(simulation, producer.keys, engine)
            yield Need(amount, f"{producer.keys.n:,} keys", "give fewer keys")
    for workers in simulation.workers:
        number = _last_attempt(simulation, workers)
        if number > 1.0:
            room = number * _BYTES_OF_AN_ATTEMPT_NUMBER
            yield Need(room, f"attempts up to number {number:,.0f}", "lower retries, or the probability of failure")
    for buffer in simulation.buffers:
        for part in buffer.policy.leaves():
            if isinstance(part, FlushCron) and simulation.until > _LONG:
                ticks = len(part.times(_WEEK)) * min(simulation.until, _LAST_DATE) / _WEEK
                yield Need(ticks * _BYTES_OF_A_TICK, f"{ticks:,.0f} times of {part!r}", "shorten the run")


def _check_bytes(simulation: Declaration) -> None:
    for producer in simulation.producers:
        trace, size = producer.trace, producer.nbytes
        if size is None:
            each = float(trace.nbytes.mean()) if trace is not None and trace.nbytes is not None else 0.0
        else:
            each = float(size) if isinstance(size, int) else mean(size)
        total: float = producer.arrivals.expected(simulation.until) * each * len(simulation.buffers)
        if math.isfinite(total) and total > MOST_BYTES:
            raise InvalidValueError(
                f"all jobs of producer {producer.name!r} may have at most 2**62 bytes in a run, got about {total:.3g}; "
                "give nbytes in a greater unit, or shorten the run"
            )


def _jobs(simulation: Declaration) -> float:
    return sum(producer.arrivals.expected(simulation.until) for producer in simulation.producers)


def _held(simulation: Declaration) -> float:
    """Jobs that are in one buffer at once, at least: all where it is never flushed, a bulk where only by the clock."""
    most = 0.0
    for buffer in simulation.buffers:
        leaves = tuple(buffer.policy.leaves())
        if buffer.capacity is not None or not all(isinstance(leaf, _BY_TIME) for leaf in leaves):
            continue
        for producer in simulation.producers:
            if not all(getattr(buffer.collect, "takes", lambda queue: False)(queue) for queue in producer.queues):
                continue
            never = all(isinstance(leaf, NeverFlush) for leaf in leaves) and simulation.stops is None
            jobs = producer.arrivals.expected(simulation.until)
            most = max(most, jobs if never else min(jobs, producer.arrivals.at_once))
    return most


def _bytes_of_a_key(simulation: Declaration, keys: Keys, engine: str) -> int:
    """What is kept of each key that may be drawn: its probability, its last job, or itself."""
    reduces = [type(buffer.reduce) for buffer in simulation.buffers]
    table = 8 * isinstance(keys, Zipf) + 8 * (UniqueByKey in reduces)
    return table + (_BYTES_OF_A_KEY if engine == "simpy" or SearchIndexReduce in reduces else 0)


def _attempts(simulation: Declaration, workers: Workers) -> float:
    """Attempts of a pool, as far as jobs, time and workers let them be."""
    if workers.retries == 0 or not all(isinstance(buffer.reduce, KeepAll) for buffer in simulation.buffers):
        # a reduction may leave one job of many, and without retries there are no more attempts than jobs
        return 1.0
    jobs = sum(
        producer.arrivals.expected(simulation.until)
        for producer in simulation.producers
        if any(simulation.workers_of(queue) is workers for queue in producer.queues)
    )
    return min(jobs * min(mean_attempts(workers), _in_time(simulation, workers)), _starts(simulation, workers))


def _in_time(simulation: Declaration, workers: Workers) -> float:
    """Attempts at one job for which there is time."""
    polls = workers.poll_interval if isinstance(workers, PollingWorkers) else 0.0
    wait = max(_service(workers), workers.backoff.first, polls)
    return 1.0 + simulation.until / wait if wait > 0.0 else math.inf


def _starts(simulation: Declaration, workers: Workers) -> float:
    """Attempts that the workers can start."""
    if isinstance(workers, PollingWorkers):
        return workers.concurrency * (1.0 + simulation.until / workers.poll_interval)
    wait = _service(workers)
    return workers.concurrency * (1.0 + simulation.until / wait) if wait > 0.0 else math.inf


def _service(workers: Workers) -> float:
    known = workers.service.times.mean() if isinstance(workers.service, GivenTimes) else mean(workers.service)
    return float(known) if math.isfinite(known) else 0.0


def _last_attempt(simulation: Declaration, workers: Workers) -> float:
    """The number of the last attempt that a job comes to, about."""
    certain = not isinstance(workers.failure, GivenFailures) and workers.failure == 1.0
    return min(1.0 + workers.retries, _in_time(simulation, workers)) if certain else 1.0
