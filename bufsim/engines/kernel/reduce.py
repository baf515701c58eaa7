"""The end of a flush on the compiled engine: the batch goes through its reduce to the queues."""

from __future__ import annotations

from bufsim.engines.kernel import buffers, empty_ticks, queues, tallies
from bufsim.engines.kernel.state import (
    KEEP,
    MERGE,
    MORE_FLUSH_DRAWS,
    MORE_SERVICE_DRAWS,
    OTHER_KEY,
    PRODUCT_KEY,
    QUEUED_AT,
    TASK_ITEMS,
    UNIQUE,
    VARIANTS_KEY,
    Buffer,
    Queue,
    Run,
    State,
    Tally,
    TaskWindow,
    following,
    job_of,
    key_of,
    queue_of,
    queue_of_task,
)
from bufsim.model import rules


def end_flush(state: State, buffer: Buffer, now: float) -> int:
    """End a flush: reduce the batch, put it into the queues, and ask the policy; return 0, or a lack."""
    run = state.run[0]
    if buffers.lacks_flush_draw(run, buffer):
        return MORE_FLUSH_DRAWS
    if queues.lacks_service_draws(run, state.queues, state.spans, buffer.flight_jobs * buffer.hand_overs):
        return MORE_SERVICE_DRAWS
    buffer.end_at = rules.INF
    buffer.flushing = False
    buffer.last_flush_end = buffer.next_call = now
    first = run.task
    if run.tallies:
        tallies.count_landing(run, state.tally, buffer, now)
    if run.counts_empty_ticks:
        empty_ticks.note_change(run, buffer, state.program, state.times, now)
    if run.bulk:
        keep_all_unserved(run, state.tasks, state.tally, buffer, state.queues[0], now)
    else:
        reduce(state, buffer, now)
    reduced = run.task - first
    if not run.bulk:
        hand_over_again(state, buffer, first, run.task, now)
        queues.enqueue(state, first, now)
    if run.keeps_flushes:
        flush = state.flushes[buffer.flush]
        flush.end, flush.reduced = now, reduced
    if run.tallies:
        tallies.count_end(run, buffer, reduced, now)
    if buffer.drain_repeats == rules.ONCE:
        buffers.ask(state, buffer, now)
    else:
        buffers.repeat_or_ask(state, buffer, now)
    return 0


def reduce(state: State, buffer: Buffer, now: float) -> None:
    """Make tasks of a batch."""
    if buffer.reduce == KEEP:
        keep_all(state, buffer, now)
    elif buffer.reduce == UNIQUE:
        unique_by_key(state, buffer, now)
    elif buffer.reduce == MERGE:
        merge(state, buffer, now)
    else:
        search_index(state, buffer, now)


def hand_over_again(state: State, buffer: Buffer, first: int, last: int, now: float) -> None:
    """Make the tasks from `first` to `last` once more for each further server; these carry no rows."""
    run, tasks = state.run[0], state.tasks
    for _ in range(1, buffer.hand_overs):
        for task in range(first, last):
            queue = queue_of_task(run, state.jobs, tasks, task)
            again = queues.add_task(run, tasks, buffer.flush, queue, buffer.index, now)
            tasks.whole[TASK_ITEMS, again - run.task_first] = tasks.whole[TASK_ITEMS, task - run.task_first]


def keep_all_unserved(run: Run, tasks: TaskWindow, tally: Tally, buffer: Buffer, queue: Queue, now: float) -> None:
    """Every job of the only buffer goes to the only queue, where nothing becomes of it."""
    if run.records:
        keep_all_records(run, tasks, buffer, now)
    if run.tallies:
        run.task += buffer.flight_jobs
        tallies.count_tasks(run, tally, queue, buffer.flight_jobs, buffer.flight_jobs, 1, now)
        if not queue.durable:
            tallies.change_buffer_level(run, tally, buffer.index, tallies.EXPOSED, now, buffer.flight_jobs)


def keep_all_records(run: Run, tasks: TaskWindow, buffer: Buffer, now: float) -> None:
    """Write that every job of the only buffer goes to its queue: a task has the number of its job, and its flush."""
    first = run.task - run.task_first
    queued_at = tasks.seconds[QUEUED_AT][first : first + buffer.flight_jobs]
    for i in range(len(queued_at)):
        queued_at[i] = now
    run.task += buffer.flight_jobs


def keep_all(state: State, buffer: Buffer, now: float) -> None:
    """Every job goes to its queue as it is."""
    run, rows, tasks = state.run[0], state.rows, state.tasks
    if run.straight and (run.records or run.in_order):
        keep_all_records(run, tasks, buffer, now)
        return
    row = buffer.flight_head
    for _ in range(buffer.flight_jobs):
        queue = queue_of(run, state.jobs, job_of(run, rows, row))
        queues.carry(run, rows, tasks, row, queues.add_task(run, tasks, buffer.flush, queue, buffer.index, now))
        row = following(run, rows, row)


def unique_by_key(state: State, buffer: Buffer, now: float) -> None:
    """The first job of each key and queue goes to its queue, and carries the others."""
    run, rows, tasks, seen, slot_of = state.run[0], state.rows, state.tasks, state.seen, state.place
    row = buffer.flight_head
    for _ in range(buffer.flight_jobs):
        job = job_of(run, rows, row)
        queue, key = queue_of(run, state.jobs, job), key_of(run, state.jobs, job)
        slot = queue * run.keys + key
        if key >= 0 and seen[slot] == buffer.flush:
            task = slot_of[slot]
        else:
            task = queues.add_task(run, tasks, buffer.flush, queue, buffer.index, now)
            if key >= 0:
                seen[slot], slot_of[slot] = buffer.flush, task
        queues.carry(run, rows, tasks, row, task)
        row = following(run, rows, row)


def merge(state: State, buffer: Buffer, now: float) -> None:
    """One job per queue carries all of its jobs."""
    run, rows, tasks, seen, place = state.run[0], state.rows, state.tasks, state.seen, state.place
    row = buffer.flight_head
    for _ in range(buffer.flight_jobs):
        queue = queue_of(run, state.jobs, job_of(run, rows, row))
        if seen[queue] != buffer.flush:
            seen[queue] = buffer.flush
            place[queue] = queues.add_task(run, tasks, buffer.flush, queue, buffer.index, now)
        else:
            tasks.whole[TASK_ITEMS, place[queue] - run.task_first] += 1
        queues.carry(run, rows, tasks, row, place[queue])
        row = following(run, rows, row)


def search_index(state: State, buffer: Buffer, now: float) -> None:
    """The others as stored, one job for all variants, the last job of each product in reverse order."""
    run, rows, tasks = state.run[0], state.rows, state.tasks
    last_variants = -1
    row = buffer.flight_head
    for i in range(buffer.flight_jobs):
        state.positions[i] = row
        job = job_of(run, rows, row)
        key = key_of(run, state.jobs, job)
        kind = state.key_kind[key] if key >= 0 else OTHER_KEY
        if kind == OTHER_KEY:
            queue = queue_of(run, state.jobs, job)
            queues.carry(run, rows, tasks, row, queues.add_task(run, tasks, buffer.flush, queue, buffer.index, now))
        elif kind == VARIANTS_KEY:
            last_variants = row
        row = following(run, rows, row)
    if last_variants >= 0:
        variants(state, buffer, last_variants, now)
    products(state, buffer, now)


def variants(state: State, buffer: Buffer, last: int, now: float) -> None:
    """One job, in the queue of the last of them, carries all variants jobs, with their unique ids as items."""
    run, rows, tasks, seen = state.run[0], state.rows, state.tasks, state.seen
    queue = queue_of(run, state.jobs, job_of(run, rows, last))
    task = queues.add_task(run, tasks, buffer.flush, queue, buffer.index, now)
    unique = 0
    for i in range(buffer.flight_jobs):
        row = state.positions[i]
        key = key_of(run, state.jobs, job_of(run, rows, row))
        if key >= 0 and state.key_kind[key] == VARIANTS_KEY:
            queues.carry(run, rows, tasks, row, task)
            for j in range(state.lists[run.ids_first + key], state.lists[run.ids_first + key + 1]):
                # ids stand behind the keys among what has been seen
                slot = run.keys + state.lists[j]
                if seen[slot] != buffer.flush:
                    seen[slot] = buffer.flush
                    unique += 1
    tasks.whole[TASK_ITEMS, task - run.task_first] = unique


def products(state: State, buffer: Buffer, now: float) -> None:
    """The last job of each product, in reverse order, carries the others of that product."""
    run, rows, tasks, seen, place = state.run[0], state.rows, state.tasks, state.seen, state.place
    for i in range(buffer.flight_jobs - 1, -1, -1):
        row = state.positions[i]
        job = job_of(run, rows, row)
        key = key_of(run, state.jobs, job)
        if key >= 0 and state.key_kind[key] == PRODUCT_KEY:
            if seen[key] != buffer.flush:
                queue = queue_of(run, state.jobs, job)
                seen[key] = buffer.flush
                place[key] = queues.add_task(run, tasks, buffer.flush, queue, buffer.index, now)
            queues.carry(run, rows, tasks, row, place[key])
