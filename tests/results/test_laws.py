"""Laws that hold for every run, or for every run long enough: Little, PASTA, conservation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from bufsim_tests.generated import SEED, simulations
from hypothesis import given, settings
from hypothesis import strategies as st

from bufsim import (
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    JobBuffer,
    Poisson,
    Producer,
    PushWorkers,
    Simulation,
    Stops,
    Storage,
    Trace,
)
from bufsim.results.records import OUTCOMES

#: multiples of 1/8 below 100: sums of them are exact
eighths = st.lists(st.integers(0, 800).map(lambda k: k / 8), min_size=1, max_size=60).map(sorted)


@settings(max_examples=60)
@given(times=eighths, size=st.integers(1, 9), age=st.integers(0, 40).map(lambda k: k / 8))
def test_little_holds_exactly_when_all_jobs_leave(times, size, age):
    simulation = Simulation(
        producers=[Producer("p", Trace(times))],
        buffers=[JobBuffer("b", policy=FlushAtSize(size) | FlushAfterAge(age))],
        workers=[PushWorkers(2, service=0.5)],
        until=256.0,
    )
    result = simulation.run(seed=1)
    tally = result.tally.buffers["b"]
    assert tally.left == 0
    # mean size × time = arrivals × mean wait
    assert tally.levels.size.integral == tally.waits.total
    queue = result.tally.queues["default"]
    assert queue.levels.waiting.integral == queue.waits.total
    assert queue.levels.unfinished.integral + tally.levels.size.integral == queue.end_to_end.total


@settings(max_examples=40)
@given(simulation=simulations())
def test_no_job_comes_or_goes_unseen(simulation):
    result = simulation.run(seed=SEED)
    outcomes = result.jobs.outcome.value_counts()
    assert sum(result.tally.outcomes) == len(result.jobs) == result.tally.rows
    assert result.tally.outcomes == tuple(outcomes[name] for name in OUTCOMES)
    left = result.jobs.outcome.eq("buffered").sum()
    assert left == sum(buffer.left for buffer in result.tally.buffers.values())


@settings(max_examples=40)
@given(simulation=simulations(), at=st.integers(1, 20), durable=st.booleans())
def test_a_stop_loses_what_was_exposed_to_it(simulation, at, durable):
    # between two instants of the grid, where nothing happens
    at = (at + 0.37) * simulation.until / 30
    storage = replace(simulation.storage, durable=durable)
    stored = [
        replace(one, storage=one.storage and replace(one.storage, durable=not durable)) for one in simulation.buffers
    ]
    simulation = replace(simulation, buffers=stored)
    calm = replace(simulation, stops=None, storage=storage, until=math.nextafter(at, 0.0), warm_up=0.0)
    stopped = replace(simulation, stops=Stops(at=[at]), storage=storage, until=math.nextafter(at, math.inf))
    assert stopped.run(seed=SEED).jobs.lost_at.eq(at).sum() == exposed_at_the_end(calm)


def exposed_at_the_end(simulation: Simulation) -> int:
    """The exposed rows just before the end: the level of a window that holds only the last moment."""
    last = replace(simulation, warm_up=math.nextafter(simulation.until, 0.0))
    return last.run(seed=SEED).tally.buffer_levels.exposed.peak


def test_loss_at_a_random_stop_is_half_of_what_a_period_brings():
    # λT/2: Poisson arrivals see time averages (Wolff 1982)
    simulation = Simulation(
        producers=[Producer("p", Poisson(10.0))], buffers=[JobBuffer("b", policy=FlushEvery(5.0))], until=20_000.0
    )
    result = simulation.run(seed=2)
    by_period = result.flushes.batch_size.to_numpy() / 2.0
    error = by_period.std() / math.sqrt(len(by_period))
    assert abs(result.metric("mean_loss_at_stop_jobs") - 25.0) < 4 * error


def test_poisson_arrivals_see_the_distribution_of_the_buffer_size_over_time():
    simulation = Simulation(
        producers=[Producer("p", Poisson(10.0))],
        buffers=[JobBuffer("b", policy=FlushAtSize(20) | FlushAfterAge(1.5))],
        until=20_000.0,
    )
    result = simulation.run(seed=4)
    sizes = result.buffer_size
    rises = np.flatnonzero(np.diff(sizes["size"]) > 0)
    seen = sizes["size"].to_numpy()[rises]
    for q in (0.1, 0.5, 0.9):
        assert abs(np.quantile(seen, q) - result.metric(f"p{100 * q:g}_buffer_size_jobs")) <= 1.0
    assert seen.mean() == pytest.approx(result.metric("mean_buffer_size_jobs"), rel=0.01)


@pytest.mark.parametrize("durable", [False, True])
def test_a_durable_storage_loses_only_what_is_in_flight(durable):
    simulation = Simulation(
        producers=[Producer("p", Trace([0.0, 1.0, 2.0]))],
        buffers=[JobBuffer("b", policy=FlushAtSize(2), flush_time=3.0)],
        until=8.0,
        storage=Storage(durable=durable),
    )
    exposed = simulation.run(seed=1).tally.buffer_levels.exposed
    # buffered: 1 on [0, 1), 1 on [2, 8); in flight: 2 on [1, 4)
    assert exposed.integral == (2 * 3 if durable else 1 + 2 * 3 + 6)
    assert exposed.peak == (2 if durable else 3)
