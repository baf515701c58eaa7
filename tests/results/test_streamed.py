from __future__ import annotations

import dataclasses
import math
import tracemalloc
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from bufsim_tests.both_engines import tally_differences
from bufsim_tests.compiled_models import arrivals, distributions, simulations
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bufsim import (
    CollectAll,
    CollectQueues,
    Exponential,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    JobBuffer,
    KeepAll,
    NeverFlush,
    Poisson,
    Producer,
    PushWorkers,
    Simulation,
    Stops,
    Trace,
    UniqueByKey,
    Zipf,
)
from bufsim.engines import compiled_engine
from bufsim.engines.workload import Workload
from bufsim.results import streamed, warnings
from bufsim.results.result import Result


def both(simulation: Simulation, seed: int) -> tuple[Any, Any]:
    """The tally that is counted on the way, and that of all that was recorded."""

    def workload() -> Workload:
        return Workload(simulation.producers, seed=seed, until=simulation.until)

    record = compiled_engine.run(simulation, workload())
    return streamed.summary(simulation, workload()), Result.of(simulation, workload(), "compiled", record).tally


def assert_counted_as_recorded(simulation: Simulation) -> None:
    counted, recorded = both(simulation, 1)
    assert tally_differences(counted, recorded) == []
    assert warnings.sentences(simulation, counted) == warnings.sentences(simulation, recorded)


few = settings(max_examples=70, suppress_health_check=list(HealthCheck))
many = settings(few, max_examples=200)


@few
@given(simulations())
def test_what_is_counted_on_the_way_is_what_follows_from_the_tables(simulation: Simulation) -> None:
    assert_counted_as_recorded(simulation)


@pytest.mark.slow
@many
@given(simulations())
def test_what_is_counted_on_the_way_is_what_follows_from_the_tables_of_many(simulation: Simulation) -> None:
    assert_counted_as_recorded(simulation)


@st.composite
def served_in_order(draw: st.DrawFn) -> Simulation:
    """One queue whose workers never fail, behind whatever buffers: then works are counted when they start."""
    simulation = draw(simulations())
    unit = simulation.until / 30.0
    made = [replace(producer, arrivals=draw(arrivals(unit)), queue="x") for producer in simulation.producers]
    takers = [replace(buffer, collect=draw(st.sampled_from(COLLECTS))) for buffer in simulation.buffers]
    pool = PushWorkers(
        draw(st.integers(1, 3) | st.just(40)),
        service=draw(distributions(unit)),
        per_item=draw(st.sampled_from((0.0, unit))),
    )
    return replace(
        simulation,
        producers=made,
        buffers=[buffer for buffer in takers if buffer.collect.takes("x")]
        or [replace(takers[0], collect=CollectAll())],
        workers=[pool],
        durable_queue=True,
    )


COLLECTS = (CollectAll(), CollectAll(), CollectQueues(["x"]), CollectQueues(["y"]))


@few
@given(served_in_order())
def test_what_is_counted_of_works_in_order_is_what_follows_from_the_tables(simulation: Simulation) -> None:
    assert_counted_as_recorded(simulation)


@pytest.mark.slow
@many
@given(served_in_order())
def test_what_is_counted_of_works_in_order_is_what_follows_from_the_tables_of_many(simulation: Simulation) -> None:
    assert_counted_as_recorded(simulation)


def test_works_that_wait_for_long_are_counted_in_order() -> None:
    # more jobs than can be served, over several windows of jobs, with a warm-up
    buffer = JobBuffer("search", policy=FlushEvery(5.0))
    for reduce in (KeepAll(), UniqueByKey()):
        simulation = Simulation(
            producers=[Producer("edits", Poisson(100.0), keys=Zipf(5000, 0.1))],
            buffers=[replace(buffer, reduce=reduce)],
            workers=[PushWorkers(4, service=Exponential(0.045))],
            until=1500.0,
            warm_up=100.0,
        )
        counted, recorded = both(simulation, 1)
        assert recorded.queues["default"].completed > 50_000
        assert tally_differences(counted, recorded) == []


def test_engines_round_sums_otherwise_only_where_not_all_is_recorded() -> None:
    simulation = Simulation(
        producers=[Producer("edits", Poisson(20.0))],
        buffers=[JobBuffer("search", policy=FlushAtSize(40) | FlushAfterAge(5.0))],
        until=600.0,
    )
    means = {}
    for record in ("all", "flushes", "summary"):
        simpy, compiled = (simulation.run(seed=1, engine=engine, record=record) for engine in ("simpy", "compiled"))
        assert tally_differences(compiled.tally, simpy.tally) == []  # to 12 digits
        assert (compiled.tally == simpy.tally) == (record == "all")
        means[record] = simpy.metric("mean_wait"), compiled.metric("mean_wait")
    # added up exactly: what both are roundings of
    jobs = simulation.run(seed=1).jobs
    waits = (jobs["flushed_at"] - jobs["created_at"]).dropna()
    exact = math.fsum(waits) / len(waits)
    assert means["all"][0] == means["all"][1] == pytest.approx(exact, rel=1e-12)
    assert means["summary"][0] != means["summary"][1] == pytest.approx(exact, rel=1e-12)


def test_a_count_that_is_one_off_is_seen() -> None:
    # negative control of the comparison above
    buffer = JobBuffer("search", policy=FlushAtSize(3))
    simulation = Simulation(producers=[Producer("edits", Poisson(2.0))], buffers=[buffer], until=60.0)
    counted, recorded = both(simulation, 1)
    wrong = dataclasses.replace(recorded.buffers["search"], flushes=recorded.buffers["search"].flushes + 1)
    assert tally_differences(counted, dataclasses.replace(recorded, buffers={"search": wrong})) != []


def test_memory_stays_bounded_however_many_jobs_there_are() -> None:
    buffer = JobBuffer("search", policy=FlushAtSize(40) | FlushAfterAge(5.0))
    held = []
    for until in (5_000.0, 50_000.0):
        simulation = Simulation(producers=[Producer("edits", Poisson(20.0))], buffers=[buffer], until=until)
        tracemalloc.start()
        simulation.run(seed=1, engine="compiled", record="summary")
        held.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # ten times as many jobs, a million of them: 8 MB for their times alone if they were kept
    assert held[1] < 1.5 * held[0]


def test_the_flushes_are_those_of_the_full_recording() -> None:
    buffer = JobBuffer("search", policy=FlushAtSize(40) | FlushAfterAge(5.0), flush_time=0.1)
    simulation = Simulation(producers=[Producer("edits", Poisson(20.0))], buffers=[buffer], until=2000.0)
    flushes = simulation.run(seed=1, engine="compiled", record="flushes").flushes
    pd.testing.assert_frame_equal(flushes, simulation.run(seed=1, engine="simpy").flushes, check_exact=True)


def test_what_a_stop_would_lose_leaves_out_the_time_in_which_the_server_is_down() -> None:
    # two jobs lie there from 10 s on, until the stop at 20 s; it is down for all the rest
    simulation = Simulation(
        producers=[Producer("edits", Trace([10.0, 10.0]))],
        buffers=[JobBuffer("search", policy=NeverFlush())],
        until=100.0,
        stops=Stops(at=[20.0], downtime=200.0),
    )
    for record in ("all", "summary"):
        result = simulation.run(seed=1, engine="compiled", record=record)
        assert result.metric("mean_loss_at_stop") == pytest.approx(1.0)  # half of the 20 s in which it is up
        assert result.metric("p99_loss_at_stop") == 2.0
        assert result.metric("p50_loss_at_stop") == 0.0
