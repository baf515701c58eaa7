"""What the kernel works on: records for what stands once per buffer or queue, columns for what a run writes down.

The kernel's functions are plain Python in the subset that numba compiles; they also run uncompiled, for tests and for
readable tracebacks. Rows of copies and of work are kept in rings: row r stands at r & mask. A full recording has rings
as long as the run, so that nothing is ever overwritten and the rings are the recorded columns.

There are few arrays, and records are passed by reference, since each array among the arguments of a function costs time
to compile and to call.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Records = npt.NDArray[Any]

# what `kernel.run` returns: done, or what the caller must do before it calls again
DONE, MORE_JOBS, MORE_FLUSH_DRAWS, MORE_WORK_DRAWS, MORE_ROOM, RINGS = range(6)

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
        ("contiguous", "?"),  # one buffer takes every job and loses none: its rows stand side by side
        ("single", "?"),  # every job has one row: a row's number is its job's
        ("losses", "?"),  # a copy can be lost
        ("serves", "?"),  # some queue has workers, or can lose its jobs
        ("counts_bytes", "?"),  # some job has bytes
        ("window", "f8"),
        ("durable", "?"),
        ("durable_queue", "?"),
        ("stops_first", "i8"),  # in `times`: stop 0, restart 0, stop 1, ...
        ("stops_last", "i8"),
        ("keys", "i8"),
        ("ids_first", "i8"),  # in `lists`: where the ids of each variants key begin
        # rings and columns
        ("job_mask", "i8"),
        ("queue_mask", "i8"),
        ("key_mask", "i8"),
        ("nbytes_mask", "i8"),
        ("row_mask", "i8"),
        ("work_mask", "i8"),
        ("jobs", "i8"),  # at hand
        ("known_until", "f8"),  # no other job arrives before
        # how far the run has come
        ("now", "f8"),
        ("job", "i8"),
        ("row", "i8"),
        ("size_row", "i8"),
        ("flush", "i8"),
        ("work", "i8"),
        ("ends", "i8"),  # on the heap
        ("stop", "i8"),
        ("down", "?"),
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
        ("flush", "i8"),
        ("flushes", "i8"),
        ("rings", "i8"),
        ("next_size", "i8"),
        ("next_bytes", "i8"),
        ("asked", "?"),
        ("draws_first", "i8"),  # in `draws`: its fixed flush times
        ("draws_last", "i8"),
    ],
    align=True,
)

QUEUE = np.dtype(
    [
        # declared
        ("collectors_first", "i8"),  # in `lists`: the buffers that collect its jobs
        ("collectors_last", "i8"),
        ("workers", "i8"),
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
        ("start_at", "f8"),
        ("last_poll", "f8"),
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

# rows of Rows.whole and Rows.small
ROW_JOB, ROW_FLUSH, ROW_WORK, ROW_NEXT = range(4)
ROW_BUFFER, ROW_LOSS = range(2)
# rows of Works.whole, Works.seconds and Works.small
WORK_FLUSH, WORK_ATTEMPTS, WORK_FINISHED, WORK_ITEMS, WORK_PLACE, WORK_NEXT = range(6)
QUEUED_AT, STARTED_AT, FINISHED_AT, LOST_AT = range(4)
WORK_QUEUE, WORK_OUTCOME = range(2)


class Jobs(NamedTuple):
    """The jobs at hand, in order of arrival; a column with the same value for all has one element and the mask 0."""

    time: Floats
    queue: npt.NDArray[np.int16]
    key: npt.NDArray[np.int32]
    nbytes: Ints


class Rows(NamedTuple):
    """Copies: one column a row of these arrays."""

    whole: Ints
    lost_at: Floats
    small: npt.NDArray[np.int16]


class Sizes(NamedTuple):
    """The buffer-size series; `whole` holds jobs and bytes."""

    time: Floats
    whole: Ints
    buffer: npt.NDArray[np.int16]


class Works(NamedTuple):
    """Work: jobs handed to a queue."""

    whole: Ints
    seconds: Floats
    small: npt.NDArray[np.int16]


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
    draws: Floats
    spans: Records
    stack: Records
    # for reduces, by key and queue, or id: the flush in which it was last seen, and the work that carries it
    seen: Ints
    place: Ints
    positions: Ints
