"""The compiled engine's main loop: which event comes next, in the order that `bufsim.engines.order` declares."""

from __future__ import annotations

from bufsim.engines import kernel_buffers as kb
from bufsim.engines import kernel_queues as kq
from bufsim.engines import kernel_reduce as kr
from bufsim.engines import kernel_state as ks
from bufsim.engines.kernel_state import State
from bufsim.model import rules


def run(state: State) -> int:
    """Run until the end, or until something is missing; return which, as a status of `kernel_state`."""
    run = state.run[0]
    lack = 0
    while lack == 0:
        before = next_before_arrivals(state)
        up_to = next_after_arrivals(state)
        if run.job < run.jobs:
            time = state.jobs.time[run.job & run.job_mask]
            if time < before and time <= up_to:
                lack = arrivals(state, before, up_to)
                continue
        elif run.known_until < run.until and min(before, up_to) >= run.known_until:
            return ks.MORE_JOBS
        if min(before, up_to) >= run.until:
            return ks.DONE
        lack = stop_or_flush_end(state, before) if before <= up_to else due_or_service(state, up_to)
    return lack


def next_before_arrivals(state: State) -> float:
    """Return when the next stop, restart or flush end comes: they stand before arrivals of the same instant."""
    run = state.run[0]
    at = rules.INF
    if run.stops_first + run.stop < run.stops_last:
        at = state.times[run.stops_first + run.stop]
    for buffer in range(len(state.buffers)):
        at = min(at, state.buffers[buffer].end_at)
    return at


def next_after_arrivals(state: State) -> float:
    """Return when the next flush is due, or the next service ends or starts: after arrivals of the same instant."""
    at = rules.INF
    for buffer in range(len(state.buffers)):
        at = min(at, state.buffers[buffer].ring_at)
    if state.run[0].ends > 0:
        at = min(at, state.heap[0].time)
    for queue in range(len(state.queues)):
        at = min(at, state.queues[queue].start_at)
    return at


def arrivals(state: State, before: float, up_to: float) -> int:
    """Let the next jobs arrive, one at least; return 0, or a lack."""
    run = state.run[0]
    if run.contiguous:
        first = run.job
        kb.absorb(run, state.buffers[0], state.jobs, state.rows, state.sizes, before, up_to)
        if run.job > first:
            return 0
    return kb.arrive(state)


def stop_or_flush_end(state: State, now: float) -> int:
    """Let the first event of the ranks below arrivals happen; return 0, or a lack."""
    run = state.run[0]
    if run.stops_first + run.stop < run.stops_last and state.times[run.stops_first + run.stop] == now:
        if run.stop % 2 == 1:
            lack = kb.restart(state, now)
            if lack != 0:
                return lack
        else:
            kb.stop(state, now)
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
            return kb.ring(state, buffer, now)
    if run.ends > 0 and state.heap[0].time == now:
        kq.end(run, state.queues, state.works, state.heap, state.draws, state.spans, now)
        return 0
    queue = 0
    while state.queues[queue].start_at != now:
        queue += 1
    return kq.start(run, state.queues, queue, state.works, state.heap, state.draws, state.spans, now)
