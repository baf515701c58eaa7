"""What the kernel counts of queues and their works while a run goes on, in the words of `bufsim.results.tallies`."""

from __future__ import annotations

from typing import Any

from bufsim.engines import kernel_levels as kl
from bufsim.engines import kernel_state as ks
from bufsim.engines.kernel_rows import job_of, queue_of, queue_of_work
from bufsim.engines.kernel_state import Jobs, Records, Rows, Tally, Works
from bufsim.engines.kernel_tally import change_level, count_loss
from bufsim.engines.recording import COMPLETED, QUEUE, RUNNING


def change_queue(run: Any, tally: Tally, q: Any, queue: int, kind: int, now: float, delta: int) -> None:
    """Let a level of a queue, and of all together, change; and how many are unfinished where there are workers."""
    kl.change(run, tally.levels[run.queue_levels + queue * kl.OF_QUEUE + kind], tally.seconds, now, delta)
    if run.all_queues >= 0:
        kl.change(run, tally.levels[run.all_queues + kind], tally.seconds, now, delta)
    if kind == kl.UNFINISHED and q.workers != ks.NO_WORKERS and run.all_queues >= 0:
        kl.change(run, tally.levels[run.served_level], tally.seconds, now, delta)


def count_works(run: Any, tally: Tally, q: Any, queue: int, works: int, items: int, largest: int, now: float) -> None:
    """Count works, with so many items in all, that come to a queue."""
    change_queue(run, tally, q, queue, kl.WAITING, now, works)
    change_queue(run, tally, q, queue, kl.UNFINISHED, now, works)
    if now >= run.start:
        q.came += works
        q.items += items
        q.largest_items = max(q.largest_items, largest)


def count_first_start(run: Any, tally: Tally, works: Works, q: Any, queue: int, work: int, now: float) -> None:
    """Count that a work is started for the first time."""
    change_queue(run, tally, q, queue, kl.WAITING, now, -1)
    if now >= run.start:
        sample = tally.samples[run.queue_samples + 2 * queue]
        kl.observe(sample, tally.counts, now - works.seconds[ks.QUEUED_AT, work - run.work_first])


def count_finish(
    run: Any, tally: Tally, jobs: Jobs, rows: Rows, works: Works, q: Any, queue: int, work: int, now: float
) -> None:
    """Count that a work is completed, or has failed for good; nothing more becomes of the rows that it carries."""
    at = work - run.work_first
    change_queue(run, tally, q, queue, kl.UNFINISHED, now, -1)
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
        kl.observe(sample, tally.counts, now - jobs.time[job - run.job_first])
        row = rows.whole[ks.ROW_CARRIED, row - run.row_first]


def count_lost_work(
    run: Any, tally: Tally, buffers: Records, rows: Rows, works: Works, q: Any, queue: int, work: int, now: float
) -> None:
    """Count that a work is lost with its queue, and what it carries with it."""
    at = work - run.work_first
    if works.whole[ks.WORK_ATTEMPTS, at] == 0:
        change_queue(run, tally, q, queue, kl.WAITING, now, -1)
    elif works.whole[ks.WORK_ATTEMPTS, at] == 1 and works.outcome[at] == RUNNING:
        q.busy_time += max(now - max(works.seconds[ks.STARTED_AT, at], run.start), 0.0)
    change_queue(run, tally, q, queue, kl.UNFINISHED, now, -1)
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
    change_level(run, tally, works.small[ks.WORK_BUFFER, at], kl.EXPOSED, now, works.whole[ks.WORK_ROWS, at])


def leave_queue(run: Any, tally: Tally, rows: Rows, works: Works, work: int, now: float) -> None:
    """Count that a stop cannot lose the rows of a work any more, and forget them."""
    if not run.durable_queue:
        at = work - run.work_first
        change_level(run, tally, works.small[ks.WORK_BUFFER, at], kl.EXPOSED, now, -works.whole[ks.WORK_ROWS, at])
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
