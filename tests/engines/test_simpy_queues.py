from __future__ import annotations

from collections.abc import Sequence

import pytest
from bufsim_tests.models import column, columns, producer, simulate, timed

from bufsim import (
    Backoff,
    Exponential,
    FlushEvery,
    InvalidValueError,
    JobBuffer,
    Merge,
    NeverFlush,
    PollingWorkers,
    PushWorkers,
    Result,
    Uniform,
)
from bufsim.engines.workload import Workload

ELSEWHERE = JobBuffer("b", policy=NeverFlush(), collect=lambda job: False)


def serve(times: Sequence[float], workers: PushWorkers | PollingWorkers, until: float = 100.0) -> Result:
    """Let jobs pass by, straight to the workers."""
    return simulate(times, ELSEWHERE, workers=[workers], until=until)


def spans(result: Result) -> list[tuple[object, ...]]:
    return columns(result, "work", "started_at", "finished_at")


# --- push workers -----------------------------------------------------------------------------------------------------


def test_a_free_worker_takes_the_next_job_at_once_first_come_first_served() -> None:
    result = serve([1.0, 1.0, 1.0, 2.0], PushWorkers(2, service=[4.0, 1.0, 1.0, 1.0]))
    assert spans(result) == [(1.0, 5.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0)]


def test_a_job_starts_in_the_instant_in_which_a_worker_gets_free() -> None:
    assert spans(serve([1.0, 2.0], PushWorkers(1, service=1.0))) == [(1.0, 2.0), (2.0, 3.0)]


def test_without_service_time_any_number_of_jobs_is_served_at_once() -> None:
    assert spans(serve([1.0] * 5, PushWorkers(1))) == [(1.0, 1.0)] * 5


def test_a_queue_without_workers_keeps_its_jobs() -> None:
    result = simulate([1.0], ELSEWHERE)
    assert columns(result, "work", "started_at", "attempts", "outcome") == [(None, 0, "pending")]
    assert column(result, "jobs", "outcome") == ["bypassed"]


def test_each_queue_without_workers_of_its_own_gets_a_pool() -> None:
    jobs = producer([1.0] * 4, queues=["x", "x", "y", "y"])
    result = simulate(jobs, ELSEWHERE, workers=[PushWorkers(1, service=1.0)])
    assert spans(result) == [(1.0, 2.0), (2.0, 3.0), (1.0, 2.0), (2.0, 3.0)]


# --- polling workers --------------------------------------------------------------------------------------------------


def test_by_default_at_most_five_jobs_a_second_start_whatever_they_take() -> None:
    starts = column(serve([0.0] * 100, PollingWorkers(), until=10.0), "work", "started_at")
    assert [start for start in starts if start is not None] == [k * 0.2 for k in range(50)]


def test_at_a_poll_as_many_start_as_there_are_free_workers() -> None:
    result = serve([0.0] * 5, PollingWorkers(2, service=0.25, poll_interval=0.5))
    assert column(result, "work", "started_at") == [0.0, 0.0, 0.5, 0.5, 1.0]


def test_a_job_that_comes_at_the_polls_instant_counts() -> None:
    assert spans(serve([1.0, 1.25], PollingWorkers(2, poll_interval=0.5))) == [(1.0, 1.0), (1.5, 1.5)]


def test_a_worker_that_gets_free_at_the_polls_instant_counts() -> None:
    result = serve([0.0, 0.0], PollingWorkers(1, service=0.5, poll_interval=0.5))
    assert spans(result) == [(0.0, 0.5), (0.5, 1.0)]


def test_a_worker_that_gets_free_by_a_job_of_that_very_poll_does_not_count() -> None:
    assert spans(serve([0.0, 0.0], PollingWorkers(1, poll_interval=0.5))) == [(0.0, 0.0), (0.5, 0.5)]


def test_a_long_service_lets_polls_pass() -> None:
    result = serve([0.0, 0.0], PollingWorkers(1, service=1.25, poll_interval=0.5))
    assert spans(result) == [(0.0, 1.25), (1.5, 2.75)]


# --- service times ----------------------------------------------------------------------------------------------------


def test_a_merged_job_takes_so_much_more_for_each_item() -> None:
    merged = JobBuffer("b", policy=FlushEvery(5.0), reduce=Merge())
    result = simulate([1.0, 2.0, 3.0], merged, workers=[PushWorkers(service=0.25, per_item=0.5)])
    assert columns(result, "work", "items", "finished_at", "busy_time") == [(3, 6.75, 1.75)]


def test_the_ith_row_of_a_queue_takes_its_ith_draw_and_attempt_a_its_own() -> None:
    workers = PushWorkers(50, service=Exponential(0.5), failure=1.0, retries=1, backoff=1.0)
    jobs = producer([0.0] * 6, queues=["x", "y", "x", "x", "y", "y"])
    simulation = timed(jobs, ELSEWHERE, workers=[workers], until=200.0)
    result = simulation.run(seed=3)
    workload = Workload(simulation.producers, seed=3, until=200.0)
    for queue in ("x", "y"):
        rows = result.work[result.work.queue == queue]
        one, two = (workload.draws(queue, "service", a, workers.service).at_least(3)[:3] for a in (1, 2))
        assert rows.finished_at.tolist() == [((0.0 + a) + 1.0) + b for a, b in zip(one, two, strict=True)]
        assert rows.busy_time.tolist() == [a + b for a, b in zip(one, two, strict=True)]


def test_given_times_are_taken_in_the_order_of_the_queue_in_every_attempt() -> None:
    workers = PushWorkers(2, service=[1.0, 3.0], failure=1.0, retries=1)
    assert columns(serve([0.0, 0.0], workers), "work", "finished_at", "busy_time") == [(2.0, 2.0), (6.0, 6.0)]


def test_each_attempt_may_be_given_its_time_and_whether_it_fails() -> None:
    times, failures = [[1.0, 2.0], [4.0, 8.0]], [[True, False], [False, True]]
    result = serve([0.0, 0.0], PushWorkers(2, service=times, failure=failures, retries=1, backoff=0.5))
    # the first fails at 1 and is tried again from 1.5 to 3.5; the second is done at 4
    assert columns(result, "attempts", *result.attempts) == [
        (0, 1, 0.0, 1.0, "failed"),
        (0, 2, 1.5, 3.5, "completed"),
        (1, 1, 0.0, 4.0, "completed"),
    ]
    assert columns(result, "work", "busy_time", "outcome") == [(3.0, "completed"), (4.0, "completed")]


def test_too_few_given_failures_or_columns_are_an_error_that_says_what_is_missing() -> None:
    with pytest.raises(InvalidValueError, match=r"failure draws of queue 'default' must be at least 3 values .* got 2"):
        serve([0.0] * 3, PushWorkers(1, failure=[True, False]))
    with pytest.raises(InvalidValueError, match="must have a column for attempt 2, got 1 columns"):
        serve([0.0], PushWorkers(1, failure=[[True]], retries=1))


def test_too_few_given_times_are_an_error_that_says_how_many() -> None:
    with pytest.raises(InvalidValueError, match=r"service times of queue 'default' must be at least 3 values .* got 2"):
        serve([0.0] * 3, PushWorkers(1, service=[1.0, 1.0]))


# --- failures ---------------------------------------------------------------------------------------------------------


def test_a_job_that_fails_for_good_has_a_finish() -> None:
    result = serve([1.0], PushWorkers(1, service=0.5, failure=1.0))
    assert columns(result, "work", "finished_at", "attempts", "outcome") == [(1.5, 1, "failed")]
    assert column(result, "jobs", "finished_at") == [1.5]


def test_a_failed_job_goes_back_to_the_tail_when_its_back_off_ends() -> None:
    workers = PushWorkers(1, service=1.0, failure=1.0, retries=2, backoff=Backoff(1.0, factor=3.0, longest=2.0))
    result = serve([0.0], workers)
    # attempts at 0, 1 + 1 and 3 + 2
    assert columns(result, "work", "started_at", "finished_at", "busy_time", "attempts") == [(0.0, 6.0, 3.0, 3)]


def test_a_worker_is_free_while_a_job_backs_off() -> None:
    result = serve([0.0, 0.0], PushWorkers(1, service=1.0, failure=1.0, retries=1, backoff=5.0))
    assert spans(result) == [(0.0, 7.0), (1.0, 8.0)]


def test_a_draw_below_the_probability_fails() -> None:
    workers = PushWorkers(9, service=Uniform(0.1, 0.2), failure=0.4)
    simulation = timed([0.0] * 200, ELSEWHERE, workers=[workers])
    workload = Workload(simulation.producers, seed=2, until=100.0)
    draws = workload.draws("default", "failure", 1, None).at_least(200)[:200]
    outcomes = column(simulation.run(seed=2), "work", "outcome")
    assert outcomes == ["failed" if u < 0.4 else "completed" for u in draws]


@pytest.mark.parametrize(
    ("until", "outcome", "attempts", "busy"),
    [(0.5, "running", 1, 0.0), (2.0, "retrying", 1, 1.0), (4.5, "running", 2, 1.0)],
)
def test_what_has_not_happened_by_the_end_is_missing(until: float, outcome: str, attempts: int, busy: float) -> None:
    result = serve([0.0], PushWorkers(1, service=1.0, failure=1.0, retries=1, backoff=3.0), until=until)
    assert columns(result, "work", "finished_at", "outcome", "attempts", "busy_time") == [
        (None, outcome, attempts, busy)
    ]
