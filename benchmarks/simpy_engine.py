"""The SimPy engine beside a plain SimPy script: Poisson 100/s, FlushEvery(5), all tables and real jobs."""

from __future__ import annotations

from benchmarks import tables, targets
from benchmarks.engines import PLAIN, SIMPY
from benchmarks.measuring import measure

SIZES = (10**4, 10**5, 10**6)


def report(rounds: int = 9) -> str:
    """Measure, and return the tables."""
    results = measure([PLAIN, SIMPY], ["W1"], SIZES, rounds=rounds, budget=float("inf"), say=lambda _: None)
    return "\n\n".join([tables.of_work(results, "W1"), tables.of_targets(targets.of_simpy_engine(results))])


if __name__ == "__main__":
    print(report())
