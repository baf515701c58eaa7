"""Models full of ties of everything that the compiled engine takes, for Hypothesis, and the classes in them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from hypothesis import strategies as st

from bufsim import (
    Bulk,
    Capacity,
    Constant,
    FlushTime,
    Geometric,
    JobBuffer,
    PollingWorkers,
    Producer,
    PushWorkers,
    Renewal,
    Simulation,
    Stops,
    TimeVarying,
    Trace,
)
from bufsim.model.arrivals import Arrivals
from bufsim.model.distributions import Distribution
from bufsim.model.traces import ScaledTrace
from bufsim.verification import parts
from bufsim_tests import generated
from bufsim_tests.generated import QUEUES, Steps

UNITS = (0.5, 0.5, 0.1, 1 / 3, parts.MINUTE)


@cache
def distributions(unit: float) -> st.SearchStrategy[Distribution]:
    """Durations: mostly such that tie with everything else."""
    tied = st.integers(0, 3).map(lambda k: Constant(k * unit))
    return st.one_of(tied, st.just(Steps(unit)), generated.part(parts.DURATIONS, unit))


@cache
def flush_times(unit: float) -> st.SearchStrategy[Distribution]:
    return st.just(Constant(0.0)) | distributions(unit)


@cache
def services(unit: float) -> st.SearchStrategy[Distribution | None]:
    return st.none() | distributions(unit)


@cache
def arrivals(unit: float) -> st.SearchStrategy[Arrivals]:
    """Arrivals without attributes of their jobs, some of them on the grid."""
    drawn = {kind: make for kind, make in parts.ARRIVALS.items() if not issubclass(kind, Trace | ScaledTrace)}
    return generated.part(drawn, unit)


@st.composite
def producers(draw: st.DrawFn, unit: float, name: str) -> Producer:
    if draw(st.booleans()):
        return Producer(name, parts.trace(generated.Drawn(draw, unit)))
    made = draw(generated.part(parts.ARRIVALS, unit))
    if made.has_attributes:
        return Producer(name, made)
    return Producer(
        name,
        made,
        queue=draw(st.sampled_from((None, *QUEUES))),
        keys=draw(st.none() | generated.part(parts.KEYS, unit)),
        nbytes=draw(st.sampled_from((0, 2, Geometric(2.0)))),
    )


@st.composite
def buffers(draw: st.DrawFn, unit: float, name: str) -> JobBuffer:
    jobs, nbytes = draw(generated.few), draw(generated.room)
    on_full = draw(generated.on_full)
    per_job = draw(st.sampled_from((0.0, 0.0, unit)))
    return JobBuffer(
        name,
        policy=draw(generated.policies(unit)),
        collect=draw(generated.part(parts.COLLECTS, unit)),
        reduce=draw(generated.part(parts.REDUCES, unit)),
        drain=draw(generated.part(parts.DRAINS, unit)),
        capacity=None if jobs is None and nbytes is None else Capacity(jobs, nbytes, on_full=on_full),
        flush_time=FlushTime(draw(flush_times(unit)), per_job=per_job),
        storage=draw(st.none() | generated.storages(unit)),
    )


@st.composite
def workers(draw: st.DrawFn, unit: float, queue: str | None) -> PushWorkers | PollingWorkers:
    return parts.workers(generated.Drawn(draw, unit), queue, draw(services(unit)))


@st.composite
def simulations(draw: st.DrawFn) -> Simulation:
    """Models of everything that is built in, on a grid of times: halves and minutes, or tenths and thirds."""
    unit = draw(st.sampled_from(UNITS))
    made = [draw(producers(unit, name)) for name in ("p", "q", "r")[: draw(st.integers(1, 2))]]
    reached = {queue for producer in made for queue in producer.queues}
    candidates = [draw(buffers(unit, name)) for name in ("a", "b", "c")[: draw(st.sampled_from((1, 1, 2, 3)))]]
    taking = [buffer for buffer in candidates if any(buffer.collect.takes(queue) for queue in reached)]
    served = draw(st.sampled_from(((), (None,), (None,), ("x",), ("y", None), ("x", "y"))))
    drawn_stops = st.just(Stops(mean_time_between=8.0 * unit, downtime=unit))
    return Simulation(
        producers=made,
        buffers=taking or [JobBuffer("a", policy=candidates[0].policy)],
        workers=[draw(workers(unit, queue)) for queue in served if queue is None or queue in reached],
        until=draw(st.sampled_from((13.0, 24.5, 30.0))) * unit,
        warm_up=draw(st.sampled_from((0.0, 0.0, 4.0, 7.25))) * unit,
        storage=draw(generated.storages(unit)),
        durable_queue=draw(generated.durable_queues(reached)),
        stops=draw(st.one_of(st.none(), st.none(), generated.stops(unit), drawn_stops)),
    )


def classes(simulation: Simulation) -> Iterator[type]:
    """Yield the classes of which the simulation is made."""
    for producer in simulation.producers:
        yield from (type(producer.arrivals), type(producer.keys), type(producer.nbytes))
        if isinstance(producer.arrivals, Bulk):
            yield from (type(producer.arrivals.arrivals), type(producer.arrivals.size))
        if isinstance(producer.arrivals, Renewal):
            yield type(producer.arrivals.distribution)
        if isinstance(producer.arrivals, TimeVarying):
            yield type(producer.arrivals.rate)
    for buffer in simulation.buffers:
        yield from (type(buffer.collect), type(buffer.reduce), type(buffer.drain), type(buffer.capacity))
        yield from (type(buffer.flush_time.fixed), *map(type, buffer.policy.parts()))
    for pool in simulation.workers:
        yield from (type(pool), type(pool.service), type(pool.backoff))
