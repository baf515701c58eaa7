from __future__ import annotations

import logging
from typing import Any

import pytest
from bufsim_tests.doubles import NoTake, Reversing
from hypothesis import given
from hypothesis import strategies as st

from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.vendure import Batch, InMemoryJobBufferStorageStrategy, Job, JobBufferService
from bufsim.verification.replays import RecordedBuffer, RecordedQueue, differing_service, tags


@pytest.mark.parametrize("storage", [InMemoryJobBufferStorageStrategy, NoTake])
def test_the_services_equal_their_record(storage: type) -> None:
    assert differing_service(storage) == []


def test_services_over_a_storage_that_reverses_the_order_differ_from_the_record() -> None:
    assert len(differing_service(Reversing)) > 100


def test_a_replay_leaves_the_log_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("bufsim.vendure")
    before = (list(logger.handlers), logger.propagate)
    differing_service(InMemoryJobBufferStorageStrategy)
    assert (list(logger.handlers), logger.propagate) == before
    assert caplog.records == []


def service_with(
    *buffers: RecordedBuffer, storage: Any = None, fail_on: list[str] | None = None
) -> tuple[JobBufferService, RecordedQueue]:
    queue = RecordedQueue(fail_on)
    service = JobBufferService(storage or InMemoryJobBufferStorageStrategy(), queue)
    for buffer in buffers:
        service.add_buffer(buffer)
    return service, queue


def jobs_tagged(count: int) -> list[Job]:
    return [Job(queue_name="q", data={"tag": f"j{number}", "v": number}) for number in range(count)]


@given(
    count=st.integers(0, 12),
    at_most=st.integers(1, 5),
    storage=st.sampled_from([InMemoryJobBufferStorageStrategy, NoTake]),
)
def test_taking_a_few_at_a_time_gives_what_one_flush_gives(count: int, at_most: int, storage: type) -> None:
    jobs = jobs_tagged(count)
    service, queue = service_with(RecordedBuffer("a"), storage=storage())
    for job in jobs:
        assert service.add(job)
    while (batch := service.take("a", at_most)).jobs:
        assert len(batch.jobs) <= at_most
        left = service.buffer_size()["a"]
        assert len(batch.jobs) == at_most or left == 0
        assert tuple(service.hand_over(batch)) == batch.jobs
    assert queue.jobs == jobs


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=30))
def test_a_job_is_queued_once_for_each_buffer_that_collects_it(steps: list[tuple[int, bool]]) -> None:
    jobs = jobs_tagged(10)
    service, queue = service_with(
        RecordedBuffer("even", collect={"kind": "mod", "m": 2, "r": 0}),
        RecordedBuffer("third", collect={"kind": "mod", "m": 3, "r": 0}),
    )
    stored: dict[str, list[Job]] = {"even": [], "third": []}
    expected: list[Job] = []
    for number, flush in steps:
        buffers = [name for name, m in (("even", 2), ("third", 3)) if number % m == 0]
        assert service.add(jobs[number]) == bool(buffers)
        for name in buffers:
            stored[name].extend([jobs[number]] if jobs[number] not in stored[name] else [])
        if flush:
            assert service.flush() == stored["even"] + stored["third"]
            expected += stored["even"] + stored["third"]
            stored = {"even": [], "third": []}
            assert service.flush() == []
    assert queue.jobs == expected
    assert service.buffer_size() == {name: len(kept) for name, kept in stored.items()}


def test_a_flush_is_take_and_hand_over() -> None:
    first, second = jobs_tagged(2)
    service, queue = service_with(RecordedBuffer("a", reduce={"kind": "reverse"}))
    service.add(first)
    service.add(second)
    batch = service.take("a")
    assert batch == Batch("a", (first, second))
    assert service.buffer_size() == {"a": 0}
    assert queue.jobs == []
    assert service.hand_over(batch) == queue.jobs == [second, first]


def test_a_batch_of_a_buffer_that_is_not_registered_queues_nothing() -> None:
    buffer = RecordedBuffer("a")
    service, queue = service_with(buffer)
    service.add(*jobs_tagged(1))
    service.remove_buffer(buffer)
    batch = service.take("a")
    assert len(batch.jobs) == 1
    assert service.hand_over(batch) == queue.jobs == []
    assert service.take("unknown") == Batch("unknown", ())


def test_a_reduce_that_empties_its_argument_leaves_the_batch_as_it_was() -> None:
    service, queue = service_with(RecordedBuffer("a", reduce={"kind": "clear-then-throw", "message": "boom"}))
    batch = Batch("a", tuple(jobs_tagged(2)))
    assert service.hand_over(batch) == queue.jobs == []
    assert len(batch.jobs) == 2


def test_a_reduce_that_raises_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    service, _ = service_with(RecordedBuffer("a", reduce={"kind": "throw", "message": 'said "é"'}))
    service.hand_over(Batch("a", tuple(jobs_tagged(1))))
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("bufsim.vendure", logging.ERROR)
    assert record.getMessage() == 'Error encountered processing jobs in JobBuffer "a":\n"said \\"é\\""'
    assert record.exc_info is not None


def test_a_job_queue_that_raises_loses_the_rest_and_all_later_buffers() -> None:
    service, queue = service_with(RecordedBuffer("a"), RecordedBuffer("b"), fail_on=["j1"])
    for job in jobs_tagged(3):
        service.add(job)
    with pytest.raises(RuntimeError, match="queue add failed: j1"):
        service.flush()
    assert tags(queue.jobs) == ["j0"]
    assert service.buffer_size() == {"a": 0, "b": 0}


def test_a_partial_take_leaves_the_rest_ahead_of_later_jobs() -> None:
    for storage in (InMemoryJobBufferStorageStrategy(), NoTake()):
        service, _ = service_with(RecordedBuffer("a"), storage=storage)
        jobs = jobs_tagged(5)
        for job in jobs[:4]:
            service.add(job)
        assert service.take("a", 2).jobs == (jobs[0], jobs[1])
        service.add(jobs[4])
        assert service.take("a").jobs == (jobs[2], jobs[3], jobs[4])


def test_a_second_buffer_with_the_same_id_is_an_error_that_names_it() -> None:
    service, _ = service_with(RecordedBuffer("a"))
    with pytest.raises(InvalidValueError, match='There is already a JobBufferProcessor with the id "a"'):
        service.add_buffer(RecordedBuffer("a"))


@pytest.mark.parametrize(
    ("buffer_id", "error", "message"),
    [
        (7, InvalidTypeError, r"buffer\.id must be a str, got 7"),
        ("", InvalidValueError, r"buffer\.id must not be empty"),
    ],
)
def test_a_buffer_needs_a_name(buffer_id: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        service_with(RecordedBuffer(buffer_id))


@pytest.mark.parametrize("method", ["buffer_size", "flush"])
def test_one_str_is_not_a_list_of_buffers(method: str) -> None:
    service, _ = service_with(RecordedBuffer("ab"))
    with pytest.raises(InvalidTypeError, match=r"buffers must be a list of buffers or ids, got 'ab'; write \['ab'\]"):
        getattr(service, method)("ab")


@pytest.mark.parametrize(
    ("at_most", "error", "message"),
    [
        (0, InvalidValueError, "at_most must be >= 1, got 0"),
        (2.5, InvalidTypeError, r"at_most must be a whole number, got 2\.5"),
    ],
)
def test_a_partial_take_takes_at_least_one(at_most: Any, error: type[Exception], message: str) -> None:
    service, _ = service_with(RecordedBuffer("a"))
    with pytest.raises(error, match=message):
        service.take("a", at_most)
