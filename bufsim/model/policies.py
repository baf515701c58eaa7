"""The leaves of flush policies: size, bytes, age, idle time, ticks, given times."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal

from bufsim import checks, formats
from bufsim.checks import Seconds
from bufsim.declared import Count, Duration, Flag, Period, Size, Text, Wide, default, instance, value
from bufsim.errors import InvalidValueError, quoted
from bufsim.model import rules
from bufsim.model.flush_policy import BufferView, FlushPolicy, State

_SINCE_OLDEST = frozenset({"oldest_at", "last_flush_start"})
_EVERY = {
    ("clock", "any"): rules.EVERY,
    ("clock", "own"): rules.EVERY_OWN,
    ("flush_start", "any"): rules.EVERY_START,
    ("flush_end", "any"): rules.EVERY_END,
    ("activation", "any"): rules.ACTIVATION,
    ("activation", "own"): rules.ACTIVATION_OWN,
}


@value
class NeverFlush(FlushPolicy):
    """Never due. The identity of ``|``.

    Examples
    --------
    >>> NeverFlush().due(BufferView(now=7.0, size=2, nbytes=0, oldest_at=3.0, newest_at=7.0))
    inf
    """

    word = "never"
    reads = frozenset()

    def due(self, view: BufferView) -> float:
        """Return inf."""
        return rules.INF

    def lowered(self, until: float) -> rules.Operation:
        """Return the same due time as data."""
        return rules.Operation(rules.NEVER)

    @property
    def label(self) -> str:
        """The policy in few words."""
        return "never"

    @property
    def phrase(self) -> str:
        """The rest of a sentence that begins with "flush"."""
        return "never"


@value
class FlushAtSize(FlushPolicy):
    """Due at once when the buffer holds at least `size` jobs. ``FlushAtSize(1)`` is the identity of ``&``.

    Parameters
    ----------
    size : int
        The threshold, jobs, ≥ 1.

    Notes
    -----
    The policy is asked at every arrival, and so in the midst of jobs that come at one instant: of requests of 300 jobs
    each, ``FlushAtSize(500)`` flushes 500. To take whole requests, ``FlushAtSize(500) & FlushAfterAge(0)``, in words
    ``size(500) & age(0s)``, waits until all of that instant are there, and flushes 600.

    Examples
    --------
    >>> FlushAtSize(2).due(BufferView(now=7.0, size=2, nbytes=0, oldest_at=3.0, newest_at=7.0))
    -inf
    """

    word = "size"
    family = "size"
    reads = frozenset({"size"})

    size: Count

    def due(self, view: BufferView) -> float:
        """Return −inf when size ≥ threshold, else inf."""
        return rules.at_size(view.size, self.size)

    @property
    def steps(self) -> Mapping[str, int]:
        """The threshold."""
        return {"size": self.size}

    def lowered(self, until: float) -> rules.Operation:
        """Return the same due time as data."""
        return rules.Operation(rules.SIZE, whole=self.size)

    @property
    def label(self) -> str:
        """The policy in few words."""
        return f"size {formats.number(self.size)}"

    @property
    def phrase(self) -> str:
        """The rest of a sentence that begins with "flush"."""
        return f"at {formats.number(self.size)} jobs"


@value
class FlushAtBytes(FlushPolicy):
    """Due at once when the buffer holds at least `nbytes` bytes.

    Parameters
    ----------
    nbytes : int or str
        The threshold, bytes, ≥ 1; ``"64 MiB"`` is understood.

    Examples
    --------
    >>> FlushAtBytes("1 kB")
    FlushAtBytes(1000)
    """

    word = "bytes"
    family = "bytes"
    reads = frozenset({"nbytes"})

    nbytes: Size

    def due(self, view: BufferView) -> float:
        """Return −inf when nbytes ≥ threshold, else inf."""
        return rules.at_bytes(view.nbytes, self.nbytes)

    @property
    def steps(self) -> Mapping[str, int]:
        """The threshold."""
        return {"nbytes": self.nbytes}

    def lowered(self, until: float) -> rules.Operation:
        """Return the same due time as data."""
        return rules.Operation(rules.BYTES, whole=self.nbytes)

    @property
    def label(self) -> str:
        """The policy in few words."""
        return f"bytes {formats.nbytes(self.nbytes)}"

    @property
    def phrase(self) -> str:
        """The rest of a sentence that begins with "flush"."""
        return f"at {formats.nbytes(self.nbytes)}"


@value
class FlushAfterAge(FlushPolicy):
    """Due when the oldest job has been in the buffer for `age` seconds.

    Parameters
    ----------
    age : float, str or timedelta
        The longest wait, s, ≥ 0; ``"30s"`` is understood. 0 flushes after all arrivals of an instant.

    Examples
    --------
    >>> FlushAfterAge("5s").due(BufferView(now=7.0, size=2, nbytes=0, oldest_at=3.0, newest_at=7.0))
    8.0
    """

    word = "age"
    family = "age"
    reads = frozenset({"oldest_at"})

    age: Duration

    def due(self, view: BufferView) -> float:
        """Return oldest_at + age."""
        return rules.after(view.oldest_at, self.age)

    def lowered(self, until: float) -> rules.Operation:
        """Return the same due time as data."""
        return rules.Operation(rules.AGE, self.age)

    @property
    def label(self) -> str:
        """The policy in few words."""
        return f"age {formats.duration(self.age, digits=6)}"

    @property
    def phrase(self) -> str:
        """The rest of a sentence that begins with "flush"."""
        return f"when the oldest job is {formats.duration(self.age)} old"


@value
class FlushWhenIdle(FlushPolicy):
    """Due when no job has arrived for `idle` seconds.

    Parameters
    ----------
    idle : float, str or timedelta
        The gap, s, ≥ 0.

    Examples
    --------
    >>> FlushWhenIdle(5.0).due(BufferView(now=7.0, size=2, nbytes=0, oldest_at=3.0, newest_at=7.0))
    12.0
    """

    word = "idle"
    family = "idle"
    reads = frozenset({"newest_at"})

    idle: Duration

    def due(self, view: BufferView) -> float:
        """Return newest_at + idle."""
        return rules.after(view.newest_at, self.idle)

    def lowered(self, until: float) -> rules.Operation:
        """Return the same due time as data."""
        return rules.Operation(rules.IDLE, self.idle)

    @property
    def label(self) -> str:
        """The policy in few words."""
        return f"idle {formats.duration(self.idle, digits=6)}"

    @property
    def phrase(self) -> str:
        """The rest of a sentence that begins with "flush"."""
        return f"when no job has come for {formats.duration(self.idle)}"


@value
class FlushAfterGap(FlushPolicy):
    """Due when the last flush started at least `gap` seconds ago, or there was none.

    Alone it is a throttle: at once when it has been quiet, else `gap` after the last flush. Under ``&`` it is a hard
    limit on flushes per time: ``(FlushAtSize(100) | FlushAfterAge("5s")) & FlushAfterGap("1s")``, in words
    ``(size(100) | age(5s)) & gap(1s)``.

    Parameters
    ----------
    gap : float, str or timedelta
        The least time from the start of a flush to that of the next, s, ≥ 0.

    Examples
    --------
    >>> first = BufferView(now=7.0, size=2, nbytes=0, oldest_at=3.0, newest_at=7.0)
    >>> later = BufferView(now=7.0, size=2, nbytes=0, oldest_at=3.0, newest_at=7.0, last_flush_start=2.5)
    >>> FlushAfterGap("10s").due(first), FlushAfterGap("10s").due(later)
    (-inf, 12.5)
    """

    word = "gap"
    family = "gap"
    reads = frozenset({"last_flush_start"})

    gap: Duration

    def due(self, view: BufferView) -> float:
        """Return last_flush_start + gap: −inf before the first flush."""
        return rules.after(view.last_flush_start, self.gap)

    def lowered(self, until: float) -> rules.Operation:
        """Return the same due time as data."""
        return rules.Operation(rules.GAP, self.gap)

    @property
    def label(self) -> str:
        """The policy in few words."""
        return f"gap {formats.duration(self.gap, digits=6)}"

    @property
    def phrase(self) -> str:
        """The rest of a sentence that begins with "flush"."""
        return f"once the last flush started {formats.duration(self.gap)} ago"


@value
class FlushEvery(FlushPolicy):
    """Due at the first tick at or after the oldest job's arrival and later than the last flush's start.

    Parameters
    ----------
    period : float, str or timedelta
        Between ticks, s, > 0.
    phase : float, str or timedelta
        The first tick of the clock, s, ≥ 0; only with ``anchor="clock"``.
    anchor : {"clock", "flush_start", "flush_end", "activation"}
        From what ticks count, by default the clock. They stand at phase + k·period, k ≥ 0; or at the last flush's start
        or end + k·period, k ≥ 1 (counted from 0 before the first flush); or at a + k·period, k ≥ 1, of a timer that a
        job starts at `a` and that the first tick without a job in the buffer stops (celery-batches).
    repeat : bool
        True by default. False, only with ``anchor="activation"`` and ``spent_by="any"``: the timer rings once, at a +
        period, whatever is flushed until then, and the first job later than that starts it anew (Pub/Sub).
    spent_by : {"any", "own"}
        Which flush uses a tick up that falls on its start: "any", by default; or "own", only one that the buffer's
        timer started while this leaf was due, so that a tick at which the buffer is flushed at its size still flushes
        what comes after that in the same instant. "own" goes with the clock and with activation.

    Notes
    -----
    After a restart of the server a timer stands still until a job starts it, also where a durable storage kept jobs.

    Examples
    --------
    >>> view = BufferView(now=7.0, size=2, nbytes=0, oldest_at=3.0, newest_at=7.0, last_flush_start=1.0)
    >>> FlushEvery("5s").due(view), FlushEvery(5.0, anchor="flush_start").due(view)
    (5.0, 6.0)
    >>> FlushEvery("5s", anchor="activation").arrived((-rules.INF, -rules.INF), view)
    (7.0, -inf)
    """

    word = "every"
    family = "clock"

    period: Period
    phase: Duration = default(0.0)
    anchor: Literal["clock", "flush_start", "flush_end", "activation"] = "clock"
    repeat: Flag = True
    spent_by: Literal["any", "own"] = "any"

    def __post_init__(self) -> None:
        if not self.repeat and (self.anchor != "activation" or self.spent_by == "own"):
            raise InvalidValueError(
                f"repeat=False goes with anchor='activation' and spent_by='any' only, got anchor={self.anchor!r} and "
                f"spent_by={self.spent_by!r}; leave it out"
            )
        if self.spent_by == "own" and self.anchor not in ("clock", "activation"):
            raise InvalidValueError(
                f"spent_by='own' goes with anchor='clock' or 'activation', got anchor={self.anchor!r}; leave it out: "
                "every flush moves such ticks"
            )
        if self.anchor != "clock" and self.phase:
            raise InvalidValueError(
                f"phase goes with anchor='clock' only, got phase={self.phase!r} and anchor={self.anchor!r}; "
                "leave it out"
            )

    def due(self, view: BufferView) -> float:
        """Return the first tick at or after oldest_at and later than what has been spent."""
        if self.first_state:
            return self._remembered(view)
        if self.anchor == "clock":
            return rules.every(view.oldest_at, view.last_flush_start, self.period, self.phase)
        anchor = view.last_flush_start if self.anchor == "flush_start" else view.last_flush_end
        return rules.every_since(view.oldest_at, view.last_flush_start, anchor, self.period)

    def _remembered(self, view: BufferView) -> float:
        activated, spent = view.states[self]
        if not self.repeat:
            return rules.one_shot_due(activated, self.period)
        later_than = spent if self.spent_by == "own" else view.last_flush_start
        if self.anchor == "clock":
            return rules.every(view.oldest_at, later_than, self.period, self.phase)
        return rules.since_activation(activated, view.oldest_at, later_than, self.period)

    @property
    def first_state(self) -> State:  # type: ignore[override]  # a leaf of a kind that need not remember
        """When the timer was activated, and the last start of a flush that spent a tick; −inf before."""
        return (-rules.INF, -rules.INF) if self.anchor == "activation" or self.spent_by == "own" else ()

    def arrived(self, state: State, view: BufferView) -> State:
        """Start the timer, unless it runs."""
        if self.anchor != "activation":
            return state
        activated, spent = state
        if not self.repeat:
            return rules.one_shot_activation(view.now, activated, self.period), spent
        return rules.activation(view.now, view.size, activated, spent, view.last_flush_start, self.period), spent

    def started(self, state: State, view: BufferView, rang: bool) -> State:
        """Note that the tick is spent, if the timer rang while this leaf was due."""
        if not state or not self.repeat or not rang or self.due(view) > view.now:
            return state
        return state[0], view.now

    @property
    def reads(self) -> frozenset[str]:
        """The oldest job's arrival and the last flush."""
        if not self.repeat:
            return frozenset()
        return _SINCE_OLDEST | {"last_flush_end"} if self.anchor == "flush_end" else _SINCE_OLDEST

    def lowered(self, until: float) -> rules.Operation:
        """Return the same due time as data."""
        rule = _EVERY[self.anchor, self.spent_by] if self.repeat else rules.ONE_SHOT
        return rules.Operation(rule, self.period, self.phase)

    def ticks(self, until: float) -> Iterator[rules.Operation]:
        """Yield the ticks: those of the clock are the same, whichever flush spends them."""
        rule = self.lowered(until)
        yield rule._replace(rule=rules.EVERY) if self.anchor == "clock" else rule

    def called_when_empty(self) -> Iterator[FlushPolicy]:
        """Yield this leaf, unless it is a timer that a job starts: that stops at a tick that finds nothing."""
        if self.anchor != "activation":
            yield self

    @property
    def label(self) -> str:
        """The period, and what is not usual about it."""
        phase = f" + {formats.duration(self.phase, digits=6)}" if self.phase else ""
        anchor = "" if self.anchor == "clock" else f" after its {self.anchor.replace('_', ' ')}"
        own = ", own ticks" if self.spent_by == "own" else ""
        return f"{'every' if self.repeat else 'once'} {formats.duration(self.period, digits=6)}{phase}{anchor}{own}"

    @property
    def phrase(self) -> str:
        """The rest of a sentence that begins with "flush"."""
        if not self.repeat:
            return f"{formats.duration(self.period)} after a job has come, and then anew"
        since = " from the first job on" if self.anchor == "activation" else ""
        return f"every {formats.duration(self.period)}{since}"


def _increasing(name: str, given: object) -> tuple[float, ...]:
    times = checks.several_seconds(name, given, kind="a list of numbers")
    if not times:
        raise InvalidValueError(f"{name} must not be empty; a buffer that is never flushed takes NeverFlush()")
    for i in range(1, len(times)):
        if not times[i - 1] < times[i]:
            raise InvalidValueError(
                f"{name} must increase strictly, got {name}[{i - 1}]={times[i - 1]!r}, {name}[{i}]={times[i]!r}; "
                "sort them and drop repeats"
            )
    return times


@value
class FlushAt(FlushPolicy):
    """Due at the first of the given times at or after the oldest job's arrival and later than the last flush's start.

    Past its last time it is never due.

    Parameters
    ----------
    times : sequence of float, str or timedelta
        Strictly increasing, s, ≥ 0, at least one.

    Examples
    --------
    >>> FlushAt([2.0, 6.5]).due(BufferView(now=7.0, size=2, nbytes=0, oldest_at=3.0, newest_at=7.0))
    6.5
    """

    word = "at"
    family = "clock"
    reads = _SINCE_OLDEST

    times: Annotated[Wide[Iterable[Seconds], tuple[float, ...]], _increasing]

    def due(self, view: BufferView) -> float:
        """Return the first time at or after oldest_at and later than last_flush_start, else inf."""
        return rules.at_times(self.times, view.oldest_at, view.last_flush_start)

    def lowered(self, until: float) -> rules.Operation:
        """Return the same due time as data."""
        return rules.Operation(rules.TIMES, times=self.times)

    @property
    def phrase(self) -> str:
        """The rest of a sentence that begins with "flush"."""
        return f"at {len(self.times)} given times"


@value(eq=False)
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

    word = "cron"
    family = "clock"
    reads = _SINCE_OLDEST

    expression: Text
    start: Annotated[dt.datetime, instance(dt.datetime, "a datetime")]

    def __post_init__(self) -> None:
        # that of pandas which is missing is not equal to itself
        if self.start != self.start or self.start.utcoffset() is None:
            raise InvalidValueError(f"start must know its time zone, got {quoted(self.start)}; give it a tzinfo")
        from cronsim import CronSimError  # imported late: most models have no cron

        try:
            self.times(1.0)
        except CronSimError as error:
            raise InvalidValueError(
                f"expression must be a cron expression, got {quoted(self.expression)}: {error}"
            ) from None

    def times(self, until: float) -> tuple[float, ...]:
        """Return the times in [0, until), s."""
        return _cron_times(self, until)

    def due(self, view: BufferView) -> float:
        """Return the first time at or after oldest_at and later than last_flush_start, else inf."""
        reach = 3600.0
        while reach < 1e11:  # some 3,000 years: a date that never comes, such as 30 February
            due = rules.at_times(self.times(reach), view.oldest_at, view.last_flush_start)
            if due < rules.INF:
                return due
            reach *= 8.0
        return rules.INF

    def lowered(self, until: float) -> rules.Operation:
        """Return the same due time as data."""
        return rules.Operation(rules.TIMES, times=self.times(until))

    def __eq__(self, other: object) -> bool:
        # two datetimes are equal if their instants are; the same expression in another time zone is another policy
        return repr(self) == repr(other) if isinstance(other, FlushCron) else NotImplemented

    def __hash__(self) -> int:
        return hash(repr(self))


@functools.lru_cache(maxsize=256)
def _cron_times(cron: FlushCron, until: float) -> tuple[float, ...]:
    from cronsim import CronSim

    times = []
    # dates end with the year 9999
    with contextlib.suppress(OverflowError):
        origin = cron.start.astimezone(dt.UTC)
        # the cron looks strictly after its start, and the run's first instant belongs to the run
        before = (origin - dt.timedelta(microseconds=1)).astimezone(cron.start.tzinfo)
        for moment in CronSim(cron.expression, before):
            second = (moment.astimezone(dt.UTC) - origin).total_seconds()
            if second >= until:
                break
            times.append(second)
    return tuple(times)


LEAVES = (
    FlushAtSize,
    FlushAtBytes,
    FlushAfterAge,
    FlushWhenIdle,
    FlushAfterGap,
    FlushEvery,
    FlushAt,
    FlushCron,
    NeverFlush,
)
"""All leaves that bufsim has, in the order in which messages list their words."""
