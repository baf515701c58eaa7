from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import bufsim
from bufsim import (
    Capacity,
    CollectAll,
    CollectQueues,
    Constant,
    DrainAll,
    DrainAtMost,
    DrainUntil,
    Exponential,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    FlushTime,
    InvalidTypeError,
    InvalidValueError,
    JobBuffer,
    KeepAll,
    Merge,
    NeverFlush,
    Producer,
    Simulation,
    Stops,
    Storage,
    Trace,
    vendure,
)
from bufsim.vendure import InMemoryJobBufferStorageStrategy, TestingJobBufferStorageStrategy

POLICY = FlushAtSize(200) | FlushAfterAge("30s")


def job(queue: str) -> vendure.Job:
    return vendure.Job(queue_name=queue)


def test_collect_all_takes_every_job() -> None:
    assert CollectAll()(job("anything"))
    assert CollectAll().takes("anything")


def test_collect_queues_takes_the_jobs_of_its_queues() -> None:
    collect = CollectQueues(["email", "index"])
    assert [collect(job(queue)) for queue in ("email", "index", "emails")] == [True, True, False]
    assert [collect.takes(queue) for queue in ("email", "index", "emails")] == [True, True, False]


def test_one_queue_needs_no_list() -> None:
    assert CollectQueues("email") == CollectQueues(["email"])
    assert JobBuffer("b", policy=POLICY, collect="email").collect == CollectQueues(("email",))
    assert JobBuffer("b", policy=POLICY, collect=["email", "index"]).collect == CollectQueues(("email", "index"))


def test_the_defaults_take_all_keep_all_and_take_no_time() -> None:
    buffer = JobBuffer("b", policy=POLICY)
    assert buffer.collect == CollectAll()
    assert buffer.reduce == KeepAll()
    assert buffer.drain == DrainAll()
    assert buffer.capacity is None
    assert buffer.flush_time == FlushTime(Constant(0.0))
    assert buffer.items is None


def test_a_flush_time_may_be_written_shorter() -> None:
    assert JobBuffer("b", policy=POLICY, flush_time=0.05).flush_time == FlushTime(Constant(0.05))
    assert JobBuffer("b", policy=POLICY, flush_time="50ms").flush_time == FlushTime(0.05)
    assert JobBuffer("b", policy=POLICY, flush_time=Exponential(0.1)).flush_time == FlushTime(Exponential(0.1))
    assert FlushTime("50ms", per_job="2ms") == FlushTime(Constant(0.05), per_job=0.002)


FULL = JobBuffer(
    "search",
    policy=POLICY,
    collect="index",
    reduce=Merge(),
    drain=DrainAtMost(50),
    capacity=Capacity(jobs=1000),
    flush_time=FlushTime(Exponential(0.05), per_job=0.001),
)


@pytest.mark.parametrize("buffer", [JobBuffer("b", policy=POLICY), FULL])
def test_a_buffer_is_a_value(buffer: JobBuffer) -> None:
    again = pickle.loads(pickle.dumps(buffer))
    assert again == buffer
    assert hash(again) == hash(buffer)
    assert eval(repr(buffer), vars(bufsim)) == buffer
    with pytest.raises(AttributeError):
        buffer.id = "other"  # type: ignore[misc]


def test_a_repr_leaves_defaults_out() -> None:
    assert repr(JobBuffer("b", policy=NeverFlush())) == "JobBuffer('b', policy=NeverFlush())"
    assert repr(CollectQueues("email")) == "CollectQueues(('email',))"


def test_a_ported_buffer_can_be_given_a_policy() -> None:
    ported = vendure.SearchIndexJobBuffer()
    buffer = JobBuffer.ported(ported, policy=FlushEvery("2s"), drain=DrainAtMost(10))
    assert buffer.id == ported.id
    assert buffer.policy == FlushEvery(2.0)
    assert buffer.drain == DrainAtMost(10)
    variants = vendure.Job(queue_name="update-search-index", data={"type": "update-variants", "variantIds": [1]})
    assert buffer.collect(variants)
    assert not buffer.collect(job("email"))
    assert [reduced.data["ids"] for reduced in buffer.reduce([variants, variants])] == [[1]]


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: JobBuffer("", policy=POLICY), InvalidValueError, "id must not be empty; give it a name"),
        (lambda: JobBuffer(3, policy=POLICY), InvalidTypeError, "id must be a str, got 3"),
        (
            lambda: JobBuffer("b", policy=5.0),
            InvalidTypeError,
            "policy must be a FlushPolicy, such as FlushAtSize(100) | FlushAfterAge('5s'), got 5.0",
        ),
        (
            lambda: JobBuffer("b", policy=FlushAtSize),
            InvalidTypeError,
            "policy must be a FlushPolicy, such as FlushAtSize(100) | FlushAfterAge('5s'), got <class ",
        ),
        (
            lambda: JobBuffer("b", policy=POLICY, drain=3),
            InvalidTypeError,
            "drain must be a Drain, such as DrainAll(), got 3",
        ),
        (
            lambda: JobBuffer("b", policy=POLICY, capacity=1000),
            InvalidTypeError,
            "capacity must be a Capacity, such as Capacity(jobs=1000), got 1000",
        ),
        (
            lambda: JobBuffer("b", policy=POLICY, storage=True),
            InvalidTypeError,
            "storage must be a Storage, such as Storage(durable=True), got True",
        ),
        (
            lambda: JobBuffer("b", policy=POLICY, collect=3),
            InvalidTypeError,
            "collect must be a queue's name or a function of the job, got 3",
        ),
        (
            lambda: JobBuffer("b", policy=POLICY, collect=[]),
            InvalidValueError,
            "queues must not be empty; a buffer that takes every job has CollectAll()",
        ),
        (lambda: CollectQueues(["a", "a"]), InvalidValueError, "queues must be unique, got 'a' twice; rename one"),
        (lambda: CollectQueues([""]), InvalidValueError, "queues must not be empty"),
        (lambda: CollectQueues([3]), InvalidTypeError, "queues must be a str, got 3"),
        (lambda: CollectQueues(3), InvalidTypeError, "queues must be a list of names, got 3"),
        (
            lambda: JobBuffer("b", policy=POLICY, reduce="merge"),
            InvalidTypeError,
            "reduce must be KeepAll() or the like, or a function of the jobs, got 'merge'",
        ),
        (lambda: JobBuffer("b", policy=POLICY, flush_time=-1), InvalidValueError, "fixed must be >= 0, got -1"),
        (lambda: JobBuffer("b", policy=POLICY, flush_time="slow"), InvalidValueError, "fixed must be a number with a "),
        (lambda: FlushTime(0.1, per_job=-1), InvalidValueError, "per_job must be >= 0, got -1.0"),
        (lambda: FlushTime(float("nan")), InvalidValueError, "fixed must be finite, got nan"),
        (
            lambda: JobBuffer("b", policy=POLICY, reduce=Merge(), items=len),
            InvalidValueError,
            "items goes with a reduce of your own; Merge() counts its items itself",
        ),
        (
            lambda: JobBuffer("b", policy=POLICY, reduce=list, items=3),
            InvalidTypeError,
            "items must be a function of the reduced job, got 3",
        ),
        (
            lambda: JobBuffer("b", policy=POLICY, collect=CollectAll),
            InvalidTypeError,
            "collect must be a queue's name or a function of the job, got <class ",
        ),
        (
            lambda: JobBuffer("b", policy=POLICY, reduce=Merge),
            InvalidTypeError,
            "reduce must be KeepAll() or the like, or a function of the jobs, got <class ",
        ),
    ],
)
def test_wrong_values_of_a_buffer_are_refused(make: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as raised:
        make()
    assert str(raised.value).startswith(message)


def test_it_is_a_value() -> None:
    for capacity in (Capacity(5), Capacity(nbytes="64 MiB"), Capacity(5, 10, "drop_oldest")):
        assert pickle.loads(pickle.dumps(capacity)) == capacity
        assert hash(pickle.loads(pickle.dumps(capacity))) == hash(capacity)
        assert eval(repr(capacity), {"Capacity": Capacity}) == capacity
        with pytest.raises(FrozenInstanceError):
            capacity.jobs = 3  # type: ignore[misc]
    assert repr(Capacity(5)) == "Capacity(jobs=5)"


def test_the_newest_is_dropped_unless_told_otherwise() -> None:
    assert Capacity(jobs=5).on_full == "drop_newest"


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (
            Capacity,
            InvalidValueError,
            "Capacity needs jobs or nbytes, got neither; a buffer without a limit has no Capacity",
        ),
        (lambda: Capacity(jobs=0), InvalidValueError, "jobs must be >= 1, got 0"),
        (lambda: Capacity(nbytes=-1), InvalidValueError, "nbytes must be >= 1, got -1"),
        (lambda: Capacity(jobs=2.0), InvalidTypeError, "jobs must be a whole number, got 2.0"),
        (
            lambda: Capacity(jobs=1, on_full="drop_odlest"),
            InvalidValueError,
            "on_full must be one of 'drop_newest', 'drop_oldest', got 'drop_odlest'; did you mean 'drop_oldest'?",
        ),
    ],
)
def test_wrong_capacities_are_refused(make: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as raised:
        make()
    assert str(raised.value) == message


sizes = st.lists(st.integers(0, 6), min_size=1, max_size=9)


@given(sizes)
def test_drain_all_takes_all(nbytes: list[int]) -> None:
    assert DrainAll().count(nbytes, sum(nbytes)) == len(nbytes)


@given(sizes, st.integers(1, 12))
def test_at_most_n_takes_the_n_oldest_or_all(nbytes: list[int], n: int) -> None:
    assert DrainAtMost(n).count(nbytes, sum(nbytes)) == min(n, len(nbytes))


@given(sizes, st.none() | st.integers(1, 12), st.integers(1, 12))
def test_within_both_limits_it_takes_the_most_that_fits_and_at_least_one(
    nbytes: list[int], n: int | None, limit: int
) -> None:
    fitting = [k for k in range(len(nbytes) + 1) if sum(nbytes[:k]) <= limit and (n is None or k <= n)]
    assert DrainAtMost(n, limit).count(nbytes, sum(nbytes)) == max(1, max(fitting))


def test_a_job_that_fits_no_limit_goes_alone() -> None:
    assert DrainAtMost(nbytes=10).count([99, 1, 1], 101) == 1


def test_a_job_that_just_fits_is_taken_and_empty_jobs_behind_it_too() -> None:
    assert DrainAtMost(nbytes=10).count([4, 6, 0, 1], 11) == 3


@given(sizes, st.none() | st.integers(1, 12), st.none() | st.integers(1, 12))
def test_until_a_limit_is_reached_it_takes_the_job_that_reaches_it(
    nbytes: list[int], n: int | None, limit: int | None
) -> None:
    assume(n is not None or limit is not None)
    enough = (k for k in range(1, len(nbytes) + 1) if k == n or (limit is not None and sum(nbytes[:k]) >= limit))
    assert DrainUntil(n, limit).count(nbytes, sum(nbytes)) == next(enough, len(nbytes))


@given(sizes, st.integers(1, 12))
def test_in_jobs_alone_until_is_at_most(nbytes: list[int], n: int) -> None:
    assert DrainUntil(n).count(nbytes, sum(nbytes)) == DrainAtMost(n).count(nbytes, sum(nbytes))


def test_what_is_left_may_be_flushed_at_once() -> None:
    for kind in (DrainAtMost, DrainUntil):
        once, full, empty = kind(3, 9), kind(3, 9, repeat="while_full"), kind(3, 9, repeat="until_empty")
        left = [(0, 0), (1, 0), (2, 8), (2, 9), (3, 0), (4, 20)]
        assert [once.repeats(*some) for some in left] == [False] * 6
        assert [full.repeats(*some) for some in left] == [False, False, False, True, True, True]
        assert [empty.repeats(*some) for some in left] == [False, True, True, True, True, True]
    assert not DrainAll().repeats(5, 5)


def in_pieces(times: list[float], n: int, fixed: float, enough: float) -> list[tuple[float, int]]:
    """Flushes by a loop for this alone: at each second n jobs at once, and again while `enough` are left."""
    flushes: list[tuple[float, int]] = []
    taken, now, last = 0, 0.0, -1.0
    while taken < len(times):
        now = max(now, next(tick for k in range(99) if (tick := float(k)) >= times[taken] and tick > last))
        goes_on = True
        while goes_on:
            size = min(n, sum(time <= now for time in times) - taken)
            flushes.append((now, size))
            taken += size
            last, now = now, now + fixed
            goes_on = sum(time <= now for time in times) - taken >= enough
    return [flush for flush in flushes if flush[0] < 30.0]


@pytest.mark.parametrize("fixed", [0.0, 0.2890625])
@pytest.mark.parametrize(("repeat", "enough"), [(None, math.inf), ("while_full", 3), ("until_empty", 1)])
@pytest.mark.parametrize("kind", [DrainAtMost, DrainUntil])
def test_a_drain_that_goes_on_equals_a_direct_loop(kind: Any, repeat: Any, enough: float, fixed: float) -> None:
    others = 0
    for seed in range(10):
        times = sorted(np.random.default_rng(seed).uniform(0.0, 25.0, 80).tolist())
        buffer = JobBuffer("b", policy=FlushEvery(1.0), drain=kind(3, repeat=repeat), flush_time=fixed)
        simulation = Simulation(producers=[Producer("p", Trace(times))], buffers=[buffer], until=30.0)
        table = simulation.run(1).flushes
        flushes = list(zip(table["start"].tolist(), table["batch_size"].tolist(), strict=True))
        assert flushes == in_pieces(times, 3, fixed, enough)
        assert set(table["cause"].astype(str)) == {"FlushEvery(1.0)"}
        others += flushes != in_pieces(times, 3, fixed, 2)
    assert others == 10  # a negative control: another rule is another result


def test_the_cause_of_a_flush_that_goes_on_is_that_of_the_first_and_a_stop_ends_it() -> None:
    buffer = JobBuffer(
        "b",
        policy=FlushAtSize(5) | FlushAfterAge(9.0),
        drain=DrainAtMost(2, repeat="until_empty"),
        flush_time=1.0,
        storage=Storage(durable=True),
    )
    producers = [Producer("p", Trace([1.0] * 5 + [2.5]))]
    result = Simulation(producers=producers, buffers=[buffer], until=20.0).run(1)
    assert result.flushes[["start", "batch_size"]].values.tolist() == [[1.0, 2], [2.0, 2], [3.0, 2]]
    assert set(result.flushes["cause"].astype(str)) == {"FlushAtSize(5)"}
    # the second flush is interrupted; the restart asks the policy, and the two that are left wait for their age
    stopped = Simulation(producers=producers, buffers=[buffer], until=20.0, stops=Stops(at=[2.25])).run(1)
    assert stopped.flushes[["start", "batch_size"]].values.tolist() == [[1.0, 2], [2.0, 2], [10.0, 2]]
    assert stopped.flushes["cause"].astype(str).tolist() == ["FlushAtSize(5)", "FlushAtSize(5)", "FlushAfterAge(9.0)"]


def test_they_are_values() -> None:
    for drain in (
        DrainAll(),
        DrainAtMost(5),
        DrainAtMost(nbytes="1 kB"),
        DrainAtMost(5, 1000),
        DrainUntil(5, 1000, repeat="while_full"),
        DrainAtMost(5, repeat="until_empty"),
    ):
        assert pickle.loads(pickle.dumps(drain)) == drain
        assert hash(pickle.loads(pickle.dumps(drain))) == hash(drain)
        assert eval(repr(drain), vars(bufsim)) == drain
    assert repr(DrainAtMost(nbytes="1 kB")) == "DrainAtMost(nbytes=1000)"


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (
            DrainAtMost,
            InvalidValueError,
            "DrainAtMost needs n or nbytes, got neither; a flush that takes all is DrainAll()",
        ),
        (
            DrainUntil,
            InvalidValueError,
            "DrainUntil needs n or nbytes, got neither; a flush that takes all is DrainAll()",
        ),
        (
            lambda: DrainAtMost(1, repeat="always"),
            InvalidValueError,
            "repeat must be one of 'while_full', 'until_empty', got 'always'",
        ),
        (lambda: DrainAtMost(0), InvalidValueError, "n must be >= 1, got 0"),
        (lambda: DrainAtMost(nbytes=0), InvalidValueError, "nbytes must be >= 1, got 0"),
        (lambda: DrainAtMost(1.5), InvalidTypeError, "n must be a whole number, got 1.5"),
        (lambda: DrainAtMost(nbytes="lots"), InvalidValueError, "nbytes must be a number with a unit, such as "),
    ],
)
def test_wrong_drains_are_refused(make: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as raised:
        make()
    assert str(raised.value).startswith(message)


def test_the_default_is_vendures_in_memory_and_loses_at_a_stop() -> None:
    storage = Storage()
    assert (storage.durable, storage.read_delete_window) == (False, 0.0)
    assert isinstance(storage.strategy(), InMemoryJobBufferStorageStrategy)
    assert storage.strategy() is not storage.strategy()


def test_storages_are_values() -> None:
    storage = Storage(durable=True, read_delete_window="30ms")
    assert storage == Storage(durable=True, read_delete_window=0.03)
    for value in (storage, Storage(strategy=TestingJobBufferStorageStrategy)):
        assert eval(repr(value), vars(bufsim) | vars(bufsim.vendure)) == value
        again = pickle.loads(pickle.dumps(value))
        assert again == value
        assert hash(again) == hash(value)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: Storage(read_delete_window=-1), InvalidValueError, "read_delete_window must be >= 0, got -1.0"),
        (lambda: Storage(read_delete_window=math.nan), InvalidValueError, "read_delete_window must be finite, got nan"),
        (lambda: Storage(durable=1), InvalidTypeError, "durable must be True or False, got 1"),
        (
            lambda: Storage(strategy=InMemoryJobBufferStorageStrategy()),
            InvalidTypeError,
            "strategy must make a storage strategy when called, got <bufsim.vendure.storage.InMemory",
        ),
    ],
)
def test_wrong_storages_are_refused(make: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as raised:
        make()
    assert str(raised.value).startswith(message)
