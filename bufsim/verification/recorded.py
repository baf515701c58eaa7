"""The cases recorded from Vendure's own classes, and how to read them; data/README.md says what they hold."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

from bufsim.errors import InvalidValueError
from bufsim.vendure import Job, JobState

Vector = dict[str, Any]
"""One recorded case."""

UNDEFINED = object()
"""JavaScript's undefined, inside data: the port has one None for null and undefined, but must not drop either."""

_DATA = Path(__file__).parent / "data"
_FIELDS = {"createdAt": "created_at", "startedAt": "started_at", "settledAt": "settled_at"}


@cache
def vectors() -> list[Vector]:
    """Return all recorded cases."""
    path = _DATA / "vectors.json.gz"
    if not path.is_file():
        raise InvalidValueError(f"the recorded cases are missing from the installation ({path.name}); install it again")
    return cast("list[Vector]", json.loads(gzip.decompress(path.read_bytes())))


def why_left_out(vector: Vector) -> str | None:
    """Return why the port is not held to a case; None if it is."""
    strategy = vector.get("strategy", "none")
    if strategy.startswith("sql"):
        return "the SQL storage strategy is not ported"
    if strategy == "redis":
        return "the Redis storage strategy is not ported"
    if vector["name"].endswith("/buffer-id-proto"):
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
