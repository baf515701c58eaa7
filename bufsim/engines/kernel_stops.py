"""Stops and restarts of the server on the compiled engine."""

from __future__ import annotations

from typing import Any

from bufsim.engines import kernel_buffers as kb
from bufsim.engines import kernel_flushes as kf
from bufsim.engines import kernel_queues as kq
from bufsim.engines import kernel_state as ks
from bufsim.engines import kernel_tally as kt
from bufsim.engines import kernel_ticks as kc
from bufsim.engines.kernel_rows import following
from bufsim.engines.kernel_state import Rows, State, Tally
from bufsim.engines.recording import BUFFER, IN_FLIGHT
from bufsim.model import rules


def stop(state: State, now: float) -> None:
    """Stop the server: lose the batches in flight, volatile buffers, and volatile queues."""
    run = state.run[0]
    run.down = True
    for buffer in range(len(state.buffers)):
        b = state.buffers[buffer]
        b.ring_at = rules.INF
        if b.flushing:
            b.flushing = False
            b.end_at = rules.INF
            lose_rows(run, state.rows, state.tally, b, b.batch_head, b.batch_jobs, now, IN_FLIGHT)
            if run.tallies:
                kt.count_landing(run, state.tally, b, buffer, now)
        if b.jobs > 0 and not run.durable:
            lose_rows(run, state.rows, state.tally, b, b.head, b.jobs, now, BUFFER)
            kb.take(run, state.jobs, state.rows, b, b.jobs)
            kb.write_size(state, b, buffer, now)
        if run.tallies:
            kc.note_vacancy(run, b, state.program, state.times, now)
    if run.loses_work:
        kq.lose_queues(state, now)


def lose_rows(run: Any, rows: Rows, tally: Tally, b: Any, row: int, jobs: int, now: float, cause: int) -> None:
    """Lose `jobs` rows of a buffer from `row` on."""
    for _ in range(jobs):
        kb.mark_lost(run, rows, row, now, cause)
        row = following(run, rows, row)
    if run.tallies:
        kt.count_loss(run, tally, b.lost_first, False, jobs, now, cause)


def restart(state: State, now: float) -> int:
    """Forget the last flushes, and ask about what is buffered; return 0, or a lack."""
    run = state.run[0]
    for buffer in range(len(state.buffers)):
        if kf.lacks_flush_draw(run, state.buffers[buffer], buffer):
            return ks.MORE_FLUSH_DRAWS
    run.down = False
    for buffer in range(len(state.buffers)):
        b = state.buffers[buffer]
        b.last_flush_start = b.last_flush_end = -rules.INF
        if run.tallies:
            kc.note_vacancy(run, b, state.program, state.times, now)
        kf.ask(state, buffer, now)
    return 0
