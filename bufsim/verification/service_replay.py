"""Replays what was recorded of `JobBufferService` and `JobQueueService`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bufsim.errors import InvalidValueError
from bufsim.vendure import JobBufferService, JobBufferStorageStrategy, JobQueueService, SearchIndexJobBuffer
from bufsim.verification.recorded import Vector, comparable, job_of, of_level
from bufsim.verification.stand_ins import RecordedBuffer, RecordedQueue, tags


class ServiceReplay:
    """Plays the operations of a recorded case to the two services over a storage strategy.

    Parameters
    ----------
    vector : dict
        The case.
    storage : storage strategy
        Under the services.
    """

    def __init__(self, vector: Vector, storage: JobBufferStorageStrategy) -> None:
        self.vector = vector
        self.storage = storage
        self.jobs = {name: job_of(config) for name, config in vector["jobs"].items()}
        self.buffers = {
            ref: SearchIndexJobBuffer() if config.get("builtin") == "SearchIndexJobBuffer" else RecordedBuffer(**config)
            for ref, config in vector["buffers"].items()
        }
        self.queue = RecordedQueue(vector.get("queue", {}).get("fail_on"))
        self.service = JobBufferService(storage, self.queue)
        self.queues = JobQueueService(self.service, prefix=vector.get("prefix", ""))

    def _chosen(self, buffers: list[Any] | None) -> list[Any] | None:
        if buffers is None:
            return None
        return [self.buffers[buffer["ref"]] if isinstance(buffer, dict) else buffer for buffer in buffers]

    def _answer(self, op: dict[str, Any]) -> Any:
        """Return what the call of one operation gives."""
        match op["op"]:
            case "addBuffer":
                self.service.add_buffer(self.buffers[op["ref"]])
            case "removeBuffer":
                self.service.remove_buffer(self.buffers[op["ref"]])
            case "add":
                return {"collected": self.service.add(self.jobs[op["job"]])}
            case "queue.add":
                job = self.queues.create_queue(op["queue"]).add(op["data"], retries=op.get("retries", 0))
                return {"id": job.id, "queueName": job.queue_name}
            case "bufferSize":
                return {"sizes": list(self.service.buffer_size(self._chosen(op["for"])).items())}
            case "jqs.bufferSize":
                return {"sizes": list(self.queues.buffer_size(*self._chosen(op["for"]) or ()).items())}
            case "flush":
                return {"returned": tags(self.service.flush(self._chosen(op["for"])))}
            case "jqs.flush":
                return {"returned": tags(self.queues.flush(*self._chosen(op["for"]) or ()))}
        return "ok"

    def _result(self, op: dict[str, Any], logged: list[str]) -> Any:
        if op["op"] == "parallel":
            return {"parallel": [self._result(part, logged) for part in op["ops"]]}
        before = len(self.queue.jobs)
        logged.clear()
        try:
            answer = self._answer(op)
        except Exception as error:  # what was raised is part of the record
            answer = {"error": {"type": _js_type(error), "message": str(error)}}
        if {"returned", "error"} & set(answer):
            answer["logged"] = list(logged)
        if {"returned", "error", "queueName"} & set(answer):
            answer["queued"] = tags(self.queue.jobs[before:])
        return answer

    def differs(self) -> bool:
        """Return whether a result, a message, or what is queued or left in the end, is other than recorded."""
        with _messages() as logged:
            results = [comparable(self._result(op, logged)) for op in self.vector["ops"]]
        final = [[key, tags(jobs)] for key, jobs in self.storage.flush().items()]
        recorded = [comparable(result) for result in self.vector["results"]]
        return (results, tags(self.queue.jobs), final) != (recorded, self.vector["queued_all"], self.vector["final"])


def differing(storage: type) -> list[str]:
    """Return the names of the cases in which the services over a storage differ from the record."""
    return [vector["name"] for vector in of_level("service", "in-memory") if ServiceReplay(vector, storage()).differs()]


class _Messages(logging.Handler):
    def __init__(self, into: list[str]) -> None:
        super().__init__()
        self.into = into

    def emit(self, record: logging.LogRecord) -> None:
        self.into.append(record.getMessage())


@contextmanager
def _messages() -> Iterator[list[str]]:
    """Yield the list into which the port's log messages go, in place of where they would go."""
    logger, logged = logging.getLogger("bufsim.vendure"), list[str]()
    handler, propagates = _Messages(logged), logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield logged
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates


def _js_type(error: Exception) -> str:
    """Return what the record calls a type of error."""
    if isinstance(error, TypeError):
        return "TypeError"
    return "InternalServerError" if isinstance(error, InvalidValueError) else "Error"
