"""Buffers and queues that stand in for a shop's own, of the kinds that the record used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bufsim.vendure import Job


class RecordedBuffer:
    """A job buffer whose `collect` and `reduce` are of the recorded kinds; by default it takes and keeps all.

    Parameters
    ----------
    id : str
        Its id.
    collect, reduce : dict, optional
        What it does, as recorded: ``{"kind": "mod", "m": 2, "r": 0}``.
    """

    def __init__(self, id: str, collect: dict[str, Any] | None = None, reduce: dict[str, Any] | None = None) -> None:  # noqa: A002 - as recorded
        self.id = id
        self.collecting = collect or {"kind": "all"}
        self.reducing = reduce or {"kind": "identity"}

    def collect(self, job: Job) -> bool:
        """Return whether the buffer takes the job."""
        match self.collecting["kind"]:
            case "throw":
                raise RuntimeError(self.collecting["message"])
            case "queue":
                return bool(job.queue_name == self.collecting["name"])
            case "mod":
                return bool(job.data["v"] % self.collecting["m"] == self.collecting["r"])
            case kind:
                return bool(kind == "all")

    def reduce(self, jobs: list[Job]) -> list[Job]:
        """Return what becomes of a batch; some kinds raise, after they have taken jobs from their argument."""
        kind = self.reducing["kind"]
        if kind in _KEPT_BEFORE_THROW:
            jobs[:] = _KEPT_BEFORE_THROW[kind](jobs)
            raise RuntimeError(self.reducing["message"])
        # what is no list is of the record's kinds too
        return _REDUCES[kind](jobs)  # type: ignore[no-any-return]


class RecordedQueue:
    """A job queue strategy that notes the jobs that it is given, and refuses some tags.

    Parameters
    ----------
    fail_on : list of str, optional
        The tags that it refuses.
    """

    def __init__(self, fail_on: list[str] | None = None) -> None:
        self.fail_on = fail_on or []
        self.jobs: list[Job] = []

    def add(self, job: Job) -> Job:
        """Take note of a job."""
        if job.data["tag"] in self.fail_on:
            raise RuntimeError(f"queue add failed: {job.data['tag']}")
        self.jobs.append(job)
        return job


def tags(jobs: Sequence[Job]) -> list[str]:
    """Return the names of jobs."""
    return [job.data["tag"] for job in jobs]


def _new_job(like: Job, tag: str, v: int) -> Job:
    return Job(queue_name=like.queue_name, data={"tag": tag, "v": v})


def _merged(jobs: list[Job]) -> list[Job]:
    return [_new_job(jobs[0], f"merged({'+'.join(tags(jobs))})", sum(job.data["v"] for job in jobs))]


def _first_per_v(jobs: list[Job]) -> list[Job]:
    first: dict[int, Job] = {}
    for job in jobs:
        first.setdefault(job.data["v"], job)
    return list(first.values())


_REDUCES: dict[str, Callable[[list[Job]], Any]] = {
    "identity": lambda jobs: jobs,
    "empty": lambda jobs: [],
    "first": lambda jobs: jobs[:1],
    "last": lambda jobs: jobs[-1:],
    "reverse": lambda jobs: jobs[::-1],
    "dedupe": _first_per_v,
    "merge": _merged,
    "expand": lambda jobs: [x for job in jobs for x in (job, _new_job(job, job.data["tag"] + "'", job.data["v"]))],
    "nonarray": lambda jobs: None,
}
_KEPT_BEFORE_THROW: dict[str, Callable[[list[Job]], list[Job]]] = {
    "throw": lambda jobs: jobs,
    "pop-then-throw": lambda jobs: jobs[:-1],
    "clear-then-throw": lambda jobs: [],
}
