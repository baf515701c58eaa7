"""Runs that are long enough for the kernel to ask for more draws and more room, and its errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from bufsim import (
    Backoff,
    CollectQueues,
    Exponential,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    FlushTime,
    FlushWhenIdle,
    InvalidValueError,
    JobBuffer,
    Poisson,
    PollingWorkers,
    Producer,
    PushWorkers,
    SearchIndexReduce,
    Simulation,
    Trace,
    UniqueByKey,
    Zipf,
)
from bufsim.engines import compiled_engine
from bufsim.engines.recording import Recording
from bufsim.engines.simpy_engine import Model
from bufsim.engines.workload import Workload
from bufsim.results.contents import RecordLevel
from bufsim.simulation import Engine

SEED = 3


def workload(simulation: Simulation) -> Workload:
    return Workload(simulation.producers, seed=SEED, until=simulation.until)


def assert_engines_agree(simulation: Simulation) -> Recording:
    expected = Model(simulation, workload(simulation), lambda record: record).run()
    record = compiled_engine.run(simulation, workload(simulation))
    for field in dataclasses.fields(Recording):
        if field.name in ("order", "copy_flushed_at", "copy_finished_at"):
            # what follows from the others, at hand in one engine
            continue
        one, other = getattr(expected, field.name), getattr(record, field.name)
        if field.name == "copy_work" and record.order is not None:
            assert (one[record.order.carried :] == -1).all()
            one, other = one[: record.order.carried], other[: record.order.carried]
        if isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other, err_msg=field.name)
        else:
            assert list(one) == list(other), field.name
    return record


BUSY = [Producer("a", Poisson(90.0), keys=Zipf(200, 0.8)), Producer("b", Poisson(30.0), queue="mail")]
SEARCH = JobBuffer("search", policy=FlushAtSize(300) | FlushAfterAge(4.0), reduce=UniqueByKey())


def test_many_jobs_draw_many_blocks_of_service_times_failures_and_flush_times() -> None:
    slow = JobBuffer("slow", policy=FlushAtSize(2), collect=CollectQueues(["mail"]), flush_time=Exponential(0.01))
    record = assert_engines_agree(
        Simulation(
            producers=BUSY,
            buffers=[slow, SEARCH],
            workers=[
                PushWorkers(9, service=Exponential(0.05), failure=0.2, retries=3, backoff=Backoff(0.5, factor=2.0)),
                PollingWorkers(30, queue="mail", poll_interval=0.05, service=Exponential(0.3), failure=0.1, retries=1),
            ],
            until=400.0,
        )
    )
    assert (record.work_queue == 0).sum() > 8192
    assert (record.flush_buffer == 0).sum() > 5000


def test_jobs_that_back_off_need_a_longer_list_of_ends() -> None:
    failing = PushWorkers(1, service=0.01, failure=0.9, retries=5, backoff=60.0)
    assert_engines_agree(Simulation(producers=BUSY, buffers=[SEARCH], workers=[failing], until=100.0))


def test_a_large_batch_goes_through_the_search_index_reduction() -> None:
    rng = np.random.default_rng(1)
    keys = [
        f"product:{number % 40}" if kind else f"variants:{number},{number % 9},x"
        for kind, number in zip(rng.integers(0, 2, 3000).tolist(), rng.integers(0, 500, 3000).tolist(), strict=True)
    ]
    trace = Trace(np.sort(rng.uniform(0.0, 50.0, 3000)), keys=keys)
    buffer = JobBuffer("search", policy=FlushEvery(7.0), reduce=SearchIndexReduce())
    assert_engines_agree(Simulation(producers=[Producer("edits", trace)], buffers=[buffer], until=50.0))


def test_a_run_without_jobs_gives_empty_tables() -> None:
    late = [Producer("late", Trace([5.0]))]
    record = assert_engines_agree(Simulation(producers=late, buffers=[SEARCH], workers=[PushWorkers()], until=5.0))
    assert len(record.job_time) == 0


def test_too_few_given_service_times_are_an_error_on_both_engines() -> None:
    simulation = Simulation(
        producers=BUSY, buffers=[SEARCH], workers=[PushWorkers(2, queue="mail", service=[0.1] * 7)], until=20.0
    )
    for engine in ("simpy", "compiled"):
        with pytest.raises(InvalidValueError, match="service times of queue 'mail' must be at least"):
            simulation.run(SEED, engine=engine)


RECORDED = ("all", "flushes", "summary")


def given_flush_times(times: Sequence[float]) -> Simulation:
    """Flushes start at 1, 4 and 9, two jobs each, and take a time that is given and 0.25 s a job."""
    buffer = JobBuffer("search", policy=FlushAtSize(2), flush_time=FlushTime(times, per_job=0.25))
    jobs = Trace([0.0, 1.0, 3.0, 4.0, 8.0, 9.0, 9.5])
    return Simulation(producers=[Producer("edits", jobs)], buffers=[buffer], until=20.0)


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
@pytest.mark.parametrize("record", RECORDED)
def test_a_flush_takes_the_time_that_is_given_for_it(engine: Engine, record: RecordLevel) -> None:
    # as many as there are flushes are enough, though another arrival might have started one more
    result = given_flush_times([0.5, 2.0, 1.0]).run(SEED, engine=engine, record=record)
    assert result.metric("longest_flush_s") == 2.5
    assert result.metric("mean_flush_s") == (1.0 + 2.5 + 1.5) / 3
    if record != "summary":
        assert result.flushes["end"].tolist() == [2.0, 6.5, 10.5]


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
@pytest.mark.parametrize("record", RECORDED)
@pytest.mark.parametrize("given", [1, 2])
def test_too_few_given_flush_times_are_an_error(engine: Engine, record: RecordLevel, given: int) -> None:
    needed = f"at least {given + 1} values for this run, got {given}: row {given} is missing; give more"
    message = f"^flush times of buffer 'search' must be {needed}"
    with pytest.raises(InvalidValueError, match=message):
        given_flush_times([0.5, 2.0][:given]).run(SEED, engine=engine, record=record)


def test_given_failures_and_times_of_attempts_are_the_same_on_both_engines() -> None:
    rng = np.random.default_rng(3)
    workers = [
        PushWorkers(
            2, queue="mail", service=rng.uniform(0.0, 0.3, (400, 3)), failure=rng.random((400, 3)) < 0.4, retries=2
        ),
        PollingWorkers(3, poll_interval=0.1, service=Exponential(0.1), failure=rng.random(3000) < 0.1, retries=1),
    ]
    simulation = Simulation(producers=BUSY, buffers=[SEARCH], workers=workers, until=20.0)
    assert_engines_agree(simulation)
    kept = [simulation.run(SEED, engine=engine, record="summary") for engine in ("simpy", "compiled")]
    assert kept[0].metric("mean_attempts") == kept[1].metric("mean_attempts") > 1.0
    assert kept[0].metric("utilisation") == pytest.approx(kept[1].metric("utilisation"), rel=1e-12)


def test_given_service_times_need_only_reach_for_the_services_that_start() -> None:
    times = [1.0] * 8
    simulation = Simulation(
        producers=BUSY, buffers=[SEARCH], workers=[PushWorkers(2, queue="mail", service=times)], until=4.0
    )
    record = assert_engines_agree(simulation)
    assert (record.work_queue == 1).sum() > len(times)


def test_a_flush_time_that_varies_costs_no_draw_too_many() -> None:
    buffer = JobBuffer("b", policy=FlushWhenIdle(0.001), flush_time=FlushTime(Exponential(0.001), per_job=0.0001))
    assert_engines_agree(Simulation(producers=BUSY, buffers=[buffer], until=300.0))


def test_what_is_at_hand_is_what_follows_from_the_other_columns() -> None:
    # one buffer that takes every job, whose flushes take no time: its last jobs are still in it
    buffer = JobBuffer("b", policy=FlushEvery(0.7))
    simulation = Simulation(
        producers=BUSY[:1], buffers=[buffer], workers=[PushWorkers(2, service=Exponential(0.02))], until=20.0
    )
    record = compiled_engine.run(simulation, workload(simulation))
    assert record.order == (record.flush_jobs.sum(), len(record.work_flush))
    assert record.order.taken < len(record.copy_job)
    missing, works = record.copy_flush < 0, record.copy_work.copy()
    works[record.order.carried :] = 0
    np.testing.assert_array_equal(
        record.copy_flushed_at, np.where(missing, np.nan, record.flush_start[record.copy_flush])
    )
    np.testing.assert_array_equal(record.copy_finished_at, np.where(missing, np.nan, record.work_finished_at[works]))


def test_a_flush_that_takes_time_may_be_under_way_at_the_end() -> None:
    buffer = JobBuffer("b", policy=FlushEvery(1.0), flush_time=0.8)
    simulation = Simulation(producers=BUSY[:1], buffers=[buffer], workers=[PushWorkers(2)], until=5.5)
    record = assert_engines_agree(simulation)
    assert record.order is not None
    assert record.order.carried < record.order.taken < len(record.copy_job)
    assert record.copy_flushed_at is None
