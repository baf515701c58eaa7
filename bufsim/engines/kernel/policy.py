"""Policies on the compiled engine: a stack machine over the shared scalar rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from bufsim.engines.kernel.records import Records
from bufsim.engines.kernel.state import (
    ALL,
    ANY,
    CHECKED,
    Answer,
    Buffer,
    Floats,
    Ints,
    JobWindow,
    Operation,
    RowWindow,
    Run,
    job_of,
)
from bufsim.model import rules


def due(
    run: Run,
    buffer: Buffer,
    program: Records[Operation],
    stack: Records[Answer],
    times: Floats,
    jobs: JobWindow,
    rows: RowWindow,
    now: float,
) -> float:
    """Return the due time of a non-empty buffer; the cause's number comes to stand in stack[0].leaf."""
    oldest_at = jobs.time[job_of(run, rows, buffer.head) - run.job_first]
    newest_at = jobs.time[job_of(run, rows, buffer.tail) - run.job_first]
    top = -1
    for i in range(buffer.program_first, buffer.program_last):
        operation = program[i]
        op = operation.op
        if op in (ANY, ALL):
            top -= 1
            below, above = stack[top], stack[top + 1]
            if (above.due < below.due) if op == ANY else (above.due > below.due):
                below.due = above.due
                below.leaf = above.leaf
        elif op == CHECKED:
            answer = stack[top]
            answer.due = rules.checked(now, answer.due, buffer.last_flush_start, operation.seconds, operation.phase)
        else:
            top += 1
            answer = stack[top]
            answer.due = leaf_due(buffer, operation, times, oldest_at, newest_at)
            answer.leaf = operation.leaf
    return stack[0].due


def leaf_due(buffer: Buffer, operation: Operation, times: Floats, oldest_at: float, newest_at: float) -> float:
    """Return the due time of a leaf; NaN where its rule has no branch here, which lowering refuses."""
    op = operation.op
    if op == rules.NEVER:
        return rules.INF
    if op == rules.SIZE:
        return rules.at_size(buffer.jobs, operation.whole)
    if op == rules.BYTES:
        return rules.at_bytes(buffer.held_nbytes, operation.whole)
    if op == rules.AGE:
        return rules.after(oldest_at, operation.seconds)
    if op == rules.IDLE:
        return rules.after(newest_at, operation.seconds)
    if op == rules.GAP:
        return rules.after(buffer.last_flush_start, operation.seconds)
    if op == rules.EVERY:
        return rules.every(oldest_at, buffer.last_flush_start, operation.seconds, operation.phase)
    if op == rules.EVERY_START:
        return rules.every_since(oldest_at, buffer.last_flush_start, buffer.last_flush_start, operation.seconds)
    if op == rules.EVERY_END:
        return rules.every_since(oldest_at, buffer.last_flush_start, buffer.last_flush_end, operation.seconds)
    if op == rules.EVERY_OWN:
        return rules.every(oldest_at, operation.spent, operation.seconds, operation.phase)
    if op == rules.ACTIVATION:
        return rules.since_activation(operation.since, oldest_at, buffer.last_flush_start, operation.seconds)
    if op == rules.ACTIVATION_OWN:
        return rules.since_activation(operation.since, oldest_at, operation.spent, operation.seconds)
    if op == rules.ONE_SHOT:
        return rules.one_shot_due(operation.since, operation.seconds)
    if op == rules.TIMES:
        given: Any = times[operation.whole : operation.last]
        return rules.at_times(given, oldest_at, buffer.last_flush_start)
    return np.nan


# Equal leaves remember the same, and their ticks too: each operation keeps what its leaf remembers, and all of them
# take note of the same events.


def remember_arrival(buffer: Buffer, program: Records[Operation], now: float) -> None:
    """Let the leaves of a policy take note of a job that has been stored."""
    for i in range(buffer.program_first, buffer.ticks_last):
        operation = program[i]
        if operation.op == rules.ONE_SHOT:
            operation.since = rules.one_shot_activation(now, operation.since, operation.seconds)
        elif operation.op in (rules.ACTIVATION, rules.ACTIVATION_OWN):
            operation.since = rules.activation(
                now, buffer.jobs, operation.since, operation.spent, buffer.last_flush_start, operation.seconds
            )


def remember_ring(
    run: Run, buffer: Buffer, program: Records[Operation], times: Floats, jobs: JobWindow, rows: RowWindow, now: float
) -> None:
    """Let the leaves of a policy take note of a flush that the timer starts."""
    oldest_at = jobs.time[job_of(run, rows, buffer.head) - run.job_first]
    for i in range(buffer.program_first, buffer.ticks_last):
        operation = program[i]
        spends = operation.op in (rules.EVERY_OWN, rules.ACTIVATION, rules.ACTIVATION_OWN)
        if spends and leaf_due(buffer, operation, times, oldest_at, oldest_at) <= now:
            operation.spent = now


def forget(buffer: Buffer, program: Records[Operation]) -> None:
    """Let the leaves of a policy remember nothing any more."""
    for i in range(buffer.program_first, buffer.ticks_last):
        program[i].since = program[i].spent = -rules.INF


def set_steps(buffer: Buffer, lists: Ints) -> None:
    """Note the size and the bytes at which the answer can change next; below both, no arrival need ask."""
    buffer.next_size = rules.NO_LIMIT
    for i in range(buffer.sizes_first, buffer.sizes_last):
        if lists[i] > buffer.jobs:
            buffer.next_size = lists[i]
            break
    buffer.next_bytes = rules.NO_LIMIT
    for i in range(buffer.bytes_first, buffer.bytes_last):
        if lists[i] > buffer.held_nbytes:
            buffer.next_bytes = lists[i]
            break
