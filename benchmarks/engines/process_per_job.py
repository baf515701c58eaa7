"""A SimPy script with a process for each job."""

from __future__ import annotations

import simpy

from benchmarks.engines import Run
from benchmarks.outcome import Outcome
from benchmarks.works import AGE, PERIOD, SIZE, WORKERS, Numbers, Work


class Script:
    """The buffer: the numbers of its jobs, and the event of their flush, for which they wait."""

    def __init__(self, work: Work, keys: list[int], services: list[float]) -> None:
        self.env = simpy.Environment()
        self.work, self.keys, self.services = work, keys, services
        self.buffer: list[int] = []
        self.flushed = self.env.event()
        self.workers = simpy.Resource(self.env, WORKERS)
        self.size_times: list[float] = []
        self.sizes: list[int] = []
        self.batch_sizes: list[int] = []
        self.waits: list[float] = []
        self.reduced_sizes: list[int] = []
        self.finishes: list[float] = []

    def source(self, gaps: list[float]):
        """Start a job after each gap."""
        for number, gap in enumerate(gaps):
            yield self.env.timeout(gap)
            self.env.process(self.job(number))

    def job(self, number: int):
        """Wait in the buffer for the flush, then be served."""
        env = self.env
        arrived = env.now
        self.buffer.append(number)
        self.size_times.append(arrived)
        self.sizes.append(len(self.buffer))
        flushed = self.flushed
        if self.work.name == "W2":
            self.see_to_the_flush()
        yield flushed
        self.waits.append(env.now - arrived)
        if self.work.served:
            with self.workers.request() as request:
                yield request
                yield env.timeout(self.services[number])
            self.finishes.append(env.now)

    def see_to_the_flush(self) -> None:
        """Flush at 400 jobs; set a timer for the first."""
        if len(self.buffer) >= SIZE:
            self.flush()
        elif len(self.buffer) == 1:
            self.env.process(self.timer(self.flushed))

    def timer(self, flushed: simpy.Event):
        """Flush 5 s later, if the jobs are still there."""
        yield self.env.timeout(AGE)
        if not flushed.triggered:
            self.flush()

    def flusher(self):
        """Flush every 5 s."""
        while True:
            yield self.env.timeout(PERIOD)
            if self.buffer:
                self.flush()

    def flush(self) -> None:
        """Empty the buffer, and let its jobs go on."""
        self.batch_sizes.append(len(self.buffer))
        if self.work.keyed:
            self.reduced_sizes.append(len({self.keys[job] for job in self.buffer}))
        self.buffer.clear()
        self.size_times.append(self.env.now)
        self.sizes.append(0)
        self.flushed.succeed()
        self.flushed = self.env.event()

    def outcome(self) -> Outcome:
        """Return what came out."""
        return Outcome(self.size_times, self.sizes, self.batch_sizes, self.waits, self.reduced_sizes, self.finishes)


def prepare(work: Work, numbers: Numbers) -> Run:
    gaps, keys, services = numbers.gaps.tolist(), numbers.keys.tolist(), numbers.services.tolist()

    def run():
        script = Script(work, keys, services)
        script.env.process(script.source(gaps))
        if work.name != "W2":
            script.env.process(script.flusher())
        script.env.run(until=numbers.until)
        return script.outcome

    return run
