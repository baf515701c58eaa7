from __future__ import annotations

import numpy as np
import pytest
from bufsim_tests import models
from bufsim_tests.doubles import Forgetting

from bufsim import Capacity, DrainAtMost, FlushAtSize, FlushEvery, Producer, PushWorkers, Simulation, Stops, Storage
from bufsim.model.buffers import JobBuffer
from bufsim.model.traces import Trace
from bufsim.plots import levels
from bufsim.results.measures import Window
from bufsim.results.steps import Steps


def pairs(steps: Steps) -> list[tuple[float, int]]:
    return list(zip(steps.times.tolist(), steps.levels.tolist(), strict=True))


def test_jobs_are_in_flight_from_a_flush_s_start_to_its_end():
    lasting = levels.lasting(levels.in_flight(models.worked_run()))
    assert pairs(lasting) == [(0, 0), (3, 3), (4, 0), (9, 1), (10, 0), (16.5, 2), (17.5, 0)]


def test_jobs_in_flight_are_gone_at_a_stop():
    # up at 3.5: job 4 at 4 is flushed at 9 to 10, jobs 5 and 6 at 16.5, until the stop at 17
    lasting = levels.lasting(levels.in_flight(models.stopped_run()))
    assert pairs(lasting) == [(0, 0), (9, 1), (10, 0), (16.5, 2), (17, 0)]


def test_a_flush_that_has_not_ended_keeps_its_jobs_in_flight():
    run = models.worked(until=17.0).run(seed=1)
    assert pairs(levels.lasting(levels.in_flight(run)))[-1] == (16.5, 2)


def test_jobs_wait_until_they_are_started():
    waiting = levels.waiting(models.worked_run(), "default")
    assert pairs(waiting) == [(0, 0), (4, 2), (6, 1), (8, 0), (10, 0), (17.5, 1), (19.5, 0)]


def test_jobs_are_in_service_until_they_are_finished():
    busy = levels.in_service(models.worked_run(), "default")
    assert pairs(busy) == [(0, 0), (4, 1), (6, 1), (8, 1), (10, 1), (12, 0), (17.5, 1), (19.5, 1)]


def test_a_job_that_backs_off_is_not_in_service():
    workers = PushWorkers(1, service=2.0, failure=1.0, retries=1, backoff=3.0)
    result = models.simulate([1.0], policy=FlushAtSize(1), workers=[workers])
    assert pairs(levels.in_service(result, "default")) == [(0, 0), (1, 1), (3, 0), (6, 1), (8, 0)]


def test_a_volatile_queue_is_empty_after_a_stop():
    run = models.worked(stops=Stops(at=[5.0], downtime=1.0), durable_queue=False).run(seed=1)
    assert pairs(levels.waiting(run, "default"))[:3] == [(0, 0), (4, 2), (5, 0)]
    assert pairs(levels.in_service(run, "default"))[:3] == [(0, 0), (4, 1), (5, 0)]
    assert pairs(levels.lasting(levels.queued(run, run.simulation.queues)))[:3] == [(0, 0), (4, 3), (5, 0)]


def test_a_job_that_passes_by_is_queued_when_it_arrives():
    producers = [Producer("a", Trace([1.0]), queue="index"), Producer("b", Trace([2.0]), queue="email")]
    buffers = [JobBuffer("search", policy=FlushEvery(5.0), collect="index")]
    run = Simulation(
        producers=producers, buffers=buffers, workers=[PushWorkers(1, service=1.0)], until=10.0, durable_queue=False
    ).run(seed=1)
    assert pairs(levels.lasting(levels.queued(run, run.simulation.queues))) == [(0, 0), (2, 1), (3, 0), (5, 1), (6, 0)]


def test_jobs_that_reduce_throws_away_are_in_no_queue():
    run = models.worked(reduce=lambda jobs: [], durable_queue=False).run(seed=1)
    assert not levels.queued(run, run.simulation.queues).levels.any()


def test_the_stops_are_those_of_the_run():
    assert levels.stop_times(models.worked_run()) == []
    assert levels.stop_times(models.stopped_run()) == [(2.5, 3.5), (17.0, 18.0)]
    run = models.worked(stops=Stops(mean_time_between=6.0), storage=Storage(durable=True)).run(seed=3)
    drawn = [stop for stop, _ in levels.stop_times(run)]
    interrupted = run.flushes[run.flushes["end"].isna()]
    assert len(drawn) > 1
    assert set(run.jobs["lost_at"].dropna()) <= set(drawn)
    assert len(interrupted) == run.jobs["lost_at"].nunique()


def test_the_next_stop_after_a_stop_is_the_one_that_follows():
    after = levels.next_stop(models.stopped_run(), np.array([0.0, 2.5, 3.0, 17.0]))
    assert after.tolist() == [2.5, 17.0, 17.0, np.inf]


def test_losses_are_counted_by_stop():
    times, counts = levels.losses(models.stopped_run())
    assert (times.tolist(), counts.tolist()) == ([2.5, 17.0], [2, 2])


def test_the_level_before_a_time_is_that_of_the_last_step_before_it():
    steps = Steps(np.array([1.0, 2.0, 2.0]), np.array([4, 7, 9]))
    assert levels.before(steps, [0.5, 1.0, 1.5, 2.0, 3.0]).tolist() == [0, 0, 4, 4, 9]


def test_levels_of_an_instant_do_not_last():
    steps = Steps(np.array([0.0, 1.0, 1.0, 1.0]), np.array([2, 3, 9, 4]))
    assert pairs(levels.lasting(steps)) == [(0, 2), (1, 4)]
    assert pairs(levels.lasting(Steps(np.empty(0), np.empty(0, np.int64)))) == [(0, 0)]


def test_shares_are_weighted_by_time():
    steps = Steps(np.array([1.0, 3.0, 3.0]), np.array([2, 7, 0]))
    heights, shares = levels.shares(steps, Window(0.0, 5.0))
    assert heights.tolist() == [0, 2]
    assert shares.tolist() == pytest.approx([0.6, 0.4])


def test_shares_leave_out_the_warm_up_and_the_gaps():
    steps = Steps(np.array([1.0, 3.0]), np.array([2, 0]))
    heights, shares = levels.shares(steps, Window(2.0, 10.0), [(0.0, 0.5), (3.0, 3.0), (4.0, 6.0), (9.0, 12.0)])
    # of [2, 10): 1 s at 2, then [3, 4) and [6, 9) at 0
    assert heights.tolist() == [0, 2]
    assert shares.tolist() == pytest.approx([0.8, 0.2])


def test_without_time_there_are_no_shares():
    heights, shares = levels.shares(Steps(np.array([1.0]), np.array([2])), Window(2.0, 10.0), [(1.0, 12.0)])
    assert (len(heights), len(shares)) == (0, 0)


def found(**others):
    times = others.pop("times", models.ARRIVALS)
    return levels.heights(models.worked(times, **others).run(seed=1), "search")


def test_a_flush_finds_what_it_takes_when_it_takes_all():
    heights = levels.heights(models.worked_run(), "search")
    assert heights["time"].tolist() == [3.0, 9.0, 16.5]
    assert heights["size"].tolist() == [3, 1, 2]
    assert heights["end"].tolist() == [4.0, 10.0, 17.5]


def test_a_flush_that_takes_a_part_finds_more():
    heights = found(times=[1.0, 2.0, 3.0, 4.0], policy=FlushEvery(5.0), drain=DrainAtMost(n=1), nbytes=[7, 20, 1, 2])
    assert heights["size"].tolist() == [4, 3, 2]
    assert heights["nbytes"].tolist() == [30, 23, 3]


def test_flushes_of_one_instant_are_told_apart():
    # a bulk of 7 under FlushAtSize(2) gives 2, 2, 2, and 1 left
    heights = found(times=[1.0] * 7, policy=FlushAtSize(2), flush_time=0.0)
    assert heights["time"].tolist() == [1.0, 1.0, 1.0]
    assert heights["size"].tolist() == [2, 2, 2]


def test_a_drop_is_no_flush():
    heights = found(policy=FlushEvery(10.0), capacity=Capacity(jobs=2, on_full="drop_oldest"))
    assert heights["time"].tolist() == [10.0]
    assert heights["size"].tolist() == [2]


def test_a_flush_whose_storage_lost_jobs_stands_at_its_batch():
    heights = found(policy=FlushEvery(10.0), storage=Storage(strategy=Forgetting))
    assert heights["size"].tolist() == [1]


def test_a_run_without_flushes_has_no_heights():
    assert len(levels.heights(models.run_without_flushes(), "search")) == 0
    assert levels.heights(models.run_without_flushes(), "search")["size"].dtype == np.int64
