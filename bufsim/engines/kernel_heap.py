"""Binary heaps: of ends of services and back-offs, and of the times at which workers are free."""

from __future__ import annotations

from typing import Any

from bufsim.engines.kernel_state import Floats, Records

# so many workers are kept sorted, more on a heap
SORTED = 32


def push(run: Any, heap: Records, time: float, work: int) -> None:
    """Put an end on the heap: a binary heap by (time, work)."""
    i = run.ends
    run.ends = i + 1
    while i > 0:
        above = heap[(i - 1) >> 1]
        if above.time < time or (above.time == time and above.work < work):
            break
        heap[i].time = above.time
        heap[i].work = above.work
        i = (i - 1) >> 1
    heap[i].time = time
    heap[i].work = work


def pop(run: Any, heap: Records) -> int:
    """Take the first end off the heap; return its work."""
    first = heap[0].work
    n = run.ends - 1
    run.ends = n
    time, work = heap[n].time, heap[n].work
    i = 0
    while True:
        below = 2 * i + 1
        if below >= n:
            break
        left, right = heap[below], heap[below + 1] if below + 1 < n else heap[below]
        if right.time < left.time or (right.time == left.time and right.work < left.work):
            below += 1
            left = right
        if time < left.time or (time == left.time and work < left.work):
            break
        heap[i].time = left.time
        heap[i].work = left.work
        i = below
    heap[i].time = time
    heap[i].work = work
    return first


def free_at(free: Floats, time: float) -> None:
    """Let the worker that is free first be free again at `time`; `free` increases, or for many workers is a heap."""
    last = len(free) - 1
    if last < SORTED:
        # without a branch that the processor would have to guess
        for i in range(last):
            free[i], time = min(time, free[i + 1]), max(time, free[i + 1])
        free[last] = time
        return
    i, below = 0, 1
    while below <= last:
        if below < last and free[below + 1] < free[below]:
            below += 1
        if time <= free[below]:
            break
        free[i] = free[below]
        i, below = below, 2 * below + 1
    free[i] = time
