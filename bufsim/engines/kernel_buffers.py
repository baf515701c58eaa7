"""Buffers on the compiled engine: arrivals, questions to the policy, the start of a flush, stops."""

from __future__ import annotations

from typing import Any

import numpy as np

from bufsim.engines import kernel_policy as kp
from bufsim.engines import kernel_queues as kq
from bufsim.engines import kernel_state as ks
from bufsim.engines.kernel_state import Jobs, Rows, Sizes, State
from bufsim.engines.recording import BUFFER, CAPACITY, DOWN, IN_FLIGHT, RACE
from bufsim.model import rules

MOST_RINGS = 1_000_000


def write_size(run: Any, sizes: Sizes, b: Any, buffer: int, now: float) -> None:
    """Write a row of the buffer-size series."""
    i = run.size_row
    run.size_row = i + 1
    sizes.time[i] = now
    sizes.buffer[i] = buffer
    sizes.whole[0, i] = b.jobs
    if run.counts_bytes:
        sizes.whole[1, i] = b.held


def new_row(run: Any, rows: Rows, job: int, buffer: int) -> int:
    """Write a copy of a job; return its row."""
    row = run.row
    run.row = row + 1
    at = row & run.row_mask
    if not run.single:
        rows.whole[ks.ROW_JOB, at] = job
    rows.small[ks.ROW_BUFFER, at] = buffer
    rows.whole[ks.ROW_FLUSH, at] = -1
    rows.whole[ks.ROW_WORK, at] = -1
    if run.losses:
        rows.lost_at[at] = np.nan
        rows.small[ks.ROW_LOSS, at] = -1
    return row


def lose(run: Any, rows: Rows, row: int, now: float, cause: int) -> None:
    """Write that a copy is lost."""
    rows.lost_at[row & run.row_mask] = now
    rows.small[ks.ROW_LOSS, row & run.row_mask] = cause


def absorb(run: Any, b: Any, jobs: Jobs, rows: Rows, sizes: Sizes, before: float, up_to: float) -> None:
    """Let jobs arrive in the only buffer, as long as nothing else comes first and its policy need not be asked.

    Jobs arrive at times < `before` (stops and flush ends come first at one instant) and ≤ `up_to` (the rest comes
    later). This is `arrive` without its branches, for the jobs that only wait.
    """
    if not b.flushing and (b.jobs == 0 or b.idle):
        return
    size, held = b.jobs, b.held
    most = rules.NO_LIMIT if b.flushing else b.next_size - 1
    most_bytes = rules.NO_LIMIT if b.flushing else b.next_bytes
    first = job = run.job
    last, i, mask, counts_bytes = run.jobs, run.size_row, run.job_mask, run.counts_bytes
    while job < last and size < most:
        time = jobs.time[job & mask]
        if not (time < before and time <= up_to):
            break
        if counts_bytes:
            grown = held + kp.bytes_of(run, jobs, job)
            if grown >= most_bytes:
                break
            held = grown
            sizes.whole[1, i] = held
        size += 1
        sizes.time[i] = time
        sizes.whole[0, i] = size
        i += 1
        job += 1
    for row in range(first, job):
        rows.whole[ks.ROW_FLUSH, row & run.row_mask] = -1
        rows.whole[ks.ROW_WORK, row & run.row_mask] = -1
    if job > first:
        if size == job - first:  # it was empty, and flushing
            b.head = first
        b.tail = job - 1
        b.jobs, b.held, b.rings = size, held, 0
        run.job = run.row = job
        run.size_row = i


def arrive(state: State) -> int:
    """Let the next job arrive: into every buffer that collects it, then ask their policies; return 0, or a lack."""
    run, rows, jobs = state.run[0], state.rows, state.jobs
    job = run.job
    now = jobs.time[job & run.job_mask]
    queue = kp.queue_of(run, jobs, job)
    q = state.queues[queue]
    first, last = q.collectors_first, q.collectors_last
    # what is missing must be told before anything has changed
    for i in range(first, last):
        if lacks_flush_draw(run, state.buffers[state.lists[i]], state.lists[i]):
            return ks.MORE_FLUSH_DRAWS
    run.job = job + 1
    if first == last:
        pass_by(state, job, queue, now)
        return 0
    for i in range(first, last):
        buffer = state.lists[i]
        row = new_row(run, rows, job, buffer)
        b = state.buffers[buffer]
        b.asked = False
        if run.down:
            lose(run, rows, row, now, DOWN)
        else:
            b.asked = enter(run, b, buffer, jobs, rows, state.sizes, row, kp.bytes_of(run, jobs, job), now)
    for i in range(first, last):
        buffer = state.lists[i]
        if state.buffers[buffer].asked:
            ask(state, buffer, now)
    return 0


def pass_by(state: State, job: int, queue: int, now: float) -> None:
    """Put a job that no buffer collects straight into its queue."""
    run, rows = state.run[0], state.rows
    row = new_row(run, rows, job, -1)
    if run.down:
        lose(run, rows, row, now, DOWN)
        return
    rows.whole[ks.ROW_WORK, row & run.row_mask] = kq.add_work(run, state.queues, state.works, -1, queue, now, 1)
    kq.wake(state.queues[queue], now)


def enter(
    run: Any, b: Any, buffer: int, jobs: Jobs, rows: Rows, sizes: Sizes, row: int, nbytes: int, now: float
) -> bool:
    """Store a copy that arrives, or lose it; return whether the policy is to be asked."""
    b.rings = 0
    if b.flushing and now < b.race_end:
        lose(run, rows, row, now, RACE)
        return False
    if b.limited and not make_room(run, b, buffer, jobs, rows, sizes, row, nbytes, now):
        return b.jobs > 0
    if b.jobs == 0:
        b.head = row
    elif not run.contiguous:
        rows.whole[ks.ROW_NEXT, b.tail & run.row_mask] = row
    b.tail = row
    b.jobs += 1
    b.held += nbytes
    write_size(run, sizes, b, buffer, now)
    return b.jobs == 1 or b.limited or b.idle or b.jobs >= b.next_size or b.held >= b.next_bytes


def make_room(
    run: Any, b: Any, buffer: int, jobs: Jobs, rows: Rows, sizes: Sizes, row: int, nbytes: int, now: float
) -> bool:
    """Drop what the capacity says; return whether the job that arrives has room."""
    if b.jobs < b.capacity_jobs and b.held + nbytes <= b.capacity_bytes:
        return True
    if not b.drop_oldest or nbytes > b.capacity_bytes:
        lose(run, rows, row, now, CAPACITY)
        return False
    while b.jobs >= b.capacity_jobs or b.held + nbytes > b.capacity_bytes:
        lose(run, rows, b.head, now, CAPACITY)
        take(run, b, jobs, rows, 1)
        write_size(run, sizes, b, buffer, now)
    return True


def take(run: Any, b: Any, jobs: Jobs, rows: Rows, count: int) -> None:
    """Take the oldest `count` copies out of a buffer."""
    if count == b.jobs:
        b.jobs = 0
        b.held = 0
        return
    row = b.head
    for _ in range(count):
        b.held -= kp.bytes_of(run, jobs, kp.job_of(run, rows, row))
        row = kp.following(run, rows, row)
    b.head = row
    b.jobs -= count


def ask(state: State, buffer: int, now: float) -> None:
    """Ask the policy when the next flush is due, and start it or set the ring."""
    b = state.buffers[buffer]
    if b.flushing or b.jobs == 0:
        return
    due = kp.due(state, buffer, now)
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
    due = kp.due(state, buffer, now)
    if due <= now:
        start_flush(state, buffer, now)
    else:
        b.ring_at = due
        kp.set_steps(b, state.lists)
    return 0


def lacks_flush_draw(run: Any, b: Any, buffer: int) -> bool:
    """Return whether the next flush's fixed time is not at hand, and note whose."""
    if not np.isnan(b.fixed) or b.draws_first + b.flushes < b.draws_last:
        return False
    run.which, run.needed = buffer, b.flushes + 1
    return True


def drained(run: Any, b: Any, jobs: Jobs, rows: Rows) -> int:
    """Return how many jobs the flush takes."""
    most = min(b.jobs, b.drain_jobs)
    if b.drain_bytes >= rules.NO_LIMIT:
        return most
    total = 0
    row = b.head
    for taken in range(most):
        total += kp.bytes_of(run, jobs, kp.job_of(run, rows, row))
        if total > b.drain_bytes:
            return max(taken, 1)
        row = kp.following(run, rows, row)
    return most


def start_flush(state: State, buffer: int, now: float) -> None:
    """Start a flush: the batch leaves the buffer. Its cause stands in stack[0].leaf."""
    run, b, rows = state.run[0], state.buffers[buffer], state.rows
    jobs = drained(run, b, state.jobs, rows)
    before = b.held
    flush = run.flush
    run.flush = flush + 1
    b.batch_head, b.batch_jobs = b.head, jobs
    row = b.head
    for _ in range(jobs):
        rows.whole[ks.ROW_FLUSH, row & run.row_mask] = flush
        row = kp.following(run, rows, row)
    take(run, b, state.jobs, rows, jobs)
    f = state.flushes[flush]
    f.buffer, f.start, f.end, f.cause = buffer, now, np.nan, state.stack[0].leaf
    f.jobs, f.reduced, f.held = jobs, -1, before - b.held
    write_size(run, state.sizes, b, buffer, now)
    b.ring_at = rules.INF
    b.rings = 0
    b.last_flush_start = now
    b.flushing = True
    b.flush = flush
    b.race_end = now + run.window
    fixed = state.draws[b.draws_first + b.flushes] if np.isnan(b.fixed) else b.fixed
    b.flushes += 1
    b.end_at = rules.flush_end(now, run.window, fixed, b.per_job, jobs)


def stop(state: State, now: float) -> None:
    """Stop the server: lose the batches in flight, volatile buffers, and volatile queues."""
    run, rows = state.run[0], state.rows
    run.down = True
    for buffer in range(len(state.buffers)):
        b = state.buffers[buffer]
        b.ring_at = rules.INF
        if b.flushing:
            b.flushing = False
            b.end_at = rules.INF
            lose_segment(run, rows, b.batch_head, b.batch_jobs, now, IN_FLIGHT)
        if b.jobs > 0 and not run.durable:
            lose_segment(run, rows, b.head, b.jobs, now, BUFFER)
            take(run, b, state.jobs, rows, b.jobs)
            write_size(run, state.sizes, b, buffer, now)
    if not run.durable_queue:
        kq.lose_queues(run, state.queues, state.works, state.heap, now)


def lose_segment(run: Any, rows: Rows, row: int, jobs: int, now: float, cause: int) -> None:
    """Lose `jobs` copies from `row` on."""
    for _ in range(jobs):
        lose(run, rows, row, now, cause)
        row = kp.following(run, rows, row)


def restart(state: State, now: float) -> int:
    """Forget the last flushes, and ask about what is buffered; return 0, or a lack."""
    run = state.run[0]
    for buffer in range(len(state.buffers)):
        if lacks_flush_draw(run, state.buffers[buffer], buffer):
            return ks.MORE_FLUSH_DRAWS
    run.down = False
    for buffer in range(len(state.buffers)):
        b = state.buffers[buffer]
        b.last_flush_start = b.last_flush_end = -rules.INF
        ask(state, buffer, now)
    return 0
