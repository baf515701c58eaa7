from __future__ import annotations

import pickle
from typing import Any

import pytest

from bufsim.vendure import Job, JobState
from bufsim.verification.replays import (
    UNDEFINED,
    Vector,
    differing_fields,
    differing_job,
    job_of,
    of_level,
    recorded_job,
)


def test_a_job_survives_the_in_memory_storage_as_recorded() -> None:
    assert differing_job() == []


@pytest.mark.parametrize("vector", of_level("roundtrip", "in-memory"), ids=lambda vector: vector["name"])
def test_a_job_has_its_fields_before_as_recorded_and_is_the_same_object_after(vector: Vector) -> None:
    assert differing_fields(recorded_job(vector), vector["before"]) == []
    assert vector["same_object"] is True


def test_a_record_of_another_job_differs() -> None:
    recorded = {vector["name"].split("/")[-1]: vector for vector in of_level("roundtrip", "in-memory")}
    job = job_of(recorded["all-fields"]["job"])
    different = ["id", "data", "retries", "attempts", "state", "progress", "result", "error"]
    assert set(different) <= set(differing_fields(job, recorded["minimal"]["before"]))


def test_undefined_in_data_is_kept() -> None:
    assert Job(queue_name="q", data={"a": UNDEFINED, "b": [UNDEFINED]}).data == {"a": UNDEFINED, "b": [UNDEFINED]}


def test_jobs_are_equal_and_hash_by_identity() -> None:
    one, other = Job(queue_name="q", data=1), Job(queue_name="q", data=1)
    assert one == one
    assert one != other
    assert len({one, other, one}) == 2


@pytest.mark.parametrize("falsy", [0, "", None])
def test_a_falsy_id_becomes_none(falsy: Any) -> None:
    assert Job(queue_name="q", id=falsy).id is None


def test_plain_data_is_not_copied() -> None:
    data = {"key": 17, "text": "x"}
    assert Job(queue_name="q", data=data).data is data


def test_a_new_job_waits_for_its_first_attempt() -> None:
    job = Job(queue_name="q")
    assert (job.state, job.attempts, job.progress, job.retries) == (JobState.PENDING, 0, 0, 0)
    assert (job.id, job.data, job.result, job.error, job.key, job.nbytes) == (None, None, None, None, None, 0)
    assert (job.created_at, job.started_at, job.settled_at, job.is_settled) == (None, None, None, False)


@pytest.mark.parametrize(
    ("state", "started_at", "settled_at", "duration", "is_settled"),
    [
        (JobState.PENDING, None, None, 0.0, False),
        (JobState.RETRYING, 1.0, None, 0.0, False),
        (JobState.RUNNING, 1.0, None, None, False),
        (JobState.COMPLETED, 1.0, 3.5, 2.5, True),
        (JobState.FAILED, 0.0, 3.5, 3.5, True),
        (JobState.CANCELLED, None, 3.5, 0.0, True),
    ],
)
def test_duration_and_settlement_follow_the_state(
    state: JobState, started_at: float | None, settled_at: float | None, duration: float | None, is_settled: bool
) -> None:
    job = Job(queue_name="q", state=state, started_at=started_at, settled_at=settled_at)
    assert (job.duration, job.is_settled) == (duration, is_settled)


def test_repr_evaluates_back() -> None:
    job = Job(
        queue_name="q", data=[1], id="x", retries=2, created_at=0.0, state=JobState.FAILED, key=("a", 1), nbytes=5
    )
    assert repr(job) == (
        "Job(queue_name='q', data=[1], id='x', retries=2, created_at=0.0,"
        " state=JobState.FAILED, key=('a', 1), nbytes=5)"
    )
    assert repr(eval(repr(job))) == repr(job)


def test_a_pickled_job_keeps_its_fields() -> None:
    job = Job(queue_name="q", data={"n": 1}, id=7, state=JobState.RUNNING, started_at=2.0)
    assert repr(pickle.loads(pickle.dumps(job))) == repr(job)


def test_a_job_has_no_room_for_other_attributes() -> None:
    with pytest.raises(AttributeError):
        setattr(Job(queue_name="q"), "colour", "red")  # noqa: B010 - slots, not types, are the point
