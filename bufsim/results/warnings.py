"""Warnings of a run: a sentence for each thing that can mislead who reads its result."""

from __future__ import annotations

from collections.abc import Iterator

from bufsim.formats import duration, number
from bufsim.model.buffers import JobBuffer
from bufsim.model.declaration import Declaration
from bufsim.model.flush_policy import BufferView
from bufsim.model.policies import NeverFlush
from bufsim.model.rules import INF
from bufsim.model.workers import PollingWorkers, Workers
from bufsim.results.tallies import BufferTally, QueueTally, Tally

LONG_SERVICE = 10.0
"""A job whose items alone take so long is called large, s."""
MANY_ITEMS = 1000
"""Without a time per item, a job with so many items is called large."""


def sentences(simulation: Declaration, tally: Tally) -> list[str]:
    """The warnings of a run, a sentence each.

    "never due": jobs are left in a buffer whose policy will not come due for them without another arrival. "unstable":
    more work comes to a queue than its workers can do. "large job": a reduced job whose items take `LONG_SERVICE` or
    more, or, when items take no time, at least `MANY_ITEMS` of them.
    """
    warnings: list[str] = []
    for buffer in simulation.buffers:
        warnings.extend(_never_due(buffer, tally.buffers[buffer.id], simulation.until))
    for name, queue in tally.queues.items():
        workers = simulation.workers_of(name)
        if workers is not None:
            warnings.extend(_unstable(name, workers, queue, tally))
            warnings.extend(_large_job(name, workers, queue))
    return warnings


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
    served = queue.completed + queue.failed
    if not served:
        return
    each = queue.service_time / served
    if isinstance(workers, PollingWorkers):
        # a worker starts one job a poll at most, however short the jobs are
        each = max(each, workers.poll_interval)
    load = queue.enqueued * each / (workers.concurrency * tally.window.span)
    if load > 1.0:
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
