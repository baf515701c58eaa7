"""Binary heaps: of ends of services and back-offs, and of the times at which workers are free."""

from __future__ import annotations

from typing import Any

import numpy as np

from bufsim.engines.kernel import state as ks
from bufsim.engines.kernel import tallies as kl
from bufsim.engines.kernel import tallies as kw
from bufsim.engines.kernel.state import Floats, Jobs, Records, Rows, State, Tally, Works, items_of, queue_of_work
from bufsim.engines.recording import COMPLETED, FAILED, LOST, PENDING, RETRYING, RUNNING
from bufsim.model import rules

# so many workers are kept sorted, more on a heap
SORTED = 32


def push(run: Any, heap: Records, time: float, work: int) -> None:
    """Put an end on the heap: a binary heap by (time, work)."""
    i = run.ends
    run.ends = i + 1
    while i > 0:
        above = heap[(i - 1) >> 1]
        if above.time < time or (above.time == time and above.work < work):
            break
        heap[i].time = above.time
        heap[i].work = above.work
        i = (i - 1) >> 1
    heap[i].time = time
    heap[i].work = work


def pop(run: Any, heap: Records) -> int:
    """Take the first end off the heap; return its work."""
    first = heap[0].work
    n = run.ends - 1
    run.ends = n
    time, work = heap[n].time, heap[n].work
    i = 0
    while True:
        below = 2 * i + 1
        if below >= n:
            break
        left, right = heap[below], heap[below + 1] if below + 1 < n else heap[below]
        if right.time < left.time or (right.time == left.time and right.work < left.work):
            below += 1
            left = right
        if time < left.time or (time == left.time and work < left.work):
            break
        heap[i].time = left.time
        heap[i].work = left.work
        i = below
    heap[i].time = time
    heap[i].work = work
    return first


def free_at(free: Floats, time: float) -> None:
    """Let the worker that is free first be free again at `time`; `free` increases, or for many workers is a heap."""
    last = len(free) - 1
    if last < SORTED:
        # without a branch that the processor would have to guess
        for i in range(last):
            free[i], time = min(time, free[i + 1]), max(time, free[i + 1])
        free[last] = time
        return
    i, below = 0, 1
    while below <= last:
        if below < last and free[below + 1] < free[below]:
            below += 1
        if time <= free[below]:
            break
        free[i] = free[below]
        i, below = below, 2 * below + 1
    free[i] = time


def hand_over_in_order(state: State, now: float) -> None:
    """Count the works that have come to the queue, and start those that can."""
    run, q = state.run[0], state.queues[0]
    note_marks(state, now)
    if now >= run.start:
        count_handed_in_order(run, q, state.works)
    q.handed = run.work
    start_works(state, now)
    if now >= run.start:
        note_levels(run, q, state.tally, state.free, now)


def count_handed_in_order(run: Any, q: Any, works: Works) -> None:
    """Count works that come in the window."""
    q.came += run.work - q.handed
    for work in range(q.handed, run.work):
        items = items_of(run, works, work)
        q.items += items
        q.largest_items = max(q.largest_items, items)


def start_works(state: State, until: float) -> None:
    """Start the works whose turn comes up to `until`, that included."""
    run, q, works, draws, ends = state.run[0], state.queues[0], state.works, state.draws, state.free
    span = state.spans[0, 1]
    while q.head < q.handed:
        queued_at = works.seconds[ks.QUEUED_AT, q.head - run.work_first]
        start = max(queued_at, ends[0])
        if start > until:
            return
        draw = draws[span.service + q.head - span.skipped]
        service = rules.service_time(draw, q.per_item, items_of(run, works, q.head))
        free_at(ends, start + service)
        count_service(run, q, state.tally, queued_at, start, start + service, service)
        finish_rows(run, state.tally, state.jobs, state.rows, works, q.head, start + service)
        q.head += 1


def count_service(run: Any, q: Any, tally: Tally, queued_at: float, start: float, end: float, service: float) -> None:
    """Count a work that starts, and its finish if that comes before the run ends."""
    waiting, unfinished = tally.levels[run.queue_levels + kl.WAITING], tally.levels[run.queue_levels + kl.UNFINISHED]
    came, left = max(queued_at, run.start), min(end, run.until)
    waiting.integral += max(start - came, 0.0)
    unfinished.integral += max(left - came, 0.0)
    q.stayed += end - queued_at
    q.busy_time += max(left - max(start, run.start), 0.0)
    if start >= run.start:
        kl.observe(tally.samples[run.queue_samples], tally.counts, start - queued_at)
    if run.start <= end < run.until:
        q.completed += 1
        q.attempts += 1
        q.service_time += service
        q.longest_service = max(q.longest_service, service)


def finish_rows(run: Any, tally: Tally, jobs: Jobs, rows: Rows, works: Works, work: int, end: float) -> None:
    """Count the times from arrival to finish of the rows that a work carries, and forget them."""
    seen = run.start <= end < run.until
    if run.straight:
        if seen:
            kl.observe(tally.samples[run.queue_samples + 1], tally.counts, end - jobs.time[work - run.job_first])
        return
    if seen:
        kw.count_end_to_end(run, tally, jobs, rows, works, work, end)
    kw.forget_rows(run, rows, works, work)


def note_marks(state: State, until: float) -> None:
    """Note what is to be noted up to `until`: the levels when the warm-up is over, the edges of the series."""
    run, q, tally = state.run[0], state.queues[0], state.tally
    level = tally.levels[run.served_level]
    while q.mark <= until:
        start_works(state, q.mark)
        if q.mark == run.start and not level.warm:
            level.warm = True
            note_levels(run, q, tally, state.free, q.mark)
        if q.mark == kl.edge_at(run, level.edge):
            tally.seconds[level.series + level.edge] = stayed(run, q, state.works, state.free, q.mark)
            level.edge += 1
        q.mark = kl.next_mark(run, level)


def note_levels(run: Any, q: Any, tally: Tally, ends: Floats, now: float) -> None:
    """Note how many wait and how many are unfinished from now on."""
    waiting, unfinished = tally.levels[run.queue_levels + kl.WAITING], tally.levels[run.queue_levels + kl.UNFINISHED]
    running = 0
    for end in ends:
        running += end > now
    waiting.lasting = max(waiting.lasting, q.handed - q.head)
    unfinished.lasting = max(unfinished.lasting, q.handed - q.head + running)


def stayed(run: Any, q: Any, works: Works, ends: Floats, now: float) -> float:
    """Return the integral of how many are unfinished, from the beginning of the run until now, job-seconds."""
    total: float = q.stayed
    for end in ends:
        total -= max(end - now, 0.0)
    for work in range(q.head, q.handed):
        total += now - works.seconds[ks.QUEUED_AT, work - run.work_first]
    return total


def settle(state: State) -> None:
    """Count what has not ended when the run ends."""
    run, q, works = state.run[0], state.queues[0], state.works
    # nothing starts at the very end
    last = np.nextafter(run.until, 0.0)
    note_marks(state, last)
    start_works(state, last)
    level = state.tally.levels[run.served_level]
    state.tally.seconds[level.series + level.edge] = stayed(run, q, works, state.free, run.until)
    for work in range(q.head, q.handed):
        waited = run.until - max(works.seconds[ks.QUEUED_AT, work - run.work_first], run.start)
        state.tally.levels[run.queue_levels + kl.WAITING].integral += waited
        state.tally.levels[run.queue_levels + kl.UNFINISHED].integral += waited


def lacks_service_draws(run: Any, queues: Records, spans: Records, works: int) -> bool:
    """Return whether so many works could come to a queue that serves in order and lack their draws; note whose."""
    for queue in range(len(queues)):
        q = queues[queue]
        if q.in_order and q.handed + works - spans[queue, 1].skipped > spans[queue, 1].count:
            run.which, run.attempt, run.needed = queue, 1, q.handed + works
            return True
    return False


def add_work(run: Any, works: Works, flush: int, queue: int, buffer: int, now: float) -> int:
    """Put a job of one item into the hands of a queue; return its work row. `hand_over` makes it known."""
    work = run.work
    run.work = work + 1
    at = work - run.work_first
    works.small[ks.WORK_QUEUE, at] = queue
    if run.counts_items:
        works.whole[ks.WORK_ITEMS, at] = 1
    if run.tallies:
        works.seconds[ks.QUEUED_AT, at] = now
        works.small[ks.WORK_BUFFER, at] = buffer
        works.whole[ks.WORK_ROW, at] = -1
        works.whole[ks.WORK_ROWS, at] = 0
    else:
        works.seconds[ks.QUEUED_AT, at] = now
        works.whole[ks.WORK_FLUSH, at] = flush
    return work


def carry(run: Any, rows: Rows, works: Works, row: int, work: int) -> None:
    """Let a work carry a row."""
    if run.records and not run.straight:
        rows.whole[ks.ROW_WORK, row - run.row_first] = work
    if run.tallies:
        at = work - run.work_first
        rows.whole[ks.ROW_CARRIED, row - run.row_first] = works.whole[ks.WORK_ROW, at]
        works.whole[ks.WORK_ROW, at] = row
        works.whole[ks.WORK_ROWS, at] += 1


def hand_over(state: State, first: int, now: float) -> None:
    """Put the works from `first` on at the tails of their queues, and wake the workers."""
    run, works = state.run[0], state.works
    if len(state.queues) == 1 and state.queues[0].in_order:
        if run.tallies:
            hand_over_in_order(state, now)
            return
        serve_in_order(run, state.queues[0], works, state.free, state.draws, state.spans[0, 1], first, run.work, now)
        return
    if run.tallies:
        count_handed(state, first, now)
    for work in range(first, run.work):
        queue = queue_of_work(run, state.jobs, works, work)
        q = state.queues[queue]
        if q.in_order:
            span = state.spans[queue, 1]
            serve_in_order(run, q, works, state.free, state.draws, span, work, work + 1, now)
        else:
            enqueue(run, q, state.rows, works, work)
    if run.serves:
        for queue in range(len(state.queues)):
            wake(state.queues[queue], now)


def count_handed(state: State, first: int, now: float) -> None:
    """Count the works from `first` on, which come to their queues."""
    run, works, tally = state.run[0], state.works, state.tally
    if len(state.queues) == 1 and not run.counts_items:
        kw.count_works(run, tally, state.queues[0], 0, run.work - first, run.work - first, 1, now)
    else:
        for work in range(first, run.work):
            queue, items = queue_of_work(run, state.jobs, works, work), items_of(run, works, work)
            kw.count_works(run, tally, state.queues[queue], queue, 1, items, items, now)
    if not run.durable_queue:
        for work in range(first, run.work):
            kw.enter_queue(run, tally, works, work, now)


def enqueue(run: Any, q: Any, rows: Rows, works: Works, work: int) -> None:
    """Put a work at the tail of its queue, if something can become of it."""
    at = work - run.work_first
    if run.serves:
        works.seconds[ks.STARTED_AT, at] = np.nan
        works.seconds[ks.FINISHED_AT, at] = np.nan
        if run.loses_work:
            works.seconds[ks.LOST_AT, at] = np.nan
        works.seconds[ks.BUSY, at] = 0.0
        works.whole[ks.WORK_ATTEMPTS, at] = 0
        works.whole[ks.WORK_FINISHED, at] = 0
        works.outcome[at] = PENDING
    if q.stores:
        works.whole[ks.WORK_PLACE, at] = q.handed
        q.handed += 1
        push_waiting(run, q, works, work)
    elif run.tallies:
        # it waits for ever, and has been counted: nothing more becomes of it
        works.outcome[at] = COMPLETED
        kw.forget_rows(run, rows, works, work)


def push_waiting(run: Any, q: Any, works: Works, work: int) -> None:
    """Put a work at the tail of its queue's waiting line."""
    if q.waiting == 0:
        q.head = work
    else:
        works.whole[ks.WORK_NEXT, q.tail - run.work_first] = work
    q.tail = work
    q.waiting += 1


def serve_in_order(
    run: Any, q: Any, works: Works, free: Floats, draws: Floats, span: Any, first: int, last: int, now: float
) -> None:
    """Serve works of a queue in which nothing fails or is lost: by whom, and when, is known when they come.

    The queue's part of `free` holds when each worker is free for the next, the first of them first.
    """
    until, per_item, counts_items, mixed, shift = (
        run.until,
        q.per_item,
        run.counts_items,
        not run.in_order,
        run.work_first,
    )
    ends = free[q.free_first : q.free_first + q.concurrency]
    times = draws[span.service + q.handed : span.service + q.handed + last - first]
    for i in range(len(times)):
        at = first - shift + i
        start = max(now, ends[0])
        items = works.whole[ks.WORK_ITEMS, at] if counts_items else 1
        end = start + rules.service_time(times[i], per_item, items)
        free_at(ends, end)
        started, finished = start < until, end < until
        works.seconds[ks.STARTED_AT, at] = start if started else np.nan
        works.seconds[ks.FINISHED_AT, at] = end if finished else np.nan
        works.whole[ks.WORK_ATTEMPTS, at] = 1 if started else 0
        if mixed:
            works.whole[ks.WORK_FINISHED, at] = 1 if finished else 0
        works.outcome[at] = COMPLETED if finished else (RUNNING if started else PENDING)
    q.handed += len(times)


def wake(q: Any, now: float) -> None:
    """Let a free worker start a waiting job: at once, or at the next poll."""
    if q.free > 0 and q.waiting > 0 and q.start_at == rules.INF:
        if q.workers == ks.POLLING:
            q.start_at = rules.next_poll(now, q.last_poll, q.poll_interval)
        else:
            q.start_at = now


def start(state: State, queue: int, now: float) -> int:
    """Start as many waiting jobs as there are free workers; return 0, or what is missing to do so."""
    run, works, q = state.run[0], state.works, state.queues[queue]
    starts = min(q.free, q.waiting)
    if lacks_attempt_draws(run, q, works, state.spans, queue, starts):
        return ks.MORE_WORK_DRAWS
    if run.ends + starts > len(state.heap):
        return ks.MORE_ROOM
    q.start_at = rules.INF
    q.last_poll = now
    for _ in range(starts):
        work = q.head
        at = work - run.work_first
        q.head = works.whole[ks.WORK_NEXT, at]
        q.waiting -= 1
        q.free -= 1
        works.outcome[at] = RUNNING
        works.whole[ks.WORK_ATTEMPTS, at] += 1
        if works.whole[ks.WORK_ATTEMPTS, at] == 1:
            works.seconds[ks.STARTED_AT, at] = now
            if run.tallies:
                kw.count_first_start(run, state.tally, works, q, queue, work, now)
        end = now + service_time(run, q, works, state.draws, state.spans, queue, work)
        push(run, state.heap, end, work)
    return 0


def lacks_attempt_draws(run: Any, q: Any, works: Works, spans: Records, queue: int, starts: int) -> bool:
    """Return whether one of the first waiting jobs lacks the draws of its next attempt; note whose."""
    work = q.head
    for _ in range(starts):
        at = work - run.work_first
        attempt, place = works.whole[ks.WORK_ATTEMPTS, at] + 1, works.whole[ks.WORK_PLACE, at]
        span = spans[queue, attempt]
        if place - span.skipped >= span.count:
            run.which, run.attempt, run.needed = queue, attempt, place + 1
            return True
        work = works.whole[ks.WORK_NEXT, at]
    return False


def service_time(run: Any, q: Any, works: Works, draws: Floats, spans: Records, queue: int, work: int) -> float:
    """Return the service time of a work's present attempt."""
    at = work - run.work_first
    span = spans[queue, works.whole[ks.WORK_ATTEMPTS, at]]
    draw = draws[span.service + works.whole[ks.WORK_PLACE, at] - span.skipped]
    return rules.service_time(draw, q.per_item, items_of(run, works, work))


def end(state: State, now: float) -> None:
    """End the service, or the back-off, that stands first on the heap."""
    run, works = state.run[0], state.works
    work = pop(run, state.heap)
    at = work - run.work_first
    queue = queue_of_work(run, state.jobs, works, work)
    q = state.queues[queue]
    if works.outcome[at] == RETRYING:
        works.outcome[at] = PENDING
        push_waiting(run, q, works, work)
    else:
        end_service(state, q, queue, work, now)
    wake(q, now)


def end_service(state: State, q: Any, queue: int, work: int, now: float) -> None:
    """End a service: done, failed for good, or to be tried again after a back-off."""
    run, works = state.run[0], state.works
    at = work - run.work_first
    attempt = works.whole[ks.WORK_ATTEMPTS, at]
    failed = fails(run, q, works, state.draws, state.spans[queue, attempt], work)
    q.free += 1
    works.whole[ks.WORK_FINISHED, at] = attempt
    if run.tallies:
        works.seconds[ks.BUSY, at] += service_time(run, q, works, state.draws, state.spans, queue, work)
    if failed and attempt <= q.retries:
        works.outcome[at] = RETRYING
        until = rules.backoff_end(now, attempt, q.backoff_first, q.backoff_factor, q.backoff_longest)
        push(run, state.heap, until, work)
        return
    works.outcome[at] = FAILED if failed else COMPLETED
    works.seconds[ks.FINISHED_AT, at] = now
    if run.tallies:
        kw.count_finish(run, state.tally, state.jobs, state.rows, works, q, queue, work, now)


def fails(run: Any, q: Any, works: Works, draws: Floats, span: Any, work: int) -> bool:
    """Return whether a work's present attempt fails."""
    if q.failure == 0.0:
        return False
    return draws[span.failure + works.whole[ks.WORK_PLACE, work - run.work_first] - span.skipped] < q.failure


def lose_queues(state: State, now: float) -> None:
    """Lose what waits, is in service or backs off in every queue."""
    run, works = state.run[0], state.works
    for queue in range(len(state.queues)):
        q = state.queues[queue]
        work = q.head
        for _ in range(q.waiting):
            lose_work(state, work, now)
            work = works.whole[ks.WORK_NEXT, work - run.work_first]
        q.waiting = 0
        q.free = q.concurrency
    for i in range(run.ends):
        lose_work(state, state.heap[i].work, now)
    run.ends = 0


def lose_work(state: State, work: int, now: float) -> None:
    """Write that a work is lost with its queue."""
    run, works = state.run[0], state.works
    at = work - run.work_first
    if run.tallies:
        queue = queue_of_work(run, state.jobs, works, work)
        q = state.queues[queue]
        kw.count_lost_work(run, state.tally, state.buffers, state.rows, works, q, queue, work, now)
    works.outcome[at] = LOST
    works.seconds[ks.LOST_AT, at] = now
