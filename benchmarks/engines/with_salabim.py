"""salabim: components for the producer, the flusher and the workers."""

from __future__ import annotations

from collections import deque

import salabim

from benchmarks.engines import Run
from benchmarks.outcome import Outcome
from benchmarks.works import AGE, PERIOD, SIZE, WORKERS, Numbers, Work

# generators are quicker than greenlets
salabim.yieldless(False)


class Script:
    """The buffer, and the lists that are kept of it."""

    def __init__(self, work: Work, numbers: Numbers, keys: list[int], services: list[float]) -> None:
        self.env = salabim.Environment(trace=False, yieldless=False)
        self.work, self.until, self.keys, self.services = work, numbers.until, keys, services
        self.buffer: dict[int, float] = {}
        self.queue: deque[int] = deque()
        self.workers: list[Worker] = []
        self.size_times: list[float] = []
        self.sizes: list[int] = []
        self.batch_sizes: list[int] = []
        self.waits: list[float] = []
        self.reduced_sizes: list[int] = []
        self.finishes: list[float] = []

    def flush(self) -> None:
        """Empty the buffer."""
        now, buffer = self.env.now(), self.buffer
        self.batch_sizes.append(len(buffer))
        self.waits.extend([now - arrived for arrived in buffer.values()])
        if self.work.keyed:
            self.reduced_sizes.append(len({self.keys[job] for job in buffer}))
        if self.work.served:
            self.queue.extend(buffer)
            for worker in self.workers:
                if worker.ispassive():
                    worker.activate()
        buffer.clear()
        self.size_times.append(now)
        self.sizes.append(0)

    def outcome(self) -> Outcome:
        """Return what came out."""
        return Outcome(self.size_times, self.sizes, self.batch_sizes, self.waits, self.reduced_sizes, self.finishes)


class Part(salabim.Component):
    """A component of a script, without monitors of its own."""

    def setup(self, script: Script) -> None:
        """Remember the script."""
        self.script = script
        self.status.monitor(False)
        self.mode.monitor(False)


class Producer(Part):
    """Adds jobs to the buffer."""

    def process(self):
        """Add a job after each gap."""
        script, env = self.script, self.env
        buffer, size_times, sizes = script.buffer, script.size_times, script.sizes
        by_size = script.work.name == "W2"
        for job, gap in enumerate(script.gaps):
            yield self.hold(gap)
            now = env.now()
            buffer[job] = now
            size_times.append(now)
            sizes.append(len(buffer))
            if by_size:
                self.see_to_the_flush(job)

    def see_to_the_flush(self, job: int) -> None:
        """Flush at 400 jobs; set a timer for the first."""
        size = len(self.script.buffer)
        if size >= SIZE:
            self.script.flush()
        elif size == 1:
            Timer(script=self.script, first=job)


class Timer(Part):
    """Flushes when the first job is 5 s old, if it is still there."""

    def setup(self, script: Script, first: int) -> None:
        """Remember the job."""
        super().setup(script)
        self.first = first

    def process(self):
        """Wait, and look."""
        yield self.hold(AGE)
        if self.first in self.script.buffer:
            self.script.flush()


class Flusher(Part):
    """Flushes every 5 s."""

    def process(self):
        """Flush, but not at the end: salabim would let that happen."""
        while self.env.now() + PERIOD < self.script.until:
            yield self.hold(PERIOD)
            if self.script.buffer:
                self.script.flush()


class Worker(Part):
    """Serves jobs."""

    def process(self):
        """Take the next job, or wait for one."""
        script, queue, services = self.script, self.script.queue, self.script.services
        while True:
            while not queue:
                yield self.passivate()
            yield self.hold(services[queue.popleft()])
            script.finishes.append(self.env.now())


def prepare(work: Work, numbers: Numbers) -> Run:
    gaps, keys, services = numbers.gaps.tolist(), numbers.keys.tolist(), numbers.services.tolist()

    def run():
        script = Script(work, numbers, keys, services)
        script.gaps = gaps
        Producer(script=script)
        if work.name != "W2":
            Flusher(script=script)
        if work.served:
            script.workers = [Worker(script=script) for _ in range(WORKERS)]
        script.env.run(till=numbers.until)
        return script.outcome

    return run
