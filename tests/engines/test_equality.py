"""The two engines give the same tables, to the last bit, on models full of ties."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bufsim_tests.both_engines import assert_same_tables, engine_differences
from bufsim_tests.compiled_models import classes, simulations
from bufsim_tests.models import retries_against_flushes
from hypothesis import HealthCheck, Phase, given, settings

import bufsim
from bufsim import Result, Simulation
from bufsim.engines import compiled_engine, simpy_buffers
from bufsim.engines.kernel import buffers, loop, policy, queues, reduce
from bufsim.engines.workload import Workload
from bufsim.model.arrivals import Arrivals
from bufsim.model.buffers import Drain
from bufsim.model.distributions import Distribution
from bufsim.model.flush_policy import AllOf, AnyOf, CheckedEvery, FlushPolicy
from bufsim.model.producers import Keys
from bufsim.model.reducers import Reduce
from bufsim.model.time_varying import Rate
from bufsim.model.traces import ScaledTrace
from bufsim.verification.models import models

SEED = 11
MODELS = 150
# how many models `pytest -m fuzz` compares, in parts for its processes
FUZZ_SEED, PARTS, OF_A_PART = 2026, 100, 1_000
quick = settings(max_examples=60, phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck))


def uncompiled(simulation: Simulation) -> Result:
    workload = Workload(simulation.producers, seed=SEED, until=simulation.until)
    record = compiled_engine.run(simulation, workload, kernel_run=loop.run)
    return Result.of(simulation, workload, "compiled", record)


def built_in() -> Iterator[type]:
    """Yield the public classes that a model is made of, and those that operators make."""
    families = (FlushPolicy, Drain, Arrivals, Reduce, Keys, Distribution, Rate)
    for name in bufsim.__all__:
        value = getattr(bufsim, name)
        if not isinstance(value, type) or value in families:
            continue
        if issubclass(value, families) or name.startswith("Collect") or name.endswith("Workers"):
            yield value
    yield from (AnyOf, AllOf, CheckedEvery, ScaledTrace, bufsim.Capacity, bufsim.GivenTimes, bufsim.Backoff)


def assert_equal_engines(simulation: Simulation) -> None:
    expected = simulation.run(SEED)
    assert_same_tables(expected, simulation.run(SEED, engine="compiled"))
    assert_same_tables(expected, uncompiled(simulation))


@quick
@given(simulations())
def test_engines_give_the_same_tables(simulation: Simulation) -> None:
    assert_equal_engines(simulation)


@pytest.mark.slow
@settings(quick, max_examples=200)
@given(simulations())
def test_engines_give_the_same_tables_on_many_models(simulation: Simulation) -> None:
    assert_equal_engines(simulation)


def test_engines_give_the_same_tables_on_models_of_every_built_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    # a ring that comes too early is followed by one in time: the compiled engine does not count them
    monkeypatch.setattr(simpy_buffers, "MOST_RINGS", 2)
    seen: set[type] = set()
    for simulation in models(SEED, MODELS):
        assert_same_tables(simulation.run(SEED), simulation.run(SEED, engine="compiled"))
        seen.update(classes(simulation))
    assert set(built_in()) - seen == set()


@pytest.mark.fuzz
@pytest.mark.parametrize("part", range(PARTS))
def test_engines_agree_at_every_record_level_on_a_great_many_models(part: int, capsys: pytest.CaptureFixture) -> None:
    first, last = part * OF_A_PART, (part + 1) * OF_A_PART
    for number, simulation in enumerate(models(FUZZ_SEED, OF_A_PART, first), first):
        again = f"the model is next(models({FUZZ_SEED}, 1, {number})), its seed {FUZZ_SEED}"
        try:
            different = list(engine_differences(simulation, FUZZ_SEED))
        except Exception as error:
            error.add_note(again)
            raise
        assert not different, f"{again}: {different[:3]}"
    with capsys.disabled():
        print(f"\npart {part + 1} of {PARTS}: no difference in models {first:,} to {last - 1:,}", flush=True)


# --- negative controls: a broken tie rule is caught -------------------------------------------------------------------


def services_end_before_flushes_are_due(state: Any, now: float) -> int:
    if state.run[0].ends > 0 and state.heap[0].time == now:
        queues.end(state, now)
        return 0
    return DUE_OR_SERVICE(state, now)


def flushes_of_later_buffers_are_due_first(state: Any, now: float) -> int:
    for buffer in reversed(range(len(state.buffers))):
        if state.buffers[buffer].ring_at == now:
            buffers.ring(state, state.buffers[buffer], now)
            return 0
    return DUE_OR_SERVICE(state, now)


def flushes_of_later_buffers_end_first(state: Any, now: float) -> int:
    for buffer in reversed(range(len(state.buffers))):
        if state.buffers[buffer].end_at == now:
            return reduce.end_flush(state, state.buffers[buffer], now)
    return STOP_OR_FLUSH_END(state, now)


def flushes_are_due_before_arrivals(state: Any, before: float, up_to: float) -> int:
    if state.jobs.time[state.run[0].job - state.run[0].job_first] == up_to:
        return loop.due_or_service(state, up_to)
    return ARRIVE(state, before, up_to)


def differs_uncompiled(simulation: Simulation) -> bool:
    try:
        assert_same_tables(simulation.run(SEED), uncompiled(simulation))
    except AssertionError:
        return True
    return False


DUE_OR_SERVICE, STOP_OR_FLUSH_END, ARRIVE = loop.due_or_service, loop.stop_or_flush_end, loop.arrive
BROKEN: dict[str, list[Callable[..., int]]] = {
    "due_or_service": [services_end_before_flushes_are_due, flushes_of_later_buffers_are_due_first],
    "stop_or_flush_end": [flushes_of_later_buffers_end_first],
    "arrive": [flushes_are_due_before_arrivals],
}


@pytest.mark.parametrize(
    ("name", "broken"),
    [pytest.param(name, one, id=one.__name__) for name, several in BROKEN.items() for one in several],
)
def test_a_broken_tie_rule_is_caught(name: str, broken: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, name, broken)

    # one of the rules hangs on a tie that is rare among random models
    assert differs_uncompiled(retries_against_flushes()) or any(map(differs_uncompiled, models(SEED, MODELS)))


# --- negative controls: what a store that reads, then deletes, loses and repeats --------------------------------------


def nothing(*of: Any) -> None: ...


@pytest.mark.parametrize(
    ("module", "name"),
    [(buffers, "follow_calls"), (reduce, "hand_over_again")],
    ids=["flushes of what is empty", "servers"],
)
def test_a_broken_race_is_caught(module: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, name, nothing)
    assert any(map(differs_uncompiled, models(SEED, MODELS)))


# --- negative controls: drains that go on, and leaves that remember ---------------------------------------------------


def ask_in_place_of_going_on(state: Any, buffer: Any, now: float) -> None:
    buffers.ask(state, buffer, now)


def one_job_less(run: Any, jobs: Any, rows: Any, buffer: Any) -> int:
    count = DRAINED(run, jobs, rows, buffer)
    return max(count - 1, 1) if buffer.drain_reaches else count


DRAINED = buffers.drained
TWO_JOBS = [bufsim.Producer("p", bufsim.Trace([1.0, 1.5]))]
ONE_AT_A_TICK = Simulation(
    producers=TWO_JOBS,
    buffers=[bufsim.JobBuffer("b", policy=bufsim.FlushEvery(2.0, spent_by="own"), drain=bufsim.DrainAtMost(1))],
    until=9.0,
)
KEPT_OVER_A_STOP = Simulation(
    producers=TWO_JOBS,
    buffers=[bufsim.JobBuffer("b", policy=bufsim.FlushEvery(4.0, anchor="activation"))],
    storage=bufsim.Storage(durable=True),
    stops=bufsim.Stops(at=[2.0], downtime=1.0),
    until=9.0,
)


@pytest.mark.parametrize(
    ("module", "name", "broken", "known"),
    [
        (buffers, "repeat_or_ask", ask_in_place_of_going_on, None),
        (buffers, "drained", one_job_less, None),
        (policy, "remember_arrival", nothing, None),
        # few of the models come to these
        (policy, "remember_ring", nothing, ONE_AT_A_TICK),
        (policy, "forget", nothing, KEPT_OVER_A_STOP),
    ],
    ids=["drains go on", "the job that reaches the limit", "activation", "spent ticks", "restarts"],
)
def test_a_broken_drain_or_memory_is_caught(
    module: Any, name: str, broken: Any, known: Simulation | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert known is None or not differs_uncompiled(known)
    monkeypatch.setattr(module, name, broken)
    assert differs_uncompiled(known) if known is not None else any(map(differs_uncompiled, models(SEED, MODELS)))


# --- negative controls: what few models come to -----------------------------------------------------------------------


def sift(free: Any, time: float, child: Callable[[int], int]) -> None:
    at = 0
    while (below := child(at)) < len(free) and free[below] < time:
        free[at], at = free[below], below
    free[at] = time


def left_is_first(free: Any, time: float) -> None:
    sift(free, time, lambda at: 2 * at + 1)


def right_is_first(free: Any, time: float) -> None:
    sift(free, time, lambda at: 2 * at + 2)


def last_is_left_out(free: Any, time: float) -> None:
    last = len(free) - 1
    sift(free[:last], time, lambda at: 2 * at + 1 + (2 * at + 2 < last and free[2 * at + 2] < free[2 * at + 1]))


FREE_AT, KEEP_ALL_RECORDS = queues.free_at, reduce.keep_all_records


@pytest.mark.slow
@pytest.mark.parametrize("broken", [left_is_first, right_is_first, last_is_left_out], ids=lambda one: one.__name__)
def test_a_broken_heap_of_many_workers_is_caught(broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def free_at(free: Any, time: float) -> None:
        (broken if len(free) > queues.SORTED else FREE_AT)(free, time)

    monkeypatch.setattr(queues, "free_at", free_at)
    crowded = [one for one in models(SEED, MODELS) if any(pool.concurrency > queues.SORTED for pool in one.workers)]
    assert any(map(differs_uncompiled, crowded))


def test_a_plain_buffer_without_workers_that_forgets_a_job_of_each_batch_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(run: Any, tasks: Any, buffer: Any, now: float) -> None:
        buffer.flight_jobs -= 1
        KEEP_ALL_RECORDS(run, tasks, buffer, now)
        buffer.flight_jobs += 1

    monkeypatch.setattr(reduce, "keep_all_records", broken)
    unserved = [one for one in models(SEED, MODELS) if not one.workers]
    assert any(map(differs_uncompiled, unserved))
