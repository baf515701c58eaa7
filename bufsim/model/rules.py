"""The arithmetic of due times and ends, as plain scalar functions.

Both engines use these functions: the SimPy engine calls them, the compiled engine compiles them. They take and return
floats and ints only, and never call one another's Python objects, so that both give the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

INF = math.inf
NO_LIMIT = 2**62
MOST_PERIODS = 2.0**52

# the rules by which a leaf is due; `leaf_due` of the kernel has a branch for each
NEVER, SIZE, BYTES, AGE, IDLE, EVERY, EVERY_START, EVERY_END, TIMES, GAP = range(10)
# and those of leaves that remember something
EVERY_OWN, ACTIVATION, ACTIVATION_OWN, ONE_SHOT = range(10, 14)
# what follows on the end of a flush: the policy is asked; or the next starts if what is left fills a batch, or is any
ONCE, WHILE_FULL, UNTIL_EMPTY = range(3)
# a tuple, which the kernel can look into
REMEMBERED_TICKS = (ACTIVATION, ACTIVATION_OWN, ONE_SHOT)
TICK_RULES = frozenset({EVERY, EVERY_START, EVERY_END, TIMES, *REMEMBERED_TICKS})


class Operation(NamedTuple):
    """A leaf's due time as data, for the compiled engine: one of the rules above, and its numbers."""

    rule: int
    seconds: float = 0.0
    phase: float = 0.0
    whole: int = 0
    times: tuple[float, ...] = ()


def at_size(size: int, threshold: int) -> float:
    """Return −inf when the buffer holds at least `threshold` jobs, else inf."""
    return -INF if size >= threshold else INF


def at_bytes(nbytes: int, threshold: int) -> float:
    """Return −inf when the buffer holds at least `threshold` bytes, else inf."""
    return -INF if nbytes >= threshold else INF


def after(at: float, delay: float) -> float:
    """Return the time `delay` seconds after `at`."""
    return at + delay


def first_tick(origin: float, period: float, not_before: float, later_than: float, smallest: int) -> float:
    """Return the first tick origin + k·period, k ≥ `smallest`, at or after `not_before` and later than `later_than`.

    Ticks are the doubles origin + k·period, never accumulated. ``ceil`` alone errs, since the quotient is rounded: with
    a period of 0.1 it skips a tick, with 0.3 it lands early. So the search starts one below and steps up. Past 2⁵²
    periods, where ticks are no longer different doubles and no run comes (until is at most 2⁵⁰ periods), it is inf.
    """
    reach = not_before if not_before > later_than else later_than
    periods = (reach - origin) / period
    if periods > MOST_PERIODS:
        return INF
    k = math.floor(periods) - 1 if periods > smallest + 1 else smallest
    tick = origin + k * period
    while tick < not_before or tick <= later_than:
        k += 1
        tick = origin + k * period
    return tick


def every(oldest_at: float, last_flush_start: float, period: float, phase: float) -> float:
    """Return the due time of a flush at every tick of the clock."""
    return first_tick(phase, period, oldest_at, last_flush_start, 0)


def every_since(oldest_at: float, last_flush_start: float, anchor: float, period: float) -> float:
    """Return the due time of a flush at every period since the last flush's start or end, `anchor`.

    Before the first flush `anchor` is −inf, and the periods count from 0.
    """
    origin = 0.0 if anchor == -INF else anchor
    return first_tick(origin, period, oldest_at, last_flush_start, 1)


def since_activation(activated: float, oldest_at: float, later_than: float, period: float) -> float:
    """Return the due time of a flush at every period since a timer was activated; inf where it was not."""
    return INF if activated == -INF else first_tick(activated, period, oldest_at, later_than, 1)


def last_tick(activated: float, spent: float, last_flush_start: float, period: float) -> float:
    """Return the tick at which a timer stops if it finds the buffer empty; inf where it was not activated."""
    if activated == -INF:
        return INF
    return first_tick(activated, period, last_flush_start, spent, 1)


def activation(now: float, jobs: int, activated: float, spent: float, last_flush_start: float, period: float) -> float:
    """Return since when a timer runs, after an arrival: the first job starts it, unless it has not stopped."""
    if activated == -INF:
        return now
    return now if jobs == 1 and last_tick(activated, spent, last_flush_start, period) < now else activated


def one_shot_due(activated: float, delay: float) -> float:
    """Return when a timer rings that does so once; inf where it was not activated."""
    return INF if activated == -INF else activated + delay


def one_shot_activation(now: float, activated: float, delay: float) -> float:
    """Return since when such a timer runs, after an arrival: the first one after it has rung starts it."""
    return now if activated + delay < now else activated


def at_times(times: Sequence[float], oldest_at: float, last_flush_start: float) -> float:
    """Return the first of the increasing `times` at or after `oldest_at` and later than `last_flush_start`, or inf."""
    low = 0
    high = len(times)
    while low < high:
        middle = (low + high) // 2
        if times[middle] < oldest_at or times[middle] <= last_flush_start:
            low = middle + 1
        else:
            high = middle
    return times[low] if low < len(times) else INF


def checked(now: float, due: float, last_flush_start: float, period: float, phase: float) -> float:
    """Return the first tick at or after max(now, due) and later than the last flush's start; inf when never due."""
    # a NaN must come through, for the engine to refuse it
    if due == INF or due != due:
        return due
    return first_tick(phase, period, now if now > due else due, last_flush_start, 0)


def spacing_of_calls(calls: Sequence[Operation | None], window: float) -> float:
    """Return the period of flushes that are called whatever the buffer holds, if each ends before the next; else inf.

    Of one periodic rule with room between its flushes every tick calls one, so that those long past need not be
    followed up: the last before a moment is known from the moment.
    """
    only = calls[0] if len(calls) == 1 else None
    if only is None or only.rule == TIMES or only.seconds < 2.0 * window:
        return INF
    return only.seconds


def flush_end(start: float, window: float, fixed: float, per_job: float, jobs: int) -> float:
    """Return the end of a flush: (start + window) + (fixed + per_job·jobs)."""
    return (start + window) + (fixed + per_job * jobs)


def service_time(draw: float, per_item: float, items: int) -> float:
    """Return the service time of one attempt: the draw, and so much for each item that the job carries."""
    return draw + per_item * items


def backoff_end(now: float, failed: int, first: float, factor: float, longest: float) -> float:
    """Return the end of the back-off after the `failed`-th failed attempt: now + min(longest, first·factor^(failed−1)).

    The power is a product, taken step by step: libraries differ in the last bit of ``pow``.
    """
    delay = first
    for _ in range(failed - 1):
        delay = delay * factor
        if delay >= longest:
            break
    return now + (delay if delay < longest else longest)


def next_poll(now: float, last_poll: float, interval: float) -> float:
    """Return the first poll k·interval at or after `now` and later than the last poll that has been."""
    return first_tick(0.0, interval, now, last_poll, 0)


def batch_end(taken: int, total: int, most_bytes: int, reaches: bool) -> int:
    """Jobs in a batch that ends at the job after the `taken` oldest, with which it has `total` bytes; 0: it goes on.

    The job that exceeds the bytes stays, unless it is the first; where `reaches`, the one that reaches them goes along.
    """
    if reaches:
        return taken + 1 if total >= most_bytes else 0
    if total <= most_bytes:
        return 0
    return taken if taken > 0 else 1


def drain_count(
    nbytes: Sequence[int], first: int, jobs: int, most_jobs: int, most_bytes: int, reaches: bool = False
) -> int:
    """Number of the `jobs` jobs from position `first` that a batch takes within both limits, at least one."""
    most = jobs if jobs < most_jobs else most_jobs
    total = 0
    for taken in range(most):
        total += nbytes[first + taken]
        count = batch_end(taken, total, most_bytes, reaches)
        if count > 0:
            return count
    return most


def repeats(repeat: int, jobs: int, nbytes: int, most_jobs: int, most_bytes: int) -> bool:
    """Return whether a flush of what is left, `jobs` and their bytes, starts at once when one has ended."""
    if repeat == UNTIL_EMPTY:
        return jobs > 0
    return repeat == WHILE_FULL and (jobs >= most_jobs or nbytes >= most_bytes)
