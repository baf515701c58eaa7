"""Runs that are small enough to work out by hand.

`first` is FlushAtSize(3) | FlushAfterAge(5) on arrivals at 1, 2, 3, 4, 11.5 and 12 s, to 20 s; a flush takes 1 s, and
one worker takes 2 s a job:

    flushes   3 to 4 {jobs 1 2 3} by size · 9 to 10 {4} by age · 16.5 to 17.5 {5, 6} by age
    sizes     1: 1 · 2: 2 · 3: 3, 0 · 4: 1 · 9: 0 · 11.5: 1 · 12: 2 · 16.5: 0
    waits     2 1 0 · 5 · 5 4.5
    services  4 to 6, 6 to 8, 8 to 10 · 10 to 12 · 17.5 to 19.5, 19.5 on
"""

from __future__ import annotations

from typing import Any

from bufsim import (
    FlushAfterAge,
    FlushAtSize,
    JobBuffer,
    NeverFlush,
    Producer,
    PushWorkers,
    Result,
    Simulation,
    Stops,
    Trace,
)

ARRIVALS = [1.0, 2.0, 3.0, 4.0, 11.5, 12.0]
POLICY = FlushAtSize(3) | FlushAfterAge(5.0)


def simulation(times: list[float] | None = None, **others: Any) -> Simulation:
    """Return the simulation above, with other arrivals, other properties of its buffer, or other declarations."""
    buffer: dict[str, Any] = {"policy": POLICY, "flush_time": 1.0}
    buffer |= {
        name: others.pop(name) for name in ("policy", "flush_time", "drain", "reduce", "capacity") if name in others
    }
    declared: dict[str, Any] = {"until": 20.0, "workers": [PushWorkers(1, service=2.0)]} | others
    trace = Trace(
        ARRIVALS if times is None else times, keys=declared.pop("keys", None), nbytes=declared.pop("nbytes", None)
    )
    return Simulation(producers=[Producer("edits", trace)], buffers=[JobBuffer("search", **buffer)], **declared)


def first() -> Result:
    """Return the run above."""
    return simulation().run(seed=1)


def stopped() -> Result:
    """Return the run above with stops at 2.5 s (two jobs in the buffer) and 17 s (two in flight), down for 1 s."""
    return simulation(stops=Stops(at=[2.5, 17.0], downtime=1.0)).run(seed=1)


def never() -> Result:
    """Return a run without a flush."""
    return simulation(policy=NeverFlush()).run(seed=1)


def empty() -> Result:
    """Return a run without a job."""
    return simulation([100.0]).run(seed=1)


def two_buffers() -> Result:
    """Return a run with a buffer and a queue for each of two producers."""
    producers = [Producer(name, Trace(ARRIVALS), queue=name) for name in ("index", "email")]
    buffers = [JobBuffer(f"{one.name} buffer", policy=POLICY, collect=one.name) for one in producers]
    return Simulation(producers=producers, buffers=buffers, workers=[PushWorkers(2, service=1.0)], until=20.0).run(
        seed=1
    )
