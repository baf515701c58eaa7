"""What may lie in a job: data that can be written as JSON, as Vendure's `Job` constructor makes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bufsim.errors import InvalidValueError

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
        return _iso(data)
    if not isinstance(data, dict | list):
        return data
    if any(data is container for container in containers):
        return f"[circular *{'.'.join(path)}]"
    inside = (*containers, data)
    if isinstance(data, dict):
        return {key: _mended(value, (*path, str(key)), inside) for key, value in data.items()}
    return [_mended(value, (*path, str(place)), inside) for place, value in enumerate(data)]


def _iso(instant: datetime) -> str:
    """`instant` as JavaScript's ``Date.toISOString`` writes it: UTC, milliseconds, Z."""
    if instant.tzinfo is None:
        raise InvalidValueError(f"a datetime in a job's data must have a time zone, got {instant!r}; give it a tzinfo")
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
