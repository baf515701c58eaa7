"""What buffers store and lose, on the compiled engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from bufsim.engines.kernel import policy as kp
from bufsim.engines.kernel import state as ks
from bufsim.engines.kernel import tallies as kc
from bufsim.engines.kernel import tallies as kt
from bufsim.engines.kernel.state import Jobs, Records, Rows, Sizes, State, Tally, bytes_of, following, job_of
from bufsim.engines.recording import CAPACITY, RACE
from bufsim.model import rules


def write_size(state: State, b: Any, buffer: int, now: float) -> None:
    """Write that the buffer size has changed."""
    run = state.run[0]
    if run.records:
        add_size(run, state.sizes, b, buffer, now)
    if run.tallies:
        kt.count_size(run, state.tally, b, buffer, now)
        kc.note_vacancy(run, b, state.program, state.times, now)


def add_size(run: Any, sizes: Sizes, b: Any, buffer: int, now: float) -> None:
    """Add a row to the buffer-size series."""
    i = run.size_row
    run.size_row = i + 1
    sizes.time[i] = now
    sizes.jobs[i] = b.jobs
    if run.counts_bytes:
        sizes.nbytes[i] = b.held
    if not run.contiguous:
        sizes.buffer[i] = buffer


def lose(run: Any, rows: Rows, tally: Tally, b: Any, row: int, now: float, cause: int) -> None:
    """Write that a row of a buffer is lost."""
    mark_lost(run, rows, row, now, cause)
    if run.tallies:
        kt.count_loss(run, tally, b.lost_first, False, 1, now, cause)


def mark_lost(run: Any, rows: Rows, row: int, now: float, cause: int) -> None:
    """Write a row's loss, or that nothing more becomes of it."""
    at = row - run.row_first
    if run.records:
        rows.lost_at[at] = now
        rows.small[ks.ROW_LOSS, at] = cause
    if run.tallies:
        rows.small[ks.ROW_GONE, at] = 1


def store(state: State, b: Any, buffer: int, row: int, nbytes: int, now: float) -> bool:
    """Store a row that arrives, or lose it; return whether the policy is to be asked."""
    run = state.run[0]
    b.rings = 0
    if b.flushing and now < b.race_end:
        lose(run, state.rows, state.tally, b, row, now, RACE)
        return False
    if b.limited and not fits(b, nbytes):
        if not b.drop_oldest or nbytes > b.capacity_bytes:
            lose(run, state.rows, state.tally, b, row, now, CAPACITY)
            return b.jobs > 0
        make_room(state, b, buffer, nbytes, now)
    if b.jobs == 0:
        b.head = row
    elif not run.contiguous:
        state.rows.whole[ks.ROW_NEXT, b.tail - run.row_first] = row
    b.tail = row
    b.jobs += 1
    b.held += nbytes
    write_size(state, b, buffer, now)
    # the answer stands unless it depends on what this job changes
    return b.jobs == 1 or b.idle or b.limited or b.jobs >= b.next_size or b.held >= b.next_bytes


def fits(b: Any, nbytes: int) -> bool:
    """Return whether a job fits into a buffer of limited capacity."""
    return b.jobs < b.capacity_jobs and b.held + nbytes <= b.capacity_bytes


def make_room(state: State, b: Any, buffer: int, nbytes: int, now: float) -> None:
    """Drop the oldest jobs until another fits."""
    while not fits(b, nbytes):
        lose(state.run[0], state.rows, state.tally, b, b.head, now, CAPACITY)
        take(state.run[0], state.jobs, state.rows, b, 1)
        write_size(state, b, buffer, now)


def take(run: Any, jobs: Jobs, rows: Rows, b: Any, count: int) -> None:
    """Take the oldest `count` jobs out of a buffer."""
    if count == b.jobs:
        b.jobs = 0
        b.held = 0
        return
    row = b.head
    if run.contiguous and not run.counts_bytes:
        row += count
    else:
        for _ in range(count):
            b.held -= bytes_of(run, jobs, job_of(run, rows, row))
            row = following(run, rows, row)
    b.head = row
    b.jobs -= count


MOST_RINGS = 1_000_000


def ask(state: State, buffer: int, now: float) -> None:
    """Ask the policy when the next flush is due, and start it or set the ring."""
    b = state.buffers[buffer]
    if b.flushing or b.jobs == 0:
        return
    due = kp.due(state.run[0], b, state.program, state.stack, state.times, state.jobs, state.rows, now)
    if due == -rules.INF:
        start_flush(state, buffer, now)
    else:
        b.ring_at = max(due, now)
        kp.set_steps(b, state.lists)


def ring(state: State, buffer: int, now: float) -> int:
    """Ask again when the time has come: fire, or wait for the new time; return 0, or a lack."""
    run, b = state.run[0], state.buffers[buffer]
    if lacks_flush_draw(run, b, buffer):
        return ks.MORE_FLUSH_DRAWS
    b.rings += 1
    if b.rings > MOST_RINGS:
        run.which = buffer
        return ks.RINGS
    due = kp.due(run, b, state.program, state.stack, state.times, state.jobs, state.rows, now)
    if due <= now:
        start_flush(state, buffer, now)
    else:
        b.ring_at = due
        kp.set_steps(b, state.lists)
    return 0


def lacks_flush_draw(run: Any, b: Any, buffer: int) -> bool:
    """Return whether the next flush's fixed time is not at hand, and note whose."""
    if not np.isnan(b.fixed) or b.draws_first + b.flushes - b.draws_skipped < b.draws_last:
        return False
    run.which, run.needed = buffer, b.flushes + 1
    return True


def drained(run: Any, jobs: Jobs, rows: Rows, b: Any) -> int:
    """Return how many jobs the flush takes."""
    most = min(b.jobs, b.drain_jobs)
    if b.drain_bytes >= rules.NO_LIMIT:
        return most
    total = 0
    row = b.head
    for taken in range(most):
        total += bytes_of(run, jobs, job_of(run, rows, row))
        if total > b.drain_bytes:
            return max(taken, 1)
        row = following(run, rows, row)
    return most


def start_flush(state: State, buffer: int, now: float) -> None:
    """Start a flush: the batch leaves the buffer. Its cause stands in stack[0].leaf."""
    run, b, jobs, rows = state.run[0], state.buffers[buffer], state.jobs, state.rows
    cause = state.stack[0].leaf
    held = b.held
    b.batch_head, b.batch_jobs = b.head, drained(run, jobs, rows, b)
    b.flush = run.flush
    run.flush += 1
    take(run, jobs, rows, b, b.batch_jobs)
    b.batch_held = held - b.held
    write_flush(run, rows, state.flushes, b, buffer, cause, now)
    write_size(state, b, buffer, now)
    b.ring_at = rules.INF
    b.rings = 0
    b.last_flush_start = now
    b.flushing = True
    b.race_end = now + run.window
    if run.tallies:
        kt.count_flush(run, state.tally, jobs, rows, b, buffer, cause, now)
        kc.note_vacancy(run, b, state.program, state.times, now)
    fixed = state.draws[b.draws_first + b.flushes - b.draws_skipped] if np.isnan(b.fixed) else b.fixed
    b.flushes += 1
    b.end_at = rules.flush_end(now, run.window, fixed, b.per_job, b.batch_jobs)


def write_flush(run: Any, rows: Rows, flushes: Records, b: Any, buffer: int, cause: int, now: float) -> None:
    """Write that a flush starts, and which rows it takes."""
    if run.keeps_flushes:
        f = flushes[b.flush]
        f.buffer, f.start, f.end, f.cause = buffer, now, np.nan, cause
        f.jobs, f.reduced, f.held = b.batch_jobs, -1, b.batch_held
    if run.records and run.contiguous:
        first = b.batch_head - run.row_first
        taken = rows.whole[ks.ROW_FLUSH][first : first + b.batch_jobs]
        for i in range(len(taken)):
            taken[i] = b.flush
    elif run.records:
        row = b.batch_head
        for _ in range(b.batch_jobs):
            rows.whole[ks.ROW_FLUSH, row - run.row_first] = b.flush
            row = following(run, rows, row)
