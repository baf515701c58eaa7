"""Job buffers on the compiled engine: what they store, lose and flush."""

from __future__ import annotations

import numpy as np

from bufsim.engines.kernel import empty_ticks, policy, tallies
from bufsim.engines.kernel.records import Records
from bufsim.engines.kernel.state import (
    ROW_FLUSH,
    ROW_GONE,
    ROW_LOSS,
    ROW_NEXT,
    Buffer,
    Floats,
    Flush,
    JobWindow,
    Operation,
    RowWindow,
    Run,
    SizeColumns,
    State,
    Tally,
    bytes_of,
    following,
    job_of,
)
from bufsim.engines.recording import CAPACITY, RACE
from bufsim.model import rules


def write_size(state: State, buffer: Buffer, now: float) -> None:
    """Write that the buffer size has changed."""
    run = state.run[0]
    if run.records:
        add_size(run, state.sizes, buffer, now)
    if run.tallies:
        tallies.count_size(run, state.tally, buffer, now)
    if run.counts_empty_ticks:
        empty_ticks.note_change(run, buffer, state.program, state.times, now)


def add_size(run: Run, sizes: SizeColumns, buffer: Buffer, now: float) -> None:
    """Add a row to the buffer-size series."""
    i = run.size_row
    run.size_row = i + 1
    sizes.time[i] = now
    sizes.jobs[i] = buffer.jobs
    if run.counts_bytes:
        sizes.nbytes[i] = buffer.held_nbytes
    if not run.contiguous:
        sizes.buffer[i] = buffer.index


def lose(run: Run, rows: RowWindow, tally: Tally, buffer: Buffer, row: int, now: float, cause: int) -> None:
    """Write that a row of a buffer is lost."""
    mark_lost(run, rows, row, now, cause)
    if run.tallies:
        tallies.count_loss(run, tally, buffer.lost_first, False, 1, now, cause)


def mark_lost(run: Run, rows: RowWindow, row: int, now: float, cause: int) -> None:
    """Write a row's loss, or that nothing more becomes of it."""
    at = row - run.row_first
    if run.records:
        rows.lost_at[at] = now
        rows.small[ROW_LOSS, at] = cause
    if run.tallies:
        rows.small[ROW_GONE, at] = 1


def store(state: State, buffer: Buffer, row: int, nbytes: int, now: float) -> bool:
    """Store a row that arrives, or lose it; return whether the policy must be asked."""
    run = state.run[0]
    if buffer.jobs == 0 and buffer.calls_last > buffer.calls_first:
        follow_calls(buffer, state.program, state.times, now)
    if now < buffer.race_end:
        lose(run, state.rows, state.tally, buffer, row, now, RACE)
        return False
    if buffer.limited and not fits(buffer, nbytes):
        if not buffer.drop_oldest or nbytes > buffer.capacity_bytes:
            lose(run, state.rows, state.tally, buffer, row, now, CAPACITY)
            return buffer.jobs > 0
        make_room(state, buffer, nbytes, now)
    if buffer.jobs == 0:
        buffer.head = row
    elif not run.contiguous:
        state.rows.whole[ROW_NEXT, buffer.tail - run.row_first] = row
    buffer.tail = row
    buffer.jobs += 1
    buffer.held_nbytes += nbytes
    write_size(state, buffer, now)
    if buffer.remembers:
        policy.remember_arrival(buffer, state.program, now)
        return True
    # the answer stands unless it depends on what this job changes
    if buffer.jobs == 1 or buffer.always_asked or buffer.limited:
        return True
    return buffer.jobs >= buffer.next_size or buffer.held_nbytes >= buffer.next_bytes


def follow_calls(buffer: Buffer, program: Records[Operation], times: Floats, now: float) -> None:
    """Note up to when the last flush that was called before now deletes what arrives, though it found nothing.

    Such flushes are no events: they are looked up when a job comes into the empty buffer; see the example in
    `bufsim.engines.simpy_buffers.EmptyFlushes`.
    """
    if buffer.flushing or now < buffer.race_end:
        return
    at = max(buffer.next_call, now - 2.0 * buffer.calls_spacing)
    call = first_call(buffer, program, times, at)
    while call < now:
        buffer.race_end = call + buffer.window
        # a window that is lost in rounding would find the same call for ever
        if now < buffer.race_end or buffer.race_end == call:
            break
        at = buffer.race_end
        call = first_call(buffer, program, times, at)
    buffer.next_call = at


def first_call(buffer: Buffer, program: Records[Operation], times: Floats, at: float) -> float:
    """Return the first tick from `at` on that does not look at the buffer first."""
    call = rules.INF
    for i in range(buffer.calls_first, buffer.calls_last):
        call = min(call, policy.leaf_due(buffer, program[i], times, at, at))
    return call


def fits(buffer: Buffer, nbytes: int) -> bool:
    """Return whether a job fits into a buffer of limited capacity."""
    return buffer.jobs < buffer.capacity_jobs and buffer.held_nbytes + nbytes <= buffer.capacity_bytes


def make_room(state: State, buffer: Buffer, nbytes: int, now: float) -> None:
    """Drop the oldest jobs until another fits."""
    while not fits(buffer, nbytes):
        lose(state.run[0], state.rows, state.tally, buffer, buffer.head, now, CAPACITY)
        take(state.run[0], state.jobs, state.rows, buffer, 1)
        write_size(state, buffer, now)


def take(run: Run, jobs: JobWindow, rows: RowWindow, buffer: Buffer, count: int) -> None:
    """Take the oldest `count` jobs out of a buffer."""
    if count == buffer.jobs:
        buffer.jobs = 0
        buffer.held_nbytes = 0
        return
    row = buffer.head
    if run.contiguous and not run.counts_bytes:
        row += count
    else:
        for _ in range(count):
            buffer.held_nbytes -= bytes_of(run, jobs, job_of(run, rows, row))
            row = following(run, rows, row)
    buffer.head = row
    buffer.jobs -= count


def ask(state: State, buffer: Buffer, now: float) -> None:
    """Ask the policy when the next flush is due, and start it or set the ring."""
    if buffer.flushing or buffer.jobs == 0:
        return
    due = policy.due(state.run[0], buffer, state.program, state.stack, state.times, state.jobs, state.rows, now)
    if due == -rules.INF:
        start_flush(state, buffer, now, False)
    else:
        buffer.ring_at = max(due, now)
        policy.set_steps(buffer, state.lists)


def repeat_or_ask(state: State, buffer: Buffer, now: float) -> None:
    """Start the next flush, with the cause of the one that has ended, if the drain goes on; else ask the policy."""
    if rules.repeats(buffer.drain_repeats, buffer.jobs, buffer.held_nbytes, buffer.drain_jobs, buffer.drain_bytes):
        state.stack[0].leaf = buffer.cause
        start_flush(state, buffer, now, False)
    else:
        ask(state, buffer, now)


def ring(state: State, buffer: Buffer, now: float) -> None:
    """Ask again when the time has come: fire, or wait for the new time.

    A new time comes but once for each grid in the policy: a leaf's answer changes only with the buffer, and a grid's no
    more once the leaf behind it is due. The draw of the flush is at hand: whatever let jobs in asked for it, or the end
    of the flush before this one.
    """
    due = policy.due(state.run[0], buffer, state.program, state.stack, state.times, state.jobs, state.rows, now)
    if due <= now:
        start_flush(state, buffer, now, True)
    else:
        buffer.ring_at = due
        policy.set_steps(buffer, state.lists)


def lacks_flush_draw(run: Run, buffer: Buffer) -> bool:
    """Return whether the next flush's fixed time is not at hand, and note whose."""
    if not np.isnan(buffer.fixed) or buffer.draws_first + buffer.started - buffer.draws_skipped < buffer.draws_last:
        return False
    run.which, run.needed = buffer.index, buffer.started + 1
    return True


def drained(run: Run, jobs: JobWindow, rows: RowWindow, buffer: Buffer) -> int:
    """Return how many jobs the flush takes."""
    most = min(buffer.jobs, buffer.drain_jobs)
    if buffer.drain_bytes >= rules.NO_LIMIT:
        return most
    total = 0
    row = buffer.head
    for taken in range(most):
        total += bytes_of(run, jobs, job_of(run, rows, row))
        count = rules.batch_end(taken, total, buffer.drain_bytes, buffer.drain_reaches)
        if count > 0:
            return count
        row = following(run, rows, row)
    return most


def start_flush(state: State, buffer: Buffer, now: float, rang: bool) -> None:
    """Start a flush, by the timer if it rang: the batch leaves the buffer. Its cause stands in stack[0].leaf."""
    run, jobs, rows = state.run[0], state.jobs, state.rows
    if rang and buffer.remembers:
        policy.remember_ring(run, buffer, state.program, state.times, jobs, rows, now)
    cause = buffer.cause = state.stack[0].leaf
    nbytes = buffer.held_nbytes
    buffer.flight_head, buffer.flight_jobs = buffer.head, drained(run, jobs, rows, buffer)
    buffer.flush = run.flush
    run.flush += 1
    take(run, jobs, rows, buffer, buffer.flight_jobs)
    buffer.flight_nbytes = nbytes - buffer.held_nbytes
    write_flush(run, rows, state.flushes, buffer, cause, now)
    write_size(state, buffer, now)
    buffer.ring_at = rules.INF
    buffer.last_flush_start = now
    buffer.flushing = True
    buffer.race_end = now + buffer.window
    if run.tallies:
        tallies.count_flush(run, state.tally, jobs, rows, buffer, cause, now)
    if run.counts_empty_ticks:
        empty_ticks.note_change(run, buffer, state.program, state.times, now)
    fixed = buffer.fixed
    if np.isnan(fixed):
        fixed = state.draws[buffer.draws_first + buffer.started - buffer.draws_skipped]
    buffer.started += 1
    buffer.end_at = rules.flush_end(now, buffer.window, fixed, buffer.per_job, buffer.flight_jobs)


def write_flush(run: Run, rows: RowWindow, flushes: Records[Flush], buffer: Buffer, cause: int, now: float) -> None:
    """Write that a flush starts, and which rows it takes."""
    if run.keeps_flushes:
        flush = flushes[buffer.flush]
        flush.buffer, flush.start, flush.end, flush.cause = buffer.index, now, np.nan, cause
        flush.jobs, flush.reduced, flush.taken_nbytes = buffer.flight_jobs, -1, buffer.flight_nbytes
    if run.records and run.contiguous:
        first = buffer.flight_head - run.row_first
        taken = rows.whole[ROW_FLUSH][first : first + buffer.flight_jobs]
        for i in range(len(taken)):
            taken[i] = buffer.flush
    elif run.records:
        row = buffer.flight_head
        for _ in range(buffer.flight_jobs):
            rows.whole[ROW_FLUSH, row - run.row_first] = buffer.flush
            row = following(run, rows, row)
