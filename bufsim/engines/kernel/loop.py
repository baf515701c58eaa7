"""The loop of the compiled engine: which event comes next, and stops and restarts of the server."""

from __future__ import annotations

from bufsim.engines.kernel import arrivals, buffers, empty_ticks, policy, queues, reduce, tallies
from bufsim.engines.kernel.state import (
    DONE,
    MORE_FLUSH_DRAWS,
    MORE_JOBS,
    Buffer,
    RowWindow,
    Run,
    State,
    Tally,
    following,
)
from bufsim.engines.recording import BUFFER, IN_FLIGHT
from bufsim.model import rules


# Runs until the end, or until something is missing; returns which, as a status of `kernel.state`. A comment, no
# docstring: numba would compile this function again for python -OO, which has none.
def run(state: State) -> int:  # noqa: D103
    run = state.run[0]
    lack = 0
    while lack == 0:
        before = next_before_arrivals(state)
        up_to = next_after_arrivals(state)
        if run.job < run.jobs:
            time = state.jobs.time[run.job - run.job_first]
            if time < before and time <= up_to:
                lack = arrive(state, before, up_to)
                continue
        elif run.known_until < run.until and min(before, up_to) >= run.known_until:
            lack = MORE_JOBS
            continue
        if min(before, up_to) >= run.until:
            lack = DONE
            continue
        lack = stop_or_flush_end(state, before) if before <= up_to else due_or_service(state, up_to)
    if run.tallies:
        account(state, lack)
    if run.counts_empty_ticks and lack == DONE:
        close_gaps(state)
    return lack


def next_before_arrivals(state: State) -> float:
    """Return when the next stop, restart or flush end comes: they stand before arrivals of the same instant."""
    run = state.run[0]
    at = rules.INF
    if run.stops_first + run.stop < run.stops_last:
        at = state.times[run.stops_first + run.stop]
    for i in range(len(state.buffers)):
        at = min(at, state.buffers[i].end_at)
    return at


def next_after_arrivals(state: State) -> float:
    """Return when the next flush is due, or the next service ends or starts: after arrivals of the same instant."""
    at = rules.INF
    for i in range(len(state.buffers)):
        at = min(at, state.buffers[i].ring_at)
    if state.run[0].ends > 0:
        at = min(at, state.heap[0].time)
    for i in range(len(state.queues)):
        at = min(at, state.queues[i].start_at)
    return at


def arrive(state: State, before: float, up_to: float) -> int:
    """Let the next jobs arrive, one at least; return 0, or a lack."""
    run = state.run[0]
    if run.contiguous:
        first = run.job
        arrivals.absorb(state, before, up_to)
        if run.job > first:
            return 0
    return arrivals.arrive(state)


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
    i = 0
    while state.buffers[i].end_at != now:
        i += 1
    return reduce.end_flush(state, state.buffers[i], now)


def due_or_service(state: State, now: float) -> int:
    """Let the first event of the ranks above arrivals happen; return 0, or a lack."""
    for i in range(len(state.buffers)):
        if state.buffers[i].ring_at == now:
            buffers.ring(state, state.buffers[i], now)
            return 0
    if state.run[0].ends > 0 and state.heap[0].time == now:
        queues.end(state, now)
        return 0
    i = 0
    while state.queues[i].start_at != now:
        i += 1
    return queues.start(state, state.queues[i], now)


def stop(state: State, now: float) -> None:
    """Stop the server: lose the batches in flight, volatile buffers, and volatile queues."""
    run = state.run[0]
    run.down = True
    for i in range(len(state.buffers)):
        buffer = state.buffers[i]
        buffer.ring_at = rules.INF
        buffer.race_end = -rules.INF
        if buffer.flushing:
            buffer.flushing = False
            buffer.end_at = rules.INF
            lose_rows(run, state.rows, state.tally, buffer, buffer.flight_head, buffer.flight_jobs, now, IN_FLIGHT)
            if run.tallies:
                tallies.count_landing(run, state.tally, buffer, now)
        if buffer.jobs > 0 and not buffer.durable:
            lose_rows(run, state.rows, state.tally, buffer, buffer.head, buffer.jobs, now, BUFFER)
            buffers.take(run, state.jobs, state.rows, buffer, buffer.jobs)
            buffers.write_size(state, buffer, now)
        if run.counts_empty_ticks:
            empty_ticks.note_change(run, buffer, state.program, state.times, now)
    if not run.durable_queues:
        queues.lose_queues(state, now)


def lose_rows(
    run: Run, rows: RowWindow, tally: Tally, buffer: Buffer, row: int, jobs: int, now: float, cause: int
) -> None:
    """Lose `jobs` rows of a buffer from `row` on."""
    for _ in range(jobs):
        buffers.mark_lost(run, rows, row, now, cause)
        row = following(run, rows, row)
    if run.tallies:
        tallies.count_loss(run, tally, buffer.lost_first, False, jobs, now, cause)


def restart(state: State, now: float) -> int:
    """Forget the last flushes, and ask about what is buffered; return 0, or a lack."""
    run = state.run[0]
    for i in range(len(state.buffers)):
        if buffers.lacks_flush_draw(run, state.buffers[i]):
            return MORE_FLUSH_DRAWS
    run.down = False
    for i in range(len(state.buffers)):
        buffer = state.buffers[i]
        buffer.last_flush_start = buffer.last_flush_end = -rules.INF
        buffer.next_call = now
        if buffer.remembers:
            policy.forget(buffer, state.program)
        if run.counts_empty_ticks:
            empty_ticks.note_change(run, buffer, state.program, state.times, now)
        buffers.ask(state, buffer, now)
    return 0


def account(state: State, status: int) -> None:
    """Count what has not ended when the run ends; find what can be forgotten when it goes on."""
    run = state.run[0]
    if status != DONE:
        tallies.find_live(run, state.buffers[0], state.queues[0], state.rows, state.tasks)
        return
    if run.in_order:
        queues.settle_in_order(state)
    tallies.settle_all(run, state.tally.levels, state.tally.seconds)
    tallies.count_running(run, state.queues, state.jobs, state.tasks, state.heap)


def close_gaps(state: State) -> None:
    """Count the empty ticks up to the end of the run."""
    run = state.run[0]
    for i in range(len(state.buffers)):
        if state.buffers[i].vacant:
            empty_ticks.close_gap(run, state.buffers[i], state.program, state.times, run.until)
