"""Buffers, queues and storages that stand in for real ones, of the kinds that the record used, and some that err."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bufsim.vendure import InMemoryJobBufferStorageStrategy, Job


def new_job(like: Job, tag: str, v: int) -> Job:
    return Job(queue_name=like.queue_name, data={"tag": tag, "v": v})


def merged(jobs: list[Job]) -> list[Job]:
    tags = "+".join(job.data["tag"] for job in jobs)
    return [new_job(jobs[0], f"merged({tags})", sum(job.data["v"] for job in jobs))]


def first_per_v(jobs: list[Job]) -> list[Job]:
    first: dict[int, Job] = {}
    for job in jobs:
        first.setdefault(job.data["v"], job)
    return list(first.values())


REDUCES: dict[str, Callable[[list[Job]], Any]] = {
    "identity": lambda jobs: jobs,
    "empty": lambda jobs: [],
    "first": lambda jobs: jobs[:1],
    "last": lambda jobs: jobs[-1:],
    "reverse": lambda jobs: jobs[::-1],
    "dedupe": first_per_v,
    "merge": merged,
    "expand": lambda jobs: [x for job in jobs for x in (job, new_job(job, job.data["tag"] + "'", job.data["v"]))],
    "nonarray": lambda jobs: None,
}
KEPT_BEFORE_THROW: dict[str, Callable[[list[Job]], list[Job]]] = {
    "throw": lambda jobs: jobs,
    "pop-then-throw": lambda jobs: jobs[:-1],
    "clear-then-throw": lambda jobs: [],
}


class RecordedBuffer:
    """A job buffer whose `collect` and `reduce` are of the recorded kinds; by default it takes and keeps all."""

    def __init__(self, id: str, collect: dict[str, Any] | None = None, reduce: dict[str, Any] | None = None) -> None:  # noqa: A002 - as recorded
        self.id = id
        self.collecting = collect or {"kind": "all"}
        self.reducing = reduce or {"kind": "identity"}

    def collect(self, job: Job) -> bool:
        match self.collecting["kind"]:
            case "throw":
                raise RuntimeError(self.collecting["message"])
            case "queue":
                return job.queue_name == self.collecting["name"]
            case "mod":
                return job.data["v"] % self.collecting["m"] == self.collecting["r"]
            case kind:
                return kind == "all"

    def reduce(self, jobs: list[Job]) -> list[Job]:
        kind = self.reducing["kind"]
        if kind in KEPT_BEFORE_THROW:
            jobs[:] = KEPT_BEFORE_THROW[kind](jobs)
            raise RuntimeError(self.reducing["message"])
        return REDUCES[kind](jobs)


class RecordedQueue:
    """A job queue strategy that notes the jobs that it is given, and refuses some tags."""

    def __init__(self, fail_on: list[str] | None = None) -> None:
        self.fail_on = fail_on or []
        self.jobs: list[Job] = []

    def add(self, job: Job) -> Job:
        if job.data["tag"] in self.fail_on:
            raise RuntimeError(f"queue add failed: {job.data['tag']}")
        self.jobs.append(job)
        return job


class NoTake:
    """An in-memory storage with Vendure's three methods only."""

    def __init__(self) -> None:
        storage = InMemoryJobBufferStorageStrategy()
        self.add, self.buffer_size, self.flush = storage.add, storage.buffer_size, storage.flush


class Reversing(InMemoryJobBufferStorageStrategy):
    """Returns the right jobs in the wrong order, as Redis does."""

    def flush(self, buffer_ids: Any = None) -> dict[str, list[Job]]:
        return {key: jobs[::-1] for key, jobs in super().flush(buffer_ids).items()}


class Copying(InMemoryJobBufferStorageStrategy):
    """Says that a job added twice is there twice, as SQL does."""

    def __init__(self) -> None:
        super().__init__()
        self.adds: dict[str, int] = {}

    def add(self, buffer_id: str, job: Job) -> Job:
        self.adds[buffer_id] = self.adds.get(buffer_id, 0) + 1
        return super().add(buffer_id, job)

    def buffer_size(self, buffer_ids: Any = None) -> dict[str, int]:
        return {key: self.adds.get(key, 0) for key in super().buffer_size(buffer_ids)}

    def flush(self, buffer_ids: Any = None) -> dict[str, list[Job]]:
        flushed = super().flush(buffer_ids)
        self.adds = {key: adds for key, adds in self.adds.items() if key not in flushed}
        return flushed


def tags(jobs: list[Job]) -> list[str]:
    return [job.data["tag"] for job in jobs]
