"""What decisions cost beside their runs: ``python -m benchmarks.decision_speed``.

A comparison of 20 policies over 30 replications, and a repetition of problem 1 of `benchmarks.decisions`, in CPU time.
Each is told as a multiple of what numpy takes to sort a million doubles, measured in the same process in turns with it,
so that the figures of two machines, or of a busy one, can be compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from benchmarks import tables
from benchmarks.decisions.repetitions import repeat
from bufsim import Exponential, FlushAtSize, JobBuffer, Poisson, Producer, PushWorkers, Simulation
from bufsim.studies.scenarios import policy_grid
from bufsim.studies.study import Study
from bufsim.studies.study_result import StudyResult

REPLICATIONS = 30
ROUNDS = 9
SIZES, AGES = (20, 50, 100, 200, 400), (1.0, 5.0, 10.0, 30.0)


def studied() -> StudyResult:
    """Return 20 policies, run 30 times for ten minutes at 20 jobs/s."""
    simulation = Simulation(
        producers=[Producer("edits", Poisson(20.0))],
        buffers=[JobBuffer("search", policy=FlushAtSize(100))],
        workers=[PushWorkers(4, service=Exponential("150ms"))],
        until="10min",
    )
    policies = policy_grid(size=list(SIZES), age=list(AGES))
    return Study(simulation, policy=policies, seed=1).run(REPLICATIONS, progress=False)


def works(result: StudyResult) -> dict[str, Callable[[], object]]:
    """Return what is measured, by name; the first is what the others are told in."""
    doubles = np.random.default_rng(1).random(10**6)
    compared = result.compare()
    return {
        "numpy sorts a million doubles": lambda: np.sort(doubles),
        "compare one mean": lambda: result.compare("mean_wait"),
        "compare the usual metrics": result.compare,
        f"the table of these {len(compared.rows)} comparisons": compared.table,
        "a repetition of problem 1": lambda: repeat(1, 1000),
    }


def measure(result: StudyResult, rounds: int = ROUNDS) -> dict[str, float]:
    """Return the least CPU time of each work, s, over so many turns."""
    listed = works(result)
    taken: dict[str, list[float]] = {name: [] for name in listed}
    for _ in range(rounds):
        for name, work in listed.items():
            start = time.process_time()
            work()
            taken[name].append(time.process_time() - start)
    return {name: min(times) for name, times in taken.items()}


def table(times: dict[str, float]) -> str:
    """Return the times as a table."""
    unit = next(iter(times.values()))
    rows = [[name, f"{1e3 * spent:.1f}", f"{spent / unit:.2f}"] for name, spent in times.items()]
    return tables.table(["20 policies, 30 replications", "CPU time, ms", "times a sort"], rows)


if __name__ == "__main__":
    print(table(measure(studied())))
