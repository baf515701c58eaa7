from __future__ import annotations

import math

import numpy as np
import pytest

from bufsim import (
    Bulk,
    Capacity,
    Deterministic,
    Exponential,
    FlushAtSize,
    FlushEvery,
    Geometric,
    JobBuffer,
    Poisson,
    Producer,
    PushWorkers,
    Renewal,
    Simulation,
    Stops,
    Storage,
    Trace,
    UniqueByKey,
    Zipf,
)
from bufsim.statistics.rare_events import most_runs
from bufsim.studies.chances import draws, impossible, most_ticks
from bufsim.studies.expressions import metric
from bufsim.studies.study import Study

RATE, ROOM, PERIODS = 50.0, 80, 30


def model(*, arrivals=None, room=ROOM, workers=(), **more):
    return Simulation(
        producers=[Producer("edits", Poisson(RATE) if arrivals is None else arrivals)],
        buffers=[JobBuffer("search", policy=FlushEvery(1.0), capacity=room and Capacity(jobs=room))],
        workers=list(workers),
        until=float(PERIODS),
        **more,
    )


def studied(simulation, runs=10, seed=1):
    return Study({"today": simulation}, seed=seed).run(runs, progress=False)


@pytest.fixture(scope="module")
def rare():
    return studied(model())


def test_no_loss_seen_is_not_zero(rare):
    interval = rare.interval("lost_share", "today")
    assert (interval.estimate, interval.low) == (0.0, 0.0)
    assert interval.high == pytest.approx(1.0 - 0.05**0.1)
    assert interval.note == "none seen in 10 runs; up to 26 % of runs may lose jobs; 300 runs would bound it at 1 %"
    # the true share, by a direct count of Poisson numbers over the room
    arrived = np.random.default_rng(3).poisson(RATE, 4_000_000)
    truth = np.maximum(arrived - ROOM, 0).sum() / arrived.sum()
    assert 0.0 < truth < 1e-4
    assert truth in interval
    for name in ("lost_jobs", "lost_rate_per_s", "lost_capacity_jobs"):
        assert 0.0 == rare.interval(name, "today").low < rare.interval(name, "today").high
    assert rare.interval("lost_jobs", "today").high <= 0.26 * 2 * RATE * PERIODS


def test_a_limit_on_what_was_not_seen_is_undecided_and_says_why(rare):
    (check,) = rare.check("lost_share <= 0.001 %").checks
    assert check.verdict == "undecided"
    assert not check.is_deterministic
    # so many runs without a loss show that at most one in 100,000 loses any: 0.99999 ** n < 5 %
    assert check.replications_needed == math.ceil(math.log(0.05) / math.log(0.99999))
    assert check.text() == (
        "0 [0, 26] %; none seen in 10 runs; up to 26 % of runs may lose jobs; 300 runs would bound it at 1 %"
    )
    # what even the bound keeps is kept
    assert rare.check("lost_share <= 30 %").verdict("today") == "pass"


def test_what_cannot_be_lost_is_zero():
    result = studied(model(room=None))
    assert str(result.interval("lost_share", "today")) == "0 [0, 0]"
    assert result.check("lost_jobs <= 0").verdict("today") == "pass"
    # of other causes than the room there is nothing to fear
    assert str(studied(model()).interval("lost_down_jobs", "today")) == "0 [0, 0]"


def test_what_draws_nothing_is_exact():
    result = studied(model(arrivals=Deterministic(0.1)))
    (check,) = result.check("lost_share <= 0.001 %").checks
    assert (check.verdict, check.is_deterministic) == ("pass", True)


def test_failures_and_stops_too_rare_to_be_seen_leave_nothing_exact():
    steady = Deterministic(0.5)
    for simulation in (
        model(arrivals=steady, workers=[PushWorkers(1, failure=1e-6)]),
        model(arrivals=steady, stops=Stops(mean_time_between="10000h")),
    ):
        result = studied(simulation, runs=3)
        assert not result.is_deterministic("today")
        assert draws(simulation)
    assert studied(model(arrivals=steady), runs=3).is_deterministic("today")


def test_few_failures_have_exact_bounds():
    result = studied(model(arrivals=Deterministic(0.5), workers=[PushWorkers(1, failure=1e-6)]), runs=3)
    interval = result.interval("failed_jobs", "today")
    assert interval.note.startswith("none seen in 3 runs; up to 63 % of runs may have jobs that fail")
    assert interval.high == pytest.approx((1.0 - 0.05 ** (1 / 3)) * 58)


OF_LEAVES = {"size", "bytes", "age", "idle", "gap", "clock", "other"}


def test_what_a_model_cannot_have_follows_from_what_it_declares():
    losses = {"capacity", "buffer", "in_flight", "queue", "down", "race", "storage", "failure"}
    never = OF_LEAVES | {"reduce"}
    assert impossible(model(room=None)) == losses | never
    assert impossible(model()) == losses - {"capacity"} | never
    assert impossible(model(), "another") == losses | never | {"tick"}
    stops = Stops(at=[5.0], downtime=1.0)
    assert impossible(model(stops=stops)) == {"queue", "race", "storage", "failure"} | never
    assert "buffer" in impossible(model(stops=stops, storage=Storage(durable=True)))
    assert "race" not in impossible(model(storage=Storage(durable=True, read_delete_window=0.1)))
    assert "queue" not in impossible(model(stops=stops, durable_queue=False))


def test_what_a_buffer_or_a_queue_cannot_have_is_its_own():
    buffers = [
        JobBuffer("kept", policy=FlushEvery(1.0), collect="email", storage=Storage(durable=True)),
        JobBuffer("memory", policy=FlushEvery(1.0), collect="index", storage=Storage(read_delete_window=0.1)),
    ]
    simulation = Simulation(
        producers=[Producer(name, Poisson(1.0), queue=name) for name in ("email", "index", "other")],
        buffers=buffers,
        until=60.0,
        durable_queue=["email", "other"],
        stops=Stops(at=[5.0]),
    )
    assert {"buffer", "race", "queue"} <= impossible(simulation, "kept")
    assert not {"buffer", "race", "queue"} & impossible(simulation, "memory")
    assert not {"buffer", "race", "queue"} & impossible(simulation)
    assert ["queue" in impossible(simulation, queue) for queue in ("email", "index", "other")] == [True, False, True]


def test_jobs_that_no_buffer_collects_may_be_lost_with_their_queue():
    simulation = Simulation(
        producers=[Producer(name, Poisson(1.0), queue=name) for name in ("email", "index")],
        buffers=[JobBuffer("kept", policy=FlushEvery(1.0), collect="email")],
        until=60.0,
        durable_queue=["email"],
        stops=Stops(at=[5.0]),
    )
    assert "queue" in impossible(simulation, "kept")
    assert "queue" not in impossible(simulation)
    assert "queue" not in impossible(simulation, "index")


def test_a_window_of_its_own_may_fill_a_buffer_that_is_flushed_when_it_is_full():
    room = {"capacity": Capacity(jobs=100), "storage": Storage(durable=True, read_delete_window=0.1)}
    assert "capacity" not in impossible(buffered(FlushAtSize(100), **room))


def buffered(policy, arrivals=None, **more):
    return Simulation(
        producers=[Producer("edits", Poisson(RATE) if arrivals is None else arrivals, keys=Zipf(9, 1.0))],
        buffers=[JobBuffer("search", policy=policy, **more)],
        until=float(PERIODS),
    )


def test_a_buffer_that_is_emptied_before_it_is_full_cannot_be_full():
    room = Capacity(jobs=100)
    for policy, may in ((FlushAtSize(100) | FlushEvery(1.0), False), (FlushAtSize(101), True), (FlushEvery(1.0), True)):
        assert ("capacity" not in impossible(buffered(policy, capacity=room))) == may
    # while a flush takes time the buffer goes on filling
    assert "capacity" not in impossible(buffered(FlushAtSize(100), capacity=room, flush_time=0.1))


def test_ticks_that_never_found_nothing_may_yet():
    result = studied(model(room=None))
    interval = result.interval("empty_tick_count", "today")
    # the tick at 0 comes before the first job, so that each run has seen one
    assert interval.estimate == 1.0
    late = studied(model(room=None, warm_up=5.0))
    interval = late.interval("empty_tick_count", "today")
    assert (interval.estimate, interval.low) == (0.0, 0.0)
    # ticks at 5, 6, ..., 29, or 26 if rounding were against us
    assert interval.high == pytest.approx((1.0 - 0.05**0.1) * 26)
    assert interval.note.startswith("none seen in 10 runs; up to 26 % of runs may have ticks that find nothing;")
    assert most_ticks(model(), "another") == 0.0
    assert str(studied(buffered(FlushAtSize(9))).interval("empty_tick_count", "today")) == "0 [0, 0]"


def test_shares_of_flushes_that_are_all_or_nothing_are_bounded_unless_the_policy_has_no_other_way():
    result = studied(buffered(FlushAtSize(200) | FlushEvery(1.0)))
    by_size, by_clock = (result.interval(f"flushes_by_{name}_share", "today") for name in ("size", "clock"))
    assert (by_size.estimate, by_size.low, by_size.high) == (0.0, 0.0, pytest.approx(1.0 - 0.05**0.1))
    assert (by_clock.estimate, by_clock.low, by_clock.high) == (1.0, pytest.approx(0.05**0.1), 1.0)
    assert "26 % of runs may flush for another reason" in by_clock.note
    assert result.check("flushes_by_clock_share >= 99 %").verdict("today") == "undecided"
    # negative controls: a family that is not in the policy, and one that is alone
    assert str(result.interval("flushes_by_age_share", "today")) == "0 [0, 0]"
    assert str(studied(buffered(FlushEvery(1.0))).interval("flushes_by_clock_share", "today")) == "1 [1, 1]"


def test_work_that_reduce_never_saved_may_be_saved():
    sparse = buffered(FlushAtSize(1), reduce=UniqueByKey())
    assert studied(sparse, runs=3).interval("work_saved_share", "today").high == pytest.approx(1.0 - 0.05 ** (1 / 3))
    assert studied(buffered(FlushAtSize(1)), runs=3).interval("work_saved_share", "today").high == 0.0


def test_a_cost_with_a_loss_that_nobody_saw_has_its_bounds_beside_the_rest(rare):
    whole = metric("flush_rate") + 10.0 * metric("lost_rate")
    interval = rare.interval(whole, "today")
    flushes = rare.interval("flush_rate", "today", confidence=0.975)
    lost = rare.interval("lost_rate", "today", confidence=0.975)
    assert interval.high == pytest.approx(flushes.high + 10.0 * lost.high)
    assert interval.low == pytest.approx(flushes.low)
    assert interval.estimate == pytest.approx(flushes.estimate)
    assert "up to 31 % of runs may lose jobs" in interval.note  # 1 − 0.025^(1/10)
    assert rare.check(whole <= flushes.high * 1.01).verdict("today") == "undecided"
    # negative control: where nothing can be lost the cost is that of the flushes
    safe = studied(model(room=None)).interval(whole, "today")
    assert safe.high == pytest.approx(studied(model(room=None)).interval("flush_rate", "today").high)


def test_a_largest_value_that_never_varied_says_how_many_runs_may_have_another():
    result = studied(buffered(FlushAtSize(9)))
    interval = result.interval("peak_buffer_size", "today")
    assert str(interval) == "9 [9, 9]"
    assert interval.note == "the same in each of 10 runs; up to 26 % of runs may have another value"
    assert result.check("peak_buffer_size <= 9").verdict("today") == "pass"
    # two runs are no proof, unless nothing is drawn
    (check,) = studied(buffered(FlushAtSize(9)), runs=2).check("peak_buffer_size <= 10").checks
    assert (check.verdict, check.is_deterministic) == ("undecided", False)
    assert "up to 78 % of runs may have another value" in check.text()
    (check,) = studied(buffered(FlushAtSize(9), Deterministic(0.1)), runs=2).check("peak_buffer_size <= 10").checks
    assert (check.verdict, check.is_deterministic) == ("pass", True)


def test_a_model_draws_if_any_part_of_it_that_matters_does():
    steady = Deterministic(0.5)
    for arrivals in (steady, Trace([1.0, 2.0]), Bulk(steady, 3), Renewal(0.5)):
        assert not draws(buffered(FlushAtSize(9), arrivals))
    for arrivals in (Poisson(1.0), Bulk(steady, Geometric(3.0)), Renewal(Exponential(0.5)), Trace([1.0]).scaled(2.0)):
        assert draws(buffered(FlushAtSize(9), arrivals))
    assert draws(buffered(FlushAtSize(9), steady, flush_time=Exponential(0.1)))
    # keys matter where batches are reduced
    assert draws(buffered(FlushAtSize(9), steady, reduce=UniqueByKey()))
    assert draws(model(arrivals=steady, workers=[PushWorkers(1, service=Exponential(0.1))]))
    assert not draws(model(arrivals=steady, workers=[PushWorkers(1, service=0.1, failure=1.0)]))


# the coverage of what is rare


@pytest.mark.parametrize(("share", "runs"), [(0.0013, 10), (0.01, 10), (0.05, 30), (0.1, 30)])
def test_the_bounds_hold_the_truth_and_pass_nothing_falsely(share, runs):
    # each of `runs` runs has 30 periods, in which the room is not enough with probability `share`; then 1 of 50 is lost
    rng = np.random.default_rng(70)
    lost = rng.binomial(30, share, size=(2000, runs)) / (30 * 50)
    truth, seen = share / 50, np.count_nonzero(lost, axis=1)
    bound = np.array([most_runs(int(count), runs) for count in seen])
    assert np.mean(1.0 - (1.0 - share) ** 30 <= bound) >= 0.95 - 4 * np.sqrt(0.05 * 0.95 / 2000)
    if share == 0.0013:
        # negative control: the t interval of values that are all 0 is [0, 0], and passes "lost_share <= 0.001 %"
        reach = 2.262 * lost.std(axis=1, ddof=1) / np.sqrt(runs)
        assert np.mean(np.abs(lost.mean(axis=1) - truth) <= reach) < 0.4
        assert truth > 1e-5
        assert np.mean(lost.mean(axis=1) + reach <= 1e-5) > 0.6
