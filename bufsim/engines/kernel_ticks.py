"""Empty ticks on the compiled engine: the ticks of a policy's tick rules that find the buffer empty and the server up.

What they are is said in `bufsim.results.empty_ticks`. A gap is a time in which the buffer is empty and not flushing and
the server is up; where several rules tick at one instant, the tick counts once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bufsim.engines import bins, ticks
from bufsim.engines import kernel_state as ks
from bufsim.engines.kernel_state import Floats, Records
from bufsim.model import rules


def note_vacancy(run: Any, b: Any, program: Records, times: Floats, now: float) -> None:
    """Note whether the buffer is empty and idle, after a change; count the empty ticks of a gap that ends."""
    vacant = b.jobs == 0 and not b.flushing and not run.down
    if vacant and not b.vacant:
        b.vacant_since = now
    elif b.vacant and not vacant:
        close_gap(run, b, program, times, now)
    b.vacant = vacant


def close_gap(run: Any, b: Any, program: Records, times: Floats, now: float) -> None:
    """Count the empty ticks of the gap that ends now, within the window."""
    begin = max(b.vacant_since, run.start)
    if now <= begin or b.ticks_first == b.ticks_last:
        return
    # a tick at which a flush starts is not empty
    if begin == b.last_flush_start:
        begin = np.nextafter(begin, rules.INF)
    for rule in range(b.ticks_first, b.ticks_last):
        b.empty_ticks += ticks_of_its_own(program, times, b, rule, begin, now)


def ticks_of_its_own(program: Records, times: Floats, b: Any, rule: int, begin: float, end: float) -> int:
    """Return how many ticks of a rule in [begin, end) are not also ticks of a rule that goes before it.

    The rule with the most ticks goes first: so that few are looked at one by one.
    """
    first = before(program, times, b, rule, begin)
    count = before(program, times, b, rule, end) - first
    own = count
    if alone(program, times, b, rule, count, begin, end):
        return own
    for number in range(first, first + count):
        if is_tick_of_another(program, times, b, rule, count, tick(program, times, b, rule, number), begin, end):
            own -= 1
    return own


def alone(program: Records, times: Floats, b: Any, rule: int, count: int, begin: float, end: float) -> bool:
    """Return whether no rule goes before this one in a gap."""
    for other in range(b.ticks_first, b.ticks_last):
        if goes_before(program, times, b, other, rule, count, begin, end):
            return False
    return True


def goes_before(
    program: Records, times: Floats, b: Any, other: int, rule: int, count: int, begin: float, end: float
) -> bool:
    """Return whether another rule goes before one with `count` ticks in a gap: it has more, or stands before it."""
    if other == rule:
        return False
    others = before(program, times, b, other, end) - before(program, times, b, other, begin)
    return others > count or (others == count and other < rule)


def is_tick_of_another(
    program: Records, times: Floats, b: Any, rule: int, count: int, time: float, begin: float, end: float
) -> bool:
    """Return whether a rule that goes before this one ticks at `time`."""
    after = np.nextafter(time, rules.INF)
    for other in range(b.ticks_first, b.ticks_last):
        here = before(program, times, b, other, after) - before(program, times, b, other, time)
        if here > 0 and goes_before(program, times, b, other, rule, count, begin, end):
            return True
    return False


def before(program: Records, times: Floats, b: Any, rule: int, time: float) -> int:
    """Return how many ticks of a rule stand before `time`, as they are in the present gap."""
    operation = program[rule]
    if operation.op == ks.TIMES:
        return bins.before(times[operation.whole : operation.last], time)
    return int(ticks.before(origin_of(b, operation), operation.seconds, smallest_of(operation), time))


def tick(program: Records, times: Floats, b: Any, rule: int, number: int) -> float:
    """Return a tick of a rule by its number."""
    operation = program[rule]
    if operation.op == ks.TIMES:
        return times[operation.whole + number]
    return origin_of(b, operation) + (smallest_of(operation) + number) * operation.seconds


def origin_of(b: Any, operation: Any) -> float:
    """Return from where the ticks of a rule count."""
    if operation.op == ks.EVERY_START:
        return 0.0 if b.last_flush_start == -rules.INF else b.last_flush_start
    if operation.op == ks.EVERY_END:
        return 0.0 if b.last_flush_end == -rules.INF else b.last_flush_end
    return operation.phase


def smallest_of(operation: Any) -> int:
    """Return the number of a rule's first tick."""
    return 1 if operation.op == ks.EVERY_START or operation.op == ks.EVERY_END else 0
