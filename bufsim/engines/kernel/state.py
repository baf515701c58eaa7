"""What the kernel works on: records for what stands once per buffer or queue, columns for what a run writes down.

The kernel's functions are plain Python in the subset that numba compiles; they also run uncompiled, for tests and for
readable tracebacks. Jobs, rows (a job in one of its buffers) and works are kept in windows that move with the run: job
j stands at j − job_first, row r at r − row_first, work w at w − work_first. Where everything is recorded the windows
are as long as the run, and are the recorded columns; where it is only tallied, what lies behind is forgotten.

There are few arrays, and records are passed by reference, since each array among the arguments of a function costs time
to compile and to call.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Records = Any
"""Arrays of records; numpy's types do not know their fields."""

# what `kernel.run` returns: done, or what the caller must do before it calls again; 0 is for going on
DONE, MORE_JOBS, MORE_FLUSH_DRAWS, MORE_WORK_DRAWS, MORE_ROOM, RINGS = range(1, 7)

# opcodes of policies
SIZE, BYTES, AGE, IDLE, EVERY, EVERY_START, EVERY_END, TIMES, NEVER, ANY, ALL, CHECKED = range(12)
# kinds of reduce
KEEP, UNIQUE, MERGE, SEARCH = range(4)
# kinds of keys, for SEARCH
OTHER_KEY, VARIANTS_KEY, PRODUCT_KEY = range(3)
# kinds of workers
NO_WORKERS, PUSH, POLLING = range(3)

RUN = np.dtype(
    [
        # the declared model
        ("until", "f8"),
        ("start", "f8"),  # the end of the warm-up
        ("contiguous", "?"),  # one buffer takes every job and loses none: its rows stand side by side
        ("straight", "?"),  # moreover every job goes to its queue as it is: its work has its number
        ("bulk", "?"),  # moreover nothing serves the queue
        ("single", "?"),  # every job has one row: a row's number is its job's
        ("losses", "?"),  # a copy can be lost
        ("serves", "?"),  # some queue has workers, or can lose its jobs
        ("loses_work", "?"),  # queues can lose their jobs
        ("in_order", "?"),  # every queue that has workers serves in order
        ("counts_bytes", "?"),  # some job has bytes
        ("counts_items", "?"),  # a work can have other than one item
        ("window", "f8"),
        ("durable", "?"),
        ("durable_queue", "?"),
        ("exposes", "?"),  # a stop can lose something else than what is buffered
        ("stops_first", "i8"),  # in `times`: stop 0, restart 0, stop 1, ...
        ("stops_last", "i8"),
        ("keys", "i8"),
        ("ids_first", "i8"),  # in `lists`: where the ids of each variants key begin
        # what is kept: rows, sizes and works as columns; tallies; flushes as rows, with the arrivals of what they took
        ("records", "?"),
        ("tallies", "?"),
        ("keeps_flushes", "?"),
        ("keeps_taken", "?"),
        ("marks_rows", "?"),  # of which nothing more can become, so that they can be forgotten
        # windows
        ("job_first", "i8"),
        ("row_first", "i8"),
        ("work_first", "i8"),
        ("live_row", "i8"),  # the first of which something can still become
        ("live_job", "i8"),
        ("live_work", "i8"),
        ("queue_mask", "i8"),  # 0 where the jobs' queue is the same for all, else −1; so for the next two
        ("key_mask", "i8"),
        ("nbytes_mask", "i8"),
        ("jobs", "i8"),  # the end of the jobs at hand
        ("known_until", "f8"),  # no other job arrives before
        # how far the run has come
        ("job", "i8"),
        ("row", "i8"),
        ("size_row", "i8"),
        ("flush", "i8"),
        ("work", "i8"),
        ("ends", "i8"),  # on the heap
        ("stop", "i8"),
        ("down", "?"),
        ("taken", "i8"),
        # tallies of the whole run, and of the window: jobs that pass by
        ("lost", "i8"),
        ("landed", "i8"),  # came out of flushes
        ("landed_lost", "i8"),
        ("passed", "i8"),
        ("passed_lost", "i8"),
        ("passed_by", "i8"),
        # where levels and samples stand: of all buffers and of all queues, −1 where there is only one
        ("all_buffers", "i8"),
        ("queue_levels", "i8"),
        ("all_queues", "i8"),
        ("served_level", "i8"),
        ("queue_samples", "i8"),
        # what is missing
        ("which", "i8"),
        ("attempt", "i8"),
        ("needed", "i8"),
    ],
    align=True,
)

BUFFER = np.dtype(
    [
        # declared
        ("program_first", "i8"),
        ("program_last", "i8"),
        ("ticks_first", "i8"),  # in `program`: its tick rules
        ("ticks_last", "i8"),
        ("idle", "?"),  # the answer can change with every arrival
        ("sizes_first", "i8"),  # in `lists`: the sizes at which the answer can change, increasing
        ("sizes_last", "i8"),
        ("bytes_first", "i8"),
        ("bytes_last", "i8"),
        ("drain_jobs", "i8"),
        ("drain_bytes", "i8"),
        ("limited", "?"),
        ("capacity_jobs", "i8"),
        ("capacity_bytes", "i8"),
        ("drop_oldest", "?"),
        ("fixed", "f8"),  # NaN where it is drawn
        ("per_job", "f8"),
        ("reduce", "i8"),
        # as it stands
        ("jobs", "i8"),
        ("held", "i8"),  # bytes
        ("head", "i8"),
        ("tail", "i8"),
        ("last_flush_start", "f8"),
        ("last_flush_end", "f8"),
        ("flushing", "?"),
        ("end_at", "f8"),
        ("ring_at", "f8"),
        ("race_end", "f8"),
        ("batch_head", "i8"),
        ("batch_jobs", "i8"),
        ("batch_held", "i8"),
        ("flush", "i8"),
        ("flushes", "i8"),
        ("rings", "i8"),
        ("next_size", "i8"),
        ("next_bytes", "i8"),
        ("asked", "?"),
        ("draws_first", "i8"),  # in `draws`: its fixed flush times from number `draws_skipped` on
        ("draws_last", "i8"),
        ("draws_skipped", "i8"),
        # tallies, as in `results.tallies.BufferTally`
        ("vacant", "?"),  # empty, not flushing, and the server is up: since when
        ("vacant_since", "f8"),
        ("arrivals", "i8"),
        ("stored", "i8"),
        ("further_copies", "i8"),
        ("started", "i8"),
        ("batch_sum", "i8"),
        ("batch_squares", "i8"),
        ("largest_batch", "i8"),
        ("ended", "i8"),
        ("ended_jobs", "i8"),
        ("reduced_jobs", "i8"),
        ("largest_reduced", "i8"),
        ("batch_nbytes", "i8"),
        ("largest_nbytes", "i8"),
        ("flush_time", "f8"),
        ("longest_flush", "f8"),
        ("empty_ticks", "i8"),
        ("causes_first", "i8"),  # in `counts`: flushes by cause, batch sizes by bin, lost rows by cause
        ("batches_first", "i8"),
        ("lost_first", "i8"),
    ],
    align=True,
)

QUEUE = np.dtype(
    [
        # declared
        ("collectors_first", "i8"),  # in `lists`: the buffers that collect its jobs
        ("collectors_last", "i8"),
        ("workers", "i8"),
        ("in_order", "?"),  # what becomes of a work is known when it comes
        ("stores", "?"),  # a work can start, or be lost
        ("concurrency", "i8"),
        ("poll_interval", "f8"),
        ("per_item", "f8"),
        ("failure", "f8"),
        ("retries", "i8"),
        ("backoff_first", "f8"),
        ("backoff_factor", "f8"),
        ("backoff_longest", "f8"),
        # as it stands
        ("head", "i8"),
        ("tail", "i8"),
        ("waiting", "i8"),
        ("free", "i8"),
        ("handed", "i8"),
        ("free_first", "i8"),  # in `free`, where it serves in order: when each worker is free
        ("mark", "f8"),  # where it serves in order and only counts: when something is to be noted next
        ("stayed", "f8"),  # and how long the works that have started stay in all, s
        ("start_at", "f8"),
        ("last_poll", "f8"),
        # tallies, as in `results.tallies.QueueTally`
        ("came", "i8"),
        ("items", "i8"),
        ("largest_items", "i8"),
        ("completed", "i8"),
        ("failed", "i8"),
        ("lost", "i8"),
        ("attempts", "i8"),
        ("service_time", "f8"),
        ("longest_service", "f8"),
        ("busy_time", "f8"),
    ],
    align=True,
)

# an operation of a policy's program; `whole` is a threshold in jobs or bytes, or where the times of TIMES begin
OPERATION = np.dtype(
    [("op", "i8"), ("seconds", "f8"), ("phase", "f8"), ("whole", "i8"), ("last", "i8"), ("leaf", "i8")], align=True
)
ANSWER = np.dtype([("due", "f8"), ("leaf", "i8")], align=True)
END = np.dtype([("time", "f8"), ("work", "i8")], align=True)
# draws of one queue and attempt, in `draws`: that of the i-th work stands at its first + i − skipped
SPAN = np.dtype([("service", "i8"), ("failure", "i8"), ("skipped", "i8"), ("count", "i8")], align=True)
FLUSH = np.dtype(
    [
        ("buffer", "i8"),
        ("start", "f8"),
        ("end", "f8"),
        ("cause", "i8"),
        ("jobs", "i8"),
        ("reduced", "i8"),
        ("held", "i8"),
    ],
    align=True,
)

# rows of Rows.whole and Rows.small; CARRIED: the next row that the same work carries
ROW_JOB, ROW_FLUSH, ROW_WORK, ROW_NEXT, ROW_CARRIED = range(5)
ROW_BUFFER, ROW_LOSS, ROW_GONE = range(3)
# rows of Works.whole, Works.seconds and Works.small; ROW: the first of the rows that it carries
WORK_FLUSH, WORK_ATTEMPTS, WORK_FINISHED, WORK_ITEMS, WORK_PLACE, WORK_NEXT, WORK_ROW, WORK_ROWS = range(8)
QUEUED_AT, STARTED_AT, FINISHED_AT, LOST_AT, BUSY = range(5)
WORK_QUEUE, WORK_BUFFER = range(2)


class Jobs(NamedTuple):
    """The jobs at hand, in order of arrival; a column with the same value for all has one element and the mask 0."""

    time: Floats
    queue: npt.NDArray[np.int16]
    key: npt.NDArray[np.int32]
    nbytes: Ints


class Rows(NamedTuple):
    """Rows, a job in one of its buffers each: one column a row of these arrays."""

    whole: Ints
    lost_at: Floats
    small: npt.NDArray[np.int16]


class Sizes(NamedTuple):
    """The buffer-size series."""

    time: Floats
    jobs: Ints
    nbytes: Ints
    buffer: npt.NDArray[np.int16]


class Works(NamedTuple):
    """Work: jobs handed to a queue."""

    whole: Ints
    seconds: Floats
    small: npt.NDArray[np.int16]
    outcome: npt.NDArray[np.int8]


class Tally(NamedTuple):
    """What is counted, summed and kept as levels over time, beside the fields of buffers and queues."""

    levels: Records
    samples: Records
    counts: Ints
    seconds: Floats
    taken: Floats


class State(NamedTuple):
    """All that the kernel works on."""

    run: Records
    buffers: Records
    queues: Records
    program: Records
    lists: Ints
    times: Floats
    key_kind: npt.NDArray[np.int8]
    jobs: Jobs
    rows: Rows
    sizes: Sizes
    flushes: Records
    works: Works
    heap: Records
    free: Floats
    draws: Floats
    spans: Records
    stack: Records
    # for reduces, by key and queue, or id: the flush in which it was last seen, and the work that carries it
    seen: Ints
    place: Ints
    positions: Ints
    tally: Tally


def with_attributes(state: State) -> State:
    """Return the state with records whose fields are attributes, as the kernel's functions need them uncompiled."""

    def seen(value: Any) -> Any:
        if isinstance(value, tuple):
            return type(value)(*map(seen, value))
        return value.view(np.recarray) if value.dtype.names else value

    return State(*map(seen, state))


def job_of(run: Any, rows: Rows, row: int) -> int:
    """Return the job of a row."""
    return row if run.single else rows.whole[ROW_JOB, row - run.row_first]


def following(run: Any, rows: Rows, row: int) -> int:
    """Return the row after `row` in the same buffer."""
    return row + 1 if run.contiguous else rows.whole[ROW_NEXT, row - run.row_first]


def queue_of(run: Any, jobs: Jobs, job: int) -> int:
    """Return the queue of a job."""
    return jobs.queue[(job - run.job_first) & run.queue_mask]


def key_of(run: Any, jobs: Jobs, job: int) -> int:
    """Return the key of a job, −1 for none."""
    return jobs.key[(job - run.job_first) & run.key_mask]


def bytes_of(run: Any, jobs: Jobs, job: int) -> int:
    """Return the bytes of a job."""
    return jobs.nbytes[(job - run.job_first) & run.nbytes_mask]


def queue_of_work(run: Any, jobs: Jobs, works: Works, work: int) -> int:
    """Return the queue of a work."""
    if run.straight:
        return queue_of(run, jobs, work)
    return works.small[WORK_QUEUE, work - run.work_first]


def items_of(run: Any, works: Works, work: int) -> int:
    """Return the items that a work carries."""
    return works.whole[WORK_ITEMS, work - run.work_first] if run.counts_items else 1
