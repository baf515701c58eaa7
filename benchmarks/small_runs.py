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


Kind = Callable[[Simulation, int], Result]
Times = dict[tuple[str, str], float]
KINDS: dict[str, Kind] = {
    "run, and all four tables": all_tables,
    "run, and no table": no_table,
    'run with record="summary"': summary,
}


def measure(rounds: int = 5) -> Times:
    """Return the median CPU time of so many runs, s, by kind and work; compiled beforehand."""
    return {(name, work): _median(kind, work, rounds) for name, kind in KINDS.items() for work in WORKS}


def _median(kind: Kind, work: str, rounds: int) -> float:
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


def table(times: Times) -> str:
    """Return the times as a table."""
    rows = [[name, *(f"{times[name, work]:.3f}" for work in WORKS)] for name in KINDS]
    return tables.table([f"{RUNS} runs of {JOBS:,} jobs: CPU time, s", *WORKS], rows)


def targets(times: Times) -> list[Target]:
    """Return the targets of these times: of the whole product."""
    name = next(iter(KINDS))
    return [
        Target(f"{work}: {RUNS} runs of {JOBS:,} jobs, all tables", times[name, work], at_most=0.5, unit="s")
        for work in WORKS
    ]


if __name__ == "__main__":
    measured = measure()
    print(table(measured), tables.of_targets(targets(measured)), sep="\n\n")
