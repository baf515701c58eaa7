"""Many small runs: what a study is made of."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable

from benchmarks import tables
from benchmarks.simulations import simulation
from benchmarks.targets import Target
from benchmarks.works import WORKS
from bufsim import Result, Simulation

RUNS = 200
JOBS = 2_000


def all_tables(declared: Simulation, seed: int) -> Result:
    result = declared.run(seed=seed, engine="compiled")
    assert all(table is not None for table in (result.jobs, result.flushes, result.buffer_size, result.work))
    return result


def no_table(declared: Simulation, seed: int) -> Result:
    return declared.run(seed=seed, engine="compiled")


def summary(declared: Simulation, seed: int) -> Result:
    return declared.run(seed=seed, engine="compiled", record="summary")


KINDS: dict[str, Callable[[Simulation, int], Result]] = {
    "run, and all four tables": all_tables,
    "run, and no table": no_table,
    'run with record="summary"': summary,
}


def measure(work: str, kind: Callable[[Simulation, int], Result], rounds: int = 5) -> float:
    """Return the median CPU time of so many runs, s; compiled beforehand."""
    declared = simulation(WORKS[work], JOBS)
    kind(declared, 0)
    taken = []
    for _ in range(rounds):
        gc.collect()
        start = time.process_time()
        for seed in range(RUNS):
            kind(declared, seed)
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def report() -> str:
    """Measure, and return the tables."""
    times = {(work, name): measure(work, kind) for work in WORKS for name, kind in KINDS.items()}
    rows = [[name, *(f"{times[work, name]:.3f}" for work in WORKS)] for name in KINDS]
    found = [
        Target(f"{work}: {RUNS} runs of {JOBS:,} jobs, {name}", times[work, name], at_most=0.5, unit="s")
        for work in WORKS
        for name in KINDS
    ]
    head = [f"{RUNS} runs of {JOBS:,} jobs: CPU time, s", *WORKS]
    return "\n\n".join([tables.table(head, rows), tables.of_targets(found)])


if __name__ == "__main__":
    print(report())
