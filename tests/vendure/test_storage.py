from __future__ import annotations

import pytest
from bufsim_tests.doubles import Copying, Reversing
from hypothesis import given
from hypothesis import strategies as st

from bufsim.errors import InvalidTypeError
from bufsim.vendure import InMemoryJobBufferStorageStrategy, Job, TestingJobBufferStorageStrategy
from bufsim.verification.replays import differing_storage

IDS = st.sampled_from("abc")
STEPS = st.lists(
    st.tuples(st.just("add"), IDS, st.integers(0, 9))
    | st.tuples(st.just("take"), IDS, st.integers(1, 4))
    | st.tuples(st.just("flush"), IDS, st.just(0)),
    max_size=40,
)


@pytest.mark.parametrize(
    ("strategy", "storage"),
    [("in-memory", InMemoryJobBufferStorageStrategy), ("testing", TestingJobBufferStorageStrategy)],
)
def test_the_storage_equals_its_record(strategy: str, storage: type) -> None:
    assert differing_storage(strategy, storage) == []


@pytest.mark.parametrize("storage", [Reversing, Copying])
def test_a_storage_that_does_as_redis_or_sql_does_differs_from_the_record(storage: type) -> None:
    assert len(differing_storage("in-memory", storage)) > 50


def test_jobs_are_told_apart_by_identity_not_by_what_they_carry() -> None:
    storage = InMemoryJobBufferStorageStrategy()
    first, twin = Job(queue_name="q", data=1), Job(queue_name="q", data=1)
    for job in (first, twin, first):
        storage.add("a", job)
    assert storage.flush() == {"a": [first, twin]}


@given(STEPS)
def test_every_job_stored_comes_out_once_in_order_of_insertion(steps: list[tuple[str, str, int]]) -> None:
    jobs = [Job(queue_name="q") for _ in range(10)]
    storage = InMemoryJobBufferStorageStrategy()
    oracle: dict[str, list[Job]] = {}
    for step, buffer_id, number in steps:
        stored = oracle.setdefault(buffer_id, []) if step == "add" else oracle.get(buffer_id, [])
        if step == "add":
            assert storage.add(buffer_id, jobs[number]) is jobs[number]
            stored.extend([jobs[number]] if jobs[number] not in stored else [])
        else:
            many = number if step == "take" else len(stored)
            taken = storage.take(buffer_id, number) if step == "take" else storage.flush([buffer_id])[buffer_id]
            assert taken == stored[:many]
            del stored[:many]
    assert storage.buffer_size() == {key: len(stored) for key, stored in oracle.items()}
    assert storage.flush() == oracle
    assert storage.flush() == {key: [] for key in oracle}


@pytest.mark.parametrize("method", ["buffer_size", "flush"])
def test_one_str_is_not_a_list_of_ids(method: str) -> None:
    storage = InMemoryJobBufferStorageStrategy()
    with pytest.raises(InvalidTypeError, match=r"buffer_ids must be a list of ids, got 'ab'; write \['ab'\]"):
        getattr(storage, method)("ab")


def test_the_testing_storage_shows_its_jobs_and_keeps_them() -> None:
    storage = TestingJobBufferStorageStrategy()
    job = storage.add("a", Job(queue_name="q"))
    assert storage.get_buffered_jobs("a") == storage.get_buffered_jobs("a") == [job]
    assert storage.get_buffered_jobs("unknown") == []
    assert storage.buffer_size() == {"a": 1}
