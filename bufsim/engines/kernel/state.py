"""What the kernel works on: records for what stands once per buffer or queue, columns for what a run writes down.

The kernel's functions are plain Python in the subset that numba compiles; they also run uncompiled, for tests and for
readable tracebacks. Jobs, rows (a job in one of its buffers) and tasks are kept in windows that move with the run: job
j stands at j − job_first, row r at r − row_first, task t at t − task_first. Where everything is recorded the windows
are as long as the run, and are the recorded columns; where it is only tallied, what lies behind is forgotten.

There are few arrays, and records are passed by reference, since each array among the arguments of a function costs time
to compile and to call.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bufsim.engines.counts import BufferCounts, QueueCounts
from bufsim.engines.kernel.records import Record, Records

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# what `loop.run` returns: done, or what the caller must do before it calls again; 0 is for going on
DONE, MORE_JOBS, MORE_FLUSH_DRAWS, MORE_SERVICE_DRAWS, MORE_ROOM, MORE_RETRIES = range(1, 7)

# opcodes of policies: those of leaves are in `model.rules`
ANY, ALL, CHECKED = range(-3, 0)
# kinds of reduce
KEEP, UNIQUE, MERGE, SEARCH = range(4)
# kinds of keys, for SEARCH
OTHER_KEY, VARIANTS_KEY, PRODUCT_KEY = range(3)
# kinds of workers
NO_WORKERS, PUSH, POLLING = range(3)


class Run(Record):
    """What stands once for all."""

    # the declared model
    until: float
    start: float  # the end of the warm-up
    durable_queues: bool  # all of them are
    stops_first: int  # in `times`: stop 0, restart 0, stop 1, ...
    stops_last: int
    keys: int
    ids_first: int  # in `lists`: where the ids of each variants key begin
    # what the model allows to leave out: docs/engine.md says which combinations there are, and what each saves
    contiguous: (
        bool  # one buffer takes every job and loses none: its rows stand side by side, a row's number is its job's
    )
    straight: bool  # moreover every job goes to its queue as it is: its task has its number, and one item
    bulk: bool  # moreover nothing serves the queue
    serves: bool  # some queue has workers, or can lose its jobs
    in_order: bool  # every queue that has workers serves in order
    counts_bytes: bool  # some job has bytes
    # what is kept: rows, sizes and tasks as columns; tallies; flushes as rows, with the arrivals of what they took
    records: bool
    tallies: bool
    counts_empty_ticks: bool
    keeps_flushes: bool
    keeps_taken: bool
    marks_rows: bool  # of which nothing more can become, so that they can be forgotten
    # windows
    job_first: int
    row_first: int
    task_first: int
    live_row: int  # the first of which something can still become
    live_job: int
    live_task: int
    queue_mask: int  # 0 where the jobs' queue is the same for all, else −1; so for the next two
    key_mask: int
    nbytes_mask: int
    jobs: int  # the end of the jobs at hand
    known_until: float  # no other job arrives before
    # how far the run has come
    job: int
    row: int
    size_row: int
    flush: int
    task: int
    retry: int
    ends: int  # on the heap
    stop: int
    down: bool
    taken: int
    # rows of the whole run: lost; of those that came out of flushes, and of those of no buffer, all and lost
    lost: int
    landed: int
    landed_lost: int
    outside: int
    outside_lost: int
    bypassed: int  # jobs of no buffer, in the window
    # where levels and samples stand: of all buffers and of all queues, −1 where there is only one
    all_buffers: int
    queue_levels: int
    all_queues: int
    served_level: int
    queue_samples: int
    # what is missing
    which: int
    attempt: int
    needed: int


class Buffer(Record, BufferCounts):
    """A job buffer, and what is counted of it."""

    index: int
    # declared
    program_first: int
    program_last: int
    ticks_first: int  # in `program`: its tick rules
    ticks_last: int
    always_asked: bool  # the answer can change with every arrival
    remembers: bool  # some leaf does
    sizes_first: int  # in `lists`: the sizes at which the answer can change, increasing
    sizes_last: int
    bytes_first: int
    bytes_last: int
    drain_jobs: int
    drain_bytes: int
    drain_reaches: bool  # the job that reaches the bytes goes along, in place of staying where it exceeds them
    drain_repeats: int  # what follows on the end of a flush, of `rules`
    limited: bool
    capacity_jobs: int
    capacity_bytes: int
    drop_oldest: bool
    fixed: float  # NaN where it is drawn
    per_job: float
    window: float  # between read and delete
    calls_first: int  # in `program`: the ticks at which a flush is called whatever the buffer holds
    calls_last: int
    calls_spacing: float  # their period, if each of these flushes ends before the next; else infinity
    hand_overs: int  # of each batch: the servers that read it
    durable: bool
    reduce: int
    # as it stands
    jobs: int
    held_nbytes: int
    head: int
    tail: int
    last_flush_start: float
    last_flush_end: float
    flushing: bool
    end_at: float
    ring_at: float
    race_end: float  # up to when a flush deletes what arrives, one that found nothing too
    next_call: float  # from when on a flush can find the buffer empty
    flush: int  # the present flush, its cause, and what is in flight with it
    cause: int
    flight_head: int
    flight_jobs: int
    flight_nbytes: int
    started: int  # flushes, in the whole run
    next_size: int
    next_bytes: int
    must_ask: bool
    draws_first: int  # in `draws`: its fixed flush times from number `draws_skipped` on
    draws_last: int
    draws_skipped: int
    vacant: bool  # empty, not flushing, and the server is up: since when
    vacant_since: float
    causes_first: int  # in `counts`: flushes by cause, batch sizes by bin, lost rows by cause
    batches_first: int
    lost_first: int


class Queue(Record, QueueCounts):
    """A job queue with its workers, and what is counted of it."""

    index: int
    # declared
    collectors_first: int  # in `lists`: the buffers that collect its jobs
    collectors_last: int
    workers: int
    in_order: bool  # what becomes of a task is known when it comes
    stores: bool  # a task can start, or be lost
    durable: bool
    concurrency: int
    poll_interval: float
    per_item: float
    failure: float
    retries: int
    backoff_first: float
    backoff_factor: float
    backoff_longest: float
    # as it stands
    head: int
    tail: int
    waiting: int
    free: int
    next_place: int  # that of the next task among all that come
    free_first: int  # in `free`, where it serves in order: when each worker is free
    mark: float  # where it serves in order and only counts: when something is to be noted next
    stayed: float  # and how long the tasks that have started stay in all, s
    start_at: float
    last_poll: float


class Level(Record):
    """A level over time, such as a buffer's size."""

    value: int
    since: float
    mark: float  # when something is to be noted next: the end of the warm-up, an edge of the series
    integral: float  # so far, without what `exact` says; at the end of the warm-up it is forgotten
    squares: float
    peak: int  # over all values
    lasting: int  # over the values that last
    spread: bool  # whether the time at each value is kept
    exact: int  # in `seconds`: the time at each value below EXACT, and above it by bins, with their ends
    bins: int
    series: int  # in `seconds`: the integral of the whole run up to each edge; −1: not kept
    edge: int
    before: float  # the integral of the warm-up
    warm: bool  # the warm-up is over


class Sample(Record):
    """Durations, s."""

    count: int
    total: float
    squares: float
    largest: float
    bins: int  # in `counts`, with their ends


class Operation(Record):
    """An operation of a policy's program."""

    op: int
    seconds: float
    phase: float
    whole: int  # a threshold in jobs or bytes, or where the times of TIMES begin
    last: int
    leaf: int
    since: float  # what a leaf remembers: when its timer was activated, and the flush that spent a tick last
    spent: float


class Answer(Record):
    """A due time, and the leaf that it comes from."""

    due: float
    leaf: int


class End(Record):
    """The end of a service or a back-off."""

    time: float
    task: int


class Span(Record):
    """Draws of one queue and attempt, in `draws`: that of the i-th task stands at its first + i − skipped."""

    service: int
    failure: int
    skipped: int
    count: int


class Retry(Record):
    """A row of the retries: an attempt at a task after the first, and when it starts."""

    task: int
    number: int
    start: float


class Flush(Record):
    """A row of the flushes."""

    buffer: int
    start: float
    end: float
    cause: int
    jobs: int
    reduced: int
    taken_nbytes: int


# rows of RowWindow.whole and RowWindow.small; CARRIED: the next row that the same task carries
ROW_JOB, ROW_FLUSH, ROW_TASK, ROW_NEXT, ROW_CARRIED = range(5)
ROW_BUFFER, ROW_LOSS, ROW_GONE = range(3)
# rows of TaskWindow.whole, TaskWindow.seconds and TaskWindow.small; ROW: the first of the rows that it carries;
# ATTEMPT_AT: when its present attempt started, and BUSY: the service times of those that have ended
TASK_FLUSH, TASK_ATTEMPTS, TASK_FINISHED, TASK_ITEMS, TASK_PLACE, TASK_NEXT, TASK_ROW, TASK_ROWS = range(8)
QUEUED_AT, STARTED_AT, FINISHED_AT, LOST_AT, ATTEMPT_AT, BUSY = range(6)
TASK_QUEUE, TASK_BUFFER = range(2)


class JobWindow(NamedTuple):
    """The jobs at hand, in order of arrival; a column with the same value for all has one element and the mask 0."""

    time: Floats
    queue: npt.NDArray[np.int16]
    key: npt.NDArray[np.int32]
    nbytes: Ints


class RowWindow(NamedTuple):
    """Rows, a job in one of its buffers each: one column a row of these arrays."""

    whole: Ints
    lost_at: Floats
    small: npt.NDArray[np.int16]


class SizeColumns(NamedTuple):
    """The buffer-size series."""

    time: Floats
    jobs: Ints
    nbytes: Ints
    buffer: npt.NDArray[np.int16]


class TaskWindow(NamedTuple):
    """Tasks: jobs in a queue, each of one or more jobs that came out of a buffer."""

    whole: Ints
    seconds: Floats
    small: npt.NDArray[np.int16]
    outcome: npt.NDArray[np.int8]


class Tally(NamedTuple):
    """What is counted, summed and kept as levels over time, beside the fields of buffers and queues."""

    levels: Records[Level]
    samples: Records[Sample]
    counts: Ints
    seconds: Floats
    taken: Floats


class State(NamedTuple):
    """All that the kernel works on."""

    run: Records[Run]
    buffers: Records[Buffer]
    queues: Records[Queue]
    program: Records[Operation]
    lists: Ints
    times: Floats
    key_kind: npt.NDArray[np.int8]
    jobs: JobWindow
    rows: RowWindow
    sizes: SizeColumns
    flushes: Records[Flush]
    tasks: TaskWindow
    retries: Records[Retry]
    heap: Records[End]
    free: Floats
    draws: Floats
    spans: Records[Span]
    stack: Records[Answer]
    # for reduces, by key and queue, or id: the flush in which it was last seen, and the task that carries it
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


def job_of(run: Run, rows: RowWindow, row: int) -> int:
    """Return the job of a row."""
    return row if run.contiguous else rows.whole[ROW_JOB, row - run.row_first]


def following(run: Run, rows: RowWindow, row: int) -> int:
    """Return the row after `row` in the same buffer."""
    return row + 1 if run.contiguous else rows.whole[ROW_NEXT, row - run.row_first]


def queue_of(run: Run, jobs: JobWindow, job: int) -> int:
    """Return the queue of a job."""
    return jobs.queue[(job - run.job_first) & run.queue_mask]


def key_of(run: Run, jobs: JobWindow, job: int) -> int:
    """Return the key of a job, −1 for none."""
    return jobs.key[(job - run.job_first) & run.key_mask]


def bytes_of(run: Run, jobs: JobWindow, job: int) -> int:
    """Return the bytes of a job."""
    return jobs.nbytes[(job - run.job_first) & run.nbytes_mask]


def queue_of_task(run: Run, jobs: JobWindow, tasks: TaskWindow, task: int) -> int:
    """Return the queue of a task."""
    if run.straight:
        return queue_of(run, jobs, task)
    return tasks.small[TASK_QUEUE, task - run.task_first]


def items_of(run: Run, tasks: TaskWindow, task: int) -> int:
    """Return the items that a task carries."""
    return 1 if run.straight else tasks.whole[TASK_ITEMS, task - run.task_first]
