"""Where the time of a compiled run goes, with all tables made: ``python -m benchmarks.parts``.

Each part is timed in a whole run of its own kind, one after the other; the median of the rounds counts, CPU time.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

from benchmarks import readme, tables
from benchmarks.simulations import SEED, simulation
from benchmarks.works import WORKS, Work
from bufsim import Simulation
from bufsim.engines import compilation, compiled_engine
from bufsim.engines.workload import Workload
from bufsim.model.workers import service_source
from bufsim.results.result import Result

JOBS = 10**6
ROUNDS = 9
DRAWS, KERNEL, CHECKS, ALL = "draws", "kernel and its columns", "result and its checks", "all"
TABLES = ("jobs", "flushes", "buffer_size", "work")

T = TypeVar("T")


class Clock:
    """The CPU times of parts, s, by their names."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = defaultdict(list)

    def time(self, part: str, function: Callable[[], T]) -> T:
        """Call a function, note how long it took, and return what it gave."""
        begin = time.process_time()
        value = function()
        self.times[part].append(time.process_time() - begin)
        return value


def measure(work: Work, jobs: int, rounds: int) -> dict[str, float]:
    """Return the median CPU time of each part, s."""
    declared, clock = simulation(work, jobs), Clock()
    simulation(work, 1_000).run(SEED, engine="compiled")  # compiles, if that was not done before
    for _ in range(rounds):
        _one_round(declared, clock)
    medians = {part: statistics.median(times) for part, times in clock.times.items()}
    # the run draws for itself
    medians[KERNEL] -= medians[DRAWS]
    return {ALL: sum(medians.values()), **medians}


def _one_round(declared: Simulation, clock: Clock) -> None:
    gc.collect()
    clock.time(DRAWS, lambda: _draw(declared))
    gc.collect()
    workload = Workload(declared.producers, seed=SEED, until=declared.until)
    record = clock.time(KERNEL, lambda: compiled_engine.run(declared, workload))
    result = clock.time(CHECKS, lambda: Result.of(declared, workload, "compiled", record))
    for name in TABLES:
        clock.time(f"table {name}", lambda name=name: getattr(result, name))  # type: ignore[misc]  # bound at once


def _draw(declared: Simulation) -> object:
    """Draw all that the run draws."""
    workload = Workload(declared.producers, seed=SEED, until=declared.until)
    workload.add_up = compilation.running_sum()
    jobs = workload.jobs()
    pools = [(queue, declared.workers_of(queue)) for queue in workload.queues]
    return jobs, [
        workload.draws(queue, "service", 1, service_source(pool)).at_least(len(jobs)) for queue, pool in pools if pool
    ]


def table(measured: dict[str, dict[str, float]]) -> str:
    """Return the parts as a table: milliseconds, by work."""
    parts = [part for part in next(iter(measured.values())) if part != ALL] + [ALL]
    rows = [[part, *(f"{1e3 * times[part]:.2f}" for times in measured.values())] for part in parts]
    return tables.table(["CPU time, ms", *measured], rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parts", description=__doc__)
    parser.add_argument("--jobs", type=lambda text: int(float(text)), default=JOBS, metavar="N")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--write", action="store_true", help="write the table into benchmarks/README.md")
    options = parser.parse_args()
    measured = {name: measure(work, options.jobs, options.rounds) for name, work in WORKS.items()}
    text = f"{tables.machine()}. {options.jobs:,} jobs.\n\n{table(measured)}"
    print(text)
    if options.write:
        readme.put("parts", text)


if __name__ == "__main__":
    main()
