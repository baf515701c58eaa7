from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import simpy
from bufsim_tests.doubles import Copying, Forgetting, NoTake, Rebuilding, Reversing
from bufsim_tests.models import batches, column, columns, producer, simulate, timed

from bufsim import (
    BufferView,
    BufsimError,
    Capacity,
    CollectQueues,
    DrainAtMost,
    FlushAtSize,
    FlushEvery,
    FlushPolicy,
    InvalidValueError,
    JobBuffer,
    NeverFlush,
    PushWorkers,
    Result,
    Simulation,
    Storage,
)
from bufsim.vendure import InMemoryJobBufferStorageStrategy, Job, SearchIndexJobBuffer

INF = float("inf")


def run_with(simulation: Simulation, *steps: tuple[float, Any]) -> Result:
    """Run a simulation with a process of the user's that calls each step, given the model, at its time."""
    model = simulation.build(seed=1)

    def process(env: simpy.Environment) -> Iterator[simpy.Event]:
        for time, step in steps:
            yield env.timeout(time - env.now)
            step(model)

    model.env.process(process(model.env))
    return model.run()


# --- processes --------------------------------------------------------------------------------------------------------


def test_a_process_can_flush_a_buffer_and_the_cause_is_manual() -> None:
    result = run_with(timed([1.0, 2.0, 4.0], NeverFlush()), (3.0, lambda m: m.flush("b")))
    assert batches(result) == [(3.0, [0, 1])]
    assert column(result, "flushes", "cause") == ["manual"]


def test_a_process_comes_before_the_model_at_one_instant() -> None:
    result = run_with(timed([1.0, 3.0], FlushEvery(5.0)), (3.0, lambda m: m.flush("b")))
    assert batches(result) == [(3.0, [0]), (5.0, [1])]


def test_a_manual_flush_leaves_empty_and_flushing_buffers_alone() -> None:
    slow = JobBuffer("b", policy=NeverFlush(), flush_time=2.0)
    flush = [(time, lambda m: m.flush("b")) for time in (0.5, 1.5, 2.5)]
    assert batches(run_with(timed([1.0, 2.0], slow), *flush)) == [(1.5, [0])]


def test_a_manual_flush_takes_its_time_and_counts_for_the_policys_ticks() -> None:
    slow = JobBuffer("b", policy=FlushEvery(5.0, anchor="flush_end"), flush_time=1.0)
    result = run_with(timed([1.0, 4.0], slow), (3.0, lambda m: m.flush("b")))
    assert columns(result, "flushes", "start", "end") == [(3.0, 4.0), (9.0, 10.0)]


def test_a_process_can_add_jobs_that_are_recorded_among_the_others() -> None:
    def add(model: Any) -> None:
        assert model.service.add(Job(queue_name="default", key="own", nbytes=7))

    result = run_with(timed([1.0, 3.0], FlushEvery(5.0)), (2.0, add))
    assert columns(result, "jobs", "job_id", "producer", "key", "nbytes", "created_at") == [
        (0, "p", None, 0, 1.0),
        (1, None, "own", 7, 2.0),
        (2, "p", None, 0, 3.0),
    ]
    assert batches(result) == [(5.0, [0, 1, 2])]


def test_a_job_of_a_new_queue_passes_by_to_a_queue_of_its_own() -> None:
    collects = JobBuffer("b", policy=NeverFlush(), collect=CollectQueues(["default"]))
    answers: list[bool] = []
    simulation = timed([1.0], collects, workers=[PushWorkers(service=0.5)])
    result = run_with(simulation, (2.0, lambda m: answers.append(m.service.add(Job(queue_name="new")))))
    assert answers == [False]
    assert columns(result, "work", "queue", "queued_at", "finished_at") == [("new", 2.0, 2.5)]


def test_a_job_whose_queue_only_a_process_names_goes_to_every_buffer_that_collects_it() -> None:
    both = [JobBuffer(n, policy=FlushEvery(5.0), collect=[q, "z"]) for n, q in (("a", "x"), ("b", "y"))]
    simulation = timed(producer([1.0, 2.0], queues=["x", "y"]), *both)
    result = run_with(simulation, (1.5, lambda m: m.service.add(Job(queue_name="z"))))
    assert columns(result, "jobs", "job_id", "copy", "buffer") == [(0, 0, "a"), (1, 0, "a"), (1, 1, "b"), (2, 0, "b")]


def test_the_same_job_cannot_arrive_twice() -> None:
    job = Job(queue_name="default")
    twice = [(time, lambda m: m.service.add(job)) for time in (2.0, 3.0)]
    with pytest.raises(BufsimError, match="has been added already; make a new Job for every arrival"):
        run_with(timed([1.0], FlushEvery(5.0)), *twice)


def test_what_would_bypass_the_records_is_refused_with_the_way_out() -> None:
    model = timed([1.0], NeverFlush()).build(seed=1)
    with pytest.raises(BufsimError, match=r"flush with model\.flush"):
        model.service.flush(["b"])
    with pytest.raises(BufsimError, match="put 'new' into Simulation"):
        model.service.add_buffer(JobBuffer("new", policy=NeverFlush()))
    with pytest.raises(BufsimError, match="leave 'b' out of Simulation"):
        model.service.remove_buffer(JobBuffer("b", policy=NeverFlush()))
    with pytest.raises(InvalidValueError, match="flush takes the ids of buffers, 'b', got 'c'"):
        model.flush("c")


def test_a_model_runs_once() -> None:
    model = timed([1.0], NeverFlush()).build(seed=1)
    model.run()
    with pytest.raises(BufsimError, match="a model runs once; build a new one for another run"):
        model.run()


# --- policies ---------------------------------------------------------------------------------------------------------


class Asked(FlushPolicy):
    """Answers as told, and notes what it was shown."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.views: list[BufferView] = []

    def due(self, view: BufferView) -> float:
        self.views.append(view)
        return self.answer(view)


def test_a_policy_is_asked_after_arrivals_at_flush_ends_and_when_the_timer_rings() -> None:
    policy = Asked(lambda view: view.oldest_at + 3.0)
    buffer = JobBuffer("b", policy=policy, flush_time=2.0, drain=DrainAtMost(1))
    simulate([1.0, 2.0, 5.0], buffer, until=8.0)
    # arrivals at 1 and 2, the ring at 4; not while flushing; the ends at 6 and 8 (not in the run), the ring at 6
    assert [(view.now, view.size) for view in policy.views] == [(1.0, 1), (2.0, 2), (4.0, 2), (6.0, 2), (6.0, 2)]
    last = policy.views[-1]
    assert (last.oldest_at, last.newest_at, last.last_flush_start, last.last_flush_end) == (2.0, 5.0, 4.0, 6.0)


def test_a_policy_of_the_users_gets_a_view_it_cannot_change() -> None:
    policy = Asked(lambda view: INF)
    simulate([1.0], JobBuffer("b", policy=policy))
    assert isinstance(policy.views[0], BufferView)
    with pytest.raises(AttributeError):
        policy.views[0].size = 3  # type: ignore[misc]


def test_nan_is_refused_with_the_view_that_led_to_it() -> None:
    for policy in (Asked(lambda view: float("nan")), Asked(lambda view: float("nan")).checked_every(2.0)):
        with pytest.raises(InvalidValueError, match=r"due must return a time, got nan for BufferView\(now=1.0, size=1"):
            simulate([1.0], policy)


def test_a_timer_that_never_gets_anywhere_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bufsim.engines.simpy_buffers.MOST_RINGS", 100)
    with pytest.raises(BufsimError, match="was asked 100 times without an arrival or a flush"):
        simulate([1.0], Asked(lambda view: view.now + 1e-9))


# --- storage strategies -----------------------------------------------------------------------------------------------


def test_a_storage_that_reverses_the_order_hands_over_in_its_order() -> None:
    jobs = producer([1.0, 2.0, 3.0], queues=["x", "y", "z"])
    result = simulate(jobs, FlushEvery(5.0), storage=Storage(strategy=Reversing))
    assert column(result, "work", "queue") == ["z", "y", "x"]
    assert column(result, "jobs", "work_id") == [2, 1, 0]
    assert column(result, "flushes", "oldest_age") == [4.0]


def test_a_partial_take_from_a_reversing_storage_takes_what_it_gives_first() -> None:
    drained = JobBuffer("b", policy=FlushEvery(5.0), drain=DrainAtMost(1))
    result = simulate([1.0, 2.0, 3.0], drained, storage=Storage(strategy=Reversing))
    assert sorted(job for _, jobs in batches(result) for job in jobs) == [0, 1, 2]
    assert batches(result)[0] == (5.0, [2])


def test_a_storage_that_rebuilds_jobs_keeps_their_identity_by_id() -> None:
    result = simulate([1.0, 2.0], FlushEvery(5.0), storage=Storage(strategy=Rebuilding))
    assert columns(result, "jobs", "flush_id", "work_id", "outcome") == [(0, 0, "flushed"), (0, 1, "flushed")]


def test_what_a_storage_does_not_give_back_is_lost() -> None:
    result = simulate([1.0, 2.0, 3.0], FlushEvery(5.0), storage=Storage(strategy=Forgetting))
    assert column(result, "flushes", "batch_size") == [1]
    assert columns(result, "jobs", "outcome", "lost_at", "loss_cause") == [
        ("flushed", None, None),
        ("lost", 5.0, "storage"),
        ("lost", 5.0, "storage"),
    ]


def test_a_full_buffer_over_a_storage_that_gives_nothing_back_goes_on() -> None:
    class Blank(Forgetting):
        def flush(self, buffer_ids: Any = None) -> dict[str, list[Job]]:
            return {name: [] for name in super().flush(buffer_ids)}

    bounded = JobBuffer("b", policy=NeverFlush(), capacity=Capacity(jobs=2, on_full="drop_oldest"))
    result = simulate([1.0, 2.0, 3.0], bounded, storage=Storage(strategy=Blank))
    assert column(result, "jobs", "loss_cause") == ["storage", "storage", None]


def test_ids_of_the_users_own_jobs_do_not_clash_with_the_others() -> None:
    def add(model: Any) -> None:
        model.service.add(Job(queue_name="default", id="2"))

    result = run_with(timed([1.0, 2.0, 3.0], FlushEvery(5.0), storage=Storage(strategy=Rebuilding)), (1.5, add))
    assert column(result, "jobs", "outcome") == ["flushed"] * 4
    assert column(result, "jobs", "work_id") == [0, 1, 2, 3]


def test_two_jobs_of_one_id_are_refused_where_the_id_tells_jobs_apart() -> None:
    simulation = timed([9.0], FlushEvery(5.0), storage=Storage(strategy=Rebuilding))
    adds = [(time, lambda m: m.service.add(Job(queue_name="default", id="same"))) for time in (1.5, 2.5)]
    with pytest.raises(BufsimError, match="is taken; give every job its own, or none"):
        run_with(simulation, *adds)


def test_each_buffer_has_its_jobs_in_its_own_storage() -> None:
    buffers = [
        JobBuffer("memory", policy=FlushEvery(5.0)),
        JobBuffer("reversing", policy=FlushEvery(5.0), storage=Storage(strategy=Reversing)),
        JobBuffer("forgetting", policy=FlushEvery(5.0), storage=Storage(strategy=Forgetting)),
    ]
    result = simulate([1.0, 2.0], *buffers)
    # job 0 has rows 0, 1 and 2, job 1 has rows 3, 4 and 5; the tasks are those of the buffers in their order
    assert columns(result, "jobs", "buffer", "work_id", "loss_cause") == [
        ("memory", 0, None),
        ("reversing", 3, None),
        ("forgetting", 4, None),
        ("memory", 1, None),
        ("reversing", 2, None),
        ("forgetting", None, "storage"),
    ]


@pytest.mark.parametrize("own", [Storage(), Storage(strategy=NoTake), Storage(strategy=Rebuilding)])
def test_a_part_is_taken_from_the_storage_of_a_buffer_beside_another(own: Storage) -> None:
    drained = [
        JobBuffer("own", policy=FlushAtSize(3), drain=DrainAtMost(2), storage=own),
        JobBuffer("shared", policy=FlushAtSize(3), drain=DrainAtMost(2)),
    ]
    result = simulate([1.0, 2.0, 3.0], *drained)
    assert columns(result, "jobs", "job_id", "buffer", "outcome") == [
        (0, "own", "flushed"),
        (0, "shared", "flushed"),
        (1, "own", "flushed"),
        (1, "shared", "flushed"),
        (2, "own", "buffered"),
        (2, "shared", "buffered"),
    ]


def test_the_service_has_one_storage_that_leads_to_those_of_the_buffers() -> None:
    buffers = [
        JobBuffer("a", policy=NeverFlush()),
        JobBuffer("b", policy=NeverFlush(), storage=Storage(strategy=Copying)),
        JobBuffer("c", policy=NeverFlush()),
    ]
    seen: list[Any] = []

    def look(model: Any) -> None:
        storage = model.service.storage_strategy
        seen.append((model.service.buffer_size(), storage.buffer_size(), storage.buffer_size([])))
        seen.append((storage.buffer_size(["b", "unknown"]), storage.flush(["unknown"]), storage.flush([])))
        # an id given twice is read twice, as recorded
        seen.append({key: len(jobs) for key, jobs in storage.flush(["b", "c", "a", "c"]).items()})
        seen.append({key: len(jobs) for key, jobs in storage.flush().items()})
        first, second, third = model.strategies
        seen.append((first is third, first is second))

    run_with(timed([1.0, 2.0], *buffers), (3.0, look))
    assert seen == [
        ({"a": 2, "b": 2, "c": 2}, {"a": 2, "b": 2, "c": 2}, {}),
        ({"b": 2, "unknown": 0}, {"unknown": []}, {}),
        {"a": 2, "b": 2, "c": 0},
        {"a": 0, "b": 0, "c": 0},
        (True, False),
    ]


def test_buffers_without_a_storage_of_their_own_share_the_strategy_of_the_simulation() -> None:
    buffers = [JobBuffer(name, policy=NeverFlush()) for name in ("a", "b")]
    model = timed([1.0], *buffers).build(seed=1)
    assert model.strategies == [model.service.storage_strategy] * 2


def test_a_storage_that_gives_back_a_job_it_never_got_is_refused() -> None:
    class Inventing(InMemoryJobBufferStorageStrategy):
        def flush(self, buffer_ids: Any = None) -> dict[str, list[Job]]:
            return {name: [Job(queue_name="default", id="who")] for name in super().flush(buffer_ids)}

    with pytest.raises(BufsimError, match="whose id the run does not know; keep the job's id"):
        simulate([1.0], FlushEvery(5.0), storage=Storage(strategy=Inventing))


# --- collect and reduce -----------------------------------------------------------------------------------------------


def test_a_collect_of_the_users_own_decides_by_the_job() -> None:
    heavy = JobBuffer("b", policy=FlushEvery(5.0), collect=lambda job: job.nbytes > 10)
    result = simulate(producer([1.0, 2.0], nbytes=[5, 50]), heavy)
    assert column(result, "jobs", "outcome") == ["bypassed", "flushed"]


def test_a_reduce_of_the_users_own_links_by_identity() -> None:
    last = JobBuffer("b", policy=FlushEvery(5.0), reduce=lambda jobs: jobs[-1:])
    result = simulate([1.0, 2.0, 3.0], last, workers=[PushWorkers(service=0.5)])
    # the others are finished when the last work of their flush is
    assert columns(result, "jobs", "work_id", "finished_at") == [(None, 5.5), (None, 5.5), (0, 5.5)]


def test_a_reduce_that_merges_into_new_jobs_links_none_and_may_count_items() -> None:
    def merge(jobs: list[Job]) -> list[Job]:
        return [Job(queue_name="default", data=len(jobs))]

    merging = JobBuffer("b", policy=FlushEvery(5.0), reduce=merge, items=lambda job: job.data)
    result = simulate([1.0, 2.0, 3.0], merging, workers=[PushWorkers(service=0.0, per_item=0.5)])
    assert columns(result, "work", "items", "finished_at") == [(3, 6.5)]
    assert columns(result, "jobs", "work_id", "finished_at") == [(None, 6.5)] * 3


def test_a_reduce_that_raises_is_logged_and_the_batch_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    def fail(jobs: list[Job]) -> list[Job]:
        raise RuntimeError("no")

    with caplog.at_level(logging.ERROR, logger="bufsim.vendure"):
        result = simulate([1.0, 2.0], JobBuffer("b", policy=FlushEvery(5.0), reduce=fail))
    assert 'JobBuffer "b"' in caplog.text
    assert columns(result, "flushes", "batch_size", "reduced_size") == [(2, 2)]


def test_a_reduce_that_drops_all_leaves_a_flush_without_work() -> None:
    result = simulate([1.0], JobBuffer("b", policy=FlushEvery(5.0), reduce=lambda jobs: []))
    assert columns(result, "flushes", "end", "reduced_size") == [(5.0, 0)]
    assert columns(result, "jobs", "outcome", "work_id", "finished_at") == [("flushed", None, None)]


def test_a_ported_buffer_reduces_as_vendure_does() -> None:
    ported = JobBuffer.ported(SearchIndexJobBuffer(), policy=FlushAtSize(2))
    data = {"type": "update-variants", "variantIds": [1]}

    def add(model: Any) -> None:
        for _ in range(2):
            model.service.add(Job(queue_name="update-search-index", data=dict(data)))

    result = run_with(timed([1.0], ported), (2.0, add))
    assert columns(result, "flushes", "batch_size", "reduced_size") == [(2, 1)]
