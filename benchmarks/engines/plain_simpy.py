"""A plain SimPy script: one producer process and a dict, the three series in lists."""

from __future__ import annotations

from collections.abc import Callable

import simpy

from benchmarks.engines import Run
from benchmarks.outcome import Outcome
from benchmarks.works import AGE, PERIOD, SIZE, WORKERS, Numbers, Work


class Script:
    """The buffer, and the lists that are kept of it."""

    def __init__(self) -> None:
        self.env = simpy.Environment()
        self.buffer: dict[int, float] = {}
        self.size_times: list[float] = []
        self.sizes: list[int] = []
        self.batch_sizes: list[int] = []
        self.waits: list[float] = []
        self.reduced_sizes: list[int] = []
        self.finishes: list[float] = []
        self.hand_over: Callable[[dict[int, float]], None] | None = None

    def producer(self, gaps: list[float]):
        """Add a job to the buffer after each gap."""
        env, buffer, size_times, sizes = self.env, self.buffer, self.size_times, self.sizes
        for job, gap in enumerate(gaps):
            yield env.timeout(gap)
            now = env.now
            buffer[job] = now
            size_times.append(now)
            sizes.append(len(buffer))

    def flusher(self):
        """Flush every 5 s."""
        while True:
            yield self.env.timeout(PERIOD)
            if self.buffer:
                self.flush()

    def producer_by_size_and_age(self, gaps: list[float]):
        """Add a job to the buffer after each gap; flush at 400 jobs, and set a timer for the first."""
        env, buffer, size_times, sizes = self.env, self.buffer, self.size_times, self.sizes
        for job, gap in enumerate(gaps):
            yield env.timeout(gap)
            now = env.now
            buffer[job] = now
            size = len(buffer)
            size_times.append(now)
            sizes.append(size)
            if size >= SIZE:
                self.flush()
            elif size == 1:
                env.process(self.timer(job))

    def timer(self, first: int):
        """Flush when the first job is 5 s old, if it is still there."""
        yield self.env.timeout(AGE)
        if first in self.buffer:
            self.flush()

    def flush(self) -> None:
        """Empty the buffer."""
        now, buffer = self.env.now, self.buffer
        self.batch_sizes.append(len(buffer))
        self.waits.extend([now - arrived for arrived in buffer.values()])
        if self.hand_over is not None:
            self.hand_over(buffer)
        buffer.clear()
        self.size_times.append(now)
        self.sizes.append(0)

    def make_unique(self, keys: list[int]) -> None:
        """Keep only the first job of each key of a batch."""

        def hand_over(batch: dict[int, float]) -> None:
            first: dict[int, int] = {}
            for job in batch:
                first.setdefault(keys[job], job)
            self.reduced_sizes.append(len(first))

        self.hand_over = hand_over

    def serve(self, services: list[float]) -> None:
        """Put batches in a queue, and let 4 workers serve it."""
        queue = simpy.Store(self.env)

        def hand_over(batch: dict[int, float]) -> None:
            for job in batch:
                queue.put(job)

        def worker():
            while True:
                job = yield queue.get()
                yield self.env.timeout(services[job])
                self.finishes.append(self.env.now)

        self.hand_over = hand_over
        for _ in range(WORKERS):
            self.env.process(worker())

    def outcome(self) -> Outcome:
        """Return what came out."""
        return Outcome(self.size_times, self.sizes, self.batch_sizes, self.waits, self.reduced_sizes, self.finishes)


def prepare(work: Work, numbers: Numbers) -> Run:
    gaps, keys, services = numbers.gaps.tolist(), numbers.keys.tolist(), numbers.services.tolist()

    def run():
        script = Script()
        if work.name == "W2":
            script.env.process(script.producer_by_size_and_age(gaps))
        else:
            script.env.process(script.producer(gaps))
            script.env.process(script.flusher())
        if work.keyed:
            script.make_unique(keys)
        if work.served:
            script.serve(services)
        script.env.run(until=numbers.until)
        return script.outcome

    return run
