"""Policies on the compiled engine: a stack machine over the shared scalar rules."""

from __future__ import annotations

from typing import Any

from bufsim.engines.kernel import state as ks
from bufsim.engines.kernel.state import Floats, Ints, Jobs, Records, Rows, job_of
from bufsim.model import rules


def due(run: Any, b: Any, program: Records, stack: Records, times: Floats, jobs: Jobs, rows: Rows, now: float) -> float:
    """Return the due time of a non-empty buffer; the cause's number comes to stand in stack[0].leaf."""
    oldest_at = jobs.time[job_of(run, rows, b.head) - run.job_first]
    newest_at = jobs.time[job_of(run, rows, b.tail) - run.job_first]
    top = -1
    for i in range(b.program_first, b.program_last):
        operation = program[i]
        op = operation.op
        if op == ks.ANY or op == ks.ALL:
            top -= 1
            below, above = stack[top], stack[top + 1]
            if (above.due < below.due) if op == ks.ANY else (above.due > below.due):
                below.due = above.due
                below.leaf = above.leaf
        elif op == ks.CHECKED:
            answer = stack[top]
            answer.due = rules.checked(now, answer.due, b.last_flush_start, operation.seconds, operation.phase)
        else:
            top += 1
            answer = stack[top]
            answer.due = leaf_due(b, operation, times, oldest_at, newest_at)
            answer.leaf = operation.leaf
    return stack[0].due


def leaf_due(b: Any, operation: Any, times: Floats, oldest_at: float, newest_at: float) -> float:
    """Return the due time of a leaf."""
    op = operation.op
    if op == ks.SIZE:
        return rules.at_size(b.jobs, operation.whole)
    if op == ks.BYTES:
        return rules.at_bytes(b.held, operation.whole)
    if op == ks.AGE:
        return rules.after(oldest_at, operation.seconds)
    if op == ks.IDLE:
        return rules.after(newest_at, operation.seconds)
    if op == ks.EVERY:
        return rules.every(oldest_at, b.last_flush_start, operation.seconds, operation.phase)
    if op == ks.EVERY_START:
        return rules.every_since(oldest_at, b.last_flush_start, b.last_flush_start, operation.seconds)
    if op == ks.EVERY_END:
        return rules.every_since(oldest_at, b.last_flush_start, b.last_flush_end, operation.seconds)
    if op == ks.TIMES:
        given: Any = times[operation.whole : operation.last]
        return rules.at_times(given, oldest_at, b.last_flush_start)
    return rules.INF


def set_steps(b: Any, lists: Ints) -> None:
    """Note the size and the bytes at which the answer can change next; below both, no arrival need ask."""
    b.next_size = rules.NO_LIMIT
    for i in range(b.sizes_first, b.sizes_last):
        if lists[i] > b.jobs:
            b.next_size = lists[i]
            break
    b.next_bytes = rules.NO_LIMIT
    for i in range(b.bytes_first, b.bytes_last):
        if lists[i] > b.held:
            b.next_bytes = lists[i]
            break
