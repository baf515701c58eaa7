"""Queues and workers on the compiled engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from bufsim.engines import kernel_state as ks
from bufsim.engines.kernel_state import Floats, Records, Works
from bufsim.engines.recording import COMPLETED, FAILED, LOST, PENDING, RETRYING, RUNNING
from bufsim.model import rules


def add_work(run: Any, queues: Records, works: Works, flush: int, queue: int, now: float, items: int) -> int:
    """Put a job at the tail of a queue; return its work row."""
    work = run.work
    run.work = work + 1
    at = work & run.work_mask
    works.whole[ks.WORK_FLUSH, at] = flush
    works.whole[ks.WORK_ITEMS, at] = items
    works.small[ks.WORK_QUEUE, at] = queue
    works.seconds[ks.QUEUED_AT, at] = now
    if run.serves:
        works.seconds[ks.STARTED_AT, at] = np.nan
        works.seconds[ks.FINISHED_AT, at] = np.nan
        works.seconds[ks.LOST_AT, at] = np.nan
        works.whole[ks.WORK_ATTEMPTS, at] = 0
        works.whole[ks.WORK_FINISHED, at] = 0
        works.whole[ks.WORK_PLACE, at] = queues[queue].handed
        works.small[ks.WORK_OUTCOME, at] = PENDING
        queues[queue].handed += 1
        push_waiting(run, queues[queue], works, work)
    return work


def push_waiting(run: Any, q: Any, works: Works, work: int) -> None:
    """Put a work at the tail of its queue's waiting line."""
    if q.waiting == 0:
        q.head = work
    else:
        works.whole[ks.WORK_NEXT, q.tail & run.work_mask] = work
    q.tail = work
    q.waiting += 1


def wake(q: Any, now: float) -> None:
    """Let a free worker start a waiting job: at once, or at the next poll."""
    if q.free > 0 and q.waiting > 0 and q.start_at == rules.INF:
        if q.workers == ks.POLLING:
            q.start_at = rules.next_poll(now, q.last_poll, q.poll_interval)
        else:
            q.start_at = now


def start(
    run: Any, queues: Records, queue: int, works: Works, heap: Records, draws: Floats, spans: Records, now: float
) -> int:
    """Start as many waiting jobs as there are free workers; return 0, or what is missing to do so."""
    q = queues[queue]
    starts = min(q.free, q.waiting)
    work = q.head
    for _ in range(starts):
        at = work & run.work_mask
        attempt, place = works.whole[ks.WORK_ATTEMPTS, at] + 1, works.whole[ks.WORK_PLACE, at]
        span = spans[queue, attempt]
        if place - span.skipped >= span.count:
            run.which, run.attempt, run.needed = queue, attempt, place + 1
            return ks.MORE_WORK_DRAWS
        work = works.whole[ks.WORK_NEXT, at]
    if run.ends + starts > len(heap):
        return ks.MORE_ROOM
    q.start_at = rules.INF
    q.last_poll = now
    for _ in range(starts):
        serve(run, q, queue, works, heap, draws, spans, now)
    return 0


def serve(run: Any, q: Any, queue: int, works: Works, heap: Records, draws: Floats, spans: Records, now: float) -> None:
    """Start the first waiting job."""
    work = q.head
    at = work & run.work_mask
    q.head = works.whole[ks.WORK_NEXT, at]
    q.waiting -= 1
    q.free -= 1
    attempt = works.whole[ks.WORK_ATTEMPTS, at] + 1
    works.small[ks.WORK_OUTCOME, at] = RUNNING
    works.whole[ks.WORK_ATTEMPTS, at] = attempt
    if attempt == 1:
        works.seconds[ks.STARTED_AT, at] = now
    span = spans[queue, attempt]
    draw = draws[span.service + works.whole[ks.WORK_PLACE, at] - span.skipped]
    push(run, heap, now + rules.service_time(draw, q.per_item, works.whole[ks.WORK_ITEMS, at]), work)


def end(run: Any, queues: Records, works: Works, heap: Records, draws: Floats, spans: Records, now: float) -> None:
    """End the service, or the back-off, that stands first on the heap."""
    work = pop(run, heap)
    at = work & run.work_mask
    queue = works.small[ks.WORK_QUEUE, at]
    q = queues[queue]
    if works.small[ks.WORK_OUTCOME, at] == RETRYING:
        works.small[ks.WORK_OUTCOME, at] = PENDING
        push_waiting(run, q, works, work)
    else:
        attempt = works.whole[ks.WORK_ATTEMPTS, at]
        failed = False
        if q.failure > 0.0:
            span = spans[queue, attempt]
            failed = draws[span.failure + works.whole[ks.WORK_PLACE, at] - span.skipped] < q.failure
        end_service(run, q, works, heap, work, attempt, failed, now)
    wake(q, now)


def end_service(
    run: Any, q: Any, works: Works, heap: Records, work: int, attempt: int, failed: bool, now: float
) -> None:
    """End a service: done, failed for good, or to be tried again after a back-off."""
    at = work & run.work_mask
    q.free += 1
    works.whole[ks.WORK_FINISHED, at] = attempt
    if failed and attempt <= q.retries:
        works.small[ks.WORK_OUTCOME, at] = RETRYING
        until = rules.backoff_end(now, attempt, q.backoff_first, q.backoff_factor, q.backoff_longest)
        push(run, heap, until, work)
    else:
        works.small[ks.WORK_OUTCOME, at] = FAILED if failed else COMPLETED
        works.seconds[ks.FINISHED_AT, at] = now


def lose_queues(run: Any, queues: Records, works: Works, heap: Records, now: float) -> None:
    """Lose what waits, is in service or backs off in every queue."""
    for queue in range(len(queues)):
        q = queues[queue]
        work = q.head
        for _ in range(q.waiting):
            lose_work(run, works, work, now)
            work = works.whole[ks.WORK_NEXT, work & run.work_mask]
        q.waiting = 0
        q.free = q.concurrency
    for i in range(run.ends):
        lose_work(run, works, heap[i].work, now)
    run.ends = 0


def lose_work(run: Any, works: Works, work: int, now: float) -> None:
    """Write that a work is lost with its queue."""
    works.small[ks.WORK_OUTCOME, work & run.work_mask] = LOST
    works.seconds[ks.LOST_AT, work & run.work_mask] = now


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
