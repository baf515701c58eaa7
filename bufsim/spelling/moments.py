"""Words for moments in time: a cron's start, and what Python prints for one."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from bufsim.errors import InvalidValueError
from bufsim.model.cron import FlushCron


def cron(expression: str, start: object, zone: object = None) -> FlushCron:
    """Return the policy of a cron expression; `zone` names the time zone of a `start` that has none."""
    try:
        moment = dt.datetime.fromisoformat(start) if isinstance(start, str) else start
    except ValueError:
        raise InvalidValueError(
            f"start must be an ISO 8601 datetime such as '2026-03-29T00:00:00+01:00', got {start!r}"
        ) from None
    if zone is not None and isinstance(moment, dt.datetime):
        moment = moment.replace(tzinfo=time_zone(zone))
    return FlushCron(expression, moment)  # type: ignore[arg-type]  # it says what it takes


def time_zone(key: object) -> ZoneInfo:
    """Return the time zone of an IANA name."""
    try:
        return ZoneInfo(key)  # type: ignore[arg-type]  # a wrong type is one of the errors
    except (LookupError, TypeError, ValueError):
        raise InvalidValueError(
            f"a time zone must have a name that this machine knows, such as 'Europe/Berlin', got {key!r}; "
            "where none is known, pip install tzdata"
        ) from None


def datetime(
    year: int,
    month: int,
    day: int,
    hour: int = 0,
    minute: int = 0,
    second: int = 0,
    microsecond: int = 0,
    *,
    fold: int = 0,
    tzinfo: dt.tzinfo | None = None,
) -> dt.datetime:
    """Return a datetime, as Python prints one."""
    try:
        return dt.datetime(year, month, day, hour, minute, second, microsecond, tzinfo, fold=fold)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"a datetime must exist: {error}") from None


def fixed_zone(offset: dt.timedelta) -> dt.timezone:
    """Return a time zone with a fixed offset from UTC."""
    try:
        return dt.timezone(offset)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"a time zone must have an offset of less than a day: {error}") from None


def timedelta(days: float = 0, seconds: float = 0, microseconds: float = 0) -> dt.timedelta:
    """Return a duration, as Python prints one."""
    try:
        return dt.timedelta(days, seconds, microseconds)
    except (TypeError, OverflowError) as error:
        raise InvalidValueError(f"a timedelta must be made of numbers: {error}") from None


def utc() -> dt.timezone:
    """Return UTC."""
    return dt.UTC
