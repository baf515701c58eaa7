"""A job as text: the JSON under which SQL and Redis keep it, as Vendure writes and reads it."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bufsim.errors import InvalidTypeError, InvalidValueError, StoreError, quoted
from bufsim.vendure.job import Job, JobState, iso

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AS_THEY_ARE = frozenset({type(None), bool, int, str})
_DATES = {"createdAt": "created_at", "startedAt": "started_at", "settledAt": "settled_at"}


def written(job: Job) -> str:
    """The job as the text that is stored: one JSON object with Vendure's names of the fields.

    Quirks of Vendure: dates become ISO strings, with milliseconds, and stay strings when the job is read again; nan and
    infinity become null, and −0 becomes 0. What stands for JavaScript's undefined, a bare ``object()``, vanishes from a
    dict and becomes null in a list.

    bufsim's own fields `key` and `nbytes` go along where a job has them.

    Raises
    ------
    InvalidTypeError
        If the job holds what JSON does not; nothing is stored then.

    Examples
    --------
    >>> print(written(Job(queue_name="q", data={"at": -0.0, "ids": [1, float("nan")]}, created_at=1.5)))
    {"queueName":"q","data":{"at":0,"ids":[1,null]},"retries":0,"attempts":0,"state":"PENDING","progress":0,"createdAt":"1970-01-01T00:00:01.500Z"}
    """
    fields: dict[str, Any] = {
        "id": job.id,
        "queueName": job.queue_name,
        "data": job.data,
        "retries": job.retries,
        "attempts": job.attempts,
        "state": str(job.state),
        "progress": job.progress,
        "result": job.result,
        "error": job.error,
        **{name: _date(name, getattr(job, field)) for name, field in _DATES.items()},
        "key": job.key,
        "nbytes": job.nbytes or None,
    }
    given = {name: _plain(value, f"job.{name}") for name, value in fields.items() if value is not None}
    return json.dumps(given, separators=(",", ":"))


def read(text: str | bytes) -> Job:
    """The job that a stored text holds: a new one, with ISO strings where dates were.

    Raises
    ------
    StoreError
        If the text is no job that `written`, or Vendure, wrote.

    Examples
    --------
    >>> job = read(written(Job(queue_name="q", data=[1], key=("a", 1), created_at=0.0)))
    >>> job.data, job.key, job.created_at
    ([1], ('a', 1), '1970-01-01T00:00:00.000Z')
    """
    try:
        fields = json.loads(text)
        return _job(fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise StoreError(f"the store holds {quoted(text)}, which is no job; another program wrote it") from None


def _job(fields: Mapping[str, Any]) -> Job:
    # Vendure takes its default for all that is false in JavaScript
    return Job(
        queue_name=fields["queueName"],
        data=fields.get("data"),
        id=fields.get("id"),
        retries=fields.get("retries") or 0,
        attempts=fields.get("attempts") or 0,
        state=JobState(fields.get("state") or JobState.PENDING),
        progress=fields.get("progress") or 0,
        result=fields.get("result"),
        error=fields.get("error"),
        key=_hashable(fields.get("key")),
        nbytes=fields.get("nbytes") or 0,
        **{field: fields.get(name) for name, field in _DATES.items()},
    )


def _date(name: str, time: float | str | datetime | None) -> str | None:
    """A date as JavaScript writes it: of a time in seconds since 1970; a string stays, and what is no time is null."""
    if time is None or isinstance(time, str):
        return time
    if isinstance(time, datetime):
        return iso(time)
    if not math.isfinite(time):
        return None
    try:
        return iso(_EPOCH + timedelta(seconds=float(time)))
    except OverflowError:
        raise InvalidValueError(
            f"job.{name} must be a time up to the year 9999, s since 1970, to be stored, got {quoted(time)}"
        ) from None


def _plain(value: Any, where: str) -> Any:
    """The value as JSON can hold it."""
    if type(value) in _AS_THEY_ARE or isinstance(value, str):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        # JavaScript has one zero in JSON, and writes null for what is no number
        number = float(value)
        return (number or 0) if math.isfinite(number) else None
    if isinstance(value, Mapping):
        pairs = {_name(key, where): item for key, item in value.items() if type(item) is not object}
        return {key: _plain(item, where) for key, item in pairs.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, where) for item in value]
    if isinstance(value, datetime):
        return iso(value)
    if type(value) is object:
        return None
    raise InvalidTypeError(
        f"{where} must hold what JSON can, to be stored, got {quoted(value)}; make it text or a dict"
    )


def _name(key: Any, where: str) -> str:
    """The key of a dict as JavaScript has it: a str."""
    if isinstance(key, str):
        return key
    if type(key) is not bool and isinstance(key, numbers.Integral):
        return str(int(key))
    raise InvalidTypeError(f"{where} must have keys that are str or int, to be stored, got {quoted(key)}")


def _hashable(key: Any) -> Any:
    """A job's key as it was: JSON has lists for tuples."""
    return tuple(map(_hashable, key)) if isinstance(key, list) else key
