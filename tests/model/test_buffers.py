from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest

import bufsim
from bufsim import (
    Capacity,
    CollectAll,
    CollectQueues,
    Constant,
    DrainAll,
    DrainAtMost,
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
    vendure,
)

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
def test_wrong_values_are_refused(make: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as raised:
        make()
    assert str(raised.value).startswith(message)
