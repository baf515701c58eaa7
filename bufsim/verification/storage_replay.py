"""Replays what was recorded of storage strategies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bufsim.vendure import Job
from bufsim.verification.recorded import Vector, comparable, job_of, of_level


class StorageReplay:
    """Plays the operations of a recorded case to a storage strategy.

    Parameters
    ----------
    vector : dict
        The case.
    storage : storage strategy
        What is held to it.
    """

    def __init__(self, vector: Vector, storage: Any) -> None:
        self.vector = vector
        self.storage = storage
        self.jobs = {name: job_of(config) for name, config in vector["jobs"].items()}
        self.names = {job: name for name, job in self.jobs.items()}

    def _named(self, jobs: Sequence[Job]) -> list[str]:
        return [self.names[job] for job in jobs]

    def _result(self, op: dict[str, Any]) -> dict[str, Any]:
        if op["op"] == "parallel":
            return {"parallel": [self._result(part) for part in op["ops"]]}
        if op["op"] == "add":
            job = self.jobs[op["job"]]
            return {"returns_same_job": self.storage.add(op["buffer"], job) is job}
        if op["op"] == "bufferSize":
            return {"sizes": list(self.storage.buffer_size(op["ids"]).items())}
        if op["op"] == "getBufferedJobs":
            return {"jobs": self._named(self.storage.get_buffered_jobs(op["buffer"]))}
        return {"flushed": [(key, self._named(jobs)) for key, jobs in self.storage.flush(op["ids"]).items()]}

    def differs(self) -> bool:
        """Return whether a result, or what is left in the end, is other than recorded."""
        results = [comparable(self._result(op)) for op in self.vector["ops"]]
        # the last flush shows what is left, and in which order the buffers became known
        final = [[key, self._named(jobs)] for key, jobs in self.storage.flush().items()]
        return (results, final) != ([comparable(result) for result in self.vector["results"]], self.vector["final"])


def differing(strategy: str, storage: type) -> list[str]:
    """Return the names of the cases of a strategy in which a storage differs from the record."""
    return [vector["name"] for vector in of_level("storage", strategy) if StorageReplay(vector, storage()).differs()]
