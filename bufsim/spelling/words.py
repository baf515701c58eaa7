"""The words for every value of a model, by the place where it may stand, and what they make."""

from __future__ import annotations

import datetime as dt
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from bufsim import vendure
from bufsim.checks import Seconds
from bufsim.errors import InvalidValueError, quoted
from bufsim.model.arrivals import Bulk, Bursty, Deterministic, Poisson, Renewal
from bufsim.model.buffers import (
    Capacity,
    CollectAll,
    CollectQueues,
    DrainAll,
    DrainAtMost,
    DrainUntil,
    FlushTime,
    Storage,
)
from bufsim.model.distributions import Constant, Exponential, Gamma, Geometric, LogNormal, Scaled, Uniform
from bufsim.model.flush_policy import CheckedEvery, FlushPolicy
from bufsim.model.given import GivenFailures, GivenTimes
from bufsim.model.policies import LEAVES, FlushAt, FlushCron
from bufsim.model.producers import UniformKeys, Zipf
from bufsim.model.reducers import KeepAll, Merge, SearchIndexReduce, UniqueByKey
from bufsim.model.stops import Stops
from bufsim.model.time_varying import Sinusoid, StepRate, TimeVarying
from bufsim.model.traces import Trace
from bufsim.model.workers import Backoff, PollingWorkers, PushWorkers
from bufsim.vendure_trace import read_adds


def cron(expression: str, start: object, zone: object = None) -> FlushCron:
    """Return the policy of a cron expression; `zone` names the time zone of a `start` that has none."""
    try:
        moment = dt.datetime.fromisoformat(start) if isinstance(start, str) else start
    except ValueError:
        raise InvalidValueError(
            f"start must be an ISO 8601 datetime such as '2026-03-29T00:00:00+01:00', got {quoted(start)}"
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
            f"a time zone must have a name that this machine knows, such as 'Europe/Berlin', got {quoted(key)}; "
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


def in_memory() -> Storage:
    """Return Vendure's default storage, which a stop empties."""
    return Storage()


def durable(read_delete_window: Seconds = 0.0) -> Storage:
    """Return a storage whose jobs outlive a stop."""
    return Storage(durable=True, read_delete_window=read_delete_window)


@dataclass(frozen=True)
class Word:
    """A word: the value that it makes, and the roles of its arguments.

    Parameters
    ----------
    make : callable
        The class or function that makes the value.
    roles : mapping
        From an argument's name to its role, or the name of it; arguments that are not here are plain values.
    gathers : bool
        Whether several positional arguments are the one sequence that `make` takes: ``at(1.0, 2.5)``.
    python : str
        How Python code spells it; by default the name of `make`.
    """

    make: Callable[..., object]
    roles: Mapping[str, str | Role] = field(default_factory=dict)
    gathers: bool = False
    python: str = ""

    @cached_property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The arguments that `make` takes."""
        return inspect.signature(self.make).parameters

    def role(self, argument: str) -> Role:
        """Return the role of an argument."""
        role = self.roles.get(argument, "plain")
        return ROLES[role] if isinstance(role, str) else role


@dataclass(frozen=True)
class Role:
    """A place of a model: what may stand there, and how it is spelled.

    Parameters
    ----------
    what : str
        What it is, for messages.
    words : mapping
        From a short word to what it makes; Python's own spelling is understood too.
    table : str
        The word that a TOML table without `kind` stands for; empty: the table must say.
    measure : {"", "seconds", "bytes"}
        What a text with a unit, such as "30s", becomes; empty: it stays text, and what takes it reads it.
    plain : bool
        Whether a plain value (a number, a text, a list) will do.
    names : bool
        Whether a TOML text is a name, and not words to be read.
    path : bool
        Whether a text is the path of a file.
    example : str
        How one is written, for the message that refuses a plain value.
    """

    what: str
    words: Mapping[str, Word] = field(default_factory=dict)
    table: str = ""
    measure: str = ""
    plain: bool = False
    names: bool = False
    path: bool = False
    example: str = ""

    @cached_property
    def known(self) -> Mapping[str, Word]:
        """All words: the short ones, and Python's own spelling."""
        return {**self.words, **{word.python or word.make.__name__: word for word in self.words.values()}}


def find(role: Role, name: str) -> Word | None:
    """Return the word of that name in a role, if there is one; ``scipy.stats.gamma`` is a distribution."""
    if "exponential" in role.words and name.startswith("scipy.stats."):
        import scipy.stats

        kind = getattr(scipy.stats, name.removeprefix("scipy.stats."), None)
        frozen = isinstance(kind, scipy.stats.rv_continuous | scipy.stats.rv_discrete)
        return Word(functools.partial(_frozen, kind)) if frozen else None
    return role.known.get(name)


def _frozen(kind: Any, *parameters: object, **named: object) -> Any:
    try:
        return kind(*parameters, **named)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"scipy.stats.{kind.name} does not take these parameters: {error}") from None


_ON_GRID = Word(CheckedEvery, {"policy": "policy", "period": "seconds", "phase": "seconds"})
# a leaf whose arguments are plain values is spelled as it declares itself; others say more of their arguments
_LEAVES: dict[type[FlushPolicy], Word] = {
    FlushAt: Word(FlushAt, {"times": "seconds"}, gathers=True),
    FlushCron: Word(cron, {"start": "moment"}, python="FlushCron"),
}
_POLICIES = {
    **{leaf.word: _LEAVES.get(leaf, Word(leaf)) for leaf in LEAVES},
    "checked_every": _ON_GRID,
    "checked": _ON_GRID,
}
_ARRIVALS = {
    "poisson": Word(Poisson),
    "renewal": Word(Renewal, {"distribution": "times"}),
    "deterministic": Word(Deterministic, {"interval": "seconds", "offset": "seconds"}),
    "bursty": Word(Bursty, {"mean_high": "seconds", "mean_low": "seconds"}),
    "time_varying": Word(TimeVarying, {"rate": "rate"}),
    "bulk": Word(Bulk, {"arrivals": "arrivals", "size": "counts"}),
    "trace": Word(Trace.read, {"path": "path", "shift": "seconds", "length": "seconds"}, python="Trace.read"),
    "vendure": Word(read_adds, {"path": "path", "shift": "seconds"}),
}
_RATES = {
    "sinusoid": Word(Sinusoid, {"period": "seconds"}),
    "steps": Word(StepRate, {"edges": "seconds", "repeat": "flag"}),
}
_STORAGE_STRATEGIES = {
    "in_memory": Word(lambda: vendure.InMemoryJobBufferStorageStrategy, python="InMemoryJobBufferStorageStrategy"),
    "testing": Word(lambda: vendure.TestingJobBufferStorageStrategy, python="TestingJobBufferStorageStrategy"),
}
_ZONES = {
    "zoneinfo.ZoneInfo": Word(time_zone),
    "datetime.timezone": Word(fixed_zone, {"offset": "offset"}),
    "datetime.timezone.utc": Word(utc),
}
_WORKERS = {"service": "service", "failure": "failure", "backoff": "backoff"}


def _distributions(role: str, measure: str) -> dict[str, Word]:
    """Return the words for distributions whose values are of the role `measure`."""
    return {
        "constant": Word(Constant, {"value": measure}),
        "exponential": Word(Exponential, {"mean": measure}),
        "uniform": Word(Uniform, {"low": measure, "high": measure}),
        "gamma": Word(Gamma, {"mean": measure}),
        "lognormal": Word(LogNormal, {"mean": measure}),
        "geometric": Word(Geometric, {"mean": measure}),
        "scaled": Word(Scaled, {"distribution": role}),
    }


_TIMES = _distributions("times", "seconds")
_SIZES = _distributions("sizes", "bytes")
_GIVEN = {"given": Word(GivenTimes, {"times": "seconds"}, gathers=True)}

ROLES: dict[str, Role] = {
    "plain": Role("plain value", plain=True),
    "seconds": Role("duration", measure="seconds", plain=True),
    "bytes": Role("size", measure="bytes", plain=True),
    "flag": Role("flag", plain=True),
    "path": Role("path of a file", plain=True, path=True),
    "policy": Role("flush policy", _POLICIES, example="size(200) | age(30s)"),
    "moment": Role("datetime", {"datetime.datetime": Word(datetime, {"tzinfo": "zone"})}, plain=True, names=True),
    "zone": Role("time zone", _ZONES, example="datetime.timezone.utc"),
    "offset": Role(
        "offset from UTC", {"datetime.timedelta": Word(timedelta)}, example="datetime.timedelta(seconds=3600)"
    ),
    "arrivals": Role("arrival process", _ARRIVALS, example="poisson(80)"),
    "rate": Role("rate", _RATES, example="sinusoid(60, 20, 24h)"),
    "times": Role("distribution of times", _TIMES, measure="seconds", plain=True),
    "sizes": Role("distribution of sizes", _SIZES, measure="bytes", plain=True),
    "counts": Role("distribution of numbers", _distributions("counts", "plain"), plain=True),
    "service": Role("service time", _TIMES | _GIVEN, measure="seconds", plain=True),
    "given_times": Role("distribution of times", _TIMES | _GIVEN, measure="seconds", plain=True),
    "failure": Role("probability", {"given": Word(GivenFailures, {"failures": "flag"}, gathers=True)}, plain=True),
    "keys": Role("law of keys", {"zipf": Word(Zipf), "uniform": Word(UniformKeys)}, example="zipf(9000, 0.9)"),
    "collect": Role(
        "collect", {"all": Word(CollectAll), "queues": Word(CollectQueues, gathers=True)}, plain=True, names=True
    ),
    "reduce": Role(
        "reduce",
        {
            "keep_all": Word(KeepAll),
            "unique_by_key": Word(UniqueByKey),
            "merge": Word(Merge),
            "search_index": Word(SearchIndexReduce),
        },
        example="unique_by_key",
    ),
    "ported": Role(
        "ported buffer",
        {"search_index": Word(vendure.SearchIndexJobBuffer), "collections": Word(vendure.CollectionJobBuffer)},
        example="search_index",
    ),
    "drain": Role(
        "drain",
        {"all": Word(DrainAll), "at_most": Word(DrainAtMost), "until": Word(DrainUntil)},
        table="at_most",
        example="at_most(100)",
    ),
    "capacity": Role("capacity", {"capacity": Word(Capacity)}, table="capacity", example="capacity(500)"),
    "flush_time": Role(
        "flush time",
        {"flush_time": Word(FlushTime, {"fixed": "given_times"}), **_TIMES},
        table="flush_time",
        measure="seconds",
        plain=True,
    ),
    "workers": Role(
        "workers",
        {"push": Word(PushWorkers, _WORKERS), "polling": Word(PollingWorkers, _WORKERS)},
        example="push(4)",
    ),
    "backoff": Role("back-off", {"backoff": Word(Backoff)}, table="backoff", measure="seconds", plain=True),
    "storage": Role(
        "storage",
        {
            "storage": Word(Storage, {"durable": "flag", "strategy": "strategy"}),
            "in_memory": Word(in_memory),
            "durable": Word(durable),
        },
        table="storage",
        example="durable",
    ),
    "strategy": Role("storage strategy", _STORAGE_STRATEGIES, example="in_memory"),
    "stops": Role(
        "stops", {"stops": Word(Stops, {"at": "seconds"})}, table="stops", example="stops(mean_time_between=24h)"
    ),
}
