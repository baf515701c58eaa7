"""Models full of ties for Hypothesis, and the rows that the oracle and an engine make of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

from bufsim import (
    Backoff,
    Capacity,
    Constant,
    FlushPolicy,
    FlushTime,
    JobBuffer,
    PollingWorkers,
    Producer,
    PushWorkers,
    Result,
    SearchIndexReduce,
    Simulation,
    Stops,
    Storage,
    Trace,
)
from bufsim.engines.workload import Workload
from bufsim.model.distributions import Distribution
from bufsim.model.workers import service_source
from bufsim.verification import parts
from bufsim.verification.parts import QUEUES, Chooser
from bufsim_tests.models import rows
from bufsim_tests.oracle import Arrival, Draws, Oracle

SEED = 7


@dataclass(frozen=True)
class Steps(Distribution):
    """0, 1 or 2 units, so that draws tie with everything else."""

    unit: float

    def draw(self, generator: np.random.Generator, size: int) -> np.ndarray:
        return generator.integers(0, 3, size) * self.unit

    def expected_value(self) -> float:
        return self.unit


# --- models -----------------------------------------------------------------------------------------------------------


# strategies are made once: to make and check one costs more than to draw from it
whole = cache(st.integers)


class Drawn(Chooser):
    """Choices of Hypothesis, so that examples shrink."""

    def __init__(self, draw: st.DrawFn, unit: float) -> None:
        super().__init__(unit)
        self.draw = draw

    def whole(self, low: int, high: int) -> int:
        return self.draw(whole(low, high))


@st.composite
def part(draw: st.DrawFn, makers: Mapping[type, Callable[[Chooser], Any]], unit: float) -> Any:
    """One of the built-in parts of a kind."""
    return Drawn(draw, unit).part(makers)


@cache
def leaves(unit: float) -> st.SearchStrategy[FlushPolicy]:
    return part(parts.LEAVES, unit)


@cache
def policies(unit: float) -> st.SearchStrategy[FlushPolicy]:
    def combined(inner: st.SearchStrategy[FlushPolicy]) -> st.SearchStrategy[FlushPolicy]:
        return st.one_of(st.builds(lambda p, q: p | q, inner, inner), st.builds(lambda p, q: p & q, inner, inner))

    free = st.recursive(leaves(unit), combined, max_leaves=4)
    grid = st.builds(
        lambda p, k, phase: p.checked_every(k * unit, phase=phase * unit), free, st.integers(1, 4), st.integers(0, 3)
    )
    return st.one_of(
        free, free, grid, st.builds(lambda p, q: p | q, grid, grid), st.builds(lambda p, q: p & q, grid, free)
    )


@cache
def producers(unit: float, name: str) -> st.SearchStrategy[Producer]:
    job = st.tuples(st.integers(0, 24), st.sampled_from(QUEUES), st.sampled_from((None, "a", "b")), st.integers(0, 5))

    def producer(jobs: list[tuple[int, str, str | None, int]]) -> Producer:
        jobs = sorted(jobs, key=lambda job: job[0])
        steps, queues, keys, sizes = zip(*jobs, strict=True)
        times = [step * unit for step in steps]
        return Producer(name, Trace(times, queues=list(queues), keys=list(keys), nbytes=list(sizes)))

    bulky = st.lists(job, min_size=1, max_size=25)
    return bulky.map(producer)


# the oracle knows the reduces of the design; that of search jobs equals recorded cases, in tests/vendure
_REDUCES = {kind: make for kind, make in parts.REDUCES.items() if kind is not SearchIndexReduce}


few, room = st.none() | st.integers(1, 4), st.none() | st.integers(1, 9)
on_full = st.sampled_from(("drop_newest", "drop_oldest"))


@cache
def storages(unit: float) -> st.SearchStrategy[Storage]:
    window = st.sampled_from((0.0, 0.0, 0.0, unit, 2.0 * unit))
    servers = st.sampled_from((1, 1, 2, 3))
    return st.builds(Storage, durable=st.booleans(), read_delete_window=window, servers=servers)


def durable_queues(reached: Collection[str]) -> st.SearchStrategy[bool | list[str]]:
    """All queues, none, or one of those that there are."""
    return st.sampled_from((True, False, *([queue] for queue in sorted(reached))))


@cache
def flush_times(unit: float) -> st.SearchStrategy[Distribution]:
    tied = st.integers(0, 3).map(lambda k: Constant(k * unit))
    return st.one_of(st.just(Constant(0.0)), tied, st.just(Steps(unit)))


@st.composite
def buffers(draw: st.DrawFn, unit: float, name: str) -> JobBuffer:
    jobs, nbytes = draw(few), draw(room)
    full = draw(on_full)
    return JobBuffer(
        name,
        policy=draw(policies(unit)),
        collect=draw(part(parts.COLLECTS, unit)),
        reduce=draw(part(_REDUCES, unit)),
        drain=draw(part(parts.DRAINS, unit)),
        capacity=None if jobs is None and nbytes is None else Capacity(jobs=jobs, nbytes=nbytes, on_full=full),
        flush_time=FlushTime(draw(flush_times(unit)), per_job=draw(st.sampled_from((0.0, 0.0, 0.5 * unit, unit)))),
        storage=draw(st.none() | storages(unit)),
    )


@cache
def services(unit: float) -> st.SearchStrategy[Any]:
    given = st.lists(st.integers(0, 4).map(lambda k: k * unit), min_size=1, max_size=9).map(lambda few: few * 200)
    return st.one_of(st.just(Steps(unit)), st.integers(0, 3).map(lambda k: k * unit), given)


@cache
def backoffs(unit: float) -> st.SearchStrategy[Backoff]:
    first = st.integers(0, 2).map(lambda k: k * unit)
    longest = st.sampled_from((3 * unit, 1e18))
    return st.builds(Backoff, first, factor=st.sampled_from((1.0, 2.0)), longest=longest)


@st.composite
def workers(draw: st.DrawFn, unit: float, queue: str | None) -> PushWorkers | PollingWorkers:
    options = {
        "queue": queue,
        "service": draw(services(unit)),
        "per_item": draw(st.sampled_from((0.0, unit))),
        "failure": draw(st.sampled_from((0.0, 0.5, 1.0))),
        "retries": draw(st.integers(0, 2)),
        "backoff": draw(backoffs(unit)),
    }
    if draw(st.booleans()):
        return PushWorkers(draw(st.integers(1, 3)), **options)
    return PollingWorkers(draw(st.integers(1, 3)), poll_interval=draw(st.integers(1, 3)) * unit, **options)


@st.composite
def stops(draw: st.DrawFn, unit: float) -> Stops:
    down = draw(st.integers(0, 4))
    at, earliest = [], 0
    for gap in draw(st.lists(st.integers(0, 8), min_size=1, max_size=3)):
        at.append((earliest + gap) * unit)
        earliest += gap + max(down, 1)
    # a stop that falls on a restart must do so in floating point too
    downtime = down * unit
    at = [time for i, time in enumerate(at) if i == 0 or time >= at[i - 1] + downtime]
    return Stops(at=at, downtime=downtime)


@st.composite
def simulations(draw: st.DrawFn) -> Simulation:
    """Models on a grid of times: halves, where sums are exact, or tenths and thirds, where they are not."""
    unit = draw(st.sampled_from((0.5, 0.5, 0.1, 1 / 3)))
    names = ("p", "q", "r")[: draw(st.integers(1, 3))]
    made = [draw(producers(unit, name)) for name in names]
    reached = {queue for producer in made for queue in producer.queues}
    candidates = [draw(buffers(unit, name)) for name in ("a", "b", "c")[: draw(st.integers(1, 3))]]
    kept = [buffer for buffer in candidates if any(buffer.collect.takes(queue) for queue in reached)]
    if not kept:
        kept = [JobBuffer("a", policy=candidates[0].policy)]
    served = draw(st.sampled_from(((), (None,), ("x",), ("y", None), QUEUES)))
    served = tuple(queue for queue in served if queue is None or queue in reached)
    return Simulation(
        producers=made,
        buffers=kept,
        workers=[draw(workers(unit, queue)) for queue in served],
        until=draw(st.sampled_from((13 * unit, 24.5 * unit, 30 * unit))),
        storage=draw(storages(unit)),
        durable_queue=draw(durable_queues(reached)),
        stops=draw(st.none() | stops(unit)),
    )


# --- rows -------------------------------------------------------------------------------------------------------------

COLUMNS = {
    "jobs": [
        "job_id",
        "copy",
        "queue",
        "buffer",
        "key",
        "nbytes",
        "created_at",
        "flush_id",
        "flushed_at",
        "work_id",
        "finished_at",
        "outcome",
        "lost_at",
        "loss_cause",
    ],
    "flushes": ["buffer", "start", "end", "cause", "batch_size", "reduced_size", "nbytes", "oldest_age"],
    "buffer_size": ["time", "buffer", "size", "nbytes"],
    "work": [
        "flush_id",
        "queue",
        "queued_at",
        "started_at",
        "finished_at",
        "busy_time",
        "attempts",
        "items",
        "outcome",
    ],
    "attempts": ["work_id", "attempt", "started_at", "ended_at", "outcome"],
}


def expected(simulation: Simulation, seed: int = SEED) -> dict[str, list[tuple]]:
    """Return the rows of the oracle's tables."""
    return Oracle(simulation, arrivals(simulation, seed), draws(simulation, seed)).run()


def rows_of(result: Result) -> dict[str, list[tuple]]:
    """Return the rows of an engine's tables, with None for what is missing."""
    return {name: rows(getattr(result, name), *columns) for name, columns in COLUMNS.items()}


def arrivals(simulation: Simulation, seed: int) -> list[Arrival]:
    """Return the jobs of the producers' traces, by time, then producer, then number."""
    made = []
    for index, producer in enumerate(simulation.producers):
        trace = producer.trace
        for number, time in enumerate(trace.times.tolist()):
            if time < simulation.until:
                arrival = Arrival(time, trace.queues[number], trace.keys[number], int(trace.nbytes[number]))
                made.append(((time, index, number), arrival))
    return [arrival for _, arrival in sorted(made, key=lambda entry: entry[0])]


def draws(simulation: Simulation, seed: int) -> Draws:
    """Return the run's draws by position."""
    workload = Workload(simulation.producers, seed=seed, until=simulation.until)
    flush_times = {buffer.id: buffer.flush_time.fixed for buffer in simulation.buffers}

    def fixed(buffer: str, flush: int) -> float:
        return float(workload.draws(buffer, "flush", 1, flush_times[buffer]).at_least(flush + 1)[flush])

    def service(queue: str, attempt: int, row: int) -> float:
        source = service_source(simulation.workers_of(queue))
        return float(workload.draws(queue, "service", attempt, source).at_least(row + 1)[row])

    def failure(queue: str, attempt: int, row: int) -> float:
        return float(workload.draws(queue, "failure", attempt, None).at_least(row + 1)[row])

    return Draws(fixed=fixed, service=service, failure=failure)
