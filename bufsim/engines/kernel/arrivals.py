"""Arrivals on the compiled engine: one by one, or many at once where nothing else happens between them."""

from __future__ import annotations

import numpy as np

from bufsim.engines.kernel import buffers, queues, tallies
from bufsim.engines.kernel.state import (
    MORE_FLUSH_DRAWS,
    MORE_SERVICE_DRAWS,
    ROW_BUFFER,
    ROW_FLUSH,
    ROW_GONE,
    ROW_JOB,
    ROW_LOSS,
    ROW_TASK,
    Buffer,
    Floats,
    JobWindow,
    Queue,
    RowWindow,
    Run,
    SizeColumns,
    State,
    bytes_of,
    queue_of,
)
from bufsim.engines.recording import DOWN
from bufsim.model import rules


def absorb(state: State, before: float, up_to: float) -> None:
    """Let jobs arrive in the only buffer, as long as nothing else comes first and its policy need not be asked.

    Jobs arrive at times < `before` (stops and flush ends come first at one instant) and ≤ `up_to` (the rest comes
    later). This is `arrive` without its branches, for the jobs that only wait.
    """
    run, buffer, times = state.run[0], state.buffers[0], state.jobs.time
    if not buffer.flushing and (buffer.jobs == 0 or buffer.always_asked):
        return
    first = run.job
    end = run.jobs
    if not buffer.flushing:
        end = min(end, first + buffer.next_size - 1 - buffer.jobs)
    end = run.job_first + coming(times, first - run.job_first, end - run.job_first, before, up_to)
    if run.counts_bytes and end > first:
        end = below_bytes(run, state.jobs, state.sizes, buffer, first, end)
    if end == first:
        return
    if buffer.jobs == 0:  # it was empty, and is flushing
        buffer.head = first
    if run.records:
        write_climb(run, state.sizes, times, buffer, first, end)
    if run.tallies:
        tallies.count_climb(run, state.tally, state.jobs, state.rows, buffer, first, end)
    buffer.tail = end - 1
    buffer.jobs += end - first
    run.job = run.row = end


def coming(times: Floats, first: int, end: int, before: float, up_to: float) -> int:
    """Return the first position from `first` to `end` at which no job comes in time, by steps that double."""
    low, step = first, 1
    while low + step <= end and times[low + step - 1] < before and times[low + step - 1] <= up_to:
        low += step
        step *= 2
    high = min(low + step - 1, end)
    while low < high:
        middle = (low + high) // 2
        if times[middle] < before and times[middle] <= up_to:
            low = middle + 1
        else:
            high = middle
    return max(low, first)


def below_bytes(run: Run, jobs: JobWindow, sizes: SizeColumns, buffer: Buffer, first: int, end: int) -> int:
    """Return before which job the bytes reach a size at which the policy must be asked; write them down until there."""
    most = rules.NO_LIMIT if buffer.flushing else buffer.next_bytes
    held = buffer.held_nbytes
    for job in range(first, end):
        grown = held + bytes_of(run, jobs, job)
        if grown >= most:
            end = job
            break
        held = grown
        if run.records:
            sizes.nbytes[run.size_row + job - first] = held
    buffer.held_nbytes = held
    return end


def write_climb(run: Run, sizes: SizeColumns, times: Floats, buffer: Buffer, first: int, end: int) -> None:
    """Write the sizes of the only buffer while the jobs from `first` to `end` come, one by one."""
    n, i, size = end - first, run.size_row, buffer.jobs + 1
    to, come = sizes.time[i : i + n], times[first - run.job_first : end - run.job_first]
    jobs = sizes.jobs[i : i + n]
    for k in range(n):
        to[k] = come[k]
    for k in range(n):
        jobs[k] = size + k
    run.size_row = i + n


def arrive(state: State) -> int:
    """Let the next job arrive: into every buffer that collects it, then ask their policies; return 0, or a lack."""
    run, jobs = state.run[0], state.jobs
    job = run.job
    now = jobs.time[job - run.job_first]
    queue = state.queues[queue_of(run, jobs, job)]
    first, last = queue.collectors_first, queue.collectors_last
    # what is missing must be told before anything has changed
    for i in range(first, last):
        if buffers.lacks_flush_draw(run, state.buffers[state.lists[i]]):
            return MORE_FLUSH_DRAWS
    if first == last and queues.lacks_service_draws(run, state.queues, state.spans, 1):
        return MORE_SERVICE_DRAWS
    run.job = job + 1
    if first == last:
        bypass(state, job, queue, now)
        return 0
    for i in range(first, last):
        enter(state, state.buffers[state.lists[i]], job, i > first, now)
    for i in range(first, last):
        if state.buffers[state.lists[i]].must_ask:
            buffers.ask(state, state.buffers[state.lists[i]], now)
    return 0


def enter(state: State, buffer: Buffer, job: int, further: bool, now: float) -> None:
    """Let a job come to a buffer that collects it."""
    run = state.run[0]
    row = new_row(run, state.rows, job, buffer.index)
    if run.tallies:
        tallies.count_arrival(run, buffer, further, now)
    buffer.must_ask = False
    if run.down:
        buffers.lose(run, state.rows, state.tally, buffer, row, now, DOWN)
    else:
        buffer.must_ask = buffers.store(state, buffer, row, bytes_of(run, state.jobs, job), now)


def bypass(state: State, job: int, queue: Queue, now: float) -> None:
    """Put a job that no buffer collects straight into its queue."""
    run = state.run[0]
    row = new_row(run, state.rows, job, -1)
    run.outside += 1
    if now >= run.start:
        run.bypassed += 1
    if run.down:
        buffers.mark_lost(run, state.rows, row, now, DOWN)
        if run.tallies:
            tallies.count_loss(run, state.tally, 0, True, 1, now, DOWN)
        return
    task = queues.add_task(run, state.tasks, -1, queue.index, -1, now)
    queues.carry(run, state.rows, state.tasks, row, task)
    queues.enqueue(state, task, now)


def new_row(run: Run, rows: RowWindow, job: int, buffer: int) -> int:
    """Write a row for a job in a buffer, by its index; return it."""
    row = run.row
    run.row = row + 1
    at = row - run.row_first
    if not run.contiguous:
        rows.whole[ROW_JOB, at] = job
    if run.marks_rows:
        rows.small[ROW_GONE, at] = 0
    if run.records and not run.contiguous:
        rows.small[ROW_BUFFER, at] = buffer
        rows.whole[ROW_FLUSH, at] = -1
        rows.whole[ROW_TASK, at] = -1
        rows.lost_at[at] = np.nan
        rows.small[ROW_LOSS, at] = -1
    return row


# Writes now + the running sum of gaps·scale into `times`, and returns the last: `model.running_sum` to the bit. A
# comment, no docstring, as `loop.run` has none.
def running_sum(gaps: Floats, scale: float, now: float, times: Floats) -> float:  # noqa: D103
    half = len(gaps) // 2
    even, odd = gaps[0] * scale + now, gaps[1] * scale
    times[0], times[half] = even, odd
    for i in range(1, half):
        even += gaps[2 * i] * scale
        odd += gaps[2 * i + 1] * scale
        times[i], times[half + i] = even, odd
    for i in range(half, 2 * half):
        times[i] += even
    last: float = times[2 * half - 1]
    return last
