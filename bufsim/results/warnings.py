"""Warnings of a run: a sentence for each thing that can mislead who reads its result."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

from bufsim.formats import duration, nbytes, number, percent
from bufsim.model.arrivals import Arrivals, Deterministic
from bufsim.model.buffers import CollectAll, CollectQueues, DrainAtMost, DrainUntil, JobBuffer, Storage
from bufsim.model.declaration import Declaration
from bufsim.model.distributions import Constant
from bufsim.model.flush_policy import BufferView
from bufsim.model.policies import NeverFlush
from bufsim.model.producers import Producer
from bufsim.model.recorded import recorded
from bufsim.model.rules import INF
from bufsim.model.traces import is_shifted_too_far, recording
from bufsim.model.workers import PollingWorkers, Workers, mean_attempts
from bufsim.results.tallies import BufferTally, QueueTally, Tally

ROUNDING = 1e-9
"""So little above its capacity is no overload."""
LONG_SERVICE = 10.0
"""A job whose items alone take so long is called large, s."""
MANY_ITEMS = 1000
"""Without a time per item, a job with so many items is called large."""

EMPTY = 0.1
"""The share of what is counted in which no job can come, from which on that is said. Every rate, and every mean over
time, is too low by this share: a tenth is more than what many a choice between two policies turns on. After the last
arrival the longest time that any job took is allowed for: until then the last ones are flushed and served."""
_LONG_AGO = 1e8
_ORIGIN = "where its times count from another moment, as those of a clock do, read it with origin='first'"


def sentences(simulation: Declaration, tally: Tally) -> list[str]:
    """The warnings of a run, a sentence each: from counts and from what is declared, never from a sum of floats.

    "never due": jobs are left in a buffer whose policy will not come due for them without another arrival. "unstable":
    more work comes to a queue than its workers can do. "large job": a reduced job whose items take `LONG_SERVICE` or
    more, or, when items take no time, at least `MANY_ITEMS` of them. "no jobs": a producer made none, or none did.
    "arrivals begin late" and "arrivals end": for more than `EMPTY` of what is counted no job can come. "copies crowd":
    a recording is scaled by copies that lie farther before their jobs than it is long. "unused storage": that of the
    simulation, where each buffer has one of its own. "larger than a batch": a job, as far as sizes are known before the
    run, has more bytes than the drain of a buffer that collects it is to take at a time.
    """
    warnings: list[str] = []
    for buffer in simulation.buffers:
        warnings.extend(_never_due(buffer, tally.buffers[buffer.id], simulation.until))
    for name, queue in tally.queues.items():
        workers = simulation.workers_of(name)
        if workers is not None:
            warnings.extend(_unstable(name, workers, queue, tally))
            warnings.extend(_large_job(name, workers, queue))
    warnings += [*_no_jobs(simulation, tally), *_without_arrivals(simulation, tally)]
    return [*warnings, *_shifted_too_far(simulation), *_unused_storage(simulation), *_larger_than_a_batch(simulation)]


def _larger_than_a_batch(simulation: Declaration) -> Iterator[str]:
    """Yield which producers make jobs that alone have more bytes than a flush is to take."""
    for buffer in simulation.buffers:
        drain = buffer.drain
        if not isinstance(drain, DrainAtMost | DrainUntil) or drain.nbytes is None:
            continue
        for producer in simulation.producers:
            largest = _largest_job(producer, buffer)
            if largest > drain.nbytes:
                sizes = [nbytes(size) for size in (largest, drain.nbytes)]
                # in full where few digits do not tell them apart
                large, limit = sizes if sizes[0] != sizes[1] else [f"{n:,} bytes" for n in (largest, drain.nbytes)]
                yield (
                    f"larger than a batch: jobs of producer {producer.name!r} have up to {large}, more than the "
                    f"{limit} that a flush of buffer {buffer.id!r} takes: it takes such a job all the same, and its "
                    "batch is above the limit. Raise it, or split such jobs."
                )


def _largest_job(producer: Producer, buffer: JobBuffer) -> int:
    """The most bytes of a job that the buffer collects of a producer; 0 where that is not known before the run."""
    collect, sizes = buffer.collect, producer.nbytes
    taken = [isinstance(collect, CollectAll | CollectQueues) and collect.takes(queue) for queue in producer.queues]
    if not any(taken):
        return 0
    if sizes is None:
        trace = producer.trace
        # else the size is 0
        assert trace is not None
        assert trace.nbytes is not None
        of_trace = producer.queue is None and trace.queues is not None
        rows = np.array(taken)[recorded(trace).queues.codes] if of_trace else slice(None)
        return int(trace.nbytes[rows].max())
    if isinstance(sizes, Constant):
        return int(sizes.value)
    return sizes if isinstance(sizes, int) else 0


def _unused_storage(simulation: Declaration) -> Iterator[str]:
    """Yield that the simulation's storage holds no jobs, unless it is the default."""
    if simulation.storage != Storage() and all(buffer.storage is not None for buffer in simulation.buffers):
        yield (
            f"unused storage: {simulation.storage!r} of the simulation holds no jobs, since each buffer has a storage "
            "of its own. Leave it out, or leave out those of the buffers that shall lie in it."
        )


def _shifted_too_far(simulation: Declaration) -> Iterator[str]:
    """Yield which recordings are scaled by copies that crowd at their start."""
    for producer in simulation.producers:
        trace = recording(producer.arrivals)
        if trace is not None and trace.shift is not None and is_shifted_too_far(producer.arrivals):
            yield (
                f"copies crowd: shift={duration(trace.shift)} of producer {producer.name!r} is longer than its "
                f"recording of {duration(trace.end)}, so that copies crowd at its start. Give a shorter shift."
            )


def _never_due(buffer: JobBuffer, kept: BufferTally, until: float) -> Iterator[str]:
    if not kept.left or buffer.policy == NeverFlush():
        return
    view = BufferView(until, kept.left, kept.left_nbytes, oldest_at=until, newest_at=until)
    if buffer.policy.due(view) == INF:
        yield (
            f"never due: {buffer.policy!r} alone: {number(kept.left)} of the jobs stayed in buffer {buffer.id!r} to "
            "the end; without an age limit the last jobs wait for ever. Add `| FlushAfterAge(...)`."
        )


def _unstable(name: str, workers: Workers, queue: QueueTally, tally: Tally) -> Iterator[str]:
    if not queue.enqueued:
        return
    # as it is declared: what has been served by the end may be the short jobs, or none
    each = workers.service.expected_value() + workers.per_item * (queue.items / queue.enqueued)
    if isinstance(workers, PollingWorkers):
        # a worker starts one job a poll at most, however short the jobs are
        each = max(each, workers.poll_interval)
    load = queue.enqueued * each * mean_attempts(workers) / (workers.concurrency * tally.window.span)
    if load > 1.0 + ROUNDING:
        yield (
            f"unstable: load {load:.3g} of the capacity of the workers of queue {name!r}: no steady state; waits grow "
            f"with `until`. Shown for {duration(tally.window.end)} only."
        )


def _large_job(name: str, workers: Workers, queue: QueueTally) -> Iterator[str]:
    items = queue.largest_items
    if items > 1 and items * workers.per_item >= LONG_SERVICE:
        yield (
            f"large job: one job of queue {name!r} carries {number(items)} items (reduce merges a batch): "
            f"{duration(items * workers.per_item)} of service at the time per item given. Bound the batch."
        )
    elif items >= MANY_ITEMS and not workers.per_item:
        yield (
            f"large job: one job of queue {name!r} carries {number(items)} items (reduce merges a batch), and items "
            "take no time, since the workers have no per_item. Give it, or bound the batch."
        )


def _no_jobs(simulation: Declaration, tally: Tally) -> Iterator[str]:
    """Yield why producers made no job: those of which none can come, or all, where none has come."""
    late = [producer for producer in simulation.producers if producer.arrivals.span[0] >= simulation.until]
    silent = late if tally.jobs else simulation.producers
    if silent:
        yield f"no jobs: {'; '.join(_silence(producer, simulation.until) for producer in silent)}."


def _silence(producer: Producer, until: float) -> str:
    """The reason why a producer made no job."""
    arrivals, name = producer.arrivals, f"producer {producer.name!r}"
    first, _ = arrivals.span
    if first >= until:
        begins = "never comes" if first == INF else f"comes at {_time(first)}"
        way_out = f" ({_ORIGIN})" if recording(arrivals) is not None else ""
        return f"the first job of {name} {begins}, and the run ends at {_time(until)}{way_out}"
    expected = arrivals.mean_rate * until
    known = f", {expected:.3g} were to be expected in {_time(until)}" if expected == expected else ""
    return f"{name} made none by chance{known}"


def _without_arrivals(simulation: Declaration, tally: Tally) -> Iterator[str]:
    """Yield that much of what is counted lies before the first arrival that can come, or after the last."""
    arrivals = [producer.arrivals for producer in simulation.producers]
    start, end = tally.window.start, tally.window.end
    first, last = min(map(_begin, arrivals)), max(one.span[1] for one in arrivals)
    before, after, most = first - start, end - max(last, start), EMPTY * (end - start)
    if not tally.jobs or max(before, after) <= most:
        return
    # a stretch that is not longer than one between two jobs is nothing unusual
    gap = max(map(_longest_gap, arrivals))
    recorded = [recording(one) is not None for one in arrivals]
    effect = "rates and means over time are too low by as much"
    if before > max(most, gap):
        origin = f"; {_ORIGIN}" if any(recorded) else ""
        yield (
            f"arrivals begin late: none can come before {_time(first)}, which is {percent(before / (end - start))} of "
            f"what is counted, so that {effect}. Set warm_up to that time{origin}."
        )
    if after - _longest_way(tally) > most and after > gap:
        yield (
            f"arrivals end: none can come after {_time(last)}, and the run goes on to {_time(end)}: that is "
            f"{percent(after / (end - start))} of what is counted, so that {effect}. "
            f"{'Leave out `until`, or end' if all(recorded) else 'End'} the run there."
        )


def _longest_way(tally: Tally) -> float:
    """The longest time that a job took to be flushed or finished: so long the last ones may take too."""
    ways = [tally.all_buffers.waits, *(queue.end_to_end for queue in tally.queues.values())]
    return max(way.largest for way in ways)


def _begin(arrivals: Arrivals) -> float:
    """The time at which arrivals begin; a recording whose length is known begins at 0, whenever its first job comes."""
    trace = recording(arrivals)
    return 0.0 if trace is not None and trace.length is not None else arrivals.span[0]


def _longest_gap(arrivals: Arrivals) -> float:
    """The longest time between two jobs of arrivals whose jobs are known before; of others 0."""
    trace = recording(arrivals)
    if trace is not None:
        return float(np.diff(trace.times).max(initial=0.0))
    return arrivals.interval if isinstance(arrivals, Deterministic) else 0.0


def _time(seconds: float) -> str:
    """A moment in words; one of a clock that counts from long ago in full."""
    if seconds < sys.float_info.min:
        # the double next to 0: a recording whose jobs are all at 0 ends there
        return "0 s"
    return duration(seconds) if seconds < _LONG_AGO else f"{seconds:.15g} s"
