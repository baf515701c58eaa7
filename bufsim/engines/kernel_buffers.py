"""What buffers store and lose, on the compiled engine."""

from __future__ import annotations

from typing import Any

from bufsim.engines import kernel_state as ks
from bufsim.engines import kernel_tally as kt
from bufsim.engines import kernel_ticks as kc
from bufsim.engines.kernel_rows import bytes_of, following, job_of
from bufsim.engines.kernel_state import Jobs, Rows, Sizes, State, Tally
from bufsim.engines.recording import CAPACITY, RACE


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
