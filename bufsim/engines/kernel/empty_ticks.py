"""The empty ticks of a buffer's policy on the compiled engine: those that find the buffer empty and idle.

They are counted gap by gap, when the gap ends, as `bufsim.results.empty_ticks` counts them from tables.
"""

from __future__ import annotations

import numpy as np

from bufsim.engines import bins
from bufsim.engines.kernel.records import Records
from bufsim.engines.kernel.state import Buffer, Floats, Operation, Run
from bufsim.model import rules


def note_change(run: Run, buffer: Buffer, program: Records[Operation], times: Floats, now: float) -> None:
    """Note whether the buffer is empty and idle, after a change; count the empty ticks of a gap that ends."""
    vacant = buffer.jobs == 0 and not buffer.flushing and not run.down
    if vacant and not buffer.vacant:
        buffer.vacant_since = now
    elif buffer.vacant and not vacant:
        close_gap(run, buffer, program, times, now)
    buffer.vacant = vacant


def close_gap(run: Run, buffer: Buffer, program: Records[Operation], times: Floats, now: float) -> None:
    """Count the empty ticks of the gap that ends now, within the window."""
    begin = max(buffer.vacant_since, run.start)
    if now <= begin or buffer.ticks_first == buffer.ticks_last:
        return
    # a tick at which a flush starts is not empty
    if begin == buffer.last_flush_start:
        begin = np.nextafter(begin, rules.INF)
    for rule in range(buffer.ticks_first, buffer.ticks_last):
        buffer.empty_ticks += ticks_of_its_own(program, times, buffer, rule, begin, now)


def ticks_of_its_own(
    program: Records[Operation], times: Floats, buffer: Buffer, rule: int, begin: float, end: float
) -> int:
    """Return how many ticks of a rule in [begin, end) are not also ticks of a rule that goes before it.

    The rule with the most ticks goes first: so that few are looked at one by one.
    """
    first = ticks_before(program, times, buffer, rule, begin)
    count = ticks_before(program, times, buffer, rule, end) - first
    own = count
    if goes_first(program, times, buffer, rule, count, begin, end):
        return own
    for number in range(first, first + count):
        if is_tick_of_another(
            program, times, buffer, rule, count, time_of_tick(program, times, buffer, rule, number), begin, end
        ):
            own -= 1
    return own


def goes_first(
    program: Records[Operation], times: Floats, buffer: Buffer, rule: int, count: int, begin: float, end: float
) -> bool:
    """Return whether no rule goes before this one in a gap."""
    for other in range(buffer.ticks_first, buffer.ticks_last):
        if goes_before(program, times, buffer, other, rule, count, begin, end):
            return False
    return True


def goes_before(
    program: Records[Operation],
    times: Floats,
    buffer: Buffer,
    other: int,
    rule: int,
    count: int,
    begin: float,
    end: float,
) -> bool:
    """Return whether another rule goes before one with `count` ticks in a gap: it has more, or stands before it."""
    if other == rule:
        return False
    others = ticks_before(program, times, buffer, other, end) - ticks_before(program, times, buffer, other, begin)
    return others > count or (others == count and other < rule)


def is_tick_of_another(
    program: Records[Operation],
    times: Floats,
    buffer: Buffer,
    rule: int,
    count: int,
    time: float,
    begin: float,
    end: float,
) -> bool:
    """Return whether a rule that goes before this one ticks at `time`."""
    after = np.nextafter(time, rules.INF)
    for other in range(buffer.ticks_first, buffer.ticks_last):
        here = ticks_before(program, times, buffer, other, after) - ticks_before(program, times, buffer, other, time)
        if here > 0 and goes_before(program, times, buffer, other, rule, count, begin, end):
            return True
    return False


def ticks_before(program: Records[Operation], times: Floats, buffer: Buffer, rule: int, time: float) -> int:
    """Return how many ticks of a rule stand before `time`, as they are in the present gap."""
    operation = program[rule]
    if operation.op == rules.TIMES:
        return bins.times_before(times[operation.whole : operation.last], time)
    if operation.op in rules.REMEMBERED_TICKS:
        return int(last_tick(buffer, operation) < time)
    return int(bins.ticks_before(origin_of(buffer, operation), operation.seconds, smallest_of(operation), time))


def time_of_tick(program: Records[Operation], times: Floats, buffer: Buffer, rule: int, number: int) -> float:
    """Return a tick of a rule by its number."""
    operation = program[rule]
    if operation.op == rules.TIMES:
        return times[operation.whole + number]
    if operation.op in rules.REMEMBERED_TICKS:
        return last_tick(buffer, operation)
    return origin_of(buffer, operation) + (smallest_of(operation) + number) * operation.seconds


def last_tick(buffer: Buffer, operation: Operation) -> float:
    """Return the only tick in a gap of a timer that a job started: it stops there."""
    if operation.op == rules.ONE_SHOT:
        return rules.one_shot_due(operation.since, operation.seconds)
    return rules.last_tick(operation.since, operation.spent, buffer.last_flush_start, operation.seconds)


def origin_of(buffer: Buffer, operation: Operation) -> float:
    """Return from where the ticks of a rule count."""
    if operation.op == rules.EVERY_START:
        return 0.0 if buffer.last_flush_start == -rules.INF else buffer.last_flush_start
    if operation.op == rules.EVERY_END:
        return 0.0 if buffer.last_flush_end == -rules.INF else buffer.last_flush_end
    return operation.phase


def smallest_of(operation: Operation) -> int:
    """Return the number of a rule's first tick."""
    return 1 if operation.op in (rules.EVERY_START, rules.EVERY_END) else 0
