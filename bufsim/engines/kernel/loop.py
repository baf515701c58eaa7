"""Stops and restarts of the server on the compiled engine."""

from __future__ import annotations

from typing import Any

from bufsim.engines.kernel import arrivals as ka
from bufsim.engines.kernel import buffers as kb
from bufsim.engines.kernel import buffers as kf
from bufsim.engines.kernel import queues as ki
from bufsim.engines.kernel import queues as kq
from bufsim.engines.kernel import reduce as kr
from bufsim.engines.kernel import state as ks
from bufsim.engines.kernel import tallies as kc
from bufsim.engines.kernel import tallies as kt
from bufsim.engines.kernel import tallies as kw
from bufsim.engines.kernel.state import Floats, Records, Rows, State, Tally, following
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


def run(state: State) -> int:
    """Run until the end, or until something is missing; return which, as a status of `kernel_state`."""
    run = state.run[0]
    lack = 0
    while lack == 0:
        before = next_before_arrivals(run, state.buffers, state.times)
        up_to = next_after_arrivals(run, state.buffers, state.queues, state.heap)
        if run.job < run.jobs:
            time = state.jobs.time[run.job - run.job_first]
            if time < before and time <= up_to:
                lack = arrivals(state, before, up_to)
                continue
        elif run.known_until < run.until and min(before, up_to) >= run.known_until:
            lack = ks.MORE_JOBS
            continue
        if min(before, up_to) >= run.until:
            lack = ks.DONE
            continue
        lack = stop_or_flush_end(state, before) if before <= up_to else due_or_service(state, up_to)
    if run.tallies:
        account(state, lack)
    return lack


def account(state: State, status: int) -> None:
    """Count what has not ended when the run ends; find what can be forgotten when it goes on."""
    run = state.run[0]
    if status == ks.DONE:
        if run.in_order:
            ki.settle(state)
        kt.settle_all(run, state.tally.levels, state.tally.seconds)
        kw.count_running(run, state.queues, state.jobs, state.works, state.heap)
        for buffer in range(len(state.buffers)):
            if state.buffers[buffer].vacant:
                kc.close_gap(run, state.buffers[buffer], state.program, state.times, run.until)
    else:
        kw.find_live(run, state.buffers[0], state.queues[0], state.rows, state.works)


def next_before_arrivals(run: Any, buffers: Records, times: Floats) -> float:
    """Return when the next stop, restart or flush end comes: they stand before arrivals of the same instant."""
    at = rules.INF
    if run.stops_first + run.stop < run.stops_last:
        at = times[run.stops_first + run.stop]
    for buffer in range(len(buffers)):
        at = min(at, buffers[buffer].end_at)
    return at


def next_after_arrivals(run: Any, buffers: Records, queues: Records, heap: Records) -> float:
    """Return when the next flush is due, or the next service ends or starts: after arrivals of the same instant."""
    at = rules.INF
    for buffer in range(len(buffers)):
        at = min(at, buffers[buffer].ring_at)
    if run.ends > 0:
        at = min(at, heap[0].time)
    for queue in range(len(queues)):
        at = min(at, queues[queue].start_at)
    return at


def arrivals(state: State, before: float, up_to: float) -> int:
    """Let the next jobs arrive, one at least; return 0, or a lack."""
    run = state.run[0]
    if run.contiguous:
        first = run.job
        ka.absorb(state, before, up_to)
        if run.job > first:
            return 0
    return ka.arrive(state)


def stop_or_flush_end(state: State, now: float) -> int:
    """Let the first event of the ranks below arrivals happen; return 0, or a lack."""
    run = state.run[0]
    if run.stops_first + run.stop < run.stops_last and state.times[run.stops_first + run.stop] == now:
        if run.stop % 2 == 1:
            lack = restart(state, now)
            if lack != 0:
                return lack
        else:
            stop(state, now)
        run.stop += 1
        return 0
    buffer = 0
    while state.buffers[buffer].end_at != now:
        buffer += 1
    return kr.end_flush(state, buffer, now)


def due_or_service(state: State, now: float) -> int:
    """Let the first event of the ranks above arrivals happen; return 0, or a lack."""
    run = state.run[0]
    for buffer in range(len(state.buffers)):
        if state.buffers[buffer].ring_at == now:
            return kf.ring(state, buffer, now)
    if run.ends > 0 and state.heap[0].time == now:
        kq.end(state, now)
        return 0
    queue = 0
    while state.queues[queue].start_at != now:
        queue += 1
    return kq.start(state, queue, now)
