from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from bufsim_tests.models import batches, column, columns, producer, simulate, timed

from bufsim import (
    Capacity,
    FlushAfterAge,
    FlushAt,
    FlushAtSize,
    FlushEvery,
    FlushPolicy,
    FlushWhenIdle,
    JobBuffer,
    NeverFlush,
    Poisson,
    Producer,
    PushWorkers,
    Result,
    Simulation,
    Stops,
    Storage,
)
from bufsim.engines.recording import LOSS_CAUSES

DURABLE = Storage(durable=True)


def fates(result: Result) -> list[tuple[object, ...]]:
    return columns(result, "jobs", "outcome", "lost_at", "loss_cause")


# --- stops ------------------------------------------------------------------------------------------------------------


def test_volatile_storage_loses_its_buffers_and_the_level_falls() -> None:
    result = simulate([1.0, 2.0, 9.0], NeverFlush(), stops=Stops(at=[5.0], downtime=2.0))
    assert fates(result) == [("lost", 5.0, "buffer")] * 2 + [("buffered", None, None)]
    assert columns(result, "buffer_size", "time", "size") == [(0.0, 0), (1.0, 1), (2.0, 2), (5.0, 0), (9.0, 1)]


def test_durable_storage_keeps_what_is_buffered() -> None:
    result = simulate([1.0, 2.0], NeverFlush(), storage=DURABLE, stops=Stops(at=[5.0]))
    assert column(result, "jobs", "outcome") == ["buffered"] * 2


@pytest.mark.parametrize("storage", [Storage(), DURABLE])
def test_every_storage_loses_the_batches_in_flight_and_the_flush_keeps_its_row(storage: Storage) -> None:
    slow = JobBuffer("b", policy=FlushAtSize(2), flush_time=5.0)
    result = simulate([1.0, 2.0], slow, storage=storage, stops=Stops(at=[4.0]))
    assert columns(result, "flushes", "start", "end", "batch_size", "reduced_size") == [(2.0, None, 2, None)]
    assert fates(result) == [("lost", 4.0, "in_flight")] * 2
    assert column(result, "jobs", "flush_id") == [0, 0]
    assert len(result.work) == 0


def test_a_flush_that_would_end_at_the_stop_is_interrupted() -> None:
    slow = JobBuffer("b", policy=FlushAtSize(1), flush_time=3.0)
    assert fates(simulate([1.0], slow, stops=Stops(at=[4.0]))) == [("lost", 4.0, "in_flight")]


def test_a_flush_due_at_the_stop_does_not_start() -> None:
    assert fates(simulate([1.0], FlushEvery(5.0), stops=Stops(at=[5.0]))) == [("lost", 5.0, "buffer")]


def test_arrivals_from_the_stop_to_before_the_restart_are_lost() -> None:
    result = simulate([4.0, 5.0, 6.9, 7.0], NeverFlush(), storage=DURABLE, stops=Stops(at=[5.0], downtime=2.0))
    assert fates(result) == [
        ("buffered", None, None),
        ("lost", 5.0, "down"),
        ("lost", 6.9, "down"),
        ("buffered", None, None),
    ]


def test_a_job_lost_while_down_has_one_row_for_each_collecting_buffer_or_one() -> None:
    buffers = [JobBuffer(name, policy=NeverFlush(), collect="x") for name in ("a", "b")]
    jobs = producer([5.0, 5.0], queues=["x", "y"])
    result = simulate(jobs, *buffers, stops=Stops(at=[4.0], downtime=2.0))
    assert columns(result, "jobs", "job_id", "buffer", "loss_cause") == [
        (0, "a", "down"),
        (0, "b", "down"),
        (1, None, "down"),
    ]
    assert len(result.work) == 0
    assert column(result, "buffer_size", "time") == [0.0, 0.0]


def test_no_flush_starts_while_down_and_the_restart_asks() -> None:
    stops = Stops(at=[5.0], downtime=10.0)
    result = simulate([1.0, 2.0], FlushAfterAge(6.0), storage=DURABLE, stops=stops)
    assert batches(result) == [(15.0, [0, 1])]
    early = simulate([1.0], FlushAfterAge(20.0), storage=DURABLE, stops=stops, until=30.0)
    assert batches(early) == [(21.0, [0])]


def test_a_restart_forgets_the_last_flush() -> None:
    policy = FlushEvery(5.0, anchor="flush_start") | FlushAtSize(2)
    jobs = [1.0, 2.0, 3.0]
    assert batches(simulate(jobs, policy, storage=DURABLE)) == [(2.0, [0, 1]), (7.0, [2])]
    assert batches(simulate(jobs, policy, storage=DURABLE, stops=Stops(at=[4.0]))) == [(2.0, [0, 1]), (5.0, [2])]


def test_a_stop_without_downtime_loses_what_is_there_and_takes_what_comes_at_that_instant() -> None:
    result = simulate([1.0, 5.0], NeverFlush(), stops=Stops(at=[5.0]))
    assert fates(result) == [("lost", 5.0, "buffer"), ("buffered", None, None)]


def test_a_stop_on_a_restart_stops_again() -> None:
    result = simulate([1.0, 7.0], NeverFlush(), stops=Stops(at=[5.0, 7.0], downtime=2.0))
    assert fates(result) == [("lost", 5.0, "buffer"), ("lost", 7.0, "down")]


# --- queues -----------------------------------------------------------------------------------------------------------


def serve(durable: bool) -> Result:
    """Five jobs, one worker of 2 s: at 5 one is done, one is served and three wait."""
    workers = PushWorkers(1, service=2.0)
    options = {"workers": [workers], "stops": Stops(at=[5.0], downtime=1.0), "durable_queue": durable, "until": 20.0}
    return simulate([1.0] * 5, FlushEvery(2.0), **options)


def test_a_volatile_queue_loses_what_waits_and_what_is_served() -> None:
    result = serve(durable=False)
    assert columns(result, "work", "outcome", "finished_at", "attempts", "busy_time") == [
        ("completed", 4.0, 1, 2.0),
        ("lost", None, 1, 0.0),
        ("lost", None, 0, 0.0),
        ("lost", None, 0, 0.0),
        ("lost", None, 0, 0.0),
    ]
    assert fates(result) == [("flushed", None, None)] + [("lost", 5.0, "queue")] * 4


def test_with_a_durable_queue_the_workers_go_on() -> None:
    assert column(serve(durable=True), "work", "finished_at") == [4.0, 6.0, 8.0, 10.0, 12.0]


def test_a_volatile_queue_loses_work_that_backs_off_and_its_workers_are_free_after_the_restart() -> None:
    workers = PushWorkers(1, service=1.0, failure=1.0, retries=1, backoff=9.0)
    options = {"workers": [workers], "stops": Stops(at=[5.0]), "durable_queue": False}
    result = simulate([1.0, 6.0], FlushAtSize(1), **options)
    assert columns(result, "work", "outcome", "attempts", "busy_time")[0] == ("lost", 1, 1.0)
    assert columns(result, "work", "started_at", "finished_at")[1] == (6.0, 17.0)


def test_jobs_that_passed_by_are_lost_with_their_queue_too() -> None:
    own = JobBuffer("b", policy=NeverFlush(), collect="x")
    jobs = producer([0.0, 1.0], queues=["x", "y"])
    result = simulate(jobs, own, stops=Stops(at=[5.0]), durable_queue=False)
    assert fates(result) == [("lost", 5.0, "buffer"), ("lost", 5.0, "queue")]


def test_work_done_before_the_stop_stays_done() -> None:
    options = {"workers": [PushWorkers()], "stops": Stops(at=[5.0]), "durable_queue": False}
    assert fates(simulate([1.0], FlushAtSize(1), **options)) == [("flushed", None, None)]


# --- read, then delete ------------------------------------------------------------------------------------------------


def racing(window: float, times: list[float], buffer: JobBuffer) -> Result:
    return simulate(times, buffer, storage=Storage(durable=True, read_delete_window=window))


def test_arrivals_between_read_and_delete_are_lost_at_arrival_without_a_row() -> None:
    slow = JobBuffer("b", policy=FlushAtSize(2), flush_time=1.0)
    result = racing(0.5, [1.0, 2.0, 2.0, 2.25, 2.5, 3.0], slow)
    assert columns(result, "flushes", "start", "end") == [(2.0, 3.5), (3.5, 5.0)]
    assert fates(result) == [
        ("flushed", None, None),
        ("flushed", None, None),
        ("lost", 2.0, "race"),
        ("lost", 2.25, "race"),
        ("flushed", None, None),
        ("flushed", None, None),
    ]
    assert column(result, "buffer_size", "time") == [0.0, 1.0, 2.0, 2.0, 2.5, 3.0, 3.5]


def test_the_window_comes_before_the_time_that_the_flush_takes() -> None:
    slow = JobBuffer("b", policy=FlushAtSize(2), flush_time=0.7)
    result = racing(0.2, [0.1, 0.1], slow)
    assert column(result, "flushes", "end") == [(0.1 + 0.2) + (0.7 + 0.0 * 2)]


def test_without_a_window_nothing_is_lost_to_a_race() -> None:
    bulk = JobBuffer("b", policy=FlushAtSize(2))
    assert "lost" not in column(racing(0.0, [1.0] * 5, bulk), "jobs", "outcome")


def test_the_race_comes_before_the_capacity() -> None:
    full = JobBuffer("b", policy=FlushAtSize(2), flush_time=9.0, capacity=Capacity(jobs=1, on_full="drop_oldest"))
    result = racing(1.0, [1.0, 1.5], full)
    assert column(result, "jobs", "loss_cause") == ["capacity", None]
    tight = JobBuffer("b", policy=FlushAtSize(1), flush_time=9.0, capacity=Capacity(jobs=1))
    assert column(racing(1.0, [1.0, 1.5], tight), "jobs", "loss_cause") == [None, "race"]


def test_a_window_ends_with_the_flush_that_a_stop_interrupts() -> None:
    slow = JobBuffer("b", policy=FlushAtSize(2), flush_time=1.0)
    storage = Storage(durable=True, read_delete_window=5.0)
    result = simulate([1.0, 1.0, 4.0], slow, storage=storage, stops=Stops(at=[2.0], downtime=1.0))
    assert fates(result)[2] == ("buffered", None, None)


def test_only_the_buffer_that_flushes_loses_to_its_race() -> None:
    buffers = [JobBuffer("a", policy=FlushAtSize(1)), JobBuffer("b", policy=NeverFlush())]
    result = simulate([1.0, 1.5], *buffers, storage=Storage(durable=True, read_delete_window=1.0))
    assert columns(result, "jobs", "buffer", "loss_cause") == [("a", None), ("b", None), ("a", "race"), ("b", None)]


# --- a flush that finds the buffer empty ------------------------------------------------------------------------------


def race_losses(policy: FlushPolicy, times: list[float], window: float = 0.5, **options: object) -> list[object]:
    """Return when jobs were lost to a race: the same on both engines, at every record level."""
    storage = Storage(durable=True, read_delete_window=window)
    one = simulate(times, policy, storage=storage, **options)
    found = [at for at, cause in columns(one, "jobs", "lost_at", "loss_cause") if cause == "race"]
    for result in every_way(times, policy, storage=storage, **options):
        assert result.metric("lost_race_jobs") == len(found)
        assert result.metric("flush_count") == len(one.flushes)
    return found


# ticks at 0, 2, 4, ...: each finds the buffer empty, unless a job has come since the last
EMPTY_FLUSHES = {
    "what comes within the window of a tick that finds nothing is lost": ([2.25, 2.5], [2.25]),
    "a job of the tick's own instant is flushed, and those after it are lost to that flush": ([2.0, 2.25], [2.25]),
    "the first tick counts": ([0.25, 1.0], [0.25]),
    "a tick that finds a job is a flush, and the next finds nothing": ([1.0, 2.25, 4.25, 4.5], [2.25, 4.25]),
    "many ticks later": ([60.25, 60.75, 62.5], [60.25]),
}


@pytest.mark.parametrize(("times", "lost"), EMPTY_FLUSHES.values(), ids=EMPTY_FLUSHES)
def test_a_flush_of_an_empty_buffer_loses_what_comes_within_its_window(times: list[float], lost: list[float]) -> None:
    assert race_losses(FlushEvery(2.0), times, until=70.0) == lost


@pytest.mark.parametrize(
    "policy",
    [
        FlushEvery(2.0) & FlushAtSize(1),
        FlushAtSize(1).checked_every(2.0),
        FlushAfterAge(2.0),
        FlushWhenIdle(2.0) | FlushAtSize(2),
    ],
)
def test_a_policy_that_looks_first_does_not_flush_what_is_empty(policy: FlushPolicy) -> None:
    assert race_losses(policy, [2.25, 6.25], until=7.0) == []


def test_a_flush_is_called_at_the_ticks_of_every_clock_among_others() -> None:
    policy = FlushEvery(2.0) | FlushAtSize(9) | FlushAt([5.0, 6.5])
    assert race_losses(policy, [2.25, 5.25, 6.75, 7.25], until=8.0) == [2.25, 5.25, 6.75]


def test_one_flush_at_a_time_so_that_ticks_within_a_window_call_none() -> None:
    # windows [0, 1.5), [2, 3.5), [4, 5.5) ...: the ticks at 1, 3 and 5 s fall into one
    assert race_losses(FlushEvery(1.0), [0.25, 1.25, 1.75, 2.25], window=1.5, until=2.5) == [0.25, 1.25, 2.25]
    assert race_losses(FlushEvery(1.0), [3.25], window=1.5, until=4.0) == [3.25]
    assert race_losses(FlushEvery(1.0), [3.75], window=1.5, until=4.0) == []


def test_ticks_count_from_the_last_flush_that_took_something() -> None:
    # the first flush from 3 to 3.5 s; with its end as anchor the ticks are 6.5 and 9.5 s
    policy = FlushEvery(3.0, anchor="flush_end")
    assert race_losses(policy, [1.0, 6.75, 9.75, 12.0], until=12.5) == [6.75, 9.75]


def test_a_stop_ends_the_window_of_an_empty_flush_and_none_is_called_while_the_server_is_down() -> None:
    stops = Stops(at=[2.125, 3.75], downtime=0.0625)
    assert race_losses(FlushEvery(2.0), [2.25], until=3.0, stops=stops) == []
    down = Stops(at=[3.75], downtime=0.5)
    assert race_losses(FlushEvery(2.0), [4.375], until=5.0, stops=down) == []


def test_without_a_window_an_empty_flush_loses_nothing() -> None:
    assert race_losses(FlushEvery(2.0), [2.25, 4.25], window=0.0, until=5.0) == []


def test_a_window_that_is_lost_in_rounding_loses_nothing_and_comes_to_an_end() -> None:
    assert 58.0 + 1e-17 == 58.0
    assert race_losses(FlushEvery(2.0), [2.25, 60.25], window=1e-17, until=61.0) == []


def test_a_flush_that_the_user_calls_on_an_empty_buffer_deletes_too() -> None:
    def calls(model: Any) -> Iterator[Any]:
        yield model.env.timeout(1.0)
        model.flush("b")

    storage = Storage(durable=True, read_delete_window=0.5)
    model = timed([1.25, 1.5], JobBuffer("b", policy=NeverFlush()), storage=storage, until=3.0).build(1)
    model.env.process(calls(model))
    assert fates(model.run()) == [("lost", 1.25, "race"), ("buffered", None, None)]


@pytest.mark.parametrize("policy", [NeverFlush(), FlushEvery(9.0, phase=8.0)])
def test_a_flush_that_is_called_while_one_of_an_empty_buffer_is_under_way_is_none(policy: FlushPolicy) -> None:
    def calls(model: Any) -> Iterator[Any]:
        for _ in range(2):
            yield model.env.timeout(1.0)
            model.flush("b")

    storage = Storage(durable=True, read_delete_window=1.5)
    model = timed([2.25, 2.5], JobBuffer("b", policy=policy), storage=storage, until=3.0).build(1)
    model.env.process(calls(model))
    assert fates(model.run()) == [("lost", 2.25, "race"), ("buffered", None, None)]


# --- servers that flush one storage at the same times -----------------------------------------------------------------


def served(servers: int, window: float, **options: object) -> Iterator[Result]:
    storage = Storage(durable=True, read_delete_window=window, servers=servers)
    return every_way([1.0, 1.5, 2.25, 3.0], JobBuffer("b", policy=FlushEvery(2.0)), storage=storage, **options)


def test_servers_that_read_before_one_deletes_hand_over_the_same_jobs() -> None:
    # flushes at 2 s, of two jobs, and at 4 s, of one: each job reaches the queue three times; that of 2.25 s is lost
    for result in served(3, 0.5, until=5.0):
        assert result.metric("repeated_jobs") == 6.0
        assert result.metric("enqueued_jobs") == 9.0
        assert result.metric("lost_race_jobs") == 1.0
        assert result.metric("work_saved_share") == 0.0
        assert any("repeated: 6 jobs" in sentence for sentence in result.warnings())
    tables = next(served(3, 0.5, until=5.0))
    assert columns(tables, "flushes", "batch_size", "reduced_size") == [(2, 2), (1, 1)]
    assert column(tables, "work", "flush_id") == [0] * 6 + [1] * 3
    # the tables follow the first server's task
    assert column(tables, "jobs", "work_id") == [0, 1, None, 6]


def test_servers_of_an_atomic_flush_never_get_the_same_job_and_lose_none() -> None:
    for result in served(3, 0.0, until=5.0):
        assert [result.metric(name) for name in ("repeated_jobs", "enqueued_jobs", "lost_jobs")] == [0.0, 4.0, 0.0]
        assert not any("repeated" in sentence for sentence in result.warnings())


def test_workers_serve_what_each_server_hands_over() -> None:
    # two jobs, two servers, one worker: four services of 1 s from 2.5 s on, and the first two are the jobs' own
    for result in served(2, 0.5, until=20.0, workers=[PushWorkers(1, service=1.0)]):
        assert result.metric("completed_jobs") == 6.0
    tables = next(served(2, 0.5, until=20.0, workers=[PushWorkers(1, service=1.0)]))
    assert column(tables, "work", "finished_at") == [3.5, 4.5, 5.5, 6.5, 7.5, 8.5]
    assert column(tables, "jobs", "finished_at") == [3.5, 4.5, None, 7.5]


# --- conservation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", [Storage(), DURABLE, Storage(durable=True, read_delete_window=0.3)])
def test_every_row_has_one_fate_and_levels_agree(storage: Storage) -> None:
    buffer = JobBuffer("b", policy=FlushEvery(2.0), capacity=Capacity(jobs=15), flush_time=0.5)
    result = Simulation(
        producers=[Producer("p", Poisson(10.0))],
        buffers=[buffer],
        workers=[PushWorkers(2, service=0.1)],
        until=201.0,
        storage=storage,
        durable_queue=False,
        stops=Stops(mean_time_between=20.0, downtime=1.0),
    ).run(seed=4)
    fates_of = Counter(column(result, "jobs", "outcome"))
    assert sum(fates_of.values()) == len(result.jobs)
    assert fates_of["buffered"] == column(result, "buffer_size", "size")[-1]
    ended = result.flushes[result.flushes.end.notna()]
    queue_losses = (result.jobs.loss_cause == "queue").sum()
    assert fates_of["flushed"] + queue_losses == ended.batch_size.sum()
    assert {"down", "in_flight", "queue", "capacity"} <= set(result.jobs.loss_cause.dropna())


# --- storages and queues that differ ----------------------------------------------------------------------------------


def every_way(*args: object, **options: object) -> Iterator[Result]:
    """Run a model on both engines, at every record level."""
    for engine in ("simpy", "compiled"):
        for record in ("all", "flushes", "summary"):
            yield timed(*args, **options).run(1, engine=engine, record=record)


def lost_of(result: Result, buffer: str) -> dict[str, int]:
    """Return for which causes a buffer lost how many jobs."""
    lost = result.tally.buffers[buffer].lost
    return {cause: count for cause, count in zip(LOSS_CAUSES, lost, strict=True) if count}


def test_at_a_stop_a_buffer_in_memory_loses_what_a_durable_one_beside_it_keeps() -> None:
    # kept: a flush of the jobs of 1 and 2 s is in flight from 2 to 5 s, the job of 3 s is buffered and stays;
    # memory: the jobs of 1.5, 2.5 and 4 s are buffered at the stop, that of 6 s comes later
    slow = JobBuffer("kept", policy=FlushAtSize(2), collect="x", flush_time=4.0, storage=DURABLE)
    buffers = [slow, JobBuffer("memory", policy=NeverFlush(), collect="y")]
    jobs = producer([1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0], queues=["x", "y", "x", "y", "x", "y", "y"])
    for result in every_way(jobs, *buffers, stops=Stops(at=[5.0]), until=8.0):
        assert lost_of(result, "kept") == {"in_flight": 2}
        assert lost_of(result, "memory") == {"buffer": 3}
        # a stop would lose, of kept: 2 from 2 to 5 s; of memory: 1 for 1 s, 2 for 1.5 s, 3 for 1 s, and 1 for 2 s
        at_stop = [result.metric("mean_loss_at_stop_jobs", of) for of in ("kept", "memory", None)]
        assert at_stop == [6 / 8, 9 / 8, 15 / 8]
    assert columns(simulate(jobs, *buffers, stops=Stops(at=[5.0]), until=8.0), "jobs", "outcome", "loss_cause") == [
        ("lost", "in_flight"),
        ("lost", "buffer"),
        ("lost", "in_flight"),
        ("lost", "buffer"),
        ("buffered", None),
        ("lost", "buffer"),
        ("buffered", None),
    ]


def test_the_storage_of_a_buffer_goes_before_that_of_the_simulation_both_ways() -> None:
    buffers = [JobBuffer("a", policy=NeverFlush(), storage=Storage()), JobBuffer("b", policy=NeverFlush())]
    for result in every_way([1.0, 2.0], *buffers, storage=DURABLE, stops=Stops(at=[5.0])):
        assert (lost_of(result, "a"), lost_of(result, "b")) == ({"buffer": 2}, {})


def test_each_buffer_loses_to_its_own_window_between_read_and_delete() -> None:
    # all three take every job, and flush at 2 s: a reads until 2.5 s and loses two, b until 2.25 s and loses one
    at_two = {"policy": FlushAt([2.0])}
    wide = JobBuffer("a", **at_two, storage=Storage(durable=True, read_delete_window=0.5))
    buffers = [wide, JobBuffer("b", **at_two), JobBuffer("c", **at_two, storage=DURABLE)]
    storage = Storage(read_delete_window=0.25)
    for result in every_way([1.0, 2.125, 2.375, 2.625], *buffers, storage=storage, until=3.0):
        assert [lost_of(result, name) for name in "abc"] == [{"race": 2}, {"race": 1}, {}]
        assert [result.metric("lost_race_jobs", name) for name in "abc"] == [2.0, 1.0, 0.0]
        assert [result.tally.buffers[name].longest_flush for name in "abc"] == [0.5, 0.25, 0.0]
        assert [result.tally.buffers[name].left for name in "abc"] == [1, 2, 3]


def test_a_volatile_queue_loses_its_jobs_beside_a_durable_one_whose_workers_go_on() -> None:
    # a job a queue at 1 and at 2 s, which take 4 s: gone has one in service and one waiting at the stop of 3 s
    jobs = producer([1.0, 1.0, 2.0, 2.0], queues=["kept", "gone", "kept", "gone"])
    workers = [PushWorkers(1, queue=queue, service=4.0) for queue in ("kept", "gone")]
    model = {"workers": workers, "stops": Stops(at=[3.0]), "durable_queue": "kept", "until": 10.0}
    for result in every_way(jobs, FlushAtSize(1), **model):
        assert lost_of(result, "b") == {"queue": 2}
        assert [result.metric("lost_in_queue_jobs", queue) for queue in ("kept", "gone")] == [0.0, 2.0]
        assert [result.tally.queues[queue].completed for queue in ("kept", "gone")] == [2, 0]
        # a stop would lose one from 1 s, and two from 2 s to 3 s
        assert result.metric("mean_loss_at_stop_jobs") == pytest.approx(3 / 10)
    for engine in ("simpy", "compiled"):
        work = timed(jobs, FlushAtSize(1), **model).run(1, engine=engine)
        assert columns(work, "work", "queue", "outcome", "finished_at") == [
            ("kept", "completed", 5.0),
            ("gone", "lost", None),
            ("kept", "completed", 9.0),
            ("gone", "lost", None),
        ]


def test_services_of_a_durable_queue_end_in_their_order_after_a_stop_took_others_from_between_them() -> None:
    jobs = producer([1.0] * 6, queues=["kept", "gone"] * 3)
    takes = {"kept": [9.0, 5.0, 7.0], "gone": [8.0, 4.0, 6.0]}
    workers = [PushWorkers(2, queue=queue, service=times) for queue, times in takes.items()]
    for engine in ("simpy", "compiled"):
        model = timed(jobs, FlushAtSize(1), workers=workers, stops=Stops(at=[3.0]), durable_queue=["kept"])
        work = columns(model.run(1, engine=engine), "work", "queue", "started_at", "finished_at")
        # two start at 1 s, until 10 and 6 s; the third takes the place of the second
        assert [times[1:] for times in work if times[0] == "kept"] == [(1.0, 10.0), (1.0, 6.0), (6.0, 13.0)]
        assert [times[1:] for times in work if times[0] == "gone"] == [(1.0, None), (1.0, None), (None, None)]


def test_jobs_that_pass_by_are_lost_with_a_volatile_queue_alone() -> None:
    own = JobBuffer("b", policy=NeverFlush(), collect="x")
    jobs = producer([0.0, 1.0, 2.0], queues=["x", "y", "z"])
    for result in every_way(jobs, own, storage=DURABLE, stops=Stops(at=[5.0]), durable_queue=["x", "y"]):
        assert lost_of(result, "b") == {}
        assert dict(zip(LOSS_CAUSES, result.tally.bypassed_lost, strict=True))["queue"] == 1
        # from 2 s to the stop
        assert result.metric("mean_loss_at_stop_jobs") == pytest.approx(3 / 20)
