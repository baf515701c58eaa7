"""Cimba: models that it compiles, their series as captured containers and data sets."""

from __future__ import annotations

import cimba
import numba
from cimba import inputs

from benchmarks.engines import Run
from benchmarks.outcome import Outcome
from benchmarks.works import AGE, KEYS, PERIOD, RATE, SERVICE, SIZE, WORKERS, Numbers, Work

ROOM = 4_096


class Buffer(cimba.Model):
    """A buffer: its size as a captured level, and the arrival times of its jobs, the oldest first."""

    gap: cimba.Input[float]
    level: cimba.Container
    arrived: cimba.Array[float] = cimba.Array(ROOM)
    batch_sizes: cimba.Dataset
    waits: cimba.Dataset
    size: int = 0


@numba.njit
def add(buffer) -> None:
    buffer.arrived[buffer.size] = cimba.now()
    buffer.size += 1
    buffer.level.put(1)


@numba.njit
def take(buffer) -> None:
    now = cimba.now()
    buffer.batch_sizes.record(float(buffer.size))
    for job in range(buffer.size):
        buffer.waits.record(now - buffer.arrived[job])
    buffer.level.get(buffer.size)
    buffer.size = 0


class Every(Buffer):
    """W1: flushed every 5 s."""

    @cimba.process
    def producer(self):
        """Add jobs."""
        while self.gap.remaining() != 0:
            cimba.hold(self.gap.next())
            add(self)

    @cimba.process
    def flusher(self):
        """Flush."""
        while True:
            cimba.hold(PERIOD)
            if self.size > 0:
                take(self)


class BySizeAndAge(Buffer):
    """W2: flushed at 400 jobs, or when the first is 5 s old; events are called beyond the end too."""

    until: cimba.Param[float]

    @cimba.process
    def producer(self):
        """Add jobs; flush at 400; set a timer for the first."""
        while self.gap.remaining() != 0:
            cimba.hold(self.gap.next())
            add(self)
            if self.size >= SIZE:
                take(self)
            elif self.size == 1:
                cimba.schedule(self.due, AGE)

    @cimba.event
    def due(self):
        """Flush if the first job is still there."""
        if self.size > 0 and self.arrived[0] + AGE == cimba.now() and cimba.now() < self.until:
            take(self)


class Keyed(Buffer):
    """W3: flushed every 5 s; of each batch, the first job of each key is kept."""

    key: cimba.Input[int]
    keys: cimba.Array[int] = cimba.Array(ROOM)
    seen: cimba.Array[int] = cimba.Array(KEYS)
    reduced_sizes: cimba.Dataset
    flushes: int = 0

    @cimba.process
    def producer(self):
        """Add jobs with keys."""
        while self.gap.remaining() != 0:
            cimba.hold(self.gap.next())
            self.keys[self.size] = self.key.next()
            add(self)

    @cimba.process
    def flusher(self):
        """Flush, and count the keys."""
        while True:
            cimba.hold(PERIOD)
            if self.size > 0:
                self.flushes += 1
                reduced = 0
                for job in range(self.size):
                    if self.seen[self.keys[job]] != self.flushes:
                        self.seen[self.keys[job]] = self.flushes
                        reduced += 1
                self.reduced_sizes.record(float(reduced))
                take(self)


class Served(Buffer):
    """W4: flushed every 5 s into a queue, which 4 workers serve."""

    service: cimba.Input[float]
    queue: cimba.Store[int]
    finishes: cimba.Dataset
    jobs: int = 0

    @cimba.process
    def producer(self):
        """Add jobs."""
        while self.gap.remaining() != 0:
            cimba.hold(self.gap.next())
            add(self)

    @cimba.process
    def flusher(self):
        """Flush, and put the batch in the queue."""
        while True:
            cimba.hold(PERIOD)
            size = self.size
            if size > 0:
                take(self)
                for _ in range(size):
                    self.queue.put(self.jobs)
                    self.jobs += 1

    @cimba.process(copies=WORKERS)
    def worker(self):
        """Serve jobs."""
        while True:
            self.queue.get()
            cimba.hold(self.service.next())
            self.finishes.record(cimba.now())


MODELS = {"W1": Every, "W2": BySizeAndAge, "W3": Keyed, "W4": Served}
DATASETS = ("batch_sizes", "waits", "reduced_sizes", "finishes")
ENTITIES = {"level": cimba.Container, **dict.fromkeys(DATASETS, cimba.Dataset)}


def prepare(work: Work, numbers: Numbers) -> Run:
    sources = {"gap": inputs.trace(numbers.gaps)}
    if work.keyed:
        sources["key"] = inputs.trace(numbers.keys)
    if work.served:
        sources["service"] = inputs.trace(numbers.services)
    return _run(work, numbers.until, sources)


def prepare_own(work: Work, n: int) -> Run:
    sources = {"gap": inputs.dist.exponential(mean=1.0 / RATE)}
    if work.served:
        sources["service"] = inputs.dist.exponential(mean=SERVICE)
    return _run(work, n / RATE, sources)


def _run(work: Work, until: float, sources: dict[str, inputs.Source]) -> Run:
    def run():
        model = MODELS[work.name]()
        for name, source in sources.items():
            setattr(model, name, source)
        if work.served:
            model.queue = cimba.Store()
        if work.name == "W2":
            model.until = until
        captured = [name for name in ENTITIES if name in model.__annotations__ or name in Buffer.__annotations__]
        for name in captured:
            setattr(model, name, ENTITIES[name]())
            getattr(model, name).capture()
        results = cimba.Experiment(model, window=cimba.Window(duration=until), seed=1).run(workers=1)
        if results.failed.any():
            raise RuntimeError(str(results.failure_reasons))
        series = {name: getattr(results[model], name).trial(0, 0) for name in captured}
        return lambda: outcome(series)

    return run


def outcome(series: dict[str, tuple]) -> Outcome:
    """Return what came out; a captured level begins with a row at 0, and ends with one at the end."""
    times, sizes = series["level"]
    return Outcome(
        times[1:-1],
        sizes[1:-1],
        *(series[name][1] if name in series else () for name in DATASETS),
    )
