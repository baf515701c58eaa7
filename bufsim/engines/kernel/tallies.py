"""What a run on the compiled engine counts, sums and keeps as levels over time, in bounded memory.

First the parts, levels and samples; then what happens to buffers, and what happens to queues.
"""

from __future__ import annotations

import numpy as np

from bufsim.engines import bins
from bufsim.engines.kernel.records import Records
from bufsim.engines.kernel.state import (
    ATTEMPT_AT,
    BUSY,
    NO_WORKERS,
    QUEUED_AT,
    ROW_CARRIED,
    ROW_GONE,
    TASK_ATTEMPTS,
    TASK_BUFFER,
    TASK_ROW,
    TASK_ROWS,
    Buffer,
    End,
    Floats,
    Ints,
    JobWindow,
    Level,
    Queue,
    RowWindow,
    Run,
    Sample,
    Tally,
    TaskWindow,
    bytes_of,
    following,
    job_of,
    queue_of,
    queue_of_task,
)
from bufsim.engines.recording import COMPLETED, QUEUE, RUNNING
from bufsim.model import rules

# a level below this has a place of its own in `seconds`; its integrals follow from it
EXACT = 4096

# levels of a buffer, of all together; of a queue, of all together
OF_BUFFER, OF_QUEUE = 5, 2
SIZE, NBYTES, IN_FLIGHT, IN_FLIGHT_NBYTES, EXPOSED = range(OF_BUFFER)
WAITING, UNFINISHED = range(OF_QUEUE)


# --- levels -----------------------------------------------------------------------------------------------------------
#
# A level is a step function of time. Of it are kept its integral, its peaks, for some the time at each value (in
# `seconds`, from which integrals follow), and for some the integral up to each edge of a series. Time is counted when
# the level changes, up to then at its old value, and cut at its next mark: the end of the warm-up, or an edge.
#
# A buffer's size with a warm-up of 10 s, in a run of 128 s, whose series has an edge at each second. At 9.5 s a job
# comes (size 1), at 10.25 s two more (2, 3) and at 10.5 s a flush takes all. The time at 0, 1, 2, 3, in seconds:
#
#     event            counted before it                              peak   lasting   time at 0, 1, 2, 3
#     job at 9.5       9.5 s at 0; on the way 9 marks, of edges       1      0         9.5, 0, 0, 0
#     job at 10.25     0.5 s at 1, up to the mark at 10, which is both: before = 0.5 and all is forgotten,
#                      peak = 1, the value then; edge 10 of the series gets 0.5; 0.25 s at 1
#                                                                     2      1         0, 0.25, 0, 0
#     job at 10.25     nothing                                        3      1         0, 0.25, 0, 0
#     flush at 10.5    0.25 s at 3                                    3      3         0, 0.25, 0, 0.25
#
# The size 2 has been reached and has not lasted. The integral of the window so far is 0.25·1 + 0.25·3 = 1, that of the
# run 0.5 + 1, and this is what edge 11 of the series gets.


def change(run: Run, level: Level, seconds: Floats, now: float, delta: int) -> None:
    """Let a level change."""
    settle(run, level, seconds, now)
    level.value += delta
    level.peak = max(level.peak, level.value)


def settle(run: Run, level: Level, seconds: Floats, now: float) -> None:
    """Count the time since the level's last change."""
    while level.mark <= now:
        spend(level, seconds, level.mark)
        note_mark(run, level, seconds)
    spend(level, seconds, now)


def spend(level: Level, seconds: Floats, until: float) -> None:
    """Count the time up to `until` at the level's value."""
    span = until - level.since
    if span > 0.0:
        add_time(level, seconds, level.value, span)
        level.lasting = max(level.lasting, level.value)
        level.since = until


def add_time(level: Level, seconds: Floats, value: int, span: float) -> None:
    """Count so many seconds at a value."""
    if not level.spread:
        level.integral += value * span
    elif value < EXACT:
        seconds[level.exact + value] += span
    else:
        number = float(value)
        place = bins.of_size(number)
        ends = level.bins + bins.SIZES.last + 1 + 2 * place
        is_first = seconds[level.bins + place] == 0.0
        seconds[ends] = number if is_first else min(seconds[ends], number)
        seconds[ends + 1] = number if is_first else max(seconds[ends + 1], number)
        seconds[level.bins + place] += span
        level.integral += number * span
        level.squares += number * number * span


def note_mark(run: Run, level: Level, seconds: Floats) -> None:
    """Note what is to be noted at a mark, and find the next."""
    if level.mark == run.start and not level.warm:
        level.before = area(level, seconds)
        forget(level, seconds)
        level.warm = True
    if level.series >= 0 and level.mark == edge_at(run, level.edge):
        seconds[level.series + level.edge] = level.before + area(level, seconds)
        level.edge += 1
    level.mark = next_mark(run, level)


def next_mark(run: Run, level: Level) -> float:
    """Return when something is to be noted next."""
    at = rules.INF
    if level.series >= 0 and level.edge <= bins.SERIES:
        at = edge_at(run, level.edge)
    return at if level.warm else min(at, run.start)


def edge_at(run: Run, edge: int) -> float:
    """Return an edge of the series: it has as many equal bins as `bins.SERIES` says."""
    return run.until if edge == bins.SERIES else edge * (run.until / bins.SERIES)


def area(level: Level, seconds: Floats) -> float:
    """Return the integral of the level so far, from the end of the warm-up if that has come."""
    total = level.integral
    if level.spread:
        for value in range(min(level.peak + 1, EXACT)):
            total += value * seconds[level.exact + value]
    return total


def forget(level: Level, seconds: Floats) -> None:
    """Forget the warm-up."""
    level.integral = level.squares = 0.0
    level.peak, level.lasting = level.value, 0
    if level.spread:
        for i in range(level.exact, level.bins + bins.SIZES.last + 1):
            seconds[i] = 0.0


def climb(run: Run, level: Level, seconds: Floats, times: Floats) -> None:
    """Let a level rise by one at each of these times."""
    first = 0
    while first < len(times):
        change(run, level, seconds, times[first], 1)
        last = first + 1 + bins.times_before(times[first + 1 :], level.mark)
        climb_unmarked(level, seconds, times[first:last])
        first = last


def climb_unmarked(level: Level, seconds: Floats, times: Floats) -> None:
    """Let a level that has risen at the first of these times rise by one at each other, without a mark on the way."""
    value, n = level.value, len(times) - 1
    exact = max(min(n, EXACT - value), 0)
    at = seconds[level.exact + value : level.exact + value + exact]
    # apart from the rest: the processor takes several at once
    for i in range(exact):
        at[i] += times[i + 1] - times[i]
    for i in range(exact, n):
        if times[i + 1] > times[i]:
            add_time(level, seconds, value + i, times[i + 1] - times[i])
    level.value, level.since = value + n, times[n]
    level.peak = max(level.peak, level.value)
    while n > 0 and times[n] == times[n - 1]:
        n -= 1
    if n > 0:
        level.lasting = max(level.lasting, value + n - 1)


def settle_all(run: Run, levels: Records[Level], seconds: Floats) -> None:
    """Count the time up to the end of the run in every level."""
    for i in range(len(levels)):
        settle(run, levels[i], seconds, run.until)


# --- samples ----------------------------------------------------------------------------------------------------------


def observe(sample: Sample, counts: Ints, duration: float) -> None:
    """Add a duration to a sample."""
    sample.count += 1
    sample.total += duration
    sample.squares += duration * duration
    sample.largest = max(sample.largest, duration)
    count_in_bin(counts, sample.bins, bins.TIMES, duration)


def observe_waits(sample: Sample, counts: Ints, now: float, times: Floats) -> None:
    """Add the time from each of these times, which do not decrease, until now."""
    n = len(times)
    while n > 0 and (now - times[n - 1] < bins.SHORT or now - times[0] >= bins.LONG):
        n -= 1
        observe(sample, counts, now - times[n])
    if n > 0:
        observe_usual_waits(sample, counts, now, times[:n])


def observe_usual_waits(sample: Sample, counts: Ints, now: float, times: Floats) -> None:
    """Add waits between `bins.SHORT` and `bins.LONG`: as `observe`, with as few steps for each as can be."""
    total = squares = 0.0
    to, rest = counts[sample.bins : sample.bins + bins.ROOM * (bins.TIMES.last + 1)], times
    while len(rest) > 0:
        for i in range(len(rest)):
            wait = now - rest[i]
            total += wait
            squares += wait * wait
            bits = np.float64(wait).view(np.int64)
            place = bins.usual_index(bits)
            count = to[place]
            to[place] = count + 1
            # what is seldom stays outside of the loop
            if count >= 0:
                break
        if count >= 0:
            note_ends(to, place, bins.TIMES.last + 1 + 2 * place, bits)
        rest = rest[i + 1 :]
    sample.count += len(times)
    sample.total += total
    sample.squares += squares
    sample.largest = max(sample.largest, now - times[0])


# Of a bin are kept its count, and behind all counts its least and its largest value as bits, as long as they are nearly
# the same. Most bins soon hold values that differ: their counts are negative, and a value more costs no more than that.


def count_in_bin(to: Ints, first: int, grid: bins.Bins, value: float) -> None:
    """Count a value, where the bins of a grid stand from `first` on."""
    bits = np.float64(value).view(np.int64)
    place = bins.index(bits, grid)
    count = to[first + place]
    to[first + place] = count + 1
    if count >= 0:
        note_ends(to, first + place, first + grid.last + 1 + 2 * place, bits)


def note_ends(to: Ints, place: int, ends: int, bits: np.int64) -> None:
    """Note the bits of a value that has been counted in a bin whose values were nearly the same."""
    if to[place] == 1:
        to[ends] = to[ends + 1] = bits
    else:
        to[ends] = min(to[ends], bits)
        to[ends + 1] = max(to[ends + 1], bits)
    # the bin of zeros holds nothing else
    if bits == 0 or to[ends + 1] - to[ends] > bins.NARROW:
        to[place] += bins.WIDE


# --- buffers ----------------------------------------------------------------------------------------------------------


def change_buffer_level(run: Run, tally: Tally, index: int, kind: int, now: float, delta: int) -> None:
    """Let a level of a buffer, by its index (−1: of none), and of all together change."""
    if delta == 0:
        return
    if index >= 0:
        change(run, tally.levels[index * OF_BUFFER + kind], tally.seconds, now, delta)
    if run.all_buffers >= 0:
        change(run, tally.levels[run.all_buffers + kind], tally.seconds, now, delta)


def count_arrival(run: Run, buffer: Buffer, further: bool, now: float) -> None:
    """Count a row whose job arrives; `further`: an earlier buffer collects the job too."""
    if now >= run.start:
        buffer.arrivals += 1
        if further:
            buffer.further_copies += 1


def count_size(run: Run, tally: Tally, buffer: Buffer, now: float) -> None:
    """Count a change of the buffer size."""
    size, nbytes = tally.levels[buffer.index * OF_BUFFER + SIZE], tally.levels[buffer.index * OF_BUFFER + NBYTES]
    delta = buffer.jobs - size.value
    if delta > 0 and now >= run.start:
        buffer.stored += delta
    change_buffer_level(run, tally, buffer.index, SIZE, now, delta)
    if run.counts_bytes:
        change_buffer_level(run, tally, buffer.index, NBYTES, now, buffer.held_nbytes - nbytes.value)
    if not buffer.durable:
        change_buffer_level(run, tally, buffer.index, EXPOSED, now, delta)


def count_climb(
    run: Run, tally: Tally, jobs: JobWindow, rows: RowWindow, buffer: Buffer, first: int, last: int
) -> None:
    """Count the jobs from `first` to `last` that have come into the only buffer, one by one."""
    times = jobs.time[first - run.job_first : last - run.job_first]
    seen = len(times) - bins.times_before(times, run.start)
    buffer.arrivals += seen
    buffer.stored += seen
    climb(run, tally.levels[SIZE], tally.seconds, times)
    if not buffer.durable:
        climb(run, tally.levels[EXPOSED], tally.seconds, times)
    if run.counts_bytes:
        nbytes = tally.levels[NBYTES]
        for job in range(first, last):
            change(run, nbytes, tally.seconds, times[job - first], bytes_of(run, jobs, job))
    if run.marks_rows:
        for row in range(first, last):
            rows.small[ROW_GONE, row - run.row_first] = 0


def count_loss(run: Run, tally: Tally, lost_first: int, outside: bool, rows: int, now: float, cause: int) -> None:
    """Count rows that are lost; `outside`: of jobs that no buffer collects."""
    run.lost += rows
    if outside:
        run.outside_lost += rows
    if now >= run.start:
        tally.counts[lost_first + cause] += rows


def count_flush(
    run: Run, tally: Tally, jobs: JobWindow, rows: RowWindow, buffer: Buffer, cause: int, now: float
) -> None:
    """Count a flush that starts."""
    change_buffer_level(run, tally, buffer.index, IN_FLIGHT, now, buffer.flight_jobs)
    change_buffer_level(run, tally, buffer.index, IN_FLIGHT_NBYTES, now, buffer.flight_nbytes)
    change_buffer_level(run, tally, buffer.index, EXPOSED, now, buffer.flight_jobs)
    if run.keeps_taken:
        keep_taken(run, tally, jobs, rows, buffer)
    if now < run.start:
        return
    buffer.flushes += 1
    buffer.batch_jobs += buffer.flight_jobs
    buffer.batch_squares += buffer.flight_jobs * buffer.flight_jobs
    buffer.largest_batch = max(buffer.largest_batch, buffer.flight_jobs)
    buffer.batch_nbytes += buffer.flight_nbytes
    buffer.largest_nbytes = max(buffer.largest_nbytes, buffer.flight_nbytes)
    tally.counts[buffer.causes_first + cause] += 1
    count_in_bin(tally.counts, buffer.batches_first, bins.SIZES, float(buffer.flight_jobs))
    count_waits(run, tally, jobs, rows, buffer, now)


def count_waits(run: Run, tally: Tally, jobs: JobWindow, rows: RowWindow, buffer: Buffer, now: float) -> None:
    """Count the waits of a batch."""
    sample = tally.samples[buffer.index]
    if run.contiguous:
        first = buffer.flight_head - run.job_first
        observe_waits(sample, tally.counts, now, jobs.time[first : first + buffer.flight_jobs])
        return
    row = buffer.flight_head
    for _ in range(buffer.flight_jobs):
        observe(sample, tally.counts, now - jobs.time[job_of(run, rows, row) - run.job_first])
        row = following(run, rows, row)


def keep_taken(run: Run, tally: Tally, jobs: JobWindow, rows: RowWindow, buffer: Buffer) -> None:
    """Keep the arrival times of a batch."""
    row = buffer.flight_head
    for i in range(run.taken, run.taken + buffer.flight_jobs):
        tally.taken[i] = jobs.time[job_of(run, rows, row) - run.job_first]
        row = following(run, rows, row)
    run.taken += buffer.flight_jobs


def count_landing(run: Run, tally: Tally, buffer: Buffer, now: float) -> None:
    """Count that a batch is no longer in flight."""
    change_buffer_level(run, tally, buffer.index, IN_FLIGHT, now, -buffer.flight_jobs)
    change_buffer_level(run, tally, buffer.index, IN_FLIGHT_NBYTES, now, -buffer.flight_nbytes)
    change_buffer_level(run, tally, buffer.index, EXPOSED, now, -buffer.flight_jobs)


def count_end(run: Run, buffer: Buffer, reduced: int, now: float) -> None:
    """Count a flush that ends."""
    run.landed += buffer.flight_jobs
    if buffer.last_flush_start < run.start:
        return
    buffer.ended += 1
    buffer.ended_jobs += buffer.flight_jobs
    buffer.reduced_jobs += reduced
    buffer.largest_reduced = max(buffer.largest_reduced, reduced)
    buffer.repeated += (buffer.hand_overs - 1) * buffer.flight_jobs
    buffer.flush_time += now - buffer.last_flush_start
    buffer.longest_flush = max(buffer.longest_flush, now - buffer.last_flush_start)


# --- queues -----------------------------------------------------------------------------------------------------------


def change_queue_level(run: Run, tally: Tally, queue: Queue, kind: int, now: float, delta: int) -> None:
    """Let a level of a queue, and of all together, change; and how many are unfinished where there are workers."""
    change(run, tally.levels[run.queue_levels + queue.index * OF_QUEUE + kind], tally.seconds, now, delta)
    if run.all_queues >= 0:
        change(run, tally.levels[run.all_queues + kind], tally.seconds, now, delta)
    if kind == UNFINISHED and queue.workers != NO_WORKERS and run.all_queues >= 0:
        change(run, tally.levels[run.served_level], tally.seconds, now, delta)


def count_tasks(run: Run, tally: Tally, queue: Queue, tasks: int, items: int, largest: int, now: float) -> None:
    """Count tasks, with so many items in all, that come to a queue."""
    change_queue_level(run, tally, queue, WAITING, now, tasks)
    change_queue_level(run, tally, queue, UNFINISHED, now, tasks)
    if now >= run.start:
        queue.enqueued += tasks
        queue.items += items
        queue.largest_items = max(queue.largest_items, largest)


def count_first_start(run: Run, tally: Tally, tasks: TaskWindow, queue: Queue, task: int, now: float) -> None:
    """Count that a task is started for the first time."""
    change_queue_level(run, tally, queue, WAITING, now, -1)
    if now >= run.start:
        sample = tally.samples[run.queue_samples + 2 * queue.index]
        observe(sample, tally.counts, now - tasks.seconds[QUEUED_AT, task - run.task_first])


def count_attempt(run: Run, queue: Queue, tasks: TaskWindow, task: int, now: float) -> None:
    """Count the service of the present attempt at a task up to now, when it ends or the run does."""
    queue.busy_time += max(now - max(tasks.seconds[ATTEMPT_AT, task - run.task_first], run.start), 0.0)


def count_finish(
    run: Run,
    tally: Tally,
    jobs: JobWindow,
    rows: RowWindow,
    tasks: TaskWindow,
    queue: Queue,
    task: int,
    now: float,
) -> None:
    """Count that a task is completed, or has failed for good; nothing more becomes of the rows that it carries."""
    at = task - run.task_first
    change_queue_level(run, tally, queue, UNFINISHED, now, -1)
    busy = tasks.seconds[BUSY, at]
    if now >= run.start:
        if tasks.outcome[at] == COMPLETED:
            queue.completed += 1
        else:
            queue.failed += 1
        queue.attempts += tasks.whole[TASK_ATTEMPTS, at]
        queue.service_time += busy
        queue.longest_service = max(queue.longest_service, busy)
        count_end_to_end(run, tally, jobs, rows, tasks, task, now)
    leave_queue(run, tally, rows, tasks, queue, task, now)


def count_end_to_end(
    run: Run, tally: Tally, jobs: JobWindow, rows: RowWindow, tasks: TaskWindow, task: int, now: float
) -> None:
    """Count the times from arrival to finish of the rows that a task carries."""
    row = tasks.whole[TASK_ROW, task - run.task_first]
    while row >= 0:
        job = job_of(run, rows, row)
        sample = tally.samples[run.queue_samples + 2 * queue_of(run, jobs, job) + 1]
        observe(sample, tally.counts, now - jobs.time[job - run.job_first])
        row = rows.whole[ROW_CARRIED, row - run.row_first]


def count_lost_task(
    run: Run,
    tally: Tally,
    buffers: Records[Buffer],
    rows: RowWindow,
    tasks: TaskWindow,
    queue: Queue,
    task: int,
    now: float,
) -> None:
    """Count that a task is lost with its queue, and what it carries with it."""
    at = task - run.task_first
    if tasks.whole[TASK_ATTEMPTS, at] == 0:
        change_queue_level(run, tally, queue, WAITING, now, -1)
    elif tasks.outcome[at] == RUNNING:
        count_attempt(run, queue, tasks, task, now)
    change_queue_level(run, tally, queue, UNFINISHED, now, -1)
    if now >= run.start:
        queue.lost += 1
    index = tasks.small[TASK_BUFFER, at]
    lost_first = buffers[index].lost_first if index >= 0 else 0
    if index >= 0:
        run.landed_lost += tasks.whole[TASK_ROWS, at]
    count_loss(run, tally, lost_first, index < 0, tasks.whole[TASK_ROWS, at], now, QUEUE)
    leave_queue(run, tally, rows, tasks, queue, task, now)


def enter_queue(run: Run, tally: Tally, tasks: TaskWindow, task: int, now: float) -> None:
    """Count that a stop can lose the rows of a task with the queue."""
    at = task - run.task_first
    change_buffer_level(run, tally, tasks.small[TASK_BUFFER, at], EXPOSED, now, tasks.whole[TASK_ROWS, at])


def leave_queue(
    run: Run, tally: Tally, rows: RowWindow, tasks: TaskWindow, queue: Queue, task: int, now: float
) -> None:
    """Count that a stop cannot lose the rows of a task any more, and forget them."""
    if not queue.durable:
        at = task - run.task_first
        change_buffer_level(run, tally, tasks.small[TASK_BUFFER, at], EXPOSED, now, -tasks.whole[TASK_ROWS, at])
    forget_rows(run, rows, tasks, task)


def forget_rows(run: Run, rows: RowWindow, tasks: TaskWindow, task: int) -> None:
    """Mark the rows that a task carries: nothing more becomes of them."""
    row = tasks.whole[TASK_ROW, task - run.task_first]
    while row >= 0:
        rows.small[ROW_GONE, row - run.row_first] = 1
        row = rows.whole[ROW_CARRIED, row - run.row_first]


def find_live(run: Run, buffer: Buffer, queue: Queue, rows: RowWindow, tasks: TaskWindow) -> None:
    """Find the first row, job and task of which something can still become, of the first or only buffer and queue."""
    if run.in_order:
        run.live_task = queue.head
    elif run.bulk:
        run.live_task = run.task
    else:
        while run.live_task < run.task and tasks.outcome[run.live_task - run.task_first] >= COMPLETED:
            run.live_task += 1
    if run.bulk:
        run.live_row = buffer.flight_head if buffer.flushing else (buffer.head if buffer.jobs > 0 else run.row)
    elif not run.marks_rows:
        run.live_row = run.live_task  # a task has the number of its row
    else:
        while run.live_row < run.row and rows.small[ROW_GONE, run.live_row - run.row_first] != 0:
            run.live_row += 1
    run.live_job = job_of(run, rows, run.live_row) if run.live_row < run.row else run.job


def count_running(run: Run, queues: Records[Queue], jobs: JobWindow, tasks: TaskWindow, heap: Records[End]) -> None:
    """Count the service so far of the tasks that run when the run ends."""
    for i in range(run.ends):
        task = heap[i].task
        if tasks.outcome[task - run.task_first] == RUNNING:
            count_attempt(run, queues[queue_of_task(run, jobs, tasks, task)], tasks, task, run.until)
