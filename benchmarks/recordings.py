"""W5: a recorded server, replicated in a study, beside a plain SimPy script of the same model.

    python -m benchmarks.recordings

The script is given the jobs and the service times, drawn beforehand and at no cost, and writes down what the others do:
the buffer sizes over time, batch sizes, waits, reduced sizes and finishes. They are those of bufsim. A study counts
them in bounded memory: its replications differ in how the copies are turned, and in their service times.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import simpy

from benchmarks import tables
from benchmarks.measuring import ROOT
from benchmarks.targets import Target
from bufsim import (
    CollectQueues,
    Exponential,
    FlushEvery,
    FlushTime,
    JobBuffer,
    Merge,
    PollingWorkers,
    Producer,
    SearchIndexReduce,
    Simulation,
)
from bufsim.engines.workload import Workload
from bufsim.studies.tasks import SharedDraws, Task, run
from bufsim.vendure_trace import read_adds

UNTIL, PERIOD, POLL, PER_ITEM = 320.0, 2.0, 0.2, 0.005
SERVICE = Exponential(0.02)
FLUSH_SECONDS = {"apply-collection-filters": 0.0032, "update-search-index": 0.0268}
REPLICATIONS = 32
SEED = 1


def simulation() -> Simulation:
    """Return the model: the recorded catalogue import twice at once, two buffers, and polling workers."""
    reducers = {"apply-collection-filters": Merge(), "update-search-index": SearchIndexReduce()}
    once = Simulation(
        producers=[Producer("catalogue", read_adds(ROOT / "data" / "vendure-catalogue"))],
        buffers=[
            JobBuffer(
                queue,
                policy=FlushEvery(PERIOD),
                collect=CollectQueues(queue),
                reduce=reducers[queue],
                flush_time=FlushTime(seconds),
            )
            for queue, seconds in FLUSH_SECONDS.items()
        ],
        workers=[PollingWorkers(poll_interval=POLL, service=SERVICE, per_item=PER_ITEM)],
        until=UNTIL,
    )
    return once.scaled(arrivals=2.0, keep="independent")


@dataclass
class Script:
    """The plain script, and its lists."""

    jobs: list[tuple[float, str, str]]
    services: dict[str, list[float]]
    env: simpy.Environment = field(default_factory=simpy.Environment)
    buffers: dict[str, list[tuple[float, str]]] = field(default_factory=lambda: {name: [] for name in FLUSH_SECONDS})
    queues: dict[str, deque[int]] = field(default_factory=lambda: {name: deque() for name in FLUSH_SECONDS})
    sizes: list[tuple[float, str, int]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    batches: list[tuple[float, int, int]] = field(default_factory=list)
    finishes: list[float] = field(default_factory=list)

    def run(self) -> Script:
        """Run to the end."""
        self.env.process(self.produce())
        for name in FLUSH_SECONDS:
            self.env.process(self.flush(name))
            self.env.process(self.work(name))
        self.env.run(UNTIL)
        return self

    def produce(self) -> Iterator[simpy.Event]:
        """Put each job into its buffer at its time."""
        env, buffers, sizes = self.env, self.buffers, self.sizes
        for at, queue, key in self.jobs:
            if at > env.now:
                yield env.timeout(at - env.now)
            held = buffers[queue]
            held.append((env.now, key))
            sizes.append((env.now, queue, len(held)))

    def flush(self, name: str) -> Iterator[simpy.Event]:
        """Flush a buffer at every tick, and hand over what is left of it when that has taken its time."""
        env, number = self.env, 0
        reduce = search_index if name == "update-search-index" else merge
        while True:
            number += 1
            yield env.timeout(number * PERIOD - env.now)
            # behind the jobs of this instant
            yield env.timeout(0.0)
            batch = self.buffers[name]
            if batch:
                started = env.now
                self.buffers[name] = []
                self.sizes.append((started, name, 0))
                self.waits += [started - created for created, _ in batch]
                yield env.timeout(FLUSH_SECONDS[name])
                items = reduce([key for _, key in batch])
                self.queues[name].extend(items)
                self.batches.append((started, len(batch), len(items)))

    def work(self, name: str) -> Iterator[simpy.Event]:
        """Look for a job at every poll, and serve it."""
        env, queue, services, poll = self.env, self.queues[name], iter(self.services[name]), 0
        while True:
            while poll * POLL < env.now or (poll * POLL == env.now and not queue):
                poll += 1
            if poll * POLL > env.now:
                yield env.timeout(poll * POLL - env.now)
            if queue:
                yield env.timeout(next(services) + PER_ITEM * queue.popleft())
                self.finishes.append(env.now)


def merge(keys: list[str]) -> list[int]:
    """Return the items of the one job that carries all."""
    return [len(keys)]


def search_index(keys: list[str]) -> list[int]:
    """Return the items of the jobs that are left: others, all variants in one, and each product once."""
    variants, products, others = set(), {}, []
    any_variants = False
    for key in keys:
        kind, _, ids = key.partition(":")
        if kind == "variants":
            any_variants = True
            variants.update(ids.split(",") if ids else ())
        elif kind == "product":
            products[ids] = 1
        else:
            others.append(1)
    return [*others, *([len(variants)] if any_variants else []), *products.values()]


def script_of(declared: Simulation) -> Callable[[], Script]:
    """Return what runs the plain script on bufsim's numbers, which are drawn beforehand."""
    workload = Workload(declared.producers, seed=SEED, until=UNTIL)
    columns = workload.jobs()
    queues = [workload.queues[code] for code in columns.queue.tolist()]
    keys = [str(workload.key_values[code]) for code in columns.key.tolist()]
    jobs = list(zip(columns.time.tolist(), queues, keys, strict=True))
    services = {
        name: workload.draws(name, "service", 1, SERVICE).at_least(len(jobs)).tolist() for name in FLUSH_SECONDS
    }
    return lambda: Script(jobs, services).run()


def differences(declared: Simulation, script: Script) -> list[str]:
    """Return what of the script's is not bufsim's; times may differ in their last digits."""
    result = declared.run(seed=SEED, engine="compiled")
    flushes, work = result.flushes, result.work
    ended = flushes[flushes["end"].notna()]
    ours = sorted(zip(ended["start"], ended["batch_size"], ended["reduced_size"].astype(int), strict=True))
    waits = (result.jobs["flushed_at"] - result.jobs["created_at"]).dropna()
    pairs = {
        "batches": (script.batches, ours),
        "waits": (script.waits, waits),
        "finishes": (script.finishes, work["finished_at"].dropna()),
    }
    return [name for name, (theirs, own) in pairs.items() if not _same(theirs, own)]


def _same(theirs: object, own: object) -> bool:
    first, second = (np.sort(np.asarray(list(column), np.float64), axis=0) for column in (theirs, own))  # type: ignore[call-overload]
    return first.shape == second.shape and bool(np.allclose(first, second, rtol=0.0, atol=1e-6))


def study_of(declared: Simulation) -> Callable[[], None]:
    """Return what runs the replications of a study in this process."""
    tasks = [Task("recorded", declared, SEED, number, "compiled") for number in range(REPLICATIONS)]

    def study() -> None:
        for outcome in run(tasks, SharedDraws()):
            assert outcome.error is None, outcome.error

    return study


def measure(rounds: int = 7) -> tuple[int, float, float]:
    """Return the jobs, and the median CPU time of the script and of a replication in a study, s, in pairs."""
    declared = simulation()
    script, study = script_of(declared), study_of(declared)
    wrong = differences(declared, script())
    if wrong:
        raise SystemExit(f"the script's {', '.join(wrong)} are not bufsim's")
    study()
    taken: dict[Callable[[], object], list[float]] = {script: [], study: []}
    for _ in range(rounds):
        for what, seconds in taken.items():
            gc.collect()
            start = time.process_time()
            what()
            seconds.append(time.process_time() - start)
    jobs = int(declared.producers[0].arrivals.expected(UNTIL))
    return jobs, statistics.median(taken[script]), statistics.median(taken[study]) / REPLICATIONS


def main() -> None:
    """Measure and print."""
    jobs, script, replication = measure()
    rows = [
        [name, f"{1e3 * seconds:.2f}", f"{1e9 * seconds / jobs:.0f}"]
        for name, seconds in (("plain SimPy script", script), ("a replication in a study", replication))
    ]
    print(tables.table([f"{jobs:,} recorded jobs", "CPU time, ms", "ns a job"], rows))
    print()
    targets = [
        Target("plain SimPy script / a replication in a study", script / replication, at_least=60.0),
        Target("a replication in a study", 1e9 * replication / jobs, at_most=150.0, unit="ns a job"),
    ]
    print(tables.of_targets(targets))


if __name__ == "__main__":
    main()
