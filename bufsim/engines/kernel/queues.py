"""Job queues and their workers on the compiled engine.

A queue is served in one of two ways. In general each end of a service or a back-off is an event on a heap. Where
nothing fails, nothing is lost and no poll comes between (`Queue.in_order`), who serves a task and when is known from
the tasks before it, without events: see `serve_in_order`, and `start_tasks` for runs that only count.
"""

from __future__ import annotations

import numpy as np

from bufsim.engines.kernel import tallies
from bufsim.engines.kernel.records import Records
from bufsim.engines.kernel.state import (
    ATTEMPT_AT,
    BUSY,
    FINISHED_AT,
    LOST_AT,
    MORE_RETRIES,
    MORE_ROOM,
    MORE_SERVICE_DRAWS,
    POLLING,
    QUEUED_AT,
    ROW_CARRIED,
    ROW_TASK,
    STARTED_AT,
    TASK_ATTEMPTS,
    TASK_BUFFER,
    TASK_FINISHED,
    TASK_FLUSH,
    TASK_ITEMS,
    TASK_NEXT,
    TASK_PLACE,
    TASK_QUEUE,
    TASK_ROW,
    TASK_ROWS,
    End,
    Floats,
    JobWindow,
    Queue,
    RowWindow,
    Run,
    Span,
    State,
    Tally,
    TaskWindow,
    items_of,
    queue_of_task,
)
from bufsim.engines.recording import COMPLETED, FAILED, LOST, PENDING, RETRYING, RUNNING
from bufsim.model import rules

# so many workers are kept sorted, more on a heap
SORTED = 32


# --- tasks come -------------------------------------------------------------------------------------------------------


def lacks_service_draws(run: Run, queues: Records[Queue], spans: Records[Span], tasks: int) -> bool:
    """Return whether so many tasks could come to a queue that serves in order and lack their draws; note whose."""
    for i in range(len(queues)):
        queue, span = queues[i], spans[i, 1]
        if queue.in_order and queue.next_place + tasks - span.skipped > span.count:
            run.which, run.attempt, run.needed = i, 1, queue.next_place + tasks
            return True
    return False


def add_task(run: Run, tasks: TaskWindow, flush: int, queue: int, buffer: int, now: float) -> int:
    """Add a task of one item for a queue; return it. `enqueue` makes it known to the queue."""
    task = run.task
    run.task = task + 1
    at = task - run.task_first
    tasks.small[TASK_QUEUE, at] = queue
    tasks.whole[TASK_ITEMS, at] = 1
    tasks.seconds[QUEUED_AT, at] = now
    if run.tallies:
        tasks.small[TASK_BUFFER, at] = buffer
        tasks.whole[TASK_ROW, at] = -1
        tasks.whole[TASK_ROWS, at] = 0
    else:
        tasks.whole[TASK_FLUSH, at] = flush
    return task


def carry(run: Run, rows: RowWindow, tasks: TaskWindow, row: int, task: int) -> None:
    """Let a task carry a row."""
    if run.records and not run.straight:
        rows.whole[ROW_TASK, row - run.row_first] = task
    if run.tallies:
        at = task - run.task_first
        rows.whole[ROW_CARRIED, row - run.row_first] = tasks.whole[TASK_ROW, at]
        tasks.whole[TASK_ROW, at] = row
        tasks.whole[TASK_ROWS, at] += 1


def enqueue(state: State, first: int, now: float) -> None:
    """Put the tasks from `first` on at the tails of their queues, and wake the workers."""
    run, tasks = state.run[0], state.tasks
    if len(state.queues) == 1 and state.queues[0].in_order:
        if run.tallies:
            enqueue_in_order(state, now)
            return
        serve_in_order(run, state.queues[0], tasks, state.free, state.draws, state.spans[0, 1], first, run.task, now)
        return
    if run.tallies:
        count_enqueued(state, first, now)
    for task in range(first, run.task):
        queue = state.queues[queue_of_task(run, state.jobs, tasks, task)]
        if queue.in_order:
            span = state.spans[queue.index, 1]
            serve_in_order(run, queue, tasks, state.free, state.draws, span, task, task + 1, now)
        else:
            join(run, queue, state.rows, tasks, task)
    if run.serves:
        for i in range(len(state.queues)):
            wake(state.queues[i], now)


def count_enqueued(state: State, first: int, now: float) -> None:
    """Count the tasks from `first` on, which come to their queues."""
    run, tasks, tally = state.run[0], state.tasks, state.tally
    if len(state.queues) == 1:
        items = largest = 0
        for task in range(first, run.task):
            items += items_of(run, tasks, task)
            largest = max(largest, items_of(run, tasks, task))
        tallies.count_tasks(run, tally, state.queues[0], run.task - first, items, largest, now)
    else:
        for task in range(first, run.task):
            queue, carried = state.queues[queue_of_task(run, state.jobs, tasks, task)], items_of(run, tasks, task)
            tallies.count_tasks(run, tally, queue, 1, carried, carried, now)
    if not run.durable_queues:
        for task in range(first, run.task):
            if not state.queues[queue_of_task(run, state.jobs, tasks, task)].durable:
                tallies.enter_queue(run, tally, tasks, task, now)


def join(run: Run, queue: Queue, rows: RowWindow, tasks: TaskWindow, task: int) -> None:
    """Put a task at the tail of its queue, if something can become of it."""
    at = task - run.task_first
    if run.serves:
        tasks.seconds[STARTED_AT, at] = np.nan
        tasks.seconds[FINISHED_AT, at] = np.nan
        if not run.durable_queues:
            tasks.seconds[LOST_AT, at] = np.nan
        tasks.seconds[BUSY, at] = 0.0
        tasks.whole[TASK_ATTEMPTS, at] = 0
        tasks.whole[TASK_FINISHED, at] = 0
        tasks.outcome[at] = PENDING
    if queue.stores:
        tasks.whole[TASK_PLACE, at] = queue.next_place
        queue.next_place += 1
        wait(run, queue, tasks, task)
    elif run.tallies:
        # it waits for ever, and has been counted: nothing more becomes of it
        tasks.outcome[at] = COMPLETED
        tallies.forget_rows(run, rows, tasks, task)


def wait(run: Run, queue: Queue, tasks: TaskWindow, task: int) -> None:
    """Put a task at the tail of its queue's waiting line."""
    if queue.waiting == 0:
        queue.head = task
    else:
        tasks.whole[TASK_NEXT, queue.tail - run.task_first] = task
    queue.tail = task
    queue.waiting += 1


# --- services as events -----------------------------------------------------------------------------------------------


def wake(queue: Queue, now: float) -> None:
    """Let a free worker start a waiting task: at once, or at the next poll."""
    if queue.free > 0 and queue.waiting > 0 and queue.start_at == rules.INF:
        if queue.workers == POLLING:
            queue.start_at = rules.next_poll(now, queue.last_poll, queue.poll_interval)
        else:
            queue.start_at = now


def start(state: State, queue: Queue, now: float) -> int:
    """Start as many waiting tasks as there are free workers; return 0, or what is missing to do so."""
    run, tasks = state.run[0], state.tasks
    starts = min(queue.free, queue.waiting)
    if lacks_attempt_draws(run, queue, tasks, state.spans, starts):
        return MORE_SERVICE_DRAWS
    if run.ends + starts > len(state.heap):
        return MORE_ROOM
    if run.records and queue.retries > 0 and run.retry + starts > len(state.retries):
        return MORE_RETRIES
    queue.start_at = rules.INF
    queue.last_poll = now
    for _ in range(starts):
        task = queue.head
        at = task - run.task_first
        queue.head = tasks.whole[TASK_NEXT, at]
        queue.waiting -= 1
        queue.free -= 1
        tasks.outcome[at] = RUNNING
        tasks.whole[TASK_ATTEMPTS, at] += 1
        write_start(state, queue, task, now)
        push(run, state.heap, now + service_time(run, queue, tasks, state.draws, state.spans, task), task)
    return 0


def write_start(state: State, queue: Queue, task: int, now: float) -> None:
    """Write that the present attempt at a task starts."""
    run, tasks, at = state.run[0], state.tasks, task - state.run[0].task_first
    if run.tallies:
        tasks.seconds[ATTEMPT_AT, at] = now
    if tasks.whole[TASK_ATTEMPTS, at] == 1:
        tasks.seconds[STARTED_AT, at] = now
        if run.tallies:
            tallies.count_first_start(run, state.tally, tasks, queue, task, now)
    elif run.records:
        retry = state.retries[run.retry]
        retry.task, retry.number, retry.start = task, tasks.whole[TASK_ATTEMPTS, at], now
        run.retry += 1


def lacks_attempt_draws(run: Run, queue: Queue, tasks: TaskWindow, spans: Records[Span], starts: int) -> bool:
    """Return whether one of the first waiting tasks lacks the draws of its next attempt; note whose."""
    task = queue.head
    for _ in range(starts):
        at = task - run.task_first
        attempt, place = tasks.whole[TASK_ATTEMPTS, at] + 1, tasks.whole[TASK_PLACE, at]
        span = spans[queue.index, attempt]
        if place - span.skipped >= span.count:
            run.which, run.attempt, run.needed = queue.index, attempt, place + 1
            return True
        task = tasks.whole[TASK_NEXT, at]
    return False


def service_time(run: Run, queue: Queue, tasks: TaskWindow, draws: Floats, spans: Records[Span], task: int) -> float:
    """Return the service time of a task's present attempt."""
    at = task - run.task_first
    span = spans[queue.index, tasks.whole[TASK_ATTEMPTS, at]]
    draw = draws[span.service + tasks.whole[TASK_PLACE, at] - span.skipped]
    return rules.service_time(draw, queue.per_item, items_of(run, tasks, task))


def end(state: State, now: float) -> None:
    """End the service, or the back-off, that stands first on the heap."""
    run, tasks = state.run[0], state.tasks
    task = pop(run, state.heap)
    at = task - run.task_first
    queue = state.queues[queue_of_task(run, state.jobs, tasks, task)]
    if tasks.outcome[at] == RETRYING:
        tasks.outcome[at] = PENDING
        wait(run, queue, tasks, task)
    else:
        end_service(state, queue, task, now)
    wake(queue, now)


def end_service(state: State, queue: Queue, task: int, now: float) -> None:
    """End a service: done, failed for good, or to be tried again after a back-off."""
    run, tasks = state.run[0], state.tasks
    at = task - run.task_first
    attempt = tasks.whole[TASK_ATTEMPTS, at]
    failed = fails(run, queue, tasks, state.draws, state.spans[queue.index, attempt], task)
    queue.free += 1
    tasks.whole[TASK_FINISHED, at] = attempt
    if run.tallies:
        tallies.count_attempt(run, queue, tasks, task, now)
        tasks.seconds[BUSY, at] += service_time(run, queue, tasks, state.draws, state.spans, task)
    if failed and attempt <= queue.retries:
        tasks.outcome[at] = RETRYING
        until = rules.backoff_end(now, attempt, queue.backoff_first, queue.backoff_factor, queue.backoff_longest)
        push(run, state.heap, until, task)
        return
    tasks.outcome[at] = FAILED if failed else COMPLETED
    tasks.seconds[FINISHED_AT, at] = now
    if run.tallies:
        tallies.count_finish(run, state.tally, state.jobs, state.rows, tasks, queue, task, now)


def fails(run: Run, queue: Queue, tasks: TaskWindow, draws: Floats, span: Span, task: int) -> bool:
    """Return whether a task's present attempt fails."""
    if queue.failure == 0.0:
        return False
    return draws[span.failure + tasks.whole[TASK_PLACE, task - run.task_first] - span.skipped] < queue.failure


def lose_queues(state: State, now: float) -> None:
    """Lose what waits, is in service or backs off in every volatile queue."""
    run, tasks = state.run[0], state.tasks
    for i in range(len(state.queues)):
        queue = state.queues[i]
        if queue.durable:
            continue
        task = queue.head
        for _ in range(queue.waiting):
            lose_task(state, task, now)
            task = tasks.whole[TASK_NEXT, task - run.task_first]
        queue.waiting = 0
        queue.free = queue.concurrency
    ends = run.ends
    run.ends = 0
    for i in range(ends):
        time, task = state.heap[i].time, state.heap[i].task
        if state.queues[queue_of_task(run, state.jobs, tasks, task)].durable:
            # the heap that is made anew ends before i
            push(run, state.heap, time, task)
        else:
            lose_task(state, task, now)


def lose_task(state: State, task: int, now: float) -> None:
    """Write that a task is lost with its queue."""
    run, tasks = state.run[0], state.tasks
    at = task - run.task_first
    if run.tallies:
        queue = state.queues[queue_of_task(run, state.jobs, tasks, task)]
        tallies.count_lost_task(run, state.tally, state.buffers, state.rows, tasks, queue, task, now)
    tasks.outcome[at] = LOST
    tasks.seconds[LOST_AT, at] = now


def push(run: Run, heap: Records[End], time: float, task: int) -> None:
    """Put an end on the heap: a binary heap by (time, task)."""
    i = run.ends
    run.ends = i + 1
    while i > 0:
        above = heap[(i - 1) >> 1]
        if above.time < time or (above.time == time and above.task < task):
            break
        heap[i].time = above.time
        heap[i].task = above.task
        i = (i - 1) >> 1
    heap[i].time = time
    heap[i].task = task


def pop(run: Run, heap: Records[End]) -> int:
    """Take the first end off the heap; return its task."""
    first = heap[0].task
    n = run.ends - 1
    run.ends = n
    time, task = heap[n].time, heap[n].task
    i = 0
    while True:
        below = 2 * i + 1
        if below >= n:
            break
        left, right = heap[below], heap[below + 1] if below + 1 < n else heap[below]
        if right.time < left.time or (right.time == left.time and right.task < left.task):
            below += 1
            left = right
        if time < left.time or (time == left.time and task < left.task):
            break
        heap[i].time = left.time
        heap[i].task = left.task
        i = below
    heap[i].time = time
    heap[i].task = task
    return first


# --- services in order ------------------------------------------------------------------------------------------------
#
# In a queue that serves in order each task starts when it has come and the first worker is free, and no later event
# changes that. It is enough to know when each worker is free. Two workers; tasks come, four at 0 s, and take 3, 1, 2
# and 2 s:
#
#     task   queued_at   free before   start = max(queued_at, first free)   end   free after
#     0      0           0, 0          0                                    3     0, 3
#     1      0           0, 3          0                                    1     1, 3
#     2      0           1, 3          1                                    3     3, 3
#     3      0           3, 3          3                                    5     3, 5
#
# A run that records writes all four lines when the batch comes (`serve_in_order`), though the last start lies ahead.
# A run that only counts may not yet do so: what counts in the window, how many wait at a moment and the largest level
# depend on when. It keeps the tasks that have not started between `queue.head` and `queue.next_place`, and writes a
# line (`start_tasks`) when the clock has come to its start: at the next batch, at the end of the warm-up, at an edge of
# the series (`note_marks`), or at the end of the run (`settle_in_order`). Thus at 2 s:
#
#     started: 0, 1, 2; head = 3, next_place = 4; waiting 1; free = 3, 3: both are busy, and so 1 + 2 are unfinished.
#     ∫ unfinished dt from 0 to 2 s: tasks 0, 1, 2 stay 3 + 1 + 3 = 7 s in all (`queue.stayed`), of which 1 + 1 lie
#     beyond 2 s (what `free` exceeds it by); task 3 has stayed 2 s; 7 − 2 + 2 = 7 (`stayed`).


def serve_in_order(
    run: Run,
    queue: Queue,
    tasks: TaskWindow,
    free: Floats,
    draws: Floats,
    span: Span,
    first: int,
    last: int,
    now: float,
) -> None:
    """Write by when the tasks from `first` to `last`, which come now, are served.

    The queue's part of `free` holds when each worker is free for the next, the first of them first.
    """
    until, per_item, straight, mixed = run.until, queue.per_item, run.straight, not run.in_order
    shift = run.task_first
    ends = free[queue.free_first : queue.free_first + queue.concurrency]
    times = draws[span.service + queue.next_place : span.service + queue.next_place + last - first]
    for i in range(len(times)):
        at = first - shift + i
        start = max(now, ends[0])
        items = 1 if straight else tasks.whole[TASK_ITEMS, at]
        end = start + rules.service_time(times[i], per_item, items)
        free_at(ends, end)
        started, finished = start < until, end < until
        tasks.seconds[STARTED_AT, at] = start if started else np.nan
        tasks.seconds[FINISHED_AT, at] = end if finished else np.nan
        tasks.whole[TASK_ATTEMPTS, at] = 1 if started else 0
        if mixed:
            tasks.whole[TASK_FINISHED, at] = 1 if finished else 0
            tasks.seconds[LOST_AT, at] = np.nan
        tasks.outcome[at] = COMPLETED if finished else (RUNNING if started else PENDING)
    queue.next_place += len(times)


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


def enqueue_in_order(state: State, now: float) -> None:
    """Count the tasks that have come to the only queue, and start those that can."""
    run, queue = state.run[0], state.queues[0]
    note_marks(state, now)
    if now >= run.start:
        count_enqueued_in_order(run, queue, state.tasks)
    queue.next_place = run.task
    start_tasks(state, now)
    if now >= run.start:
        note_levels(run, queue, state.tally, state.free, now)


def count_enqueued_in_order(run: Run, queue: Queue, tasks: TaskWindow) -> None:
    """Count tasks that come in the window."""
    queue.enqueued += run.task - queue.next_place
    for task in range(queue.next_place, run.task):
        items = items_of(run, tasks, task)
        queue.items += items
        queue.largest_items = max(queue.largest_items, items)


def start_tasks(state: State, until: float) -> None:
    """Start the tasks whose turn comes up to `until`, that included."""
    run, queue, tasks, draws, ends = state.run[0], state.queues[0], state.tasks, state.draws, state.free
    span = state.spans[0, 1]
    while queue.head < queue.next_place:
        queued_at = tasks.seconds[QUEUED_AT, queue.head - run.task_first]
        start = max(queued_at, ends[0])
        if start > until:
            return
        draw = draws[span.service + queue.head - span.skipped]
        service = rules.service_time(draw, queue.per_item, items_of(run, tasks, queue.head))
        free_at(ends, start + service)
        count_service(run, queue, state.tally, queued_at, start, start + service, service)
        finish_rows(run, state.tally, state.jobs, state.rows, tasks, queue.head, start + service)
        queue.head += 1


def count_service(
    run: Run, queue: Queue, tally: Tally, queued_at: float, start: float, end: float, service: float
) -> None:
    """Count a task that starts, and its finish if that comes before the run ends."""
    waiting = tally.levels[run.queue_levels + tallies.WAITING]
    unfinished = tally.levels[run.queue_levels + tallies.UNFINISHED]
    came, left = max(queued_at, run.start), min(end, run.until)
    waiting.integral += max(start - came, 0.0)
    unfinished.integral += max(left - came, 0.0)
    queue.stayed += end - queued_at
    queue.busy_time += max(left - max(start, run.start), 0.0)
    if start >= run.start:
        tallies.observe(tally.samples[run.queue_samples], tally.counts, start - queued_at)
    if run.start <= end < run.until:
        queue.completed += 1
        queue.attempts += 1
        queue.service_time += service
        queue.longest_service = max(queue.longest_service, service)


def finish_rows(
    run: Run, tally: Tally, jobs: JobWindow, rows: RowWindow, tasks: TaskWindow, task: int, end: float
) -> None:
    """Count the times from arrival to finish of the rows that a task carries, and forget them."""
    seen = run.start <= end < run.until
    if run.straight:
        if seen:
            created_at = jobs.time[task - run.job_first]
            tallies.observe(tally.samples[run.queue_samples + 1], tally.counts, end - created_at)
        return
    if seen:
        tallies.count_end_to_end(run, tally, jobs, rows, tasks, task, end)
    tallies.forget_rows(run, rows, tasks, task)


def note_marks(state: State, until: float) -> None:
    """Note what is to be noted up to `until`: the levels when the warm-up is over, the edges of the series."""
    run, queue, tally = state.run[0], state.queues[0], state.tally
    level = tally.levels[run.served_level]
    while queue.mark <= until:
        start_tasks(state, queue.mark)
        if queue.mark == run.start and not level.warm:
            level.warm = True
            note_levels(run, queue, tally, state.free, queue.mark)
        if queue.mark == tallies.edge_at(run, level.edge):
            tally.seconds[level.series + level.edge] = stayed(run, queue, state.tasks, state.free, queue.mark)
            level.edge += 1
        queue.mark = tallies.next_mark(run, level)


def note_levels(run: Run, queue: Queue, tally: Tally, ends: Floats, now: float) -> None:
    """Note how many wait and how many are unfinished from now on."""
    waiting = tally.levels[run.queue_levels + tallies.WAITING]
    unfinished = tally.levels[run.queue_levels + tallies.UNFINISHED]
    running = 0
    for end in ends:
        running += end > now
    waiting.lasting = max(waiting.lasting, queue.next_place - queue.head)
    unfinished.lasting = max(unfinished.lasting, queue.next_place - queue.head + running)


def stayed(run: Run, queue: Queue, tasks: TaskWindow, ends: Floats, now: float) -> float:
    """Return the integral of how many are unfinished, from the beginning of the run until now, job-seconds."""
    total = queue.stayed
    for end in ends:
        total -= max(end - now, 0.0)
    for task in range(queue.head, queue.next_place):
        total += now - tasks.seconds[QUEUED_AT, task - run.task_first]
    return total


def settle_in_order(state: State) -> None:
    """Count what has not ended when the run ends."""
    run, queue, tasks, tally = state.run[0], state.queues[0], state.tasks, state.tally
    # nothing starts at the very end
    last = np.nextafter(run.until, 0.0)
    note_marks(state, last)
    start_tasks(state, last)
    level = tally.levels[run.served_level]
    tally.seconds[level.series + level.edge] = stayed(run, queue, tasks, state.free, run.until)
    for task in range(queue.head, queue.next_place):
        waited = run.until - max(tasks.seconds[QUEUED_AT, task - run.task_first], run.start)
        tally.levels[run.queue_levels + tallies.WAITING].integral += waited
        tally.levels[run.queue_levels + tallies.UNFINISHED].integral += waited
