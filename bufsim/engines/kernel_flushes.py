"""Questions to the policy, and the start of a flush, on the compiled engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from bufsim.engines import kernel_buffers as kb
from bufsim.engines import kernel_policy as kp
from bufsim.engines import kernel_state as ks
from bufsim.engines import kernel_tally as kt
from bufsim.engines import kernel_ticks as kc
from bufsim.engines.kernel_rows import bytes_of, following, job_of
from bufsim.engines.kernel_state import Jobs, Records, Rows, State
from bufsim.model import rules

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
    kb.take(run, jobs, rows, b, b.batch_jobs)
    b.batch_held = held - b.held
    write_flush(run, rows, state.flushes, b, buffer, cause, now)
    kb.write_size(state, b, buffer, now)
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
