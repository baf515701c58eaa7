"""Levels over time and samples of durations, kept in bounded memory while a run goes on."""

from __future__ import annotations

from typing import Any

import numpy as np

from bufsim.engines import bins
from bufsim.engines.kernel_state import Floats, Ints
from bufsim.model import rules

# a level below this has a place of its own in `seconds`; its integrals follow from it
EXACT = 4096

LEVEL = np.dtype(
    [
        ("value", "i8"),
        ("since", "f8"),
        ("mark", "f8"),  # when something is to be noted next: the end of the warm-up, an edge of the series
        ("integral", "f8"),  # so far, without what `exact` says; at the end of the warm-up it is forgotten
        ("squares", "f8"),
        ("peak", "i8"),  # over all values
        ("lasting", "i8"),  # over the values that last
        ("spread", "?"),  # whether the time at each value is kept
        ("exact", "i8"),  # in `seconds`: the time at each value below EXACT, and above it by bins
        ("bins", "i8"),
        ("series", "i8"),  # in `seconds`: the integral of the whole run up to each edge; −1: not kept
        ("edge", "i8"),
        ("before", "f8"),  # the integral of the warm-up
        ("warm", "?"),  # the warm-up is over
    ],
    align=True,
)
SAMPLE = np.dtype([("count", "i8"), ("total", "f8"), ("squares", "f8"), ("largest", "f8"), ("bins", "i8")], align=True)

# levels of a buffer, of all together; of a queue, of all together
OF_BUFFER, OF_QUEUE = 5, 2
SIZE, NBYTES, IN_FLIGHT, IN_FLIGHT_NBYTES, EXPOSED = range(OF_BUFFER)
WAITING, UNFINISHED = range(OF_QUEUE)


def change(run: Any, level: Any, seconds: Floats, now: float, delta: int) -> None:
    """Let a level change."""
    settle(run, level, seconds, now)
    level.value += delta
    level.peak = max(level.peak, level.value)


def settle(run: Any, level: Any, seconds: Floats, now: float) -> None:
    """Count the time since the level's last change."""
    while level.mark <= now:
        spend(level, seconds, level.mark)
        note_mark(run, level, seconds)
    spend(level, seconds, now)


def spend(level: Any, seconds: Floats, until: float) -> None:
    """Count the time up to `until` at the level's value."""
    span = until - level.since
    if span > 0.0:
        add_time(level, seconds, level.value, span)
        level.lasting = max(level.lasting, level.value)
        level.since = until


def add_time(level: Any, seconds: Floats, value: int, span: float) -> None:
    """Count so many seconds at a value."""
    if not level.spread:
        level.integral += value * span
    elif value < EXACT:
        seconds[level.exact + value] += span
    else:
        number = float(value)
        seconds[level.bins + bins.of_size(number)] += span
        level.integral += number * span
        level.squares += number * number * span


def note_mark(run: Any, level: Any, seconds: Floats) -> None:
    """Note what is to be noted at a mark, and find the next."""
    if level.mark == run.start and not level.warm:
        level.before = area(level, seconds)
        forget(level, seconds)
        level.warm = True
    if level.series >= 0 and level.mark == edge_at(run, level.edge):
        seconds[level.series + level.edge] = level.before + area(level, seconds)
        level.edge += 1
    level.mark = next_mark(run, level)


def next_mark(run: Any, level: Any) -> float:
    """Return when something is to be noted next."""
    at = rules.INF
    if level.series >= 0 and level.edge <= bins.SERIES:
        at = edge_at(run, level.edge)
    return at if level.warm else min(at, run.start)


def edge_at(run: Any, edge: int) -> float:
    """Return an edge of the series: it has as many equal bins as `bins.SERIES` says."""
    return run.until if edge == bins.SERIES else edge * (run.until / bins.SERIES)


def area(level: Any, seconds: Floats) -> float:
    """Return the integral of the level so far, from the end of the warm-up if that has come."""
    total = level.integral
    if level.spread:
        for value in range(min(level.peak + 1, EXACT)):
            total += value * seconds[level.exact + value]
    return total


def forget(level: Any, seconds: Floats) -> None:
    """Forget the warm-up."""
    level.integral = level.squares = 0.0
    level.peak, level.lasting = level.value, 0
    if level.spread:
        for i in range(level.exact, level.bins + bins.SIZES.last + 1):
            seconds[i] = 0.0


def climb(run: Any, level: Any, seconds: Floats, times: Floats) -> None:
    """Let a level rise by one at each of these times."""
    first = 0
    while first < len(times):
        change(run, level, seconds, times[first], 1)
        last = first + 1 + bins.before(times[first + 1 :], level.mark)
        climb_unmarked(level, seconds, times[first:last])
        first = last


def climb_unmarked(level: Any, seconds: Floats, times: Floats) -> None:
    """Let a level that has risen at the first of these times rise by one at each other, without a mark on the way."""
    value, n = level.value, len(times) - 1
    exact = max(min(n, EXACT - value), 0)
    at = seconds[level.exact + value : level.exact + value + exact]
    # apart from the rest: the processor takes several at once
    for i in range(exact):
        at[i] += times[i + 1] - times[i]
    for i in range(exact, n):
        if times[i + 1] > times[i]:
            add_time(level, seconds, value + i, times[i + 1] - times[i])
    level.value, level.since = value + n, times[n]
    level.peak = max(level.peak, level.value)
    while n > 0 and times[n] == times[n - 1]:
        n -= 1
    if n > 0:
        level.lasting = max(level.lasting, value + n - 1)


def observe(sample: Any, counts: Ints, duration: float) -> None:
    """Add a duration to a sample."""
    sample.count += 1
    sample.total += duration
    sample.squares += duration * duration
    sample.largest = max(sample.largest, duration)
    counts[sample.bins + bins.of_time(duration)] += 1


def observe_waits(sample: Any, counts: Ints, now: float, times: Floats) -> None:
    """Add the time from each of these times, which do not decrease, until now."""
    total = squares = 0.0
    to = counts[sample.bins : sample.bins + bins.TIMES.last + 1]
    for i in range(len(times)):
        wait = now - times[i]
        total += wait
        squares += wait * wait
        to[bins.of_time(wait)] += 1
    sample.count += len(times)
    sample.total += total
    sample.squares += squares
    sample.largest = max(sample.largest, now - times[0])
