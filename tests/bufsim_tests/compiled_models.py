"""Models full of ties of everything that the compiled engine takes, for Hypothesis, and the classes in them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from hypothesis import strategies as st

from bufsim import (
    Bulk,
    Bursty,
    Capacity,
    CollectAll,
    CollectQueues,
    Constant,
    Deterministic,
    DrainAll,
    DrainAtMost,
    Exponential,
    FlushCron,
    FlushPolicy,
    FlushTime,
    Gamma,
    Geometric,
    JobBuffer,
    KeepAll,
    LogNormal,
    Merge,
    Poisson,
    PollingWorkers,
    Producer,
    PushWorkers,
    Renewal,
    SearchIndexReduce,
    Simulation,
    Sinusoid,
    StepRate,
    Stops,
    Storage,
    TimeVarying,
    Trace,
    Uniform,
    UniformKeys,
    UniqueByKey,
    Zipf,
)
from bufsim.model.arrivals import Arrivals
from bufsim.model.distributions import Distribution
from bufsim_tests import generated
from bufsim_tests.generated import QUEUES, Steps

# a cron knows minutes: with this unit its ticks meet the others
MINUTE = 60.0
UNITS = (0.5, 0.5, 0.1, 1 / 3, MINUTE)
KEYS = (None, "a", 7, "product:1", "product:2", "variants:1,2", "variants:2,3", "variants:")
CRONS = ("* * * * *", "*/2 * * * *", "1-59/3 * * * *")


def distributions(unit: float) -> st.SearchStrategy[Distribution]:
    """Durations: mostly such that tie with everything else."""
    return st.one_of(
        st.integers(0, 3).map(lambda k: Constant(k * unit)),
        st.just(Steps(unit)),
        st.sampled_from(
            (Exponential(unit), Uniform(0.0, 2.0 * unit), Gamma(unit, 0.5), LogNormal(unit, 2.0), Geometric(2.0))
        ),
    )


def policies(unit: float) -> st.SearchStrategy[FlushPolicy]:
    """Every leaf, alone, under | and &, and on a grid."""
    if unit != MINUTE:
        return generated.policies(unit)
    start = dt.datetime(2026, 3, 29, 0, 58, tzinfo=dt.UTC)
    cron = st.sampled_from(CRONS).map(lambda expression: FlushCron(expression, start))
    others = generated.policies(unit)
    return st.one_of(
        cron,
        others,
        st.builds(lambda p, q: p | q, cron, others),
        st.builds(lambda p, q: p & q, generated.leaves(unit), cron),
        cron.map(lambda policy: policy.checked_every(2.0 * unit)),
    )


def traces(unit: float) -> st.SearchStrategy[Arrivals]:
    job = st.tuples(st.integers(0, 24), st.sampled_from(QUEUES), st.sampled_from(KEYS), st.integers(0, 5))

    def trace(jobs: list[tuple[int, str, object, int]]) -> Trace:
        steps, queues, keys, sizes = zip(*sorted(jobs, key=lambda job: job[0]), strict=True)
        return Trace([step * unit for step in steps], queues=list(queues), keys=list(keys), nbytes=list(sizes))

    recorded = st.lists(job, min_size=1, max_size=25).map(trace)
    return st.one_of(recorded, recorded, recorded, recorded.map(lambda trace: trace.scaled(1.7)))


def arrivals(unit: float) -> st.SearchStrategy[Arrivals]:
    """Drawn arrivals, some of them on the grid."""
    gaps = distributions(unit).filter(lambda gap: gap.expected_value() > 0.0 and not isinstance(gap, Geometric))
    single = st.one_of(
        st.just(Deterministic(unit)),
        st.just(Poisson(1.0 / unit)),
        gaps.map(Renewal),
        st.just(Bursty(3.0 / unit, 0.0, 4.0 * unit, 4.0 * unit)),
        st.just(TimeVarying(Sinusoid(1.0 / unit, 0.5 / unit, 10.0 * unit), 1.5 / unit)),
        st.just(TimeVarying(StepRate([0.0, 5.0 * unit, 20.0 * unit], [2.0 / unit, 0.5 / unit]), 2.0 / unit)),
    )
    size = st.one_of(st.integers(1, 4), st.just(Geometric(2.0)))
    return st.one_of(single, st.builds(Bulk, single, size))


@st.composite
def producers(draw: st.DrawFn, unit: float, name: str) -> Producer:
    if draw(st.integers(0, 2)):
        return Producer(name, draw(traces(unit)))
    return Producer(
        name,
        draw(arrivals(unit)),
        queue=draw(st.sampled_from((None, *QUEUES))),
        keys=draw(st.sampled_from((None, UniformKeys(3), Zipf(4, 1.0)))),
        nbytes=draw(st.sampled_from((0, 2, Geometric(2.0)))),
    )


@st.composite
def buffers(draw: st.DrawFn, unit: float, name: str) -> JobBuffer:
    few, room = st.none() | st.integers(1, 4), st.none() | st.integers(1, 9)
    n, most_bytes = draw(few), draw(room)
    jobs, nbytes = draw(few), draw(room)
    on_full = draw(st.sampled_from(("drop_newest", "drop_oldest")))
    per_job = draw(st.sampled_from((0.0, 0.0, unit)))
    return JobBuffer(
        name,
        policy=draw(policies(unit)),
        collect=draw(st.sampled_from((CollectAll(), CollectAll(), *(CollectQueues([queue]) for queue in QUEUES)))),
        reduce=draw(st.sampled_from((KeepAll(), UniqueByKey(), Merge(), SearchIndexReduce()))),
        drain=DrainAll() if n is None and most_bytes is None else DrainAtMost(n, nbytes=most_bytes),
        capacity=None if jobs is None and nbytes is None else Capacity(jobs, nbytes, on_full=on_full),
        flush_time=FlushTime(draw(st.just(Constant(0.0)) | distributions(unit)), per_job=per_job),
    )


@st.composite
def workers(draw: st.DrawFn, unit: float, queue: str | None) -> PushWorkers | PollingWorkers:
    pool = draw(generated.workers(unit, queue))
    if draw(st.booleans()):
        return pool
    # nothing can fail: the common case, in which jobs are served in the order in which they come
    plain = {"queue": queue, "service": draw(distributions(unit)), "per_item": pool.per_item}
    if isinstance(pool, PushWorkers):
        return PushWorkers(pool.concurrency, **plain)
    return PollingWorkers(pool.concurrency, poll_interval=pool.poll_interval, **plain)


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
        storage=Storage(
            durable=draw(st.booleans()), read_delete_window=draw(st.sampled_from((0.0, 0.0, 0.0, unit, 2.0 * unit)))
        ),
        durable_queue=draw(st.booleans()),
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
