"""What is counted of a buffer and of a queue: each field is declared here, and nowhere else.

The compiled engine counts in records that have these fields (`bufsim.engines.kernel.state`), tables are counted into
them (`bufsim.results.tallying`), and tallies have them (`bufsim.results.tallies`). A field's type says what it is and
how those of several buffers make one: counts and seconds are added, of the largest and longest the largest is taken.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypeVar, dataclass_transform

Count = int
Largest = int
Seconds = float
Longest = float

_JOINED: dict[str, Callable[[Any, Any], Any]] = {
    "Count": operator.add,
    "Largest": max,
    "Seconds": operator.add,
    "Longest": max,
}

T = TypeVar("T")


@dataclass_transform()
def frozen(kind: type[T]) -> type[T]:
    """Return the class as a frozen dataclass; to the type checker its fields can be set, as those of records can."""
    return dataclass(frozen=True, slots=True)(kind)


@frozen
class BufferCounts:
    """What is counted of a buffer, in the window.

    Parameters
    ----------
    arrivals : int
        Rows whose job arrived in the window, stored or not.
    stored : int
        Times that a job was stored in the window: `arrivals` without those lost at their arrival.
    further_copies : int
        Of the `arrivals`, those of jobs that an earlier buffer collects too.
    flushes : int
        Flushes that started in the window. The next fields, up to `longest_flush`, are about them.
    batch_jobs, batch_squares, largest_batch : int
        Sum, sum of squares and maximum of the batch sizes.
    batch_nbytes, largest_nbytes : int
        Sum and maximum of the bytes taken.
    ended : int
        Those of them that ended before `until`.
    ended_jobs, reduced_jobs, largest_reduced : int
        Of those that ended: the sum of batch sizes; sum and maximum of reduced sizes.
    flush_time, longest_flush : float
        Of those that ended: sum and maximum of end − start, s.
    repeated : int
        Of those that ended: jobs that further servers had read too, and handed over again, once for each of them.
    empty_ticks : int
        Ticks of the policy in the window that found the buffer empty, see `bufsim.results.empty_ticks`.
    """

    arrivals: Count
    stored: Count
    further_copies: Count
    flushes: Count
    batch_jobs: Count
    batch_squares: Count
    largest_batch: Largest
    batch_nbytes: Count
    largest_nbytes: Largest
    ended: Count
    ended_jobs: Count
    reduced_jobs: Count
    largest_reduced: Largest
    flush_time: Seconds
    longest_flush: Longest
    repeated: Count
    empty_ticks: Count


@frozen
class QueueCounts:
    """What is counted of a job queue and its workers, in the window.

    Parameters
    ----------
    enqueued, items, largest_items : int
        Tasks that came to the queue in the window; sum and maximum of their items.
    completed, failed : int
        Tasks that were completed, or failed for good, in the window.
    lost : int
        Tasks that were lost with the queue in the window.
    attempts : int
        Attempts started of the tasks that were completed or failed in the window.
    service_time, longest_service : float
        Sum and maximum of those tasks' busy times, s.
    busy_time : float
        Worker-seconds in service in the window: of each attempt, whatever becomes of it, the part that lies in it. One
        that still runs counts up to `until`, one that is lost with the queue up to its loss.
    """

    enqueued: Count
    items: Count
    largest_items: Largest
    completed: Count
    failed: Count
    lost: Count
    attempts: Count
    service_time: Seconds
    longest_service: Longest
    busy_time: Seconds


def counts_of(kind: type, record: object) -> dict[str, Any]:
    """Return the counts of a kind that stand in a record, by name."""
    return {field.name: getattr(record, field.name) for field in fields(kind)}


def joining(kind: type) -> dict[str, Callable[[Any, Any], Any]]:
    """Return how two values of a field make one, by the field's name; for fields of other types: they are added."""
    return {field.name: _JOINED.get(str(field.type), operator.add) for field in fields(kind)}
