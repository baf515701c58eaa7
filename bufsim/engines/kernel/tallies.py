"""Levels over time and samples of durations, kept in bounded memory while a run goes on."""

from __future__ import annotations

from typing import Any

import numpy as np

from bufsim.engines import bins
from bufsim.engines.kernel import state as ks
from bufsim.engines.kernel.state import (
    Floats,
    Ints,
    Jobs,
    Records,
    Rows,
    Tally,
    Works,
    bytes_of,
    following,
    job_of,
    queue_of,
    queue_of_work,
)
from bufsim.engines.recording import COMPLETED, QUEUE, RUNNING
from bufsim.model import rules

# a level below this has a place of its own in `seconds`; its integrals follow from it
EXACT = 4096

LEVEL = np.dtype(
    [
        ("value", "i8"),
        ("since", "f8"),
        ("mark", "f8"),  # when something is to be noted next: the end of the warm-up, an edge of the series
        ("integral", "f8"),  # so far, without what `exact` says; at the end of the warm-up it is forgotten
        ("squares", "f8"),
        ("peak", "i8"),  # over all values
        ("lasting", "i8"),  # over the values that last
        ("spread", "?"),  # whether the time at each value is kept
        ("exact", "i8"),  # in `seconds`: the time at each value below EXACT, and above it by bins
        ("bins", "i8"),
        ("series", "i8"),  # in `seconds`: the integral of the whole run up to each edge; −1: not kept
        ("edge", "i8"),
        ("before", "f8"),  # the integral of the warm-up
        ("warm", "?"),  # the warm-up is over
    ],
    align=True,
)
SAMPLE = np.dtype([("count", "i8"), ("total", "f8"), ("squares", "f8"), ("largest", "f8"), ("bins", "i8")], align=True)

# levels of a buffer, of all together; of a queue, of all together
OF_BUFFER, OF_QUEUE = 5, 2
SIZE, NBYTES, IN_FLIGHT, IN_FLIGHT_NBYTES, EXPOSED = range(OF_BUFFER)
WAITING, UNFINISHED = range(OF_QUEUE)


def change(run: Any, level: Any, seconds: Floats, now: float, delta: int) -> None:
    """Let a level change."""
    settle(run, level, seconds, now)
    level.value += delta
    level.peak = max(level.peak, level.value)


def settle(run: Any, level: Any, seconds: Floats, now: float) -> None:
    """Count the time since the level's last change."""
    while level.mark <= now:
        spend(level, seconds, level.mark)
        note_mark(run, level, seconds)
    spend(level, seconds, now)


def spend(level: Any, seconds: Floats, until: float) -> None:
    """Count the time up to `until` at the level's value."""
    span = until - level.since
    if span > 0.0:
        add_time(level, seconds, level.value, span)
        level.lasting = max(level.lasting, level.value)
        level.since = until


def add_time(level: Any, seconds: Floats, value: int, span: float) -> None:
    """Count so many seconds at a value."""
    if not level.spread:
        level.integral += value * span
    elif value < EXACT:
        seconds[level.exact + value] += span
    else:
        number = float(value)
        seconds[level.bins + bins.of_size(number)] += span
        level.integral += number * span
        level.squares += number * number * span


def note_mark(run: Any, level: Any, seconds: Floats) -> None:
    """Note what is to be noted at a mark, and find the next."""
    if level.mark == run.start and not level.warm:
        level.before = area(level, seconds)
        forget(level, seconds)
        level.warm = True
    if level.series >= 0 and level.mark == edge_at(run, level.edge):
        seconds[level.series + level.edge] = level.before + area(level, seconds)
        level.edge += 1
    level.mark = next_mark(run, level)


def next_mark(run: Any, level: Any) -> float:
    """Return when something is to be noted next."""
    at = rules.INF
    if level.series >= 0 and level.edge <= bins.SERIES:
        at = edge_at(run, level.edge)
    return at if level.warm else min(at, run.start)


def edge_at(run: Any, edge: int) -> float:
    """Return an edge of the series: it has as many equal bins as `bins.SERIES` says."""
    return run.until if edge == bins.SERIES else edge * (run.until / bins.SERIES)


def area(level: Any, seconds: Floats) -> float:
    """Return the integral of the level so far, from the end of the warm-up if that has come."""
    total = level.integral
    if level.spread:
        for value in range(min(level.peak + 1, EXACT)):
            total += value * seconds[level.exact + value]
    return total


def forget(level: Any, seconds: Floats) -> None:
    """Forget the warm-up."""
    level.integral = level.squares = 0.0
    level.peak, level.lasting = level.value, 0
    if level.spread:
        for i in range(level.exact, level.bins + bins.SIZES.last + 1):
            seconds[i] = 0.0


def climb(run: Any, level: Any, seconds: Floats, times: Floats) -> None:
    """Let a level rise by one at each of these times."""
    first = 0
    while first < len(times):
        change(run, level, seconds, times[first], 1)
        last = first + 1 + bins.times_before(times[first + 1 :], level.mark)
        climb_unmarked(level, seconds, times[first:last])
        first = last


def climb_unmarked(level: Any, seconds: Floats, times: Floats) -> None:
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


def observe(sample: Any, counts: Ints, duration: float) -> None:
    """Add a duration to a sample."""
    sample.count += 1
    sample.total += duration
    sample.squares += duration * duration
    sample.largest = max(sample.largest, duration)
    counts[sample.bins + bins.of_time(duration)] += 1


def observe_waits(sample: Any, counts: Ints, now: float, times: Floats) -> None:
    """Add the time from each of these times, which do not decrease, until now."""
    total = squares = 0.0
    to = counts[sample.bins : sample.bins + bins.TIMES.last + 1]
    for i in range(len(times)):
        wait = now - times[i]
        total += wait
        squares += wait * wait
        to[bins.of_time(wait)] += 1
    sample.count += len(times)
    sample.total += total
    sample.squares += squares
    sample.largest = max(sample.largest, now - times[0])


def change_level(run: Any, tally: Tally, buffer: int, kind: int, now: float, delta: int) -> None:
    """Let a level of a buffer change (−1: of none), and that of all together."""
    if delta == 0:
        return
    if buffer >= 0:
        change(run, tally.levels[buffer * OF_BUFFER + kind], tally.seconds, now, delta)
    if run.all_buffers >= 0:
        change(run, tally.levels[run.all_buffers + kind], tally.seconds, now, delta)


def count_arrival(run: Any, b: Any, further: bool, now: float) -> None:
    """Count a row whose job arrives; `further`: an earlier buffer collects the job too."""
    if now >= run.start:
        b.arrivals += 1
        if further:
            b.further_copies += 1


def count_size(run: Any, tally: Tally, b: Any, buffer: int, now: float) -> None:
    """Count a change of the buffer size."""
    size, nbytes = tally.levels[buffer * OF_BUFFER + SIZE], tally.levels[buffer * OF_BUFFER + NBYTES]
    delta = b.jobs - size.value
    if delta > 0 and now >= run.start:
        b.stored += delta
    change_level(run, tally, buffer, SIZE, now, delta)
    if run.counts_bytes:
        change_level(run, tally, buffer, NBYTES, now, b.held - nbytes.value)
    if run.exposes and not run.durable:
        change_level(run, tally, buffer, EXPOSED, now, delta)


def count_climb(run: Any, tally: Tally, jobs: Jobs, rows: Rows, b: Any, first: int, last: int) -> None:
    """Count the jobs from `first` to `last` that have come into the only buffer, one by one."""
    times = jobs.time[first - run.job_first : last - run.job_first]
    seen = len(times) - bins.times_before(times, run.start)
    b.arrivals += seen
    b.stored += seen
    climb(run, tally.levels[SIZE], tally.seconds, times)
    if run.exposes and not run.durable:
        climb(run, tally.levels[EXPOSED], tally.seconds, times)
    if run.counts_bytes:
        nbytes = tally.levels[NBYTES]
        for job in range(first, last):
            change(run, nbytes, tally.seconds, times[job - first], bytes_of(run, jobs, job))
    if run.marks_rows:
        for row in range(first, last):
            rows.small[ks.ROW_GONE, row - run.row_first] = 0


def count_loss(run: Any, tally: Tally, lost_first: int, passed: bool, rows: int, now: float, cause: int) -> None:
    """Count rows that are lost; `passed`: of jobs that no buffer collects."""
    run.lost += rows
    if passed:
        run.passed_lost += rows
    if now >= run.start:
        tally.counts[lost_first + cause] += rows


def count_flush(run: Any, tally: Tally, jobs: Jobs, rows: Rows, b: Any, buffer: int, cause: int, now: float) -> None:
    """Count a flush that starts."""
    change_level(run, tally, buffer, IN_FLIGHT, now, b.batch_jobs)
    change_level(run, tally, buffer, IN_FLIGHT_NBYTES, now, b.batch_held)
    if run.exposes:
        change_level(run, tally, buffer, EXPOSED, now, b.batch_jobs)
    if run.keeps_taken:
        keep_taken(run, tally, jobs, rows, b)
    if now < run.start:
        return
    b.started += 1
    b.batch_sum += b.batch_jobs
    b.batch_squares += b.batch_jobs * b.batch_jobs
    b.largest_batch = max(b.largest_batch, b.batch_jobs)
    b.batch_nbytes += b.batch_held
    b.largest_nbytes = max(b.largest_nbytes, b.batch_held)
    tally.counts[b.causes_first + cause] += 1
    tally.counts[b.batches_first + bins.of_size(b.batch_jobs)] += 1
    count_waits(run, tally, jobs, rows, b, buffer, now)


def count_waits(run: Any, tally: Tally, jobs: Jobs, rows: Rows, b: Any, buffer: int, now: float) -> None:
    """Count the waits of a batch."""
    sample = tally.samples[buffer]
    if run.contiguous:
        first = b.batch_head - run.job_first
        observe_waits(sample, tally.counts, now, jobs.time[first : first + b.batch_jobs])
        return
    row = b.batch_head
    for _ in range(b.batch_jobs):
        observe(sample, tally.counts, now - jobs.time[job_of(run, rows, row) - run.job_first])
        row = following(run, rows, row)


def keep_taken(run: Any, tally: Tally, jobs: Jobs, rows: Rows, b: Any) -> None:
    """Keep the arrival times of a batch."""
    row = b.batch_head
    for i in range(run.taken, run.taken + b.batch_jobs):
        tally.taken[i] = jobs.time[job_of(run, rows, row) - run.job_first]
        row = following(run, rows, row)
    run.taken += b.batch_jobs


def count_landing(run: Any, tally: Tally, b: Any, buffer: int, now: float) -> None:
    """Count that a batch is no longer in flight."""
    change_level(run, tally, buffer, IN_FLIGHT, now, -b.batch_jobs)
    change_level(run, tally, buffer, IN_FLIGHT_NBYTES, now, -b.batch_held)
    if run.exposes:
        change_level(run, tally, buffer, EXPOSED, now, -b.batch_jobs)


def count_end(run: Any, b: Any, reduced: int, now: float) -> None:
    """Count a flush that ends."""
    run.landed += b.batch_jobs
    if b.last_flush_start < run.start:
        return
    b.ended += 1
    b.ended_jobs += b.batch_jobs
    b.reduced_jobs += reduced
    b.largest_reduced = max(b.largest_reduced, reduced)
    b.flush_time += now - b.last_flush_start
    b.longest_flush = max(b.longest_flush, now - b.last_flush_start)


def settle_all(run: Any, levels: Any, seconds: Floats) -> None:
    """Count the time up to the end of the run in every level."""
    for i in range(len(levels)):
        settle(run, levels[i], seconds, run.until)


def note_vacancy(run: Any, b: Any, program: Records, times: Floats, now: float) -> None:
    """Note whether the buffer is empty and idle, after a change; count the empty ticks of a gap that ends."""
    vacant = b.jobs == 0 and not b.flushing and not run.down
    if vacant and not b.vacant:
        b.vacant_since = now
    elif b.vacant and not vacant:
        close_gap(run, b, program, times, now)
    b.vacant = vacant


def close_gap(run: Any, b: Any, program: Records, times: Floats, now: float) -> None:
    """Count the empty ticks of the gap that ends now, within the window."""
    begin = max(b.vacant_since, run.start)
    if now <= begin or b.ticks_first == b.ticks_last:
        return
    # a tick at which a flush starts is not empty
    if begin == b.last_flush_start:
        begin = np.nextafter(begin, rules.INF)
    for rule in range(b.ticks_first, b.ticks_last):
        b.empty_ticks += ticks_of_its_own(program, times, b, rule, begin, now)


def ticks_of_its_own(program: Records, times: Floats, b: Any, rule: int, begin: float, end: float) -> int:
    """Return how many ticks of a rule in [begin, end) are not also ticks of a rule that goes before it.

    The rule with the most ticks goes first: so that few are looked at one by one.
    """
    first = before(program, times, b, rule, begin)
    count = before(program, times, b, rule, end) - first
    own = count
    if alone(program, times, b, rule, count, begin, end):
        return own
    for number in range(first, first + count):
        if is_tick_of_another(program, times, b, rule, count, tick(program, times, b, rule, number), begin, end):
            own -= 1
    return own


def alone(program: Records, times: Floats, b: Any, rule: int, count: int, begin: float, end: float) -> bool:
    """Return whether no rule goes before this one in a gap."""
    for other in range(b.ticks_first, b.ticks_last):
        if goes_before(program, times, b, other, rule, count, begin, end):
            return False
    return True


def goes_before(
    program: Records, times: Floats, b: Any, other: int, rule: int, count: int, begin: float, end: float
) -> bool:
    """Return whether another rule goes before one with `count` ticks in a gap: it has more, or stands before it."""
    if other == rule:
        return False
    others = before(program, times, b, other, end) - before(program, times, b, other, begin)
    return others > count or (others == count and other < rule)


def is_tick_of_another(
    program: Records, times: Floats, b: Any, rule: int, count: int, time: float, begin: float, end: float
) -> bool:
    """Return whether a rule that goes before this one ticks at `time`."""
    after = np.nextafter(time, rules.INF)
    for other in range(b.ticks_first, b.ticks_last):
        here = before(program, times, b, other, after) - before(program, times, b, other, time)
        if here > 0 and goes_before(program, times, b, other, rule, count, begin, end):
            return True
    return False


def before(program: Records, times: Floats, b: Any, rule: int, time: float) -> int:
    """Return how many ticks of a rule stand before `time`, as they are in the present gap."""
    operation = program[rule]
    if operation.op == ks.TIMES:
        return bins.times_before(times[operation.whole : operation.last], time)
    return int(bins.ticks_before(origin_of(b, operation), operation.seconds, smallest_of(operation), time))


def tick(program: Records, times: Floats, b: Any, rule: int, number: int) -> float:
    """Return a tick of a rule by its number."""
    operation = program[rule]
    if operation.op == ks.TIMES:
        return times[operation.whole + number]
    return origin_of(b, operation) + (smallest_of(operation) + number) * operation.seconds


def origin_of(b: Any, operation: Any) -> float:
    """Return from where the ticks of a rule count."""
    if operation.op == ks.EVERY_START:
        return 0.0 if b.last_flush_start == -rules.INF else b.last_flush_start
    if operation.op == ks.EVERY_END:
        return 0.0 if b.last_flush_end == -rules.INF else b.last_flush_end
    return operation.phase


def smallest_of(operation: Any) -> int:
    """Return the number of a rule's first tick."""
    return 1 if operation.op == ks.EVERY_START or operation.op == ks.EVERY_END else 0


def change_queue(run: Any, tally: Tally, q: Any, queue: int, kind: int, now: float, delta: int) -> None:
    """Let a level of a queue, and of all together, change; and how many are unfinished where there are workers."""
    change(run, tally.levels[run.queue_levels + queue * OF_QUEUE + kind], tally.seconds, now, delta)
    if run.all_queues >= 0:
        change(run, tally.levels[run.all_queues + kind], tally.seconds, now, delta)
    if kind == UNFINISHED and q.workers != ks.NO_WORKERS and run.all_queues >= 0:
        change(run, tally.levels[run.served_level], tally.seconds, now, delta)


def count_works(run: Any, tally: Tally, q: Any, queue: int, works: int, items: int, largest: int, now: float) -> None:
    """Count works, with so many items in all, that come to a queue."""
    change_queue(run, tally, q, queue, WAITING, now, works)
    change_queue(run, tally, q, queue, UNFINISHED, now, works)
    if now >= run.start:
        q.came += works
        q.items += items
        q.largest_items = max(q.largest_items, largest)


def count_first_start(run: Any, tally: Tally, works: Works, q: Any, queue: int, work: int, now: float) -> None:
    """Count that a work is started for the first time."""
    change_queue(run, tally, q, queue, WAITING, now, -1)
    if now >= run.start:
        sample = tally.samples[run.queue_samples + 2 * queue]
        observe(sample, tally.counts, now - works.seconds[ks.QUEUED_AT, work - run.work_first])


def count_finish(
    run: Any, tally: Tally, jobs: Jobs, rows: Rows, works: Works, q: Any, queue: int, work: int, now: float
) -> None:
    """Count that a work is completed, or has failed for good; nothing more becomes of the rows that it carries."""
    at = work - run.work_first
    change_queue(run, tally, q, queue, UNFINISHED, now, -1)
    attempts, busy = works.whole[ks.WORK_ATTEMPTS, at], works.seconds[ks.BUSY, at]
    if attempts == 1:
        q.busy_time += max(now - max(works.seconds[ks.STARTED_AT, at], run.start), 0.0)
    if now >= run.start:
        if attempts > 1:
            q.busy_time += busy
        if works.outcome[at] == COMPLETED:
            q.completed += 1
        else:
            q.failed += 1
        q.attempts += attempts
        q.service_time += busy
        q.longest_service = max(q.longest_service, busy)
        count_end_to_end(run, tally, jobs, rows, works, work, now)
    leave_queue(run, tally, rows, works, work, now)


def count_end_to_end(run: Any, tally: Tally, jobs: Jobs, rows: Rows, works: Works, work: int, now: float) -> None:
    """Count the times from arrival to finish of the rows that a work carries."""
    row = works.whole[ks.WORK_ROW, work - run.work_first]
    while row >= 0:
        job = job_of(run, rows, row)
        sample = tally.samples[run.queue_samples + 2 * queue_of(run, jobs, job) + 1]
        observe(sample, tally.counts, now - jobs.time[job - run.job_first])
        row = rows.whole[ks.ROW_CARRIED, row - run.row_first]


def count_lost_work(
    run: Any, tally: Tally, buffers: Records, rows: Rows, works: Works, q: Any, queue: int, work: int, now: float
) -> None:
    """Count that a work is lost with its queue, and what it carries with it."""
    at = work - run.work_first
    if works.whole[ks.WORK_ATTEMPTS, at] == 0:
        change_queue(run, tally, q, queue, WAITING, now, -1)
    elif works.whole[ks.WORK_ATTEMPTS, at] == 1 and works.outcome[at] == RUNNING:
        q.busy_time += max(now - max(works.seconds[ks.STARTED_AT, at], run.start), 0.0)
    change_queue(run, tally, q, queue, UNFINISHED, now, -1)
    if now >= run.start:
        q.lost += 1
    buffer = works.small[ks.WORK_BUFFER, at]
    lost_first = buffers[buffer].lost_first if buffer >= 0 else 0
    if buffer >= 0:
        run.landed_lost += works.whole[ks.WORK_ROWS, at]
    count_loss(run, tally, lost_first, buffer < 0, works.whole[ks.WORK_ROWS, at], now, QUEUE)
    leave_queue(run, tally, rows, works, work, now)


def enter_queue(run: Any, tally: Tally, works: Works, work: int, now: float) -> None:
    """Count that a stop can lose the rows of a work with the queue."""
    at = work - run.work_first
    change_level(run, tally, works.small[ks.WORK_BUFFER, at], EXPOSED, now, works.whole[ks.WORK_ROWS, at])


def leave_queue(run: Any, tally: Tally, rows: Rows, works: Works, work: int, now: float) -> None:
    """Count that a stop cannot lose the rows of a work any more, and forget them."""
    if not run.durable_queue:
        at = work - run.work_first
        change_level(run, tally, works.small[ks.WORK_BUFFER, at], EXPOSED, now, -works.whole[ks.WORK_ROWS, at])
    forget_rows(run, rows, works, work)


def forget_rows(run: Any, rows: Rows, works: Works, work: int) -> None:
    """Mark the rows that a work carries: nothing more becomes of them."""
    row = works.whole[ks.WORK_ROW, work - run.work_first]
    while row >= 0:
        rows.small[ks.ROW_GONE, row - run.row_first] = 1
        row = rows.whole[ks.ROW_CARRIED, row - run.row_first]


def find_live(run: Any, b: Any, q: Any, rows: Rows, works: Works) -> None:
    """Find the first row, job and work of which something can still become; `b`, `q`: the first or only ones."""
    if run.in_order:
        run.live_work = q.head
    elif run.bulk:
        run.live_work = run.work
    else:
        while run.live_work < run.work and works.outcome[run.live_work - run.work_first] >= COMPLETED:
            run.live_work += 1
    if run.bulk:
        run.live_row = b.batch_head if b.flushing else (b.head if b.jobs > 0 else run.row)
    elif not run.marks_rows:
        run.live_row = run.live_work  # a work has the number of its row
    else:
        while run.live_row < run.row and rows.small[ks.ROW_GONE, run.live_row - run.row_first] != 0:
            run.live_row += 1
    run.live_job = job_of(run, rows, run.live_row) if run.live_row < run.row else run.job


def count_running(run: Any, queues: Records, jobs: Jobs, works: Works, heap: Records) -> None:
    """Count the service so far of the works that run for the first time when the run ends."""
    for i in range(run.ends):
        work = heap[i].work
        at = work - run.work_first
        if works.outcome[at] == RUNNING and works.whole[ks.WORK_ATTEMPTS, at] == 1:
            q = queues[queue_of_work(run, jobs, works, work)]
            q.busy_time += run.until - max(works.seconds[ks.STARTED_AT, at], run.start)
