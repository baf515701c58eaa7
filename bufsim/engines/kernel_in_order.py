"""The only queue of a run that only counts, where it serves in order: what becomes of a work follows from those before.

A work starts when it is at the head of the queue and a worker is free, and nothing else can happen to it. So works are
looked at once, when they start; and the levels need not change with each of them: their integrals are sums over the
works, and they are highest when works have just come.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bufsim.engines import kernel_levels as kl
from bufsim.engines import kernel_state as ks
from bufsim.engines import kernel_work_tally as kw
from bufsim.engines.kernel_heap import free_at
from bufsim.engines.kernel_rows import items_of
from bufsim.engines.kernel_state import Floats, Jobs, Rows, State, Tally, Works
from bufsim.model import rules


def hand_over(state: State, now: float) -> None:
    """Count the works that have come to the queue, and start those that can."""
    run, q = state.run[0], state.queues[0]
    note_marks(state, now)
    if now >= run.start:
        count_handed(run, q, state.works)
    q.handed = run.work
    start_works(state, now)
    if now >= run.start:
        note_levels(run, q, state.tally, state.free, now)


def count_handed(run: Any, q: Any, works: Works) -> None:
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
