"""Tally of a run, in bounded memory: counts, sums, peaks and histograms, from which every metric follows.

Each accumulator is defined here exactly, so that it can be made from the tables (`bufsim.results.tallying`) or streamed
while a run goes on, with the same outcome: counts, peaks and histograms of counts are equal; sums of floats differ only
by the order of summation.

Everything is cut to the window [warm_up, until), but for what is said to be of the whole run. A *row* is a row of
`jobs`, a job in one of the buffers that collect it; a *task* is a row of `work`, a job in a queue. Where nothing
was seen, counts, sums and peaks are 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any, TypeVar

from bufsim.engines.counts import BufferCounts, QueueCounts, frozen, joining
from bufsim.errors import BufsimError
from bufsim.results.measures import Histogram, Level, LevelDistribution, Sample, Window
from bufsim.results.records import OUTCOMES
from bufsim.results.steps import Series


@dataclass(frozen=True, slots=True)
class BufferLevels:
    """The levels of a buffer, or of all buffers together (each the sum over the buffers).

    Parameters
    ----------
    size : LevelDistribution
        The buffer size. Its peak is over all values, also those of no duration (a buffer that is flushed at size 200
        has been at 200): the value just before the events at the window's start, and that after each change in it.
    nbytes : Level
        The bytes in it; peak as for `size`.
    in_flight : Level
        The jobs in flight: from a flush's start to its end, or to the stop that interrupts it. Its peak is over values
        that last: what holds after all events of an instant.
    in_flight_nbytes : Level
        The bytes in flight; peak as for `in_flight`.
    exposed : LevelDistribution
        The rows that a stop would lose at this moment: those in flight; those buffered in a volatile storage; and those
        whose task is not finished, in a volatile queue (all buffers together: those of no buffer too).
        A row without a known task counts until its flush's last task is finished. Peak as for `in_flight`. Its times
        are those in which the server is up: one that is down cannot stop.
    """

    size: LevelDistribution
    nbytes: Level
    in_flight: Level
    in_flight_nbytes: Level
    exposed: LevelDistribution


@frozen
class BufferTally(BufferCounts):
    """Tally of a buffer: its counts, and further.

    Parameters
    ----------
    lost : tuple of int
        Rows that were lost in the window, by cause, in the order of `recording.LOSS_CAUSES`, whenever they arrived.
    causes : dict of str to int
        How many flushes each cause started; a cause that started none may be left out.
    batches : Histogram
        Counts of the batch sizes, on the grid `measures.SIZES`.
    waits : Sample
        Flush start − arrival of each job that the flushes took, also of those lost later.
    left, left_nbytes : int
        Jobs and bytes in the buffer at `until`.
    levels : BufferLevels
        Its levels over time.
    """

    lost: tuple[int, ...]
    causes: dict[str, int]
    batches: Histogram
    waits: Sample
    left: int
    left_nbytes: int
    levels: BufferLevels


@dataclass(frozen=True, slots=True)
class QueueLevels:
    """The levels of a queue, or of all queues together. Their peaks are over values that last.

    Parameters
    ----------
    waiting : Level
        Tasks that wait for their first start: from queued_at to started_at, to their loss, or to `until`.
    unfinished : Level
        Tasks in the queue, in service or between attempts: from queued_at to finished_at, to their loss, or to `until`.
    """

    waiting: Level
    unfinished: Level


@frozen
class QueueTally(QueueCounts):
    """Tally of a job queue and its workers: its counts, and further.

    Parameters
    ----------
    concurrency : int
        The number of workers; 0 without workers.
    waits : Sample
        started_at − queued_at of the tasks whose first attempt started in the window.
    end_to_end : Sample
        finished_at − created_at of the rows whose finish lies in the window, by the job's own queue; those of jobs
        that bypassed the buffers included.
    levels : QueueLevels
        Its levels over time.
    """

    concurrency: int
    waits: Sample
    end_to_end: Sample
    levels: QueueLevels


# without slots: what is asked of all buffers and queues is kept, since each metric asks anew
@dataclass(frozen=True)
class Tally:
    """Tally of a run: enough for every metric.

    Parameters
    ----------
    window : Window
        [warm_up, until).
    jobs : int
        Jobs created in the whole run.
    rows : int
        Rows of the whole run, counted when their jobs arrive.
    outcomes : tuple of int
        Rows of the whole run by what had become of them at `until`, in the order of `copies.OUTCOMES`.
    bypassed : int
        Jobs that arrived in the window and that no buffer collects.
    bypassed_lost : tuple of int
        Of the jobs that no buffer collects, those lost in the window, by cause, as in `recording.LOSS_CAUSES`.
    buffers : dict of str to BufferTally
        By the buffers' ids, in the declared order.
    queues : dict of str to QueueTally
        By the queues' names, in the order in which they were first named.
    buffer_levels : BufferLevels
        The levels of all buffers together.
    queue_levels : QueueLevels
        The levels of all queues together.
    buffered : Series
        The sum of the buffer sizes over the whole run.
    unfinished : Series
        Tasks in the queues that have workers, in service or between attempts, over the whole run: from queued_at to
        finished_at, to their loss, or to `until`.
    """

    window: Window
    jobs: int
    rows: int
    outcomes: tuple[int, ...]
    bypassed: int
    bypassed_lost: tuple[int, ...]
    buffers: dict[str, BufferTally]
    queues: dict[str, QueueTally]
    buffer_levels: BufferLevels
    queue_levels: QueueLevels
    buffered: Series
    unfinished: Series

    def __post_init__(self) -> None:
        counts = dict(zip(OUTCOMES, self.outcomes, strict=True))
        if sum(self.outcomes) != self.rows:
            raise BufsimError(f"the outcomes {counts} do not make the {self.rows} rows of the run: a bug in bufsim")
        left = sum(buffer.left for buffer in self.buffers.values())
        if counts["buffered"] != left:
            raise BufsimError(f"the outcomes {counts} do not agree with {left} jobs left in buffers: a bug in bufsim")

    @cached_property
    def all_buffers(self) -> BufferTally:
        """Tally of all buffers together: counts and sums added, levels of the sum over the buffers."""
        return _together(BufferTally, list(self.buffers.values()), self.buffer_levels)

    @cached_property
    def all_queues(self) -> QueueTally:
        """Tally of all queues together: counts and sums added, levels of the sum over the queues."""
        return _together(QueueTally, list(self.queues.values()), self.queue_levels)


Part = TypeVar("Part", BufferTally, QueueTally)


def _together(kind: type[Part], parts: Sequence[Part], levels: BufferLevels | QueueLevels) -> Part:
    if len(parts) == 1:
        return replace(parts[0], levels=levels)  # type: ignore[arg-type]  # the levels are those of this kind
    joins = {name: join for name, join in joining(kind).items() if name != "levels"}
    joined: dict[str, Any] = {n: _joined(join, [getattr(part, n) for part in parts]) for n, join in joins.items()}
    return kind(**joined | {"levels": levels})


def _joined(join: Callable[[Any, Any], Any], values: Sequence[Any]) -> Any:
    """Return one field of several tallies together."""
    if isinstance(values[0], tuple):
        return tuple(map(sum, zip(*values, strict=True)))
    if isinstance(values[0], dict):
        keys = dict.fromkeys(key for value in values for key in value)
        return {key: sum(value.get(key, 0) for value in values) for key in keys}
    return reduce(join, values)
