"""Replays what was recorded of jobs: which of their fields survive a buffer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bufsim.vendure import InMemoryJobBufferStorageStrategy, Job
from bufsim.verification.recorded import Vector, decoded, job_of, of_level, seconds

FIELDS: Mapping[str, str] = {
    "id": "id",
    "queueName": "queue_name",
    "data": "data",
    "retries": "retries",
    "attempts": "attempts",
    "state": "state",
    "progress": "progress",
    "result": "result",
    "error": "error",
    "createdAt": "created_at",
    "startedAt": "started_at",
    "settledAt": "settled_at",
    "isSettled": "is_settled",
    "duration": "duration",
}
"""Vendure's names of a job's fields, and the port's."""


def recorded_job(vector: Vector) -> Job:
    """Return the job that a case puts into a buffer."""
    return job_of(vector["job"], createdAt={"$date": "2025-01-01T00:00:00.000Z"})


def differing_fields(job: Job, recorded: Mapping[str, Any]) -> list[str]:
    """Return the fields of a job that are other than recorded."""
    return [name for name in recorded if getattr(job, FIELDS[name]) != _value(name, recorded[name])]


def differing() -> list[str]:
    """Return the names of the cases in which a job that went through the in-memory storage differs from the record."""
    return [vector["name"] for vector in of_level("roundtrip", "in-memory") if _differs(vector)]


def _differs(vector: Vector) -> bool:
    job, storage = recorded_job(vector), InMemoryJobBufferStorageStrategy()
    before = differing_fields(job, vector["before"])
    storage.add("b", job)
    (after,) = storage.flush()["b"]
    return bool(before or differing_fields(after, vector["after"]) or (after is job) != vector["same_object"])


def _value(name: str, recorded: Mapping[str, Any]) -> Any:
    """Return a recorded field in the port's terms: seconds for dates and milliseconds, None for null and undefined."""
    if recorded["type"] == "Date":
        return seconds(recorded["value"])
    value = decoded(recorded.get("value"))
    return value / 1000 if name == "duration" else value
