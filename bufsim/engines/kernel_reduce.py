"""The end of a flush on the compiled engine: the batch goes through its reduce to the queues."""

from __future__ import annotations

from bufsim.engines import kernel_buffers as kb
from bufsim.engines import kernel_policy as kp
from bufsim.engines import kernel_queues as kq
from bufsim.engines import kernel_state as ks
from bufsim.engines.kernel_state import State
from bufsim.model import rules


def end_flush(state: State, buffer: int, now: float) -> int:
    """End a flush: reduce the batch, hand it to the queues, and ask the policy; return 0, or a lack."""
    run, b = state.run[0], state.buffers[buffer]
    if kb.lacks_flush_draw(run, b, buffer):
        return ks.MORE_FLUSH_DRAWS
    b.end_at = rules.INF
    b.flushing = False
    b.last_flush_end = now
    first = run.work
    if b.reduce == ks.KEEP:
        keep_all(state, buffer, now)
    elif b.reduce == ks.UNIQUE:
        unique_by_key(state, buffer, now)
    elif b.reduce == ks.MERGE:
        merge(state, buffer, now)
    else:
        search_index(state, buffer, now)
    flush = state.flushes[b.flush]
    flush.end, flush.reduced = now, run.work - first
    if run.serves:
        for queue in range(len(state.queues)):
            kq.wake(state.queues[queue], now)
    kb.ask(state, buffer, now)
    return 0


def keep_all(state: State, buffer: int, now: float) -> None:
    """Every job goes to its queue as it is."""
    run, b, rows = state.run[0], state.buffers[buffer], state.rows
    row = b.batch_head
    for _ in range(b.batch_jobs):
        queue = kp.queue_of(run, state.jobs, kp.job_of(run, rows, row))
        work = kq.add_work(run, state.queues, state.works, b.flush, queue, now, 1)
        rows.whole[ks.ROW_WORK, row & run.row_mask] = work
        row = kp.following(run, rows, row)


def unique_by_key(state: State, buffer: int, now: float) -> None:
    """The first job of each key and queue goes to its queue, and carries the others."""
    run, b, rows, seen, place = state.run[0], state.buffers[buffer], state.rows, state.seen, state.place
    row = b.batch_head
    for _ in range(b.batch_jobs):
        job = kp.job_of(run, rows, row)
        queue, key = kp.queue_of(run, state.jobs, job), kp.key_of(run, state.jobs, job)
        slot = queue * run.keys + key
        if key >= 0 and seen[slot] == b.flush:
            work = place[slot]
        else:
            work = kq.add_work(run, state.queues, state.works, b.flush, queue, now, 1)
            if key >= 0:
                seen[slot], place[slot] = b.flush, work
        rows.whole[ks.ROW_WORK, row & run.row_mask] = work
        row = kp.following(run, rows, row)


def merge(state: State, buffer: int, now: float) -> None:
    """One job per queue carries all of its jobs."""
    run, b, rows, seen, place = state.run[0], state.buffers[buffer], state.rows, state.seen, state.place
    row = b.batch_head
    for _ in range(b.batch_jobs):
        queue = kp.queue_of(run, state.jobs, kp.job_of(run, rows, row))
        if seen[queue] != b.flush:
            seen[queue] = b.flush
            place[queue] = kq.add_work(run, state.queues, state.works, b.flush, queue, now, 0)
        state.works.whole[ks.WORK_ITEMS, place[queue] & run.work_mask] += 1
        rows.whole[ks.ROW_WORK, row & run.row_mask] = place[queue]
        row = kp.following(run, rows, row)


def search_index(state: State, buffer: int, now: float) -> None:
    """The others as stored, one job for all variants, the last job of each product in reverse order."""
    run, b, rows = state.run[0], state.buffers[buffer], state.rows
    last_variants = -1
    row = b.batch_head
    for i in range(b.batch_jobs):
        state.positions[i] = row
        job = kp.job_of(run, rows, row)
        key = kp.key_of(run, state.jobs, job)
        kind = state.key_kind[key] if key >= 0 else ks.OTHER_KEY
        if kind == ks.OTHER_KEY:
            queue = kp.queue_of(run, state.jobs, job)
            work = kq.add_work(run, state.queues, state.works, b.flush, queue, now, 1)
            rows.whole[ks.ROW_WORK, row & run.row_mask] = work
        elif kind == ks.VARIANTS_KEY:
            last_variants = row
        row = kp.following(run, rows, row)
    if last_variants >= 0:
        variants(state, buffer, last_variants, now)
    products(state, buffer, now)


def variants(state: State, buffer: int, last: int, now: float) -> None:
    """One job, in the queue of the last of them, carries all variants jobs, with their unique ids as items."""
    run, b, rows, seen = state.run[0], state.buffers[buffer], state.rows, state.seen
    queue = kp.queue_of(run, state.jobs, kp.job_of(run, rows, last))
    work = kq.add_work(run, state.queues, state.works, b.flush, queue, now, 0)
    unique = 0
    for i in range(b.batch_jobs):
        row = state.positions[i]
        key = kp.key_of(run, state.jobs, kp.job_of(run, rows, row))
        if key >= 0 and state.key_kind[key] == ks.VARIANTS_KEY:
            rows.whole[ks.ROW_WORK, row & run.row_mask] = work
            for j in range(state.lists[run.ids_first + key], state.lists[run.ids_first + key + 1]):
                # ids stand behind the keys among what has been seen
                slot = run.keys + state.lists[j]
                if seen[slot] != b.flush:
                    seen[slot] = b.flush
                    unique += 1
    state.works.whole[ks.WORK_ITEMS, work & run.work_mask] = unique


def products(state: State, buffer: int, now: float) -> None:
    """The last job of each product, in reverse order, carries the others of that product."""
    run, b, rows, seen, place = state.run[0], state.buffers[buffer], state.rows, state.seen, state.place
    for i in range(b.batch_jobs - 1, -1, -1):
        row = state.positions[i]
        job = kp.job_of(run, rows, row)
        key = kp.key_of(run, state.jobs, job)
        if key >= 0 and state.key_kind[key] == ks.PRODUCT_KEY:
            if seen[key] != b.flush:
                queue = kp.queue_of(run, state.jobs, job)
                seen[key] = b.flush
                place[key] = kq.add_work(run, state.queues, state.works, b.flush, queue, now, 1)
            rows.whole[ks.ROW_WORK, row & run.row_mask] = place[key]
