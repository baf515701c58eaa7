from __future__ import annotations

import pytest
from scipy import stats

from bufsim import (
    Constant,
    Exponential,
    FlushEvery,
    FlushTime,
    InvalidValueError,
    JobBuffer,
    Poisson,
    PollingWorkers,
    Producer,
    PushWorkers,
    Simulation,
)
from bufsim.model.workers import GivenTimes, Workers
from bufsim.studies.what_if import variations


def simulation(*workers: Workers, flush_time: FlushTime | str = "0s") -> Simulation:
    return Simulation(
        producers=[Producer("edits", Poisson(10.0))],
        buffers=[JobBuffer("search", policy=FlushEvery(5.0), flush_time=flush_time)],
        workers=workers,
        until=120.0,
        warm_up=20.0,
    )


def test_every_time_that_is_not_0_can_be_moved() -> None:
    model = simulation(
        PollingWorkers(service=Exponential(0.02), per_item=0.005, queue="default"),
        flush_time=FlushTime(0.05, per_job=0.002),
    )
    assert [(one.name, one.value) for one in variations(model)] == [
        ("arrivals", "10 jobs/s"),
        ("time of a flush", "50 ms"),
        ("time of a flush for each job", "2 ms"),
        ("service time", "20 ms"),
        ("service time for each item", "5 ms"),
        ("interval between polls", "200 ms"),
    ]
    assert [one.name for one in variations(simulation())] == ["arrivals"]


def test_a_variation_moves_one_thing_by_the_factor_and_leaves_the_rest() -> None:
    model = simulation(
        PollingWorkers(service=Constant(0.02), per_item=0.005), flush_time=FlushTime(0.05, per_job=0.002)
    )
    moved = {one.name: one for one in variations(model, 2.0)}
    assert moved["arrivals"].higher == model.scaled(arrivals=2.0)
    assert moved["arrivals"].lower == model.scaled(arrivals=0.5)
    for name, measure in {
        "time of a flush": lambda one: one.buffers[0].flush_time.fixed.expected_value(),
        "time of a flush for each job": lambda one: one.buffers[0].flush_time.per_job,
        "service time": lambda one: one.workers[0].service.expected_value(),
        "service time for each item": lambda one: one.workers[0].per_item,
        "interval between polls": lambda one: one.workers[0].poll_interval,
    }.items():
        before = measure(model)
        assert measure(moved[name].higher) == pytest.approx(2.0 * before)
        assert measure(moved[name].lower) == pytest.approx(0.5 * before)
        for other, variation in moved.items():
            if other != name:
                assert measure(variation.higher) == before


def test_a_longer_flush_is_longer_in_the_run() -> None:
    (moved,) = [one for one in variations(simulation(flush_time="50ms"), 3.0) if one.name == "time of a flush"]
    assert moved.higher.run(1).metric("longest_flush_s") == pytest.approx(0.15)


def test_workers_without_polls_or_with_given_times_are_left_where_nothing_can_be_moved() -> None:
    names = [one.name for one in variations(simulation(PushWorkers(2, service=GivenTimes([0.1] * 2000))))]
    assert names == ["arrivals"]


def test_of_a_distribution_of_scipys_the_mean_is_told() -> None:
    model = simulation(PushWorkers(1, service=stats.gamma(2.0, scale=0.05), queue="default"))
    assert ("service time", "100 ms") in [(one.name, one.value) for one in variations(model)]


@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_a_factor_must_move_something(factor: float) -> None:
    with pytest.raises(InvalidValueError, match=r"factor - 1 must be > 0"):
        variations(simulation(), factor)
