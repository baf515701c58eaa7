"""Small models with times written by hand, and their tables as plain lists."""

from __future__ import annotations

from collections.abc import Sequence

from bufsim import FlushAt, FlushPolicy, JobBuffer, Producer, PushWorkers, Result, Simulation, Trace
from bufsim_tests.generated import plain_value


def producer(times: Sequence[float], *, name: str = "p", **columns: Sequence[object]) -> Producer:
    """Return a producer of jobs at the given times; `keys`, `nbytes` and `queues` give one value a job."""
    return Producer(name, Trace(times, **columns))  # type: ignore[arg-type]


def simulate(
    jobs: Sequence[float] | Producer | Sequence[Producer],
    *buffers: FlushPolicy | JobBuffer,
    until: float = 100.0,
    seed: int = 1,
    **options: object,
) -> Result:
    """Run jobs (times, or producers) through buffers (a policy alone is a buffer "b")."""
    return declare(jobs, *buffers, until=until, **options).run(seed=seed)


def declare(
    jobs: Sequence[float] | Producer | Sequence[Producer],
    *buffers: FlushPolicy | JobBuffer,
    until: float = 100.0,
    **options: object,
) -> Simulation:
    """Return the simulation that `simulate` runs."""
    made = [jobs] if isinstance(jobs, Producer) else list(jobs)
    if not isinstance(made[0], Producer):
        made = [producer(made)]
    named = [JobBuffer("b", policy=b) if isinstance(b, FlushPolicy) else b for b in buffers]
    return Simulation(producers=made, buffers=named, until=until, **options)  # type: ignore[arg-type]


def column(result: Result, table: str, name: str) -> list[object]:
    """Return one column as a list, with None for what is missing."""
    return [plain_value(value) for value in getattr(result, table)[name].tolist()]


def columns(result: Result, table: str, *names: str) -> list[tuple[object, ...]]:
    """Return some columns as a list of tuples, with None for what is missing."""
    return list(zip(*(column(result, table, name) for name in names), strict=True))


def batches(result: Result) -> list[tuple[object, list[object]]]:
    """Return each flush's start and the numbers of the jobs that it took."""
    starts = column(result, "flushes", "start")
    taken: list[list[object]] = [[] for _ in starts]
    for flush, job in columns(result, "jobs", "flush_id", "job_id"):
        if flush is not None:
            taken[flush].append(job)  # type: ignore[call-overload]
    return list(zip(starts, taken, strict=True))


def retries_against_flushes() -> Simulation:
    """Work 0 comes back from its back-off at 10, when a flush hands work 1 over."""
    workers = PushWorkers(1, service=1.0, failure=1.0, retries=1, backoff=8.0)
    jobs = producer([1.0, 9.0], keys=[None, None], nbytes=[0, 0], queues=["x", "x"])
    return declare(jobs, FlushAt([1.0, 10.0]), workers=[workers])
