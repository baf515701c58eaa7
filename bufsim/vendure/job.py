"""Job, and the data in it: what can be written as JSON, as Vendure's `Job` constructor makes it."""

from __future__ import annotations

import math
from collections.abc import Hashable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from bufsim.errors import InvalidValueError, quoted

MAX_DEPTH = 10
PLAIN = frozenset({type(None), bool, int, float, str})


def serialisable(data: Any) -> Any:
    """`data` with every datetime as an ISO string, every cycle cut and nothing deeper than 10 levels.

    Plain values, and dicts that hold nothing else, are returned as they are, not copied: simulated jobs are many and
    have nothing to mend. Other dicts and lists are copied, down to the last; values of any other type pass through.

    Parameters
    ----------
    data
        What a job carries.

    Raises
    ------
    InvalidValueError
        If a datetime has no time zone: it names no instant, so that it has no ISO string in UTC.

    Notes
    -----
    Quirks of Vendure: whatever lies at depth 11, even a number, becomes ``"[max depth reached]"``, and a container
    that lies inside itself becomes ``"[circular *path]"`` without an error. The path is the dotted way to the place
    that closes the cycle; it was recorded one level deep only. Getters of class instances are not ported.

    Examples
    --------
    >>> serialisable({"at": datetime(2024, 2, 29, 12, tzinfo=UTC), "ids": [1, 2]})
    {'at': '2024-02-29T12:00:00.000Z', 'ids': [1, 2]}
    >>> loop = {"a": 1}
    >>> loop["self"] = loop
    >>> serialisable(loop)
    {'a': 1, 'self': '[circular *self]'}
    """
    kind = type(data)
    if kind in PLAIN or (kind is dict and PLAIN.issuperset(map(type, data.values()))):
        return data
    return _mended(data, (), ())


def _mended(data: Any, path: tuple[str, ...], containers: tuple[object, ...]) -> Any:
    """`data`, found at `path` inside `containers` (outermost first), as JSON can hold it."""
    if len(path) > MAX_DEPTH:
        return "[max depth reached]"
    if isinstance(data, datetime):
        return iso(data)
    if not isinstance(data, dict | list):
        return data
    if any(data is container for container in containers):
        return f"[circular *{'.'.join(path)}]"
    inside = (*containers, data)
    if isinstance(data, dict):
        return {key: _mended(value, (*path, str(key)), inside) for key, value in data.items()}
    return [_mended(value, (*path, str(index)), inside) for index, value in enumerate(data)]


def iso(instant: datetime) -> str:
    """`instant` as JavaScript's ``Date.toISOString`` writes it: UTC, milliseconds, Z."""
    if instant.tzinfo is None:
        raise InvalidValueError(
            f"a datetime in a job's data must have a time zone, got {quoted(instant)}; give it a tzinfo"
        )
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class JobState(StrEnum):
    """Where a job stands in its life: six states, named as in Vendure."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    RETRYING = "RETRYING"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    def __repr__(self) -> str:
        return f"JobState.{self.name}"


class Job:
    """A unit of background work: a queue's name and data, and how far the work has come.

    Two jobs are equal only if they are the same object, whatever they carry: storage strategies and reductions tell
    jobs apart by identity. A job is made once per simulated arrival, so that its arguments are not checked.

    Parameters
    ----------
    queue_name
        The job queue that the job is meant for.
    data
        What the job carries, made fit for JSON by :func:`bufsim.vendure.job.serialisable`. Plain data is not
        copied: who changes it later changes the job.
    id
        What the job queue calls the job; None until it has one.
    retries
        How many times the job may be tried again after a failure.
    created_at
        When the job was made, s. The port has no clock: where Vendure reads one, this stays None. A job that comes out
        of a SQL or Redis storage has an ISO string here and in the next two, as in Vendure.
    state, progress, result, error, attempts
        How far the work has come: a state, a percentage, what came out, what went wrong, starts so far.
    started_at, settled_at
        When the last attempt started and when the job was done with, s; None until then.
    key
        What makes two jobs the same work, for reductions that tell jobs apart by it; bufsim's own, not Vendure's.
    nbytes
        Size of the job, bytes; bufsim's own, not Vendure's.

    Notes
    -----
    Quirk of Vendure: an `id` that is false, such as 0 or ``""``, becomes None.

    The methods by which a Vendure worker moves a job from state to state are not ported; the fields may be set.

    Examples
    --------
    >>> job = Job(queue_name="update-search-index", data={"productId": 17})
    >>> job
    Job(queue_name='update-search-index', data={'productId': 17})
    >>> job == Job(queue_name="update-search-index", data={"productId": 17})
    False
    >>> Job(queue_name="q", id=0).id is None
    True
    """

    __slots__ = (
        "attempts",
        "created_at",
        "data",
        "error",
        "id",
        "key",
        "nbytes",
        "progress",
        "queue_name",
        "result",
        "retries",
        "settled_at",
        "started_at",
        "state",
    )

    def __init__(
        self,
        *,
        queue_name: str,
        data: Any = None,
        id: str | int | None = None,  # noqa: A002 - Vendure's name for it
        retries: int = 0,
        created_at: float | str | None = None,
        state: JobState = JobState.PENDING,
        progress: float = 0,
        result: Any = None,
        error: Any = None,
        attempts: int = 0,
        started_at: float | str | None = None,
        settled_at: float | str | None = None,
        key: Hashable = None,
        nbytes: int = 0,
    ) -> None:
        self.queue_name = queue_name
        # asked here too, because a call costs as much as the rest of a job without data
        self.data = data if type(data) in PLAIN else serialisable(data)
        self.id = id or None
        self.retries = retries
        self.created_at = created_at
        self.state = state
        self.progress = progress
        self.result = result
        self.error = error
        self.attempts = attempts
        self.started_at = started_at
        self.settled_at = settled_at
        self.key = key
        self.nbytes = nbytes

    @property
    def is_settled(self) -> bool:
        """Whether the job was done with: completed, failed for good or cancelled, at a known time."""
        over = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)
        return self.settled_at is not None and self.state in over

    @property
    def duration(self) -> float | None:
        """Time from the start of the last attempt to settlement, s; 0.0 while the job waits for an attempt.

        None if the job has started and not settled: without a clock nobody knows (Vendure takes the time until now).
        Quirk: nan where one of the two times is an ISO string, as of a job that was stored in SQL or in Redis.
        """
        if self.state in (JobState.PENDING, JobState.RETRYING):
            return 0.0
        if isinstance(self.started_at, str) or isinstance(self.settled_at, str):
            return math.nan
        if self.settled_at is None:
            return None
        return self.settled_at - (self.settled_at if self.started_at is None else self.started_at)

    def __repr__(self) -> str:
        fields = [f"queue_name={self.queue_name!r}"]
        for name, default in (Job.__init__.__kwdefaults__ or {}).items():
            value = getattr(self, name)
            if value is not default and value != default:
                fields.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(fields)})"
