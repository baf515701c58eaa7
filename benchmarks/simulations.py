"""The works as simulations of bufsim, and the numbers that it draws for them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from benchmarks.works import (
    AGE,
    EXPONENT,
    KEYS,
    PERIOD,
    RATE,
    SERVICE,
    SIZE,
    WORKERS,
    WORKS,
    Floats,
    Numbers,
    Work,
)
from bufsim import (
    Exponential,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    JobBuffer,
    KeepAll,
    Poisson,
    Producer,
    PushWorkers,
    Simulation,
    UniqueByKey,
    Zipf,
)
from bufsim.engines.workload import Workload

SEED = 1
BUFFER = "search"


def simulation(work: Work, n: int) -> Simulation:
    """Return a work as a simulation of about `n` jobs."""
    policy = FlushAtSize(SIZE) | FlushAfterAge(AGE) if work.name == "W2" else FlushEvery(PERIOD)
    return Simulation(
        producers=[Producer("edits", Poisson(RATE), keys=Zipf(KEYS, EXPONENT) if work.keyed else None)],
        buffers=[JobBuffer(BUFFER, policy=policy, reduce=UniqueByKey() if work.keyed else KeepAll())],
        workers=[PushWorkers(WORKERS, service=Exponential(SERVICE))] if work.served else [],
        until=n / RATE,
    )


def numbers(work: Work, n: int) -> Numbers:
    """Return the numbers that bufsim draws for that simulation."""
    declared = simulation(work, n)
    workload = Workload(declared.producers, seed=SEED, until=declared.until)
    jobs = workload.jobs()
    services = np.empty(0)
    if work.served:
        draws = workload.draws(workload.queues[0], "service", 1, Exponential(SERVICE))
        services = draws.at_least(len(jobs))[: len(jobs)]
    keys = np.ascontiguousarray(jobs.key) if work.keyed else np.empty(0, np.int32)
    return Numbers(declared.until, gaps(jobs.time), keys, services)


def gaps(times: Floats) -> Floats:
    """Return gaps whose running sum, added in order, is exactly `times`.

    Once a time is at most twice the last, their difference is exact (Sterbenz, 1974). Only the first arrivals of an
    unlucky seed have no such gaps.
    """
    between = np.diff(times, prepend=0.0)
    if not np.array_equal(np.cumsum(between), times):
        raise ArithmeticError("no gaps add up to exactly these arrivals: take another seed")
    return between


if __name__ == "__main__":
    numbers(WORKS[sys.argv[1]], int(sys.argv[2])).save(Path(sys.argv[3]))
