"""The kernel uncompiled: it counts what it counts compiled, stops for what it lacks, and its tracebacks can be read."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable

import pytest
from bufsim_tests.compiled_models import simulations
from hypothesis import HealthCheck, given, settings

from bufsim import (
    Exponential,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    FlushTime,
    JobBuffer,
    Poisson,
    Producer,
    PushWorkers,
    Simulation,
    Trace,
)
from bufsim.engines import compiled_engine, streaming
from bufsim.engines.kernel import buffers, loop
from bufsim.engines.kernel.state import (
    DONE,
    MORE_FLUSH_DRAWS,
    MORE_JOBS,
    MORE_ROOM,
    MORE_SERVICE_DRAWS,
    State,
    with_attributes,
)
from bufsim.engines.workload import Workload
from bufsim.model import rules
from bufsim.results import streamed
from bufsim.studies.store import packed

SEED = 13


def workload(simulation: Simulation) -> Workload:
    return Workload(simulation.producers, seed=SEED, until=simulation.until)


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> Callable[[Simulation], bytes]:
    """Return what counts with the kernel as it is, in Python."""

    def counted_by(simulation: Simulation) -> bytes:
        with monkeypatch.context() as patch:
            patch.setattr(compiled_engine, "compiled", lambda: lambda state: loop.run(with_attributes(state)))
            return counted(simulation)

    return counted_by


def counted(simulation: Simulation) -> bytes:
    return packed(streamed.summary(simulation, workload(simulation)))


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(simulations())
def test_it_counts_the_same_uncompiled_to_the_last_bit(
    uncompiled: Callable[[Simulation], bytes], simulation: Simulation
) -> None:
    assert uncompiled(simulation) == counted(simulation)


def test_a_broken_count_is_seen(uncompiled: Callable[[Simulation], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    # negative control of the comparison above: the kernel that was patched is the one that ran
    simulation = Simulation(
        producers=[Producer("p", Poisson(5.0))], buffers=[JobBuffer("b", policy=FlushAtSize(3))], until=20.0
    )
    assert uncompiled(simulation) == counted(simulation)
    monkeypatch.setattr(buffers.tallies, "count_flush", lambda *arguments: None)
    assert uncompiled(simulation) != counted(simulation)


def test_it_stops_for_each_thing_that_it_lacks_and_goes_on() -> None:
    simulation = Simulation(
        producers=[Producer("p", Poisson(90.0))],
        buffers=[JobBuffer("b", policy=FlushAfterAge(0.5), flush_time=FlushTime(Exponential(0.1)))],
        workers=[PushWorkers(1, service=Exponential(0.001), failure=0.9, retries=5, backoff=9.0)],
        until=30.0,
    )
    statuses: list[int] = []

    def watched(state: State) -> int:
        statuses.append(loop.run(state))
        return statuses[-1]

    compiled_engine.count(simulation, workload(simulation), kernel_run=watched)
    assert Counter(statuses).keys() == {DONE, MORE_FLUSH_DRAWS, MORE_SERVICE_DRAWS, MORE_ROOM}
    assert statuses.index(DONE) == len(statuses) - 1 > 10


def test_it_asks_for_more_jobs_only_when_all_it_has_are_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "JOBS_AT_ONCE", 1)  # a block at a time
    simulation = Simulation(
        producers=[Producer("p", Poisson(90.0))], buffers=[JobBuffer("b", policy=FlushAtSize(40))], until=200.0
    )
    seen: list[tuple[int, int, int]] = []

    def watched(state: State) -> int:
        status = loop.run(state)
        seen.append((status, int(state.run[0].job), int(state.run[0].jobs)))
        return status

    compiled_engine.count(simulation, workload(simulation), kernel_run=watched)
    assert [status for status, _, _ in seen] == [MORE_JOBS] * (len(seen) - 1) + [DONE]
    assert all(job == jobs for _, job, jobs in seen)
    assert len(seen) > 2
    assert seen[-1][1] == len(workload(simulation).jobs())


def test_its_tracebacks_name_the_functions_and_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(start: float, window: float, fixed: float, per_job: float, jobs: int) -> float:
        raise ArithmeticError(f"the flush of {jobs} jobs that starts at {start} has no end")

    monkeypatch.setattr(rules, "flush_end", broken)
    simulation = Simulation(
        producers=[Producer("p", Trace([0.5, 1.0]))],
        buffers=[JobBuffer("b", policy=FlushEvery(2.0), flush_time=1.0)],
        until=9.0,
    )
    with pytest.raises(ArithmeticError, match=r"^the flush of 2 jobs that starts at 2\.0 has no end$") as error:
        compiled_engine.run(simulation, workload(simulation), kernel_run=loop.run)
    frames = traceback.extract_tb(error.value.__traceback__)
    assert {"run", "due_or_service", "ring"} <= {frame.name for frame in frames}
    assert all(frame.line for frame in frames)


def test_it_needs_no_numba_uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise AssertionError("compiled")

    monkeypatch.setattr(compiled_engine, "compiled", none)
    simulation = Simulation(
        producers=[Producer("p", Trace([0.5, 1.0]))], buffers=[JobBuffer("b", policy=FlushEvery(2.0))], until=9.0
    )
    record = compiled_engine.run(simulation, workload(simulation), kernel_run=loop.run)
    assert record.flush_start.tolist() == [2.0]
    with pytest.raises(AssertionError, match="compiled"):
        compiled_engine.run(simulation, workload(simulation))
