"""Models of what may be otherwise: assumptions moved up and down, longer bursts, and stress tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bufsim import checks
from bufsim.formats import duration, number
from bufsim.model.arrivals import Arrivals, Bulk, Bursty
from bufsim.model.buffers import FlushTime
from bufsim.model.distributions import Constant, Distribution, Scaled
from bufsim.model.given import GivenTimes
from bufsim.model.producers import Producer
from bufsim.model.stops import Stops
from bufsim.model.traces import Keep, ScaledTrace, Trace, is_scaled, keeping, recording
from bufsim.model.workers import PollingWorkers, Workers
from bufsim.simulation import Simulation

Change = Callable[[Simulation, float], Simulation]
"""From a simulation and a factor to one in which something is so many times as large."""


@dataclass(frozen=True, slots=True)
class Variation:
    """An assumption of a model, with the model in which it is smaller and that in which it is larger.

    Parameters
    ----------
    name : str
        The assumption: "time for each item".
    value : str
        As it stands: "5 ms".
    lower, higher : Simulation
        With it divided, and multiplied, by the factor.
    """

    name: str
    value: str
    lower: Simulation
    higher: Simulation


def variations(simulation: Simulation, factor: float = 1.25) -> tuple[Variation, ...]:
    """The assumptions of a model that can be varied: arrivals, and the times of flushes and workers.

    Those that are 0 are left out: no factor moves them.

    Parameters
    ----------
    simulation : Simulation
        The model.
    factor : float
        By how much each is multiplied and divided, > 1.

    Examples
    --------
    >>> from bufsim import FlushEvery, JobBuffer, Poisson, Producer, PushWorkers
    >>> simulation = Simulation(
    ...     producers=[Producer("edits", Poisson(10.0))],
    ...     buffers=[JobBuffer("search", policy=FlushEvery("5s"))],
    ...     workers=[PushWorkers(1, service="20ms")],
    ...     until="1min",
    ... )
    >>> [(variation.name, variation.value) for variation in variations(simulation)]
    [('arrivals', '10 jobs/s'), ('service time', '20 ms')]
    """
    checks.positive("factor - 1", factor - 1.0)
    return tuple(
        Variation(name, value, change(simulation, 1.0 / factor), change(simulation, factor))
        for name, value, change in _movable(simulation)
    )


def _movable(simulation: Simulation) -> Iterator[tuple[str, str, Change]]:
    rate = sum(producer.arrivals.mean_rate for producer in simulation.producers)
    yield "arrivals", f"{rate:.3g} jobs/s", lambda model, factor: model.scaled(arrivals=factor)
    times = [buffer.flush_time.fixed for buffer in simulation.buffers]
    fixed = [time for time in times if not isinstance(time, GivenTimes) and time != Constant(0.0)]
    if fixed:
        yield "time of a flush", _listed(map(_mean, fixed)), _flush_times(_longer)
    per_job = [buffer.flush_time.per_job for buffer in simulation.buffers if buffer.flush_time.per_job]
    if per_job:
        yield "time of a flush for each job", _listed(map(duration, per_job)), _flush_times(_longer_per_job)
    service = [pool.service for pool in simulation.workers if _is_timed(pool)]
    if service:
        yield "service time", _listed(map(_mean, service)), _workers(_slower)
    per_item = [pool.per_item for pool in simulation.workers if pool.per_item]
    if per_item:
        yield "service time for each item", _listed(map(duration, per_item)), _workers(_slower_per_item)
    polls = [pool.poll_interval for pool in simulation.workers if isinstance(pool, PollingWorkers)]
    if polls:
        yield "interval between polls", _listed(map(duration, polls)), _workers(_rarer)


def _listed(values: Iterator[str]) -> str:
    return ", ".join(dict.fromkeys(values))


def _mean(distribution: Distribution | GivenTimes) -> str:
    return duration(distribution.expected_value())


def _is_timed(pool: Workers) -> bool:
    return not isinstance(pool.service, GivenTimes) and pool.service != Constant(0.0)


def _flush_times(change: Callable[[FlushTime, float], FlushTime]) -> Change:
    def changed(model: Simulation, factor: float) -> Simulation:
        buffers = [replace(buffer, flush_time=change(buffer.flush_time, factor)) for buffer in model.buffers]
        return replace(model, buffers=tuple(buffers))

    return changed


def _workers(change: Callable[[Workers, float], Workers]) -> Change:
    return lambda model, factor: replace(model, workers=tuple(change(pool, factor) for pool in model.workers))


def _longer(time: FlushTime, factor: float) -> FlushTime:
    if isinstance(time.fixed, GivenTimes):
        return replace(time, fixed=GivenTimes(time.fixed.times * factor))
    return replace(time, fixed=Scaled(time.fixed, factor))


def _longer_per_job(time: FlushTime, factor: float) -> FlushTime:
    return replace(time, per_job=time.per_job * factor)


def _slower(pool: Workers, factor: float) -> Workers:
    if isinstance(pool.service, GivenTimes):
        return replace(pool, service=GivenTimes(pool.service.times * factor))
    return replace(pool, service=Scaled(pool.service, factor))


def _slower_per_item(pool: Workers, factor: float) -> Workers:
    return replace(pool, per_item=pool.per_item * factor)


def _rarer(pool: Workers, factor: float) -> Workers:
    return replace(pool, poll_interval=pool.poll_interval * factor) if isinstance(pool, PollingWorkers) else pool


def slower_workers(simulation: Simulation, factor: float) -> Simulation:
    """The model with workers that take so many times as long for everything, also from poll to poll."""
    return _workers(lambda pool, by: _rarer(_slower_per_item(_slower(pool, by), by), by))(simulation, factor)


@dataclass(frozen=True, slots=True)
class OtherScaling:
    """A model whose recordings are scaled in the other way than it says.

    Parameters
    ----------
    keep, other : {"pattern", "independent"}
        What stays of the recordings as assumed, and in the other model.
    simulation : Simulation
        The other model.
    """

    keep: Keep
    other: Keep
    simulation: Simulation


def scaled_otherwise(simulation: Simulation) -> OtherScaling | None:
    """The model with the other `keep` of every recording that is scaled; None where none is.

    Examples
    --------
    >>> from bufsim import FlushEvery, JobBuffer
    >>> log = Producer("log", Trace([0.5, 2.0, 3.0]))
    >>> simulation = Simulation(producers=[log], buffers=[JobBuffer("search", policy=FlushEvery("1s"))])
    >>> scaled_otherwise(simulation.scaled(arrivals=2)).simulation.producers[0].arrivals
    ScaledTrace(Trace(<3 times, 0.5 .. 3 s>, keep='independent'), 2.0)
    """
    scaled = {
        producer.name: recording(producer.arrivals) for producer in simulation.producers if is_scaled(producer.arrivals)
    }
    found = [trace.keep for trace in scaled.values() if trace is not None]
    if not found:
        return None
    other: Keep = "independent" if found[0] == "pattern" else "pattern"
    producers = tuple(
        replace(producer, arrivals=keeping(producer.arrivals, other)) if producer.name in scaled else producer
        for producer in simulation.producers
    )
    return OtherScaling(found[0], other, replace(simulation, producers=producers))


def scaling_sentences(simulation: Simulation) -> list[str]:
    """How recorded jobs are scaled to another load, a sentence for each producer that has some.

    Examples
    --------
    >>> from bufsim import FlushEvery, JobBuffer
    >>> log = Producer("log", Trace([0.5, 2.0, 3.0], shift=0))
    >>> simulation = Simulation(producers=[log], buffers=[JobBuffer("search", policy=FlushEvery("1s"))])
    >>> scaling_sentences(simulation)[0].partition(", so that ")[0]
    "Recorded jobs of 'log' at other loads: each job comes again, at its own time"
    """
    traces = {producer.name: recording(producer.arrivals) for producer in simulation.producers}
    return [
        f"Recorded jobs of {name!r} at other loads: {trace.scaling}."
        for name, trace in traces.items()
        if trace is not None
    ]


def kept_of_recordings(simulations: Iterable[Simulation]) -> str:
    """What stays of the recordings that are scaled in any model, in a few words; "" where none is scaled.

    Examples
    --------
    >>> from bufsim import FlushEvery, JobBuffer
    >>> log = Producer("log", Trace([0.5, 2.0, 3.0]))
    >>> simulation = Simulation(producers=[log], buffers=[JobBuffer("search", policy=FlushEvery("1s"))])
    >>> kept_of_recordings([simulation]), kept_of_recordings([simulation, simulation.scaled(arrivals=2)])
    ('', "recorded jobs scaled with keep='pattern'")
    """
    scaled = [p.arrivals for simulation in simulations for p in simulation.producers if is_scaled(p.arrivals)]
    kept = sorted({repr(trace.keep) for trace in map(recording, scaled) if trace is not None})
    return f"recorded jobs scaled with keep={' and '.join(kept)}" if kept else ""


SHARE = 0.1
"""The burst of a recording is the busiest part of it that is so long, as a share of the recording's length."""


@dataclass(frozen=True, slots=True)
class Burst:
    """The busiest part of a trace: the jobs at first ≤ row < last, in [start, start + length).

    Parameters
    ----------
    start, length : float
        s.
    first, last : int
        Rows of the trace.
    """

    start: float
    length: float
    first: int
    last: int


def with_longer_bursts(simulation: Simulation) -> tuple[Simulation, str] | None:
    """The model with every burst twice as long at its own rate, and in words what that is; None without bursts.

    Of `Bursty` arrivals, also in `Bulk`, the mean length of a high phase is doubled; both rates, and the low phases,
    stay. Of recorded arrivals the burst is what `busiest` returns; its jobs come once more right after it, with the
    same keys, sizes and data, and all later jobs come by its length later. A run of a trace as recorded is longer by
    that length, so that nothing drops out at its end; turned copies of a trace, which are rings, each hold the longer
    burst.

    Examples
    --------
    >>> from bufsim import FlushEvery, JobBuffer
    >>> edits = Producer("edits", Bursty(100.0, 1.0, mean_high=2.0, mean_low=8.0))
    >>> simulation = Simulation(producers=[edits], buffers=[JobBuffer("search", policy=FlushEvery("5s"))], until="1min")
    >>> model, meaning = with_longer_bursts(simulation)
    >>> model.producers[0].arrivals, meaning
    (Bursty(100.0, 1.0, 4.0, 8.0), 'edits: high phases last 4 s on average, in place of 2 s, at the same rates')
    """
    changed = [_longer_bursts(producer, simulation.until) for producer in simulation.producers]
    texts = [text for _, text, _ in changed if text]
    if not texts:
        return None
    producers = tuple(producer for producer, _, _ in changed)
    until = simulation.until + max(added for _, _, added in changed)
    return replace(simulation, producers=producers, until=until), "; ".join(texts)


def busiest(times: Sequence[float] | np.ndarray, length: float) -> Burst:
    """The window of a length that starts at an arrival and holds the most of them, the first of equals.

    Parameters
    ----------
    times : array of float
        Sorted, s.
    length : float
        Of the window, which is open at its end, s.

    Examples
    --------
    >>> busiest([0.0, 4.0, 5.0, 5.5, 9.0, 9.5, 9.9], 2.0)
    Burst(start=4.0, length=2.0, first=1, last=4)
    """
    arrivals = np.asarray(times, dtype=np.float64)
    ends = np.searchsorted(arrivals, arrivals + length)
    first = int(np.argmax(ends - np.arange(len(arrivals))))
    return Burst(float(arrivals[first]), length, first, int(ends[first]))


def _longer_bursts(producer: Producer, until: float) -> tuple[Producer, str, float]:
    """A producer with longer bursts, in words what they are, and by how much the run gets longer."""
    trace = producer.trace
    if trace is not None:
        return _repeated(producer, trace, until)
    arrivals, words = _longer_phases(producer.arrivals)
    return replace(producer, arrivals=arrivals), words and f"{producer.name}: {words}", 0.0


def _longer_phases(arrivals: Arrivals) -> tuple[Arrivals, str]:
    if isinstance(arrivals, Bulk):
        inner, words = _longer_phases(arrivals.arrivals)
        return replace(arrivals, arrivals=inner), words
    if not isinstance(arrivals, Bursty):
        return arrivals, ""
    longer = replace(arrivals, mean_high=2.0 * arrivals.mean_high)
    before, now = duration(arrivals.mean_high), duration(longer.mean_high)
    return longer, f"high phases last {now} on average, in place of {before}, at the same rates"


def _repeated(producer: Producer, trace: Trace, until: float) -> tuple[Producer, str, float]:
    is_ring = isinstance(producer.arrivals, ScaledTrace) and trace.keep == "independent"
    # a ring is turned, so that any of it may come; of a trace as recorded the run sees the beginning
    seen = trace.times if is_ring else trace.times[trace.times < until]
    length = SHARE * float(seen[-1]) if len(seen) else 0.0
    if not length:
        return producer, "", 0.0
    burst = busiest(seen, length)
    longer = _with_twice(trace, burst)
    arrivals = replace(producer.arrivals, trace=longer) if isinstance(producer.arrivals, ScaledTrace) else longer
    data = producer.data
    if isinstance(data, Sequence):
        data = _taken(data, _rows(burst, len(trace)))
    words = (
        f"{producer.name}: the busiest {duration(burst.length)} of the recording, from {duration(burst.start)} on with "
        f"{number(burst.last - burst.first)} jobs, come twice, one after the other"
    )
    return replace(producer, arrivals=arrivals, data=data), words, 0.0 if is_ring else burst.length


def _with_twice(trace: Trace, burst: Burst) -> Trace:
    rows = _rows(burst, len(trace))
    later = np.arange(len(rows)) >= burst.last
    times = trace.times[rows] + np.where(later, burst.length, 0.0)
    columns = {name: getattr(trace, name) for name in ("keys", "queues", "data")}
    kept: dict[str, Any] = {name: None if column is None else _taken(column, rows) for name, column in columns.items()}
    nbytes = None if trace.nbytes is None else trace.nbytes[rows]
    length = None if trace.length is None else trace.length + burst.length
    return replace(trace, times=times, nbytes=nbytes, length=length, **kept)


def _rows(burst: Burst, count: int) -> np.ndarray:
    """The rows of a trace in the order in which they come, those of the burst twice."""
    return np.concatenate((np.arange(burst.last), np.arange(burst.first, count)))


def _taken(column: Sequence[Any], rows: np.ndarray) -> tuple[Any, ...]:
    return tuple(column[row] for row in rows.tolist())


_DOWNTIME = 10.0


@dataclass(frozen=True, slots=True)
class StressTest:
    """A stress test: something that may go wrong, and the model with it.

    Parameters
    ----------
    name : str
        Its name: "workers twice as slow".
    meaning : str
        What differs from the model, in words; where it cannot go wrong in this model, why not.
    simulation : Simulation or None
        The model with it; None where it cannot go wrong in this model.
    """

    name: str
    meaning: str
    simulation: Simulation | None


def stress_tests(simulation: Simulation) -> tuple[StressTest, ...]:
    """The stress tests of a model: more load, longer bursts, slower and fewer workers, and a stop.

    Half as many jobs again; bursts twice as long (see `bufsim.studies.what_if.with_longer_bursts`); workers that take
    twice as long for everything; half of the workers of every queue gone for the whole run, rounded down; and a stop of
    the server in the middle of what is counted, with 10 s until it is up again.

    Examples
    --------
    >>> from bufsim import FlushEvery, JobBuffer, Poisson, Producer, PushWorkers
    >>> simulation = Simulation(
    ...     producers=[Producer("edits", Poisson(10.0))],
    ...     buffers=[JobBuffer("search", policy=FlushEvery("5s"))],
    ...     workers=[PushWorkers(3, service="20ms")],
    ...     until="1min",
    ... )
    >>> for test in stress_tests(simulation):
    ...     print(f"{test.name}: {test.meaning}")
    half as many jobs again: 1.5 times the arrivals
    bursts twice as long: not looked at, because no arrivals are recorded or Bursty
    workers twice as slow: service, each item and the time from poll to poll take twice as long
    half of the workers gone: of 3 workers of a queue 2 are left, for the whole run
    a stop of 10 s in the middle: the server stops at 30 s; what is in memory, and what comes until it is up, is lost
    """
    return (
        StressTest("half as many jobs again", "1.5 times the arrivals", simulation.scaled(arrivals=1.5)),
        _longer_burst(simulation),
        *_fewer_workers(simulation),
        _stop(simulation),
    )


def _left_out(name: str, because: str) -> StressTest:
    return StressTest(name, f"not looked at, because {because}", None)


def _longer_burst(simulation: Simulation) -> StressTest:
    name, longer = "bursts twice as long", with_longer_bursts(simulation)
    if longer is None:
        return _left_out(name, "no arrivals are recorded or Bursty")
    model, meaning = longer
    return StressTest(name, meaning, model)


def _fewer_workers(simulation: Simulation) -> tuple[StressTest, StressTest]:
    slow, gone = "workers twice as slow", "half of the workers gone"
    if not simulation.workers:
        return _left_out(slow, "the model has no workers"), _left_out(gone, "the model has no workers")
    what = "service, each item and the time from poll to poll take twice as long"
    return StressTest(slow, what, slower_workers(simulation, 2.0)), _half_gone(gone, simulation)


def _half_gone(name: str, simulation: Simulation) -> StressTest:
    counts = dict.fromkeys(pool.concurrency for pool in simulation.workers if pool.concurrency > 1)
    if not counts:
        return _left_out(name, "no queue has more than one worker, and without it nothing of the queue is served")
    left = tuple(replace(pool, concurrency=(pool.concurrency + 1) // 2) for pool in simulation.workers)
    text = " and ".join(f"of {count} workers of a queue {(count + 1) // 2}" for count in counts)
    are = "is" if len(counts) == 1 and 2 in counts else "are"
    return StressTest(name, f"{text} {are} left, for the whole run", replace(simulation, workers=left))


def _stop(simulation: Simulation) -> StressTest:
    name = f"a stop of {duration(_DOWNTIME)} in the middle"
    if simulation.stops is not None:
        return _left_out(name, "the model has stops of its own")
    middle = (simulation.warm_up + simulation.until) / 2.0
    stopped = replace(simulation, stops=Stops(at=[middle], downtime=_DOWNTIME))
    what = "what is in memory, and what comes until it is up, is lost"
    return StressTest(name, f"the server stops at {duration(middle)}; {what}", stopped)
