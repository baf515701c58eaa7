"""Studies that are small enough to work out by hand, and small noisy ones.

`exact` has a job every second, at 1, 2, ..., 40 s, to 41 s: under FlushAtSize(n) the jobs of a batch wait n − 1, ..., 1
and 0 s, and 40 jobs make 40/n flushes in 41 s. Every replication is the same, so that every interval has no width.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import pandas as pd

from bufsim import (
    Deterministic,
    Exponential,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    FlushPolicy,
    JobBuffer,
    Poisson,
    Producer,
    PushWorkers,
    Simulation,
    UniqueByKey,
    Zipf,
)
from bufsim.studies.scenarios import policy_grid
from bufsim.studies.study import Study
from bufsim.studies.study_result import StudyResult

SIZES = (FlushAtSize(2), FlushAtSize(4), FlushAtSize(8))
NOISY = (FlushAtSize(20), FlushAfterAge(2.0), FlushAtSize(20) | FlushAfterAge(2.0), FlushEvery(2.0))


def at(policy: FlushPolicy, scale: float) -> str:
    """Return the name of a policy's scenario at a load."""
    return f"{policy!r} · arrivals \N{MULTIPLICATION SIGN}{scale:g}"


def declare(arrivals: Any, *, until: float = 41.0, workers: Any = (), keys: Any = None, **buffer: Any) -> Simulation:
    """Return a simulation with one producer, one buffer, and workers if they are given."""
    buffer.setdefault("policy", SIZES[1])
    producer = Producer("edits", arrivals, keys=keys)
    return Simulation(producers=[producer], buffers=[JobBuffer("search", **buffer)], workers=list(workers), until=until)


def run(
    simulation: Simulation, *, replications: int = 3, baseline: FlushPolicy | None = None, **over: Any
) -> StudyResult:
    """Return the result of a grid on the SimPy engine, which needs no compilation."""
    study = Study(simulation, seed=7, baseline=baseline, **over)
    return study.run(replications=replications, engine="simpy", progress=False, executor=1)


@functools.cache
def exact() -> StudyResult:
    """Return the study above: sizes 2, 4 (today) and 8."""
    return run(declare(Deterministic(1.0)), policy=list(SIZES), baseline=SIZES[1])


@functools.cache
def ramp() -> StudyResult:
    """Return sizes 2 and 4 (today) at 1, 2 and 4 times the arrivals, with a worker that does 3 jobs a second."""
    workers = [PushWorkers(1, service=1.0 / 3.0)]
    simulation = declare(Deterministic(1.0), workers=workers)
    return run(simulation, policy=list(SIZES[:2]), arrivals_scale=[1.0, 2.0, 4.0], baseline=SIZES[1])


@functools.cache
def noisy() -> StudyResult:
    """Return four policies under Poisson arrivals, 10 a second, with workers and repeated keys."""
    workers = [PushWorkers(2, service=Exponential(0.02))]
    simulation = declare(Poisson(10.0), until=60.0, workers=workers, keys=Zipf(50, 1.0), reduce=UniqueByKey())
    return run(simulation, policy=list(NOISY), replications=8, baseline=NOISY[0])


@functools.cache
def crowd() -> StudyResult:
    """Return twenty policies of a size or an age."""
    policies = policy_grid(size=[5, 10, 20, 40, 80], age=[0.5, 1.0, 2.0, 4.0])
    return run(declare(Poisson(10.0), until=30.0), policy=policies, baseline=policies[6])


@functools.cache
def alone() -> StudyResult:
    """Return a study of one scenario."""
    simulation = declare(Poisson(10.0), until=60.0)
    return Study({"today": simulation}, seed=7).run(replications=4, engine="simpy", progress=False, executor=1)


def broken() -> StudyResult:
    """Return the first study as if its last scenario had failed, and the rest had been interrupted."""
    result = exact()
    failures = pd.DataFrame([("FlushAtSize(8)", 0, "no idea when")], columns=["scenario", "replication", "error"])
    return replace(result, failures=failures, complete=False)


def nothing() -> StudyResult:
    """Return the first study as if nothing had been finished."""
    return replace(exact(), tallies={name: {} for name in exact().tallies})
