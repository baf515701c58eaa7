"""The end of a flush on the compiled engine: the batch goes through its reduce to the queues."""

from __future__ import annotations

from typing import Any

from bufsim.engines.kernel import buffers as kf
from bufsim.engines.kernel import queues as kq
from bufsim.engines.kernel import state as ks
from bufsim.engines.kernel import tallies as kc
from bufsim.engines.kernel import tallies as kl
from bufsim.engines.kernel import tallies as kt
from bufsim.engines.kernel import tallies as kw
from bufsim.engines.kernel.state import State, Tally, Works, following, job_of, key_of, queue_of
from bufsim.model import rules


def end_flush(state: State, buffer: int, now: float) -> int:
    """End a flush: reduce the batch, hand it to the queues, and ask the policy; return 0, or a lack."""
    run, b = state.run[0], state.buffers[buffer]
    if kf.lacks_flush_draw(run, b, buffer):
        return ks.MORE_FLUSH_DRAWS
    if kq.lacks_service_draws(run, state.queues, state.spans, b.batch_jobs):
        return ks.MORE_WORK_DRAWS
    b.end_at = rules.INF
    b.flushing = False
    b.last_flush_end = now
    first = run.work
    if run.tallies:
        kt.count_landing(run, state.tally, b, buffer, now)
        kc.note_vacancy(run, b, state.program, state.times, now)
    if run.bulk:
        keep_all_unserved(run, state.works, state.tally, b, buffer, state.queues[0], now)
    else:
        reduce(state, buffer, now)
        kq.hand_over(state, first, now)
    if run.keeps_flushes:
        flush = state.flushes[b.flush]
        flush.end, flush.reduced = now, run.work - first
    if run.tallies:
        kt.count_end(run, b, run.work - first, now)
    kf.ask(state, buffer, now)
    return 0


def reduce(state: State, buffer: int, now: float) -> None:
    """Make works of a batch."""
    kind = state.buffers[buffer].reduce
    if kind == ks.KEEP:
        keep_all(state, buffer, now)
    elif kind == ks.UNIQUE:
        unique_by_key(state, buffer, now)
    elif kind == ks.MERGE:
        merge(state, buffer, now)
    else:
        search_index(state, buffer, now)


def keep_all_unserved(run: Any, works: Works, tally: Tally, b: Any, buffer: int, q: Any, now: float) -> None:
    """Every job of the only buffer goes to the only queue, where nothing becomes of it."""
    if run.records:
        keep_all_records(run, works, b, now)
    if run.tallies:
        run.work += b.batch_jobs
        kw.count_works(run, tally, q, 0, b.batch_jobs, b.batch_jobs, 1, now)
        if not run.durable_queue:
            kt.change_level(run, tally, buffer, kl.EXPOSED, now, b.batch_jobs)


def keep_all_records(run: Any, works: Works, b: Any, now: float) -> None:
    """Write that every job of the only buffer goes to its queue: a work has the number of its job, and its flush."""
    first = run.work - run.work_first
    queued_at = works.seconds[ks.QUEUED_AT][first : first + b.batch_jobs]
    for i in range(len(queued_at)):
        queued_at[i] = now
    run.work += b.batch_jobs


def keep_all(state: State, buffer: int, now: float) -> None:
    """Every job goes to its queue as it is."""
    run, b, rows, works = state.run[0], state.buffers[buffer], state.rows, state.works
    if run.straight and (run.records or run.in_order):
        keep_all_records(run, works, b, now)
        return
    row = b.batch_head
    for _ in range(b.batch_jobs):
        queue = queue_of(run, state.jobs, job_of(run, rows, row))
        kq.carry(run, rows, works, row, kq.add_work(run, works, b.flush, queue, buffer, now))
        row = following(run, rows, row)


def unique_by_key(state: State, buffer: int, now: float) -> None:
    """The first job of each key and queue goes to its queue, and carries the others."""
    run, b, rows, seen, place = state.run[0], state.buffers[buffer], state.rows, state.seen, state.place
    works = state.works
    row = b.batch_head
    for _ in range(b.batch_jobs):
        job = job_of(run, rows, row)
        queue, key = queue_of(run, state.jobs, job), key_of(run, state.jobs, job)
        slot = queue * run.keys + key
        if key >= 0 and seen[slot] == b.flush:
            work = place[slot]
        else:
            work = kq.add_work(run, works, b.flush, queue, buffer, now)
            if key >= 0:
                seen[slot], place[slot] = b.flush, work
        kq.carry(run, rows, works, row, work)
        row = following(run, rows, row)


def merge(state: State, buffer: int, now: float) -> None:
    """One job per queue carries all of its jobs."""
    run, b, rows, seen, place = state.run[0], state.buffers[buffer], state.rows, state.seen, state.place
    works = state.works
    row = b.batch_head
    for _ in range(b.batch_jobs):
        queue = queue_of(run, state.jobs, job_of(run, rows, row))
        if seen[queue] != b.flush:
            seen[queue] = b.flush
            place[queue] = kq.add_work(run, works, b.flush, queue, buffer, now)
        else:
            works.whole[ks.WORK_ITEMS, place[queue] - run.work_first] += 1
        kq.carry(run, rows, works, row, place[queue])
        row = following(run, rows, row)


def search_index(state: State, buffer: int, now: float) -> None:
    """The others as stored, one job for all variants, the last job of each product in reverse order."""
    run, b, rows, works = state.run[0], state.buffers[buffer], state.rows, state.works
    last_variants = -1
    row = b.batch_head
    for i in range(b.batch_jobs):
        state.positions[i] = row
        job = job_of(run, rows, row)
        key = key_of(run, state.jobs, job)
        kind = state.key_kind[key] if key >= 0 else ks.OTHER_KEY
        if kind == ks.OTHER_KEY:
            queue = queue_of(run, state.jobs, job)
            kq.carry(run, rows, works, row, kq.add_work(run, works, b.flush, queue, buffer, now))
        elif kind == ks.VARIANTS_KEY:
            last_variants = row
        row = following(run, rows, row)
    if last_variants >= 0:
        variants(state, buffer, last_variants, now)
    products(state, buffer, now)


def variants(state: State, buffer: int, last: int, now: float) -> None:
    """One job, in the queue of the last of them, carries all variants jobs, with their unique ids as items."""
    run, b, rows, works, seen = state.run[0], state.buffers[buffer], state.rows, state.works, state.seen
    queue = queue_of(run, state.jobs, job_of(run, rows, last))
    work = kq.add_work(run, works, b.flush, queue, buffer, now)
    unique = 0
    for i in range(b.batch_jobs):
        row = state.positions[i]
        key = key_of(run, state.jobs, job_of(run, rows, row))
        if key >= 0 and state.key_kind[key] == ks.VARIANTS_KEY:
            kq.carry(run, rows, works, row, work)
            for j in range(state.lists[run.ids_first + key], state.lists[run.ids_first + key + 1]):
                # ids stand behind the keys among what has been seen
                slot = run.keys + state.lists[j]
                if seen[slot] != b.flush:
                    seen[slot] = b.flush
                    unique += 1
    works.whole[ks.WORK_ITEMS, work - run.work_first] = unique


def products(state: State, buffer: int, now: float) -> None:
    """The last job of each product, in reverse order, carries the others of that product."""
    run, b, rows, seen, place = state.run[0], state.buffers[buffer], state.rows, state.seen, state.place
    works = state.works
    for i in range(b.batch_jobs - 1, -1, -1):
        row = state.positions[i]
        job = job_of(run, rows, row)
        key = key_of(run, state.jobs, job)
        if key >= 0 and state.key_kind[key] == ks.PRODUCT_KEY:
            if seen[key] != b.flush:
                queue = queue_of(run, state.jobs, job)
                seen[key] = b.flush
                place[key] = kq.add_work(run, works, b.flush, queue, buffer, now)
            kq.carry(run, rows, works, row, place[key])
