from __future__ import annotations

import pytest

from bufsim.vendure import (
    CollectionJobBuffer,
    InMemoryJobBufferStorageStrategy,
    JobBufferService,
    JobQueue,
    JobQueueService,
    SearchIndexJobBuffer,
)
from bufsim.verification.replays import RecordedBuffer, RecordedQueue


@pytest.fixture
def queue() -> RecordedQueue:
    return RecordedQueue()


@pytest.fixture
def service(queue: RecordedQueue) -> JobBufferService:
    return JobBufferService(InMemoryJobBufferStorageStrategy(), queue)


def test_a_job_that_no_buffer_takes_goes_straight_to_the_job_queue(
    service: JobBufferService, queue: RecordedQueue
) -> None:
    job = JobQueue("q", service).add({"tag": "t"}, retries=2, created_at=1.5)
    assert queue.jobs == [job]
    assert (job.queue_name, job.data, job.retries, job.created_at, job.id) == ("q", {"tag": "t"}, 2, 1.5, None)


def test_a_buffered_job_is_answered_by_a_stand_in(service: JobBufferService, queue: RecordedQueue) -> None:
    service.add_buffer(RecordedBuffer("a"))
    stand_in = JobQueue("q", service).add({"tag": "t"}, retries=2, created_at=1.5)
    assert stand_in.id == "buffered"
    (job,) = service.flush()
    assert job is not stand_in
    assert job.id is None
    assert (stand_in.data, stand_in.retries, stand_in.created_at) == (job.data, job.retries, job.created_at)


def test_a_job_queue_that_raises_tells_the_caller(queue: RecordedQueue, service: JobBufferService) -> None:
    queue.fail_on = ["t"]
    with pytest.raises(RuntimeError, match="queue add failed: t"):
        JobQueue("q", service).add({"tag": "t"})


def test_without_arguments_the_service_flushes_and_counts_nothing(service: JobBufferService) -> None:
    queues = JobQueueService(service)
    buffer = RecordedBuffer("a")
    queues.add_buffer(buffer)
    queues.create_queue("q").add({"tag": "t"})
    assert queues.buffer_size() == {}
    assert queues.flush() == []
    assert queues.buffer_size(buffer) == queues.buffer_size("a") == {"a": 1}
    assert len(queues.flush("a")) == 1


def test_a_buffer_that_was_removed_collects_no_more(service: JobBufferService, queue: RecordedQueue) -> None:
    queues = JobQueueService(service)
    buffer = RecordedBuffer("a")
    queues.add_buffer(buffer)
    queues.remove_buffer(buffer)
    assert queues.create_queue("q").add({"tag": "t"}).id is None
    assert len(queue.jobs) == 1


def test_what_is_not_given_is_as_in_vendure(service: JobBufferService) -> None:
    # no second attempt, no time, no prefix
    job = JobQueue("q", service).add({"tag": "t"})
    assert (job.retries, job.created_at) == (0, None)
    assert JobQueueService(service).create_queue("q").name == "q"


@pytest.mark.parametrize(("prefix", "buffered"), [("", True), ("shop-", False)])
def test_a_prefix_turns_the_built_in_buffers_off(service: JobBufferService, prefix: str, buffered: bool) -> None:
    queues = JobQueueService(service, prefix=prefix)
    queues.add_buffer(SearchIndexJobBuffer())
    queues.add_buffer(CollectionJobBuffer())
    for name in ("update-search-index", "apply-collection-filters"):
        job = queues.create_queue(name).add({"tag": "t", "type": "update-product"})
        assert (job.id == "buffered") == buffered
        assert job.queue_name == prefix + name
