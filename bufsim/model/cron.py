"""The flush policy that follows a cron expression."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass

from bufsim import checks
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model import reprs, rules
from bufsim.model.flush_policy import FlushPolicy
from bufsim.model.views import BufferView


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class FlushCron(FlushPolicy):
    """Due as ``FlushAt`` at the times of a cron expression, as Debian's cron takes it.

    Parameters
    ----------
    expression : str
        Five cron fields, such as ``"*/15 * * * *"``.
    start : datetime
        The wall-clock time of the run's second 0; it must know its time zone. Seconds are differences of UTC
        timestamps, so that a change to summer time moves no flush by an hour.

    Examples
    --------
    >>> start = dt.datetime(2026, 3, 29, 0, 50, tzinfo=dt.timezone.utc)
    >>> FlushCron("0 * * * *", start).times(10_000.0)
    (600.0, 4200.0, 7800.0)
    """

    expression: str
    start: dt.datetime

    def __post_init__(self) -> None:
        checks.text("expression", self.expression)
        if not isinstance(self.start, dt.datetime):
            raise InvalidTypeError(f"start must be a datetime, got {self.start!r}")
        if self.start.utcoffset() is None:
            raise InvalidValueError(f"start must know its time zone, got {self.start!r}; give it a tzinfo")
        from cronsim import CronSimError  # imported late: most models have no cron

        try:
            self.times(1.0)
        except CronSimError as error:
            raise InvalidValueError(f"expression must be a cron expression, got {self.expression!r}: {error}") from None

    def times(self, until: float) -> tuple[float, ...]:
        """Return the times in [0, until), s."""
        return _cron_times(self, until)

    def due(self, view: BufferView) -> float:
        """Return the first time at or after oldest_at and later than last_flush_start, else inf."""
        reach = 86400.0
        while reach < 1e11:  # some 3,000 years: a date that never comes, such as 30 February
            due = rules.at_times(self.times(reach), view.oldest_at, view.last_flush_start)
            if due < rules.INF:
                return due
            reach *= 8.0
        return rules.INF

    @property
    def reads(self) -> frozenset[str]:
        """The oldest job's arrival and the last flush's start."""
        return frozenset({"oldest_at", "last_flush_start"})

    def __eq__(self, other: object) -> bool:
        # two datetimes are equal if their instants are; the same expression in another time zone is another policy
        return repr(self) == repr(other) if isinstance(other, FlushCron) else NotImplemented

    def __hash__(self) -> int:
        return hash(repr(self))

    __repr__ = reprs.call


@functools.lru_cache(maxsize=256)
def _cron_times(cron: FlushCron, until: float) -> tuple[float, ...]:
    from cronsim import CronSim

    origin = cron.start.astimezone(dt.UTC)
    # the cron looks strictly after its start, and the run's first instant belongs to the run
    before = (origin - dt.timedelta(microseconds=1)).astimezone(cron.start.tzinfo)
    times = []
    for moment in CronSim(cron.expression, before):
        second = (moment.astimezone(dt.UTC) - origin).total_seconds()
        if second >= until:
            break
        times.append(second)
    return tuple(times)
