"""Buffers and queues that stand in for a shop's own, of the kinds that the record used."""

from __future__ import annotations

import gzip
import json
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

from bufsim import vendure_trace
from bufsim.backtest import backtest
from bufsim.errors import InvalidValueError
from bufsim.model.buffers import JobBuffer
from bufsim.model.policies import FlushEvery
from bufsim.model.producers import Producer
from bufsim.simulation import Simulation
from bufsim.vendure import (
    CollectionJobBuffer,
    InMemoryJobBufferStorageStrategy,
    Job,
    JobBufferService,
    JobBufferStorageStrategy,
    JobQueueService,
    JobState,
    SearchIndexJobBuffer,
    TestingJobBufferStorageStrategy,
)
from bufsim.verification.findings import Extent, Finding, found


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
        """The reduced batch; some kinds raise, after they have taken jobs from their argument."""
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


Vector = dict[str, Any]
"""One recorded case."""

UNDEFINED = object()
"""JavaScript's undefined, inside data: the port has one None for null and undefined, but must not drop either."""

DATA = Path(__file__).parent / "data"
_FIELDS = {"createdAt": "created_at", "startedAt": "started_at", "settledAt": "settled_at"}


@cache
def vectors() -> list[Vector]:
    """Return all recorded cases."""
    path = DATA / "vectors.json.gz"
    if not path.is_file():
        raise InvalidValueError(f"the recorded cases are missing from the installation ({path.name}); install it again")
    return cast("list[Vector]", json.loads(gzip.decompress(path.read_bytes())))


IN_MEMORY = (None, "in-memory", "testing")
"""The strategies of the cases that need no server."""


def why_left_out(vector: Vector) -> str | None:
    """Return why the port is not held to a case; None if it is."""
    if vector.get("timing_dependent"):
        return "what happens at once on SQL or Redis is a matter of timing"
    if vector["name"].endswith("/buffer-id-proto") and vector["strategy"] in IN_MEMORY:
        return "__proto__ as a key is JavaScript's own oddity"
    return None


def of_level(level: str, strategy: str | None = None) -> list[Vector]:
    """Return the cases of a level, and of a strategy, that the port is held to."""
    return [
        vector
        for vector in vectors()
        if vector["level"] == level and vector.get("strategy") == strategy and why_left_out(vector) is None
    ]


def seconds(iso: str) -> float:
    """Return a recorded instant, in seconds since 1970."""
    return datetime.fromisoformat(iso).timestamp()


def job_of(config: Mapping[str, Any], **defaults: Any) -> Job:
    """Return the job that a recorded constructor argument makes."""
    config = {**defaults, **config}
    names = ("id", "retries", "attempts", "progress", "result", "error")
    fields = {name: config[name] for name in names if name in config}
    fields |= {name: seconds(config[recorded]["$date"]) for recorded, name in _FIELDS.items() if recorded in config}
    if "state" in config:
        fields["state"] = JobState(config["state"])
    return Job(queue_name=config["queueName"], data=decoded(config.get("data")), **fields)


def decoded(value: Any) -> Any:
    """Return a recorded value with its markers resolved."""
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$undefined" in value:
        return UNDEFINED
    if "$nan" in value:
        return math.nan
    if "$negzero" in value:
        return -0.0
    if "$date" in value:
        return datetime.fromisoformat(value["$date"])
    if "$deep" in value:
        nested: dict[str, Any] = {"end": value["$deep"]}
        for _ in range(value["$deep"]):
            nested = {"n": nested}
        return nested
    if "$circular" in value:
        loop: dict[str, Any] = {"a": 1}
        loop["self"] = loop
        return loop
    return {key: decoded(item) for key, item in value.items()}


def comparable(result: Any, *, parallel: bool = False) -> Any:
    """Return a recorded or replayed result without what is no contract.

    That is the order of keys, which is JavaScript's; the text of a TypeError, which is V8's; and what an operation
    inside `parallel` queued, which overlaps with what the others queued, because they were awaited together.
    """
    if not isinstance(result, dict):
        return result
    result = dict(result)
    for name in {"sizes", "flushed"} & set(result):
        result[name] = dict(result[name])
    if result.get("error", {}).get("type") == "TypeError":
        result["error"] = {"type": "TypeError"}
    if parallel:
        result.pop("queued", None)
    if "parallel" in result:
        result["parallel"] = [comparable(part, parallel=True) for part in result["parallel"]]
    return result


Contents = Callable[[Any], Iterable[tuple[str, Sequence[Job]]]]
"""What gives all that is left in a storage, buffer by buffer, in the record's order."""


def flushed(storage: JobBufferStorageStrategy) -> Iterable[tuple[str, list[Job]]]:
    """Return what a last flush gives: what is left, and in which order the buffers became known."""
    return storage.flush().items()


class StorageReplay:
    """Plays the operations of a recorded case to a storage strategy.

    Parameters
    ----------
    vector : dict
        The case.
    storage : storage strategy
        What is held to it.
    contents : callable, optional
        What gives all that is left in the storage; a last flush by default.
    """

    def __init__(self, vector: Vector, storage: Any, contents: Contents | None = None) -> None:
        self.vector = vector
        self.storage = storage
        self.contents = contents or flushed
        self.jobs = {name: job_of(config) for name, config in vector["jobs"].items()}
        self.names = {job: name for name, job in self.jobs.items()}

    def _named(self, jobs: Sequence[Job]) -> list[str]:
        if self.vector["strategy"] in IN_MEMORY:
            return [self.names[job] for job in jobs]
        # SQL and Redis give other objects
        return tags(jobs)

    def _result(self, op: dict[str, Any]) -> dict[str, Any]:
        if op["op"] == "parallel":
            return {"parallel": [self._result(part) for part in op["ops"]]}
        try:
            return self._answer(op)
        except Exception as error:  # what was raised is part of the record
            return {"error": {"type": _js_type(error), "message": str(error)}}

    def _answer(self, op: dict[str, Any]) -> dict[str, Any]:
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
        final = [[key, self._named(jobs)] for key, jobs in self.contents(self.storage)]
        return (results, final) != ([comparable(result) for result in self.vector["results"]], self.vector["final"])


def differing_storage(strategy: str, storage: type) -> list[str]:
    """Return the names of the cases of a strategy in which a storage differs from the record."""
    return [vector["name"] for vector in of_level("storage", strategy) if StorageReplay(vector, storage()).differs()]


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
    return [name for name in recorded if not _same(getattr(job, FIELDS[name]), _value(name, recorded[name]))]


def _same(value: Any, recorded: Any) -> bool:
    both_nan = isinstance(value, float) and isinstance(recorded, float) and value != value and recorded != recorded
    return both_nan or bool(value == recorded)


def differing_job() -> list[str]:
    """Return the names of the cases in which a job that went through the in-memory storage differs from the record."""
    return [vector["name"] for vector in of_level("roundtrip", "in-memory") if _differs(vector)]


def _differs(vector: Vector) -> bool:
    return differs_after(vector, InMemoryJobBufferStorageStrategy())


def differs_after(vector: Vector, storage: JobBufferStorageStrategy) -> bool:
    """Return whether a job that goes through a storage is other than recorded, before or after."""
    job = recorded_job(vector)
    before = differing_fields(job, vector["before"])
    storage.add("b", job)
    (after,) = storage.flush(["b"])["b"]
    return bool(before or differing_fields(after, vector["after"]) or (after is job) != vector["same_object"])


def _value(name: str, recorded: Mapping[str, Any]) -> Any:
    """Return a recorded field in the port's terms: seconds for dates and milliseconds, None for null and undefined."""
    if recorded["type"] == "Date":
        return seconds(recorded["value"])
    value = decoded(recorded.get("value"))
    return value / 1000 if name == "duration" else value


PORTED: Mapping[str, type] = {
    "SearchIndexJobBuffer": SearchIndexJobBuffer,
    "CollectionJobBuffer": CollectionJobBuffer,
}
"""The ported buffers, by Vendure's names."""


def differs(vector: Vector, buffer: Any) -> bool:
    """Return whether what a buffer collects, returns or leaves of its argument is other than recorded."""
    default = {"createdAt": {"$date": "2025-01-01T00:00:00.000Z"}}
    jobs = [job_of(config, **default) for _, config in vector["jobs"]]
    names = {job: name for job, (name, _) in zip(jobs, vector["jobs"], strict=True)}
    collected = [buffer.collect(job) for job in jobs]
    output: Any
    try:
        output = [
            {"ref": names[job], "data": job.data} if job in names else {"new": _fields(job)}
            for job in buffer.reduce(jobs)
        ]
    except TypeError:
        output = "TypeError"
    # compared as text, because in Python 1 == True == 1.0, and the record tells them apart
    seen = json.dumps([collected, output, [names[job] for job in jobs]], sort_keys=True)
    return seen != json.dumps([vector["collect"], _recorded_output(vector), vector["input_after"]], sort_keys=True)


def differing_reduce(buffers: Mapping[str, type] = PORTED) -> list[str]:
    """Return the names of the cases in which a buffer differs from the record."""
    return [vector["name"] for vector in of_level("reduce") if differs(vector, buffers[vector["buffer"]]())]


def _fields(job: Job) -> dict[str, Any]:
    """Return a new job as the record writes it."""
    return {
        "queueName": job.queue_name,
        "id": job.id,
        "retries": job.retries,
        "attempts": job.attempts,
        "state": job.state.value,
        "progress": job.progress,
        "createdAt": job.created_at,
        "data": job.data,
    }


def _recorded_output(vector: Vector) -> Any:
    if isinstance(vector["output"], dict):
        return vector["output"]["error"]["type"]
    output = [dict(item) for item in vector["output"]]
    for item in output:
        if "new" in item:
            item["new"] = item["new"] | {"createdAt": seconds(item["new"]["createdAt"])}
    return output


class ServiceReplay:
    """Plays the operations of a recorded case to the two services over a storage strategy.

    Parameters
    ----------
    vector : dict
        The case.
    storage : storage strategy
        Under the services.
    contents : callable, optional
        What gives all that is left in the storage; a last flush by default.
    """

    def __init__(self, vector: Vector, storage: JobBufferStorageStrategy, contents: Contents | None = None) -> None:
        self.vector = vector
        self.storage = storage
        self.contents = contents or flushed
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
        """Answer of one operation's call."""
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
        final = [[key, tags(jobs)] for key, jobs in self.contents(self.storage)]
        recorded = [comparable(result) for result in self.vector["results"]]
        return (results, tags(self.queue.jobs), final) != (recorded, self.vector["queued_all"], self.vector["final"])


def differing_service(storage: type) -> list[str]:
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
    """The record's name for a type of error."""
    if isinstance(error, TypeError):
        return "TypeError"
    return "InternalServerError" if isinstance(error, InvalidValueError) else "Error"


RECORDED = "Vendure's classes"


def check_recorded(extent: Extent) -> Finding:
    """Replay every recorded case that the port is held to."""
    cases = sum(why_left_out(vector) is None and vector.get("strategy") in IN_MEMORY for vector in vectors())
    differing = [
        *differing_storage("in-memory", InMemoryJobBufferStorageStrategy),
        *differing_storage("testing", TestingJobBufferStorageStrategy),
        *differing_service(InMemoryJobBufferStorageStrategy),
        *differing_reduce(),
        *differing_job(),
    ]
    left_out = len(vectors()) - cases
    checked = f"{cases:,} recorded cases replayed ({left_out:,} on SQL, Redis or JavaScript's own oddities left out)"
    wrong = f"{len(differing)} differ, the first {differing[0]!r}" if differing else ""
    return found(RECORDED, checked, wrong, cases)


SERVER_TRACE = "a server's batches"
_CLOCK_ERROR = 0.01
PLACES = (
    # installed, the trace lies beside this file; in a checkout, with the other data
    Path(__file__).parent / "data" / "vendure-catalogue",
    Path(__file__).parents[2] / "data" / "vendure-catalogue",
)


def trace() -> Path:
    """Return the folder of the recorded trace."""
    for folder in PLACES:
        if folder.is_dir():
            return folder
    raise InvalidValueError("the recorded trace is missing from the installation (vendure-catalogue); install it again")


def server(flush_time: str = "0s") -> Simulation:
    """Return the recorded server: its jobs, its two buffers, flushed every 2 s."""
    buffers = [
        JobBuffer.ported(kind(), policy=FlushEvery(2.0), flush_time=flush_time)
        for kind in (CollectionJobBuffer, SearchIndexJobBuffer)
    ]
    producers = [Producer("catalogue", vendure_trace.read_adds(trace()))]
    return Simulation(producers=producers, buffers=buffers, until="6min")


def check_server_trace(extent: Extent) -> Finding:
    """Run the model under the recorded flush times, and compare batch by batch, before and after reduce."""
    test = backtest(server(), vendure_trace.read_flushes(trace()), seed=extent.seed)
    upset = test.shifted(_CLOCK_ERROR)
    checked = (
        f"{len(test.flushes)} recorded flushes, before and after reduce "
        f"(with the clock {1e3 * _CLOCK_ERROR:g} ms late {upset} batches would differ)"
    )
    wrong = f"{len(test.differing)} batches differ" if len(test.differing) else ""
    return found(SERVER_TRACE, checked, wrong or ("" if upset else "no error would be seen"), len(test.flushes))
