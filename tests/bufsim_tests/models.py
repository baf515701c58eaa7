"""The small models of the tests: simulations, runs, studies and a plan, by what they are made of.

The worked example is FlushAtSize(3) | FlushAfterAge(5) on arrivals at 1, 2, 3, 4, 11.5 and 12 s, to 20 s; a flush takes
1 s, and one worker takes 2 s a job:

    flushes   3 to 4 {jobs 1 2 3} by size · 9 to 10 {4} by age · 16.5 to 17.5 {5, 6} by age
    sizes     1: 1 · 2: 2 · 3: 3, 0 · 4: 1 · 9: 0 · 11.5: 1 · 12: 2 · 16.5: 0
    waits     2 1 0 · 5 · 5 4.5
    services  4 to 6, 6 to 8, 8 to 10 · 10 to 12 · 17.5 to 19.5, 19.5 on

The exact study has a job every second, at 1, 2, ..., 40 s, to 41 s: under FlushAtSize(n) the jobs of a batch wait
n − 1, ..., 1 and 0 s, and 40 jobs make 40/n flushes in 41 s. Every replication is the same, so that every interval has
no width.
"""

from __future__ import annotations

import builtins
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from bufsim import (
    Deterministic,
    Exponential,
    FlushAfterAge,
    FlushAt,
    FlushAtSize,
    FlushEvery,
    FlushPolicy,
    JobBuffer,
    NeverFlush,
    Poisson,
    Producer,
    PushWorkers,
    Result,
    Simulation,
    Stops,
    Trace,
    UniqueByKey,
    Zipf,
)
from bufsim.studies.plan import Plan
from bufsim.studies.scenarios import policy_grid
from bufsim.studies.store import packed
from bufsim.studies.study import Study
from bufsim.studies.study_result import StudyResult

OF_BUFFERS = ("policy", "collect", "reduce", "flush_time", "drain", "capacity", "items")

# --- jobs at times written by hand ------------------------------------------------------------------------------------


def producer(times: Sequence[float], *, name: str = "p", **columns: Sequence[object]) -> Producer:
    """Return a producer of jobs at the given times; `keys`, `nbytes` and `queues` give one value a job."""
    return Producer(name, Trace(times, **columns))  # type: ignore[arg-type]


def timed(
    jobs: Sequence[float] | Producer | Sequence[Producer] = (1.0,),
    *buffers: FlushPolicy | JobBuffer,
    until: float = 20.0,
    **options: Any,
) -> Simulation:
    """Return a simulation of jobs (times, or producers) in buffers: a policy alone, or none, is a buffer "b"."""
    made = [jobs] if isinstance(jobs, Producer) else list(jobs)
    if not isinstance(made[0], Producer):
        # the recording is as long as the run, so that it is no reason to warn that jobs come in a part of it only
        made = [Producer("p", Trace(made, length=until if max(made) < until else None))]
    of_buffer = {name: options.pop(name) for name in OF_BUFFERS if name in options}
    if not buffers:
        buffers = (JobBuffer("b", **{"policy": FlushAtSize(2)} | of_buffer),)
    named = [JobBuffer("b", policy=one) if isinstance(one, FlushPolicy) else one for one in buffers]
    return Simulation(producers=made, buffers=named, until=until, **options)


def simulate(*args: Any, seed: int = 1, **options: Any) -> Result:
    """Run such a simulation."""
    return timed(*args, **options).run(seed=seed)


def retries_against_flushes() -> Simulation:
    """Work 0 comes back from its back-off at 10, when a flush hands work 1 over."""
    workers = PushWorkers(1, service=1.0, failure=1.0, retries=1, backoff=8.0)
    jobs = producer([1.0, 9.0], keys=[None, None], nbytes=[0, 0], queues=["x", "x"])
    return timed(jobs, FlushAt([1.0, 10.0]), until=100.0, workers=[workers])


# --- tables as plain lists --------------------------------------------------------------------------------------------


def rows(table: pd.DataFrame, *names: str) -> list[tuple[object, ...]]:
    """Return some columns of a table as a list of tuples, with None for what is missing."""
    plain = [[plain_value(value) for value in table[name].tolist()] for name in names]
    return list(zip(*plain, strict=True))


def plain_value(value: object) -> object:
    missing = value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
    return None if missing else value


def column(result: Result, table: str, name: str) -> list[object]:
    """Return one column as a list, with None for what is missing."""
    return [value for (value,) in rows(getattr(result, table), name)]


def columns(result: Result, table: str, *names: str) -> list[tuple[object, ...]]:
    """Return some columns as a list of tuples, with None for what is missing."""
    return rows(getattr(result, table), *names)


def batches(result: Result) -> list[tuple[object, list[object]]]:
    """Return each flush's start and the numbers of the jobs that it took."""
    starts = column(result, "flushes", "start")
    taken: list[list[object]] = [[] for _ in starts]
    for flush, job in columns(result, "jobs", "flush_id", "job_id"):
        if flush is not None:
            taken[flush].append(job)  # type: ignore[call-overload]
    return list(zip(starts, taken, strict=True))


# --- the worked example -----------------------------------------------------------------------------------------------

ARRIVALS = [1.0, 2.0, 3.0, 4.0, 11.5, 12.0]
POLICY = FlushAtSize(3) | FlushAfterAge(5.0)


def worked(times: Sequence[float] = ARRIVALS, **others: Any) -> Simulation:
    """Return the worked example, with other arrivals, other properties of its buffer, or other declarations."""
    buffer = {"policy": POLICY, "flush_time": 1.0} | {name: others.pop(name) for name in OF_BUFFERS if name in others}
    jobs = {name: others.pop(name) for name in ("keys", "nbytes") if name in others}
    declared = {"workers": [PushWorkers(1, service=2.0)]} | others
    return timed(producer(times, name="edits", **jobs), JobBuffer("search", **buffer), **declared)


def worked_run() -> Result:
    """Return the run of the worked example."""
    return worked().run(seed=1)


def stopped_run() -> Result:
    """Return that run with stops at 2.5 s (two jobs in the buffer) and 17 s (two in flight), down for 1 s."""
    return worked(stops=Stops(at=[2.5, 17.0], downtime=1.0)).run(seed=1)


def run_without_flushes() -> Result:
    return worked(policy=NeverFlush()).run(seed=1)


def run_without_jobs() -> Result:
    return worked([100.0]).run(seed=1)


def run_of_two_buffers() -> Result:
    """Return a run with a buffer and a queue for each of two producers."""
    producers = [Producer(name, Trace(ARRIVALS), queue=name) for name in ("index", "email")]
    buffers = [JobBuffer(f"{one.name} buffer", policy=POLICY, collect=one.name) for one in producers]
    return simulate(producers, *buffers, workers=[PushWorkers(2, service=1.0)])


# --- studies that draw ------------------------------------------------------------------------------------------------

POLICIES = (FlushAtSize(7), FlushAfterAge(2.0), FlushEvery(3.0) | FlushAtSize(20))


@dataclass(frozen=True, repr=False)
class OwnSize(FlushPolicy):
    """A policy of the user's own, which the compiled engine does not know."""

    size: int

    def due(self, view):
        return -math.inf if view.size >= self.size else math.inf

    def __repr__(self):
        return f"OwnSize({self.size})"


@dataclass(frozen=True, repr=False)
class Failing(FlushPolicy):
    """A policy that cannot be asked."""

    def due(self, view):
        raise RuntimeError("no idea when")

    def __repr__(self):
        return "Failing()"


class FailsAtTimes(FlushPolicy):
    """A policy that cannot be asked about a first job that comes in the first 0.07 s."""

    def due(self, view):
        if view.last_flush_start == -math.inf and view.oldest_at < 0.07:
            raise RuntimeError("too soon")
        return -math.inf

    def __repr__(self):
        return "FailsAtTimes()"


def drawn(policy: FlushPolicy = POLICIES[0], *, rate: float = 10.0, until: Any = 60.0, **options: Any) -> Simulation:
    """Return a simulation with one producer, one buffer and workers, which all draw."""
    options.setdefault("producers", [Producer("edits", Poisson(rate), nbytes=Exponential(100.0))])
    options.setdefault("workers", [PushWorkers(2, service=Exponential(0.05), failure=0.1, retries=1)])
    return Simulation(buffers=[JobBuffer("search", policy=policy)], until=until, **options)


def study_of(*policies: FlushPolicy, seed: int = 7, **options: Any) -> Study:
    """Return a study of that simulation with these policies, or with the usual ones."""
    return Study(drawn(**options), policy=list(policies or POLICIES), seed=seed)


def by_name(policies: Mapping[str, FlushPolicy], **options: Any) -> dict[str, Simulation]:
    """Return that simulation with each policy."""
    return {name: drawn(policy, **options) for name, policy in policies.items()}


def bits(result: StudyResult) -> dict[str, dict[int, bytes]]:
    """Return what came out of a study to the last bit, in order."""
    return {name: {number: packed(one) for number, one in found.items()} for name, found in result.tallies.items()}


def bits_of(result: Result) -> bytes:
    """Return what came out of one run to the last bit."""
    return packed(result.tally)


def without(name: str) -> Callable[..., Any]:
    """Return an import that does not find a library."""
    found = builtins.__import__

    def missing(module, *args, **kwargs):
        if module.partition(".")[0] == name:
            raise ImportError(name)
        return found(module, *args, **kwargs)

    return missing


# --- studies that are worked out by hand, and noisy ones --------------------------------------------------------------

SIZES = (FlushAtSize(2), FlushAtSize(4), FlushAtSize(8))
NOISY = (FlushAtSize(20), FlushAfterAge(2.0), FlushAtSize(20) | FlushAfterAge(2.0), FlushEvery(2.0))


def at_load(policy: FlushPolicy, scale: float) -> str:
    """Return the name of a policy's scenario at a load."""
    return f"{policy!r} · arrivals \N{MULTIPLICATION SIGN}{scale:g}"


def edits(arrivals: Any, *, until: float = 41.0, keys: Any = None, **options: Any) -> Simulation:
    """Return a simulation with one producer, one buffer, and workers if they are given."""
    buffer = {"policy": SIZES[1]} | {name: options.pop(name) for name in OF_BUFFERS if name in options}
    made = Producer("edits", arrivals, keys=keys)
    return Simulation(producers=[made], buffers=[JobBuffer("search", **buffer)], until=until, **options)


def served(policy: FlushPolicy, *, rate: float = 10.0, until: float = 100.0, **options: Any) -> Simulation:
    """Return a simulation of Poisson arrivals in a buffer, and workers if they are given."""
    made, buffer = Producer("jobs", Poisson(rate)), JobBuffer("buffer", policy=policy)
    return Simulation(producers=[made], buffers=[buffer], until=until, **options)


def studied(
    simulation: Simulation, *, replications: int = 3, baseline: FlushPolicy | None = None, **over: Any
) -> StudyResult:
    """Return the result of a grid on the SimPy engine, which needs no compilation."""
    study = Study(simulation, seed=7, baseline=baseline, **over)
    return study.run(replications=replications, engine="simpy", progress=False, executor=1)


@functools.cache
def exact_study() -> StudyResult:
    """Return the exact study: sizes 2, 4 (today) and 8."""
    return studied(edits(Deterministic(1.0)), policy=list(SIZES), baseline=SIZES[1])


@functools.cache
def ramp_study() -> StudyResult:
    """Return sizes 2 and 4 (today) at 1, 2 and 4 times the arrivals, with a worker that does 3 jobs a second."""
    simulation = edits(Deterministic(1.0), workers=[PushWorkers(1, service=1.0 / 3.0)])
    return studied(simulation, policy=list(SIZES[:2]), arrivals_scale=[1.0, 2.0, 4.0], baseline=SIZES[1])


@functools.cache
def noisy_study() -> StudyResult:
    """Return four policies under Poisson arrivals, 10 a second, with workers and repeated keys."""
    workers = [PushWorkers(2, service=Exponential(0.02))]
    simulation = edits(Poisson(10.0), until=60.0, workers=workers, keys=Zipf(50, 1.0), reduce=UniqueByKey())
    return studied(simulation, policy=list(NOISY), replications=8, baseline=NOISY[0])


@functools.cache
def study_of_twenty() -> StudyResult:
    """Return twenty policies of a size or an age."""
    policies = policy_grid(size=[5, 10, 20, 40, 80], age=[0.5, 1.0, 2.0, 4.0])
    return studied(edits(Poisson(10.0), until=30.0), policy=policies, baseline=policies[6])


@functools.cache
def study_of_one() -> StudyResult:
    """Return a study of one scenario."""
    study = Study({"today": edits(Poisson(10.0), until=60.0)}, seed=7)
    return study.run(replications=4, engine="simpy", progress=False, executor=1)


def interrupted_study() -> StudyResult:
    """Return the exact study as if its last scenario had failed, and the rest had been interrupted."""
    failures = pd.DataFrame([("FlushAtSize(8)", 0, "no idea when")], columns=["scenario", "replication", "error"])
    return replace(exact_study(), failures=failures, complete=False)


def study_without_runs() -> StudyResult:
    """Return the exact study as if nothing had been finished."""
    return replace(exact_study(), tallies={name: {} for name in exact_study().tallies})


# --- a plan -----------------------------------------------------------------------------------------------------------


def small_plan(**others: Any) -> Plan:
    """Return a plan of six policies at three loads, with a choice that keeps its limits."""
    simulation = Simulation(
        producers=[Producer("edits", Poisson(10.0), keys=Zipf(50, exponent=1.0))],
        buffers=[JobBuffer("search", policy=NOISY[2], reduce=UniqueByKey(), flush_time="10ms")],
        workers=[PushWorkers(1, service=Exponential(0.04))],
        until=120.0,
        warm_up=20.0,
    )
    given: dict[str, Any] = {
        "policies": policy_grid(size=[20, 40, 80], age=[2.0, 5.0]),
        "minimise": "40 * flush_rate_per_s + 0.5 * mean_buffer_size_jobs",
        "limits": ["p95_wait <= 4s", "peak_buffer_size <= 70"],
        "loads": [1, 2, 3],
        "load": 2,
        "replications": 6,
        "seed": 4,
        "assumptions": ["Keys stay <b>as they are</b> & so do their shares."],
        "title": "A plan of <small> & large",
    }
    return Plan(simulation, **given | others)
