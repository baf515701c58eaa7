"""The tally of a run as slow, plain loops over its tables: what the definitions say, in other words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd

from bufsim import FlushAt, FlushCron, FlushEvery, FlushPolicy, Result
from bufsim.engines.randomness import stream
from bufsim.model.flush_policy import AllOf, AnyOf, CheckedEvery
from bufsim_tests.oracle import durable_queue

INF = math.inf


def or_inf(value: float) -> float:
    return INF if pd.isna(value) else float(value)


class Oracle:
    def __init__(self, result: Result) -> None:
        self.simulation = result.simulation
        self.start, self.end = self.simulation.warm_up, self.simulation.until
        self.jobs = result.jobs.to_dict("records")
        self.flushes = result.flushes.to_dict("records")
        self.work = result.work.to_dict("records")
        self.attempts = result.attempts.to_dict("records")
        self.sizes = result.buffer_size.to_dict("records")
        stops = self.simulation.stops
        generator = stream(result.seed, "server", "stops", result.replication)
        self.down = [] if stops is None else stops.times(generator, self.end)
        times = {self.start, self.end, *(t for pair in self.down for t in pair)}
        for table in (self.jobs, self.flushes, self.work, self.sizes):
            for row in table:
                times |= {v for k, v in row.items() if k in TIMES and not pd.isna(v)}
        self.times = sorted(t for t in times if self.start <= t <= self.end)

    def seen(self, time: float) -> bool:
        return not pd.isna(time) and self.start <= time < self.end

    def spans(self, level: Callable[[float], int]) -> list[tuple[int, float]]:
        """The level after all events of each time at which something happens, and until the next."""
        return [(level(low), high - low) for low, high in zip(self.times[:-1], self.times[1:], strict=True)]

    def spans_up(self, level: Callable[[float], int]) -> list[tuple[int, float]]:
        """The same, without the times in which the server is down."""
        pairs = zip(self.times[:-1], self.times[1:], strict=True)
        up = [(low, high) for low, high in pairs if not any(stop <= low < restart for stop, restart in self.down)]
        return [(level(low), high - low) for low, high in up]

    # who is where, after all events of a time

    def gone(self, flush: int) -> float:
        """A flush's end, or when its jobs were lost in flight, or never."""
        lost = [r["lost_at"] for r in self.jobs if r["flush_id"] == flush and r["loss_cause"] == "in_flight"]
        return lost[0] if lost else or_inf(self.flushes[flush]["end"])

    def inside(self, row: dict, part: str) -> tuple[float, float]:
        """From when to when a row of jobs is buffered, in flight, or exposed to a stop."""
        flush = row["flush_id"]
        in_buffer = not pd.isna(row["buffer"])
        stored = row["created_at"] if in_buffer and row["loss_cause"] not in ("down", "race") else INF
        taken = INF if pd.isna(flush) else row["flushed_at"]
        lost = or_inf(row["lost_at"])
        ended = INF if pd.isna(flush) else self.gone(flush)
        own = [one.storage for one in self.simulation.buffers if one.id == row["buffer"]]
        durable = (self.simulation.storage if own in ([], [None]) else own[0]).durable
        work = row["work_id"]
        in_volatile = not pd.isna(work) and not durable_queue(self.simulation, self.work[work]["queue"])
        if part == "buffered":
            return stored, min(taken, lost)
        if part == "in_flight":
            return taken, ended
        leaves = min(lost, or_inf(row["finished_at"]) if in_volatile else ended)
        if not in_buffer:
            return (row["created_at"] if in_volatile else INF), leaves
        return (taken if durable else stored), leaves

    def rows_in(self, part: str, buffer: str | None) -> Callable[[float], int]:
        spans = [
            self.inside(row, part)
            for row in self.jobs
            if (buffer is None or row["buffer"] == buffer) and (part == "exposed" or not pd.isna(row["buffer"]))
        ]
        return lambda time: sum(low <= time < high for low, high in spans)

    def works_in(self, column: str, queue: str | None) -> Callable[[float], int]:
        spans = [
            (work["queued_at"], min(or_inf(work[column]), self.lost_with_queue(work)))
            for work in self.work
            if queue in (None, work["queue"])
        ]
        return lambda time: sum(low <= time < high for low, high in spans)

    def lost_with_queue(self, work: dict) -> float:
        if work["outcome"] != "lost":
            return INF
        return next(stop for stop, _ in self.down if stop >= work["queued_at"] and stop >= self.last_sign(work))

    def last_sign(self, work: dict) -> float:
        return work["queued_at"] if pd.isna(work["started_at"]) else work["started_at"]

    def busy_time(self, queue: str) -> float:
        """The worker-seconds of the attempts in a queue that lie in the window."""
        spans = [(a["started_at"], or_inf(a["ended_at"])) for a in self.attempts if self.queue_of(a) == queue]
        return math.fsum(max(min(end, self.end) - max(begin, self.start), 0.0) for begin, end in spans)

    def queue_of(self, attempt: dict) -> str:
        return self.work[attempt["work_id"]]["queue"]

    # ticks

    def empty_ticks(self, buffer: str) -> int:
        policy = next(one.policy for one in self.simulation.buffers if one.id == buffer)
        starts = [(f["start"], self.gone(i)) for i, f in enumerate(self.flushes) if f["buffer"] == buffer]
        edges = sorted({0.0, *(t for pair in starts for t in pair if t < INF), *(r for _, r in self.down)})
        ticks: set[float] = set()
        for leaf in tick_leaves(policy):
            for low, high in zip(edges, [*edges[1:], self.end], strict=True):
                ticks |= {t for t in self.ticks_of(leaf, low, high, starts) if low <= t < high and self.seen(t)}
        size = self.rows_in("buffered", buffer)
        return sum(
            size(t) == 0
            and not any(low <= t < high for low, high in starts)
            and not any(low <= t < high for low, high in self.down)
            and not any(low == t for low, _ in starts)
            for t in ticks
        )

    def ticks_of(self, leaf: FlushPolicy, low: float, high: float, flushes: list[tuple[float, float]]) -> list[float]:
        """The ticks of a leaf, as they stand from `low` on, before anything changes at `high`."""
        if isinstance(leaf, FlushAt):
            return list(leaf.times)
        if isinstance(leaf, FlushCron):
            return list(leaf.times(self.end))
        origin, first = leaf.phase, 0
        if isinstance(leaf, FlushEvery) and leaf.anchor != "clock":
            restart = max([r for _, r in self.down if r <= low], default=-INF)
            last = [pair for pair in flushes if pair[0] <= low and pair[0] >= restart]
            origin, first = (last[-1][0 if leaf.anchor == "flush_start" else 1] if last else 0.0), 1
        if origin == INF:
            return []
        most = int((high - origin) / leaf.period) + 2
        return [origin + k * leaf.period for k in range(first, max(most, 0))]


TIMES = {
    "created_at",
    "flushed_at",
    "finished_at",
    "lost_at",
    "start",
    "end",
    "time",
    "queued_at",
    "started_at",
}


def tick_leaves(policy: FlushPolicy) -> list[FlushPolicy]:
    if isinstance(policy, AnyOf | AllOf):
        return [leaf for member in policy.members for leaf in tick_leaves(member)]
    return [policy] if isinstance(policy, FlushEvery | FlushAt | FlushCron | CheckedEvery) else []


def integral(spans: list[tuple[int, float]], power: int = 1) -> float:
    return math.fsum(value**power * span for value, span in spans)


def time_at(spans: list[tuple[int, float]]) -> dict[int, float]:
    total: Counter[int] = Counter()
    for value, span in spans:
        total[value] += span
    return {value: span for value, span in total.items() if span}


def inverse(values: list[float], q: float) -> float:
    """The quantile as numpy defines it by the inverted distribution function."""
    return float(np.quantile(values, q, method="inverted_cdf"))
