"""Random models of built-in parts, full of events at the same instant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bufsim.model.arrivals import Poisson
from bufsim.model.buffers import CollectAll, CollectQueues, FlushTime, JobBuffer
from bufsim.model.capacity import Capacity
from bufsim.model.distributions import Constant, Exponential
from bufsim.model.drains import DrainAll, DrainAtMost
from bufsim.model.flush_policy import FlushPolicy
from bufsim.model.keys import Zipf
from bufsim.model.policies import (
    FlushAfterAge,
    FlushAt,
    FlushAtBytes,
    FlushAtSize,
    FlushEvery,
    FlushWhenIdle,
    NeverFlush,
)
from bufsim.model.producers import Producer
from bufsim.model.reducers import KeepAll, Merge, UniqueByKey
from bufsim.model.stops import Stops
from bufsim.model.storages import Storage
from bufsim.model.traces import Trace
from bufsim.model.workers import Backoff, PollingWorkers, PushWorkers, Workers
from bufsim.simulation import Simulation

_UNITS = (0.5, 0.5, 0.1, 1 / 3)
_QUEUES = ("x", "y")
_STEPS = 25


def models(seed: int, count: int) -> Iterator[Simulation]:
    """Yield so many models, always the same for a seed.

    All times are multiples of a unit, of a half, where sums of floats are exact, or of a tenth or a third, where they
    are not: so that arrivals, flushes, services and stops fall together.
    """
    for number in range(count):
        yield _Chooser(np.random.default_rng([seed, number])).simulation()


class _Chooser:
    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator
        self.unit = self.among(_UNITS)

    def among(self, values: Sequence[Any]) -> Any:
        return values[int(self.generator.integers(len(values)))]

    def whole(self, low: int, high: int) -> int:
        return int(self.generator.integers(low, high + 1))

    def time(self, low: int, high: int) -> float:
        return self.whole(low, high) * float(self.unit)

    def simulation(self) -> Simulation:
        producers = [self.producer(name) for name in "pqr"[: self.whole(1, 3)]]
        reached = {queue for producer in producers for queue in producer.queues}
        buffers = [self.buffer(name, sorted(reached)) for name in "abc"[: self.whole(1, 3)]]
        served = [queue for queue in self.among(((), (None,), ("x",), ("y", None))) if queue in (None, *reached)]
        return Simulation(
            producers=producers,
            buffers=buffers,
            workers=[self.workers(queue) for queue in served],
            until=self.among((13, 24.5, 30)) * self.unit,
            storage=Storage(durable=self.among((True, False)), read_delete_window=self.time(0, 1)),
            durable_queue=self.among((True, False)),
            stops=self.among((None, self.stops())),
        )

    def producer(self, name: str) -> Producer:
        if self.whole(0, 4) == 0:
            return Producer(name, Poisson(2.0 / self.unit), queue="x", keys=Zipf(5, exponent=1.0), nbytes=2)
        count = self.whole(1, 40)
        times = np.sort(self.generator.integers(0, _STEPS, count)) * self.unit
        return Producer(
            name,
            Trace(
                times,
                queues=[self.among(_QUEUES) for _ in range(count)],
                keys=[self.among((None, "a", "b")) for _ in range(count)],
                nbytes=[self.whole(0, 5) for _ in range(count)],
            ),
        )

    def buffer(self, name: str, queues: Sequence[str]) -> JobBuffer:
        jobs, nbytes = self.among((None, self.whole(1, 4))), self.among((None, self.whole(1, 9)))
        limited = DrainAtMost(n=self.whole(1, 4), nbytes=nbytes)
        full = Capacity(jobs=jobs, nbytes=9, on_full=self.among(("drop_newest", "drop_oldest")))
        return JobBuffer(
            name,
            policy=self.policy(),
            collect=self.among((CollectAll(), CollectQueues([self.among(queues)]))),
            reduce=self.among((KeepAll(), UniqueByKey(), Merge())),
            drain=self.among((DrainAll(), limited)),
            capacity=self.among((None, None, full)),
            flush_time=FlushTime(
                self.among((Constant(0.0), Constant(self.time(0, 3)), Exponential(self.unit))),
                per_job=self.among((0.0, 0.5 * self.unit)),
            ),
        )

    def policy(self) -> FlushPolicy:
        policy = self.leaf()
        for _ in range(self.whole(0, 2)):
            policy = policy | self.leaf() if self.whole(0, 1) else policy & self.leaf()
        if self.whole(0, 3) == 0:
            policy = policy.checked_every(self.time(1, 4), phase=self.time(0, 3))
        return policy

    def leaf(self) -> FlushPolicy:
        times = sorted({self.time(0, 24) for _ in range(5)})
        return self.among(  # type: ignore[no-any-return]  # each is a policy
            (
                NeverFlush(),
                FlushAtSize(self.whole(1, 4)),
                FlushAtBytes(self.whole(1, 9)),
                FlushAfterAge(self.time(0, 5)),
                FlushWhenIdle(self.time(0, 5)),
                FlushEvery(self.time(1, 4), phase=self.time(0, 3)),
                FlushEvery(self.time(1, 4), anchor=self.among(("flush_start", "flush_end"))),
                FlushAt(times),
            )
        )

    def workers(self, queue: str | None) -> Workers:
        options: dict[str, Any] = {
            "queue": queue,
            "service": self.among((Constant(self.time(0, 3)), Exponential(self.unit))),
            "per_item": self.among((0.0, self.unit)),
            "failure": self.among((0.0, 0.5)),
            "retries": self.whole(0, 2),
            "backoff": Backoff(self.time(0, 2), factor=self.among((1.0, 2.0))),
        }
        if self.whole(0, 1):
            return PushWorkers(self.whole(1, 3), **options)
        return PollingWorkers(self.whole(1, 3), poll_interval=self.time(1, 3), **options)

    def stops(self) -> Stops:
        down = self.whole(0, 3)
        steps = np.cumsum([self.whole(1, 8) + down for _ in range(self.whole(1, 3))])
        return Stops(at=[int(step) * self.unit for step in steps], downtime=down * self.unit)
