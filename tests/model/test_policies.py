from __future__ import annotations

import datetime as dt
import functools
import itertools
import math
import operator
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from bufsim_tests.policy_strategies import few, leaves, periods, times, views
from hypothesis import given
from hypothesis import strategies as st

from bufsim import (
    BufferView,
    FlushAfterAge,
    FlushAfterGap,
    FlushAt,
    FlushAtBytes,
    FlushAtSize,
    FlushCron,
    FlushEvery,
    FlushPolicy,
    FlushWhenIdle,
    InvalidTypeError,
    InvalidValueError,
    JobBuffer,
    NeverFlush,
    NotLoweredError,
    Producer,
    Simulation,
    Stops,
    Storage,
    Trace,
)
from bufsim.model.flush_policy import AllOf, AnyOf, CheckedEvery, States
from bufsim.verification.models import models

INF = math.inf
VIEW = BufferView(now=7.0, size=2, nbytes=5, oldest_at=3.0, newest_at=7.0, last_flush_start=1.0, last_flush_end=2.0)


# --- every leaf against one line --------------------------------------------------------------------------------------


@given(views())
def test_never_flush_is_never_due(v: BufferView) -> None:
    assert NeverFlush().due(v) == INF


@given(few, views())
def test_at_size_is_due_at_once_from_n_jobs_on(n: int, v: BufferView) -> None:
    assert FlushAtSize(n).due(v) == {True: -INF, False: INF}[v.size >= n]


@given(few, views())
def test_at_bytes_is_due_at_once_from_n_bytes_on(n: int, v: BufferView) -> None:
    assert FlushAtBytes(n).due(v) == {True: -INF, False: INF}[v.nbytes >= n]


@given(times, views())
def test_after_age_is_due_so_long_after_the_oldest_job(t: float, v: BufferView) -> None:
    assert FlushAfterAge(t).due(v) == v.oldest_at + t


@given(times, views())
def test_when_idle_is_due_so_long_after_the_newest_job(t: float, v: BufferView) -> None:
    assert FlushWhenIdle(t).due(v) == v.newest_at + t


@given(times, views())
def test_after_a_gap_is_due_at_once_the_first_time_then_so_long_after_the_last_start(t: float, v: BufferView) -> None:
    assert FlushAfterGap(t).due(v) == (v.last_flush_start + t if v.last_flush_start >= 0.0 else -INF)


@given(periods, times, views())
def test_every_is_due_at_the_first_tick_that_may_flush_the_oldest_job(p: float, phase: float, v: BufferView) -> None:
    assert FlushEvery(p, phase=phase).due(v) == first(v, (phase + k * p for k in range(1000)))


@given(periods, views())
def test_every_since_the_flush_start_counts_from_it(p: float, v: BufferView) -> None:
    origin = max(v.last_flush_start, 0.0)
    assert FlushEvery(p, anchor="flush_start").due(v) == first(v, (origin + k * p for k in range(1, 1000)))


@given(periods, views())
def test_every_since_the_flush_end_counts_from_it(p: float, v: BufferView) -> None:
    origin = max(v.last_flush_end, 0.0)
    assert FlushEvery(p, anchor="flush_end").due(v) == first(v, (origin + k * p for k in range(1, 1000)))


@given(st.sets(times, min_size=1, max_size=6), views())
def test_at_is_due_at_the_first_time_that_may_flush_the_oldest_job(ts: set[float], v: BufferView) -> None:
    assert FlushAt(sorted(ts)).due(v) == first(v, sorted(ts))


def first(v: BufferView, ticks: object) -> float:
    return next((t for t in ticks if t >= v.oldest_at and t > v.last_flush_start), INF)  # type: ignore[attr-defined]


@given(leaves, views())
def test_a_leaf_is_its_own_cause_and_only_part(leaf: FlushPolicy, v: BufferView) -> None:
    assert leaf.leaf(v) is leaf
    assert list(leaf.parts()) == [leaf]


def test_an_arrival_exactly_at_a_tick_is_flushed_at_it() -> None:
    on_tick = BufferView(now=5.0, size=1, nbytes=0, oldest_at=5.0, newest_at=5.0)
    assert FlushEvery(5.0).due(on_tick) == 5.0
    assert FlushAt([5.0, 6.0]).due(on_tick) == 5.0
    # not if that tick has started a flush already
    after = BufferView(now=5.0, size=1, nbytes=0, oldest_at=5.0, newest_at=5.0, last_flush_start=5.0)
    assert FlushEvery(5.0).due(after) == 10.0
    assert FlushAt([5.0, 6.0]).due(after) == 6.0


def test_past_its_last_time_a_list_of_times_is_never_due() -> None:
    assert FlushAt([1.0, 2.0]).due(VIEW) == INF


def test_before_the_first_flush_a_flush_anchor_counts_from_0() -> None:
    new = BufferView(now=0.0, size=1, nbytes=0, oldest_at=0.0, newest_at=0.0)
    assert FlushEvery(4.0, anchor="flush_start").due(new) == FlushEvery(4.0, anchor="flush_end").due(new) == 4.0
    # a clock's first tick is its phase
    assert FlushEvery(4.0).due(new) == 0.0
    assert FlushEvery(4.0, phase=3.0).due(new) == 3.0


# --- how they are written ---------------------------------------------------------------------------------------------


@given(periods, times, times, views())
def test_a_timer_is_due_at_the_first_tick_since_its_activation(p: float, a: float, spent: float, v: BufferView) -> None:
    every, own = FlushEvery(p, anchor="activation"), FlushEvery(p, anchor="activation", spent_by="own")
    once, clock = FlushEvery(p, anchor="activation", repeat=False), FlushEvery(p, phase=a, spent_by="own")
    v = replace(v, states=dict.fromkeys((every, own, once, clock), (a, spent)))
    ticks = [a + k * p for k in range(1, 1000)]
    assert every.due(v) == first(v, ticks)
    assert own.due(v) == next(tick for tick in ticks if tick >= v.oldest_at and tick > spent)
    assert clock.due(v) == next(tick for tick in [a, *ticks] if tick >= v.oldest_at and tick > spent)
    assert once.due(v) == a + p
    # one that no job has started is not due
    unused = replace(v, states=States())
    assert every.due(unused) == own.due(unused) == once.due(unused) == INF


def test_durations_and_sizes_may_have_units() -> None:
    assert FlushAfterAge("30s") == FlushAfterAge(dt.timedelta(seconds=30)) == FlushAfterAge(30)
    assert FlushAfterAge("30 seconds") == FlushAfterAge(np.timedelta64(30, "s")) == FlushAfterAge(30)
    assert FlushWhenIdle("1h30min") == FlushWhenIdle(5400.0)
    assert FlushEvery("15min", phase="1min") == FlushEvery(900.0, phase=60.0)
    assert FlushAtBytes("64 MiB") == FlushAtBytes(64 * 2**20)


def test_numbers_become_plain_floats_and_ints() -> None:
    import numpy as np

    assert repr(FlushAfterAge(np.float64(2.0))) == "FlushAfterAge(2.0)"
    assert repr(FlushAtSize(np.int64(3))) == "FlushAtSize(3)"
    assert repr(FlushAt(np.arange(2.0))) == "FlushAt((0.0, 1.0))"
    assert repr(FlushAfterAge(-0.0)) == "FlushAfterAge(0.0)"


def test_reprs_leave_defaults_out() -> None:
    assert repr(FlushEvery(5)) == "FlushEvery(5.0)"
    assert repr(FlushEvery(5, phase=1)) == "FlushEvery(5.0, phase=1.0)"
    assert repr(FlushEvery(5, anchor="flush_start")) == "FlushEvery(5.0, anchor='flush_start')"
    assert repr(NeverFlush()) == "NeverFlush()"


@given(leaves)
def test_fields_cannot_be_set(leaf: FlushPolicy) -> None:
    for one in fields(leaf):  # type: ignore[arg-type]  # every leaf is a dataclass
        with pytest.raises(FrozenInstanceError):
            setattr(leaf, one.name, 1)


def test_an_age_and_an_idle_time_of_0_are_allowed() -> None:
    assert FlushAfterAge(0).due(VIEW) == 3.0
    assert FlushWhenIdle(0).due(VIEW) == 7.0


def flushed(policy: FlushPolicy, *times: float, **options: Any) -> list[tuple[float, int]]:
    """The start and the batch size of each flush."""
    buffer = JobBuffer("b", policy=policy, flush_time=options.pop("flush_time", 0.0))
    simulation = Simulation(producers=[Producer("p", Trace(times))], buffers=[buffer], until=20.0, **options)
    table = simulation.run(1).flushes
    return list(zip(table["start"].tolist(), table["batch_size"].tolist(), strict=True))


def test_a_gap_alone_is_a_throttle_from_start_to_start() -> None:
    # at once where it has been quiet; after the instant's arrivals where the last start is long ago
    assert flushed(FlushAfterGap(3), 1.0, 2.0, 2.5, 9.0, 9.0) == [(1.0, 1), (4.0, 2), (9.0, 2)]
    # a flush of 2 s counts from its start, one of 4 s holds the next up
    assert flushed(FlushAfterGap(3), 1.0, 2.0, flush_time=2.0) == [(1.0, 1), (4.0, 1)]
    assert flushed(FlushAfterGap(3), 1.0, 2.0, flush_time=4.0) == [(1.0, 1), (5.0, 1)]


def test_a_gap_is_a_hard_limit_on_flushes_under_and() -> None:
    either = FlushAtSize(2) | FlushAfterAge(5)
    assert flushed(either & FlushAfterGap(4), 1.0, 1.0, 1.5, 1.5, 6.0) == [(1.0, 2), (5.0, 2), (11.0, 1)]
    # negative control: without it the second pair goes at once
    assert flushed(either, 1.0, 1.0, 1.5, 1.5, 6.0) == [(1.0, 2), (1.5, 2), (11.0, 1)]


def timer(times: list[float], period: float, size: int) -> list[tuple[float, int]]:
    """Flushes of a timer that a job starts and an empty tick stops, or of enough jobs, by a loop for this alone."""
    flushes: list[tuple[float, int]] = []
    held, start, k = 0, math.inf, 1
    coming = [*times, math.inf]
    while min(coming[0], start + k * period) < 20.0:
        tick = start + k * period
        if coming[0] < tick:
            now = coming.pop(0)
            held += 1
            if start == math.inf:
                start, k = now, 1
            if held == size:
                flushes.append((now, held))
                held = 0
        elif held:
            flushes.append((tick, held))
            held, k = 0, k + 1
        else:
            start = math.inf
    return flushes


@pytest.mark.parametrize("size", [2, 5, 99])
@pytest.mark.parametrize("period", [0.3, 1.1])
def test_a_timer_that_a_job_starts_equals_a_direct_loop(period: float, size: int) -> None:
    others = 0
    for seed in range(8):
        times = sorted(np.random.default_rng(seed).uniform(0.0, 20.0, 30).tolist())
        expected = timer(times, period, size)
        assert flushed(FlushEvery(period, anchor="activation") | FlushAtSize(size), *times) == expected
        # a negative control: a timer from the last flush is another one
        others += flushed(FlushEvery(period, anchor="flush_end") | FlushAtSize(size), *times) != expected
    assert others == 8


def test_a_job_at_the_tick_keeps_the_timer_alive_and_an_empty_tick_stops_it() -> None:
    timer = FlushEvery(2, anchor="activation")
    assert flushed(timer, 1.0, 5.0) == [(3.0, 1), (5.0, 1)]
    assert flushed(timer, 1.0, 5.5) == [(3.0, 1), (7.5, 1)]
    # a flush at 2 jobs leaves nothing for the tick of the same instant, which stops the timer
    assert flushed(timer | FlushAtSize(2), 1.0, 3.0, 4.0) == [(3.0, 2), (6.0, 1)]


def test_a_tick_is_spent_by_any_flush_or_by_its_own() -> None:
    # of three jobs at 3 s, where a tick is, two are flushed at once; so are those at 1 and 3 s
    for first, kind in ((1.0, {"anchor": "activation"}), (3.0, {"phase": 3.0})):
        assert flushed(FlushEvery(2, **kind) | FlushAtSize(2), first, 3.0, 3.0) == [(3.0, 2), (5.0, 1)]
        assert flushed(FlushEvery(2, **kind, spent_by="own") | FlushAtSize(2), first, 3.0, 3.0) == [(3.0, 2), (3.0, 1)]


def test_a_timer_that_rings_once_is_started_by_the_next_job() -> None:
    once = FlushEvery(5, anchor="activation", repeat=False) | FlushAtSize(2)
    # the flush at 2 jobs does not stop it, and what comes until it rings joins
    assert flushed(once, 1.0, 2.0, 3.0, 7.0) == [(2.0, 2), (6.0, 1), (12.0, 1)]
    assert flushed(once, 1.0, 2.0, 6.0, 6.5) == [(2.0, 2), (6.0, 1), (11.5, 1)]
    # nor does it go on when it has rung for nothing
    assert flushed(once, 1.0, 2.0, 7.0) == [(2.0, 2), (12.0, 1)]


def test_after_a_restart_a_timer_stands_still_until_a_job_comes() -> None:
    durable = {"storage": Storage(durable=True), "stops": Stops(at=[2.0], downtime=1.0)}
    for repeat, second in ((True, 11.0), (False, 13.0)):
        timer = FlushEvery(5, anchor="activation", repeat=repeat)
        assert flushed(timer, 1.0, 8.0) == [(6.0, 1), (second, 1)]
        assert flushed(timer, 1.0, 8.0, **durable) == [(13.0, 2)]


@dataclass(frozen=True)
class Seen(FlushPolicy):
    """Counts the jobs stored, the flushes started, those that the timer started, and those that ended."""

    seen: list[Any] = field(default_factory=list, hash=False, compare=False)
    first_state = (0.0, 0.0, 0.0, 0.0)

    def arrived(self, state: Any, view: BufferView) -> Any:
        return state[0] + 1.0, *state[1:]

    def started(self, state: Any, view: BufferView, rang: bool) -> Any:
        assert view.size > 0  # the batch has not left
        return state[0], state[1] + 1.0, state[2] + rang, state[3]

    def ended(self, state: Any, now: float) -> Any:
        return *state[:3], state[3] + 1.0

    def due(self, view: BufferView) -> float:
        self.seen.append((view.now, *view.states[self]))
        return INF


def test_a_leaf_of_the_users_remembers_what_has_happened() -> None:
    leaf = Seen()
    flushed(leaf | FlushAtSize(2) | FlushAfterAge(4.0) | Seen(), 1.0, 2.0, 2.5, 6.75, 7.25, flush_time=1.0)
    # jobs at 1 and 2 s are flushed from 2 to 3 s; that of 2.5 s is stored meanwhile, and rings at 6.5 s; the next one
    # is stored while that flush runs, to 7.5 s, and the last one makes two
    assert list(dict.fromkeys(leaf.seen)) == [
        (1.0, 1.0, 0.0, 0.0, 0.0),
        (2.0, 2.0, 0.0, 0.0, 0.0),
        (3.0, 3.0, 1.0, 0.0, 1.0),
        (6.5, 3.0, 1.0, 0.0, 1.0),
        (7.5, 5.0, 2.0, 1.0, 2.0),
    ]


def test_the_compiled_engine_names_a_leaf_of_the_users_that_remembers() -> None:
    simulation = Simulation(producers=[Producer("p", Trace([1.0]))], buffers=[JobBuffer("b", policy=Seen())], until=2.0)
    with pytest.raises(NotLoweredError, match="does not know the policy Seen"):
        simulation.run(1, engine="compiled")


def mirrored(policy: FlushPolicy) -> FlushPolicy:
    """A policy whose members stand the other way round, one of them twice."""
    if isinstance(policy, AnyOf | AllOf):
        join = operator.or_ if isinstance(policy, AnyOf) else operator.and_
        turned = [mirrored(member) for member in reversed(policy.members)]
        return functools.reduce(join, [*turned, turned[0]])
    if isinstance(policy, CheckedEvery):
        return replace(policy, policy=mirrored(policy.policy))
    return policy


def differs_mirrored(simulation: Simulation) -> bool:
    buffers = [replace(buffer, policy=mirrored(buffer.policy)) for buffer in simulation.buffers]
    one, other = simulation.run(1), replace(simulation, buffers=buffers).run(1)
    flushes = [result.flushes.drop(columns="cause") for result in (one, other)]
    ticks = [result.metric("empty_tick_count") for result in (one, other)]
    return not (one.jobs.equals(other.jobs) and flushes[0].equals(flushes[1]) and ticks[0] == ticks[1])


def test_policies_joined_in_another_order_flush_the_same() -> None:
    assert not any(map(differs_mirrored, models(29, 150)))


def test_what_a_leaf_remembers_of_the_cause_of_a_flush_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A negative control of the test above: on ties the cause is the leftmost's, which `|` must not tell."""

    def spent_by_the_leftmost(self: FlushEvery, state: Any, view: BufferView, rang: bool) -> Any:
        spent = rang and view.policy.leaf(view) == self  # type: ignore[attr-defined]  # the buffer itself
        return (state[0], view.now) if spent and state else state

    monkeypatch.setattr(FlushEvery, "started", spent_by_the_leftmost)
    # both tick at 2 s: the timer goes on to 3 s if that tick is spent, and has stopped there if it is not
    buffer = JobBuffer("b", policy=FlushEvery(1, anchor="activation") | FlushEvery(2))
    assert differs_mirrored(Simulation(producers=[Producer("p", Trace([1.0, 2.5]))], buffers=[buffer], until=9.0))


def test_a_restart_forgets_the_gap() -> None:
    stops = Stops(at=[1.5], downtime=0.5)
    assert flushed(FlushAfterGap(9), 1.0, 2.0, stops=stops) == [(1.0, 1), (2.0, 1)]


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FlushAtSize(0), "size must be >= 1, got 0"),
        (lambda: FlushAtSize(-3), "size must be >= 1, got -3"),
        (lambda: FlushAtBytes(0), "nbytes must be >= 1, got 0"),
        (lambda: FlushAtBytes("64 MiX"), "nbytes has the unknown unit 'MiX' in '64 MiX'; the units are "),
        (lambda: FlushAfterAge(-1), "age must be >= 0, got -1.0"),
        (lambda: FlushAfterAge(math.nan), "age must be finite, got nan"),
        (lambda: FlushAfterAge(INF), "age must be finite, got inf"),
        (lambda: FlushAfterAge("soon"), "age must be a number with a unit, such as '30s', '15min' or '1h30min', "),
        (lambda: FlushWhenIdle(-0.5), "idle must be >= 0, got -0.5"),
        (lambda: FlushWhenIdle(math.nan), "idle must be finite, got nan"),
        (lambda: FlushAfterGap(-1), "gap must be >= 0, got -1.0"),
        (lambda: FlushEvery(0), "period must be > 0, got 0.0"),
        (lambda: FlushEvery(-5), "period must be > 0, got -5.0"),
        (lambda: FlushEvery(math.nan), "period must be finite, got nan"),
        (lambda: FlushEvery(INF), "period must be finite, got inf"),
        (lambda: FlushEvery(1, phase=-1), "phase must be >= 0, got -1.0"),
        (
            lambda: FlushEvery(1, anchor="flush start"),
            "anchor must be one of 'clock', 'flush_start', 'flush_end', 'activation', got ",
        ),
        (
            lambda: FlushEvery(1, repeat=False),
            "repeat=False goes with anchor='activation' and spent_by='any' only, got anchor='clock' and spent_by='any'",
        ),
        (
            lambda: FlushEvery(1, anchor="flush_end", spent_by="own"),
            "spent_by='own' goes with anchor='clock' or 'activation', got anchor='flush_end'; leave it out: every ",
        ),
        (
            lambda: FlushEvery(1, phase=2, anchor="flush_end"),
            "phase goes with anchor='clock' only, got phase=2.0 and anchor='flush_end'; leave it out",
        ),
        (lambda: FlushAt([]), "times must not be empty; a buffer that is never flushed takes NeverFlush()"),
        (lambda: FlushAt([1.0, -2.0]), "times[1] must be >= 0, got -2.0"),
        (lambda: FlushAt([math.nan]), "times[0] must be finite, got nan"),
        (
            lambda: FlushAt([1.0, 3.0, 3.0]),
            "times must increase strictly, got times[1]=3.0, times[2]=3.0; sort them and drop repeats",
        ),
        (lambda: FlushAt([2.0, 1.0]), "times must increase strictly, got times[0]=2.0, times[1]=1.0; "),
    ],
)
def test_a_wrong_value_fails_when_it_is_written(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        make()
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FlushAtSize(2.5), "size must be a whole number, got 2.5"),
        (lambda: FlushAtSize(True), "size must be a whole number, got True"),
        (lambda: FlushAtSize("3"), "size must be a whole number, got '3'"),
        (lambda: FlushAtBytes(None), "nbytes must be a whole number, got None"),
        (lambda: FlushAfterAge(None), "age must be a number, got None"),
        (lambda: FlushAfterAge(True), "age must be a number, got True"),
        (lambda: FlushWhenIdle([]), "idle must be a number, got []"),
        (lambda: FlushEvery(None), "period must be a number, got None"),
        (lambda: FlushAt([[5.0]]), "times[0] must be a number, got [5.0]"),
        (lambda: FlushAt(5.0), "times must be a list of numbers, got 5.0"),
        (lambda: FlushAt("5s"), "times must be a list of numbers, got '5s'"),
        (lambda: FlushAt(None), "times must be a list of numbers, got None"),
    ],
)
def test_a_wrong_type_fails_when_it_is_written(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidTypeError) as raised:
        make()
    assert str(raised.value).startswith(message)


def test_whole_requests_are_taken_by_a_size_and_an_age_of_zero() -> None:
    # 8 requests of 300 jobs each (case 17): 4 batches of two requests, where the size alone splits the second
    requests = Producer("p", Trace([float(request) for request in range(1, 9) for _ in range(300)]))

    def batches(policy: FlushPolicy) -> list[int]:
        buffers = [JobBuffer("b", policy=policy)]
        flushes = Simulation(producers=[requests], buffers=buffers, until=20).run(seed=1).flushes
        return list(flushes["batch_size"])

    assert batches(FlushAtSize(500) & FlushAfterAge(0)) == [600] * 4
    assert batches(FlushAtSize(500)) == [500] * 4


BERLIN = ZoneInfo("Europe/Berlin")
SPRING = dt.datetime(2026, 3, 28, tzinfo=BERLIN)  # the clock springs forward on the 29th: 02:00 becomes 03:00
AUTUMN = dt.datetime(2026, 10, 24, tzinfo=BERLIN)  # and falls back on 25 October: 03:00 becomes 02:00
DAY = 86400.0


def clock(start: dt.datetime, seconds: float) -> str:
    """What a clock on the wall shows `seconds` after `start`."""
    moment = start.astimezone(dt.UTC) + dt.timedelta(seconds=seconds)
    return moment.astimezone(start.tzinfo).strftime("%d %H:%M %Z")


def test_times_are_seconds_from_the_start() -> None:
    start = dt.datetime(2026, 6, 1, 11, 50, 30, tzinfo=dt.UTC)
    assert FlushCron("*/15 * * * *", start).times(3600.0) == (570.0, 1470.0, 2370.0, 3270.0)


def test_the_first_instant_of_the_run_belongs_to_it_and_the_last_does_not() -> None:
    start = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
    assert FlushCron("0 * * * *", start).times(7200.0) == (0.0, 3600.0)
    assert FlushCron("0 * * * *", start + dt.timedelta(microseconds=1)).times(3600.0) == (3599.999999,)


def test_an_hourly_cron_is_not_moved_by_a_change_of_the_clock() -> None:
    for start in (SPRING, AUTUMN):
        assert FlushCron("0 * * * *", start).times(3 * DAY) == tuple(3600.0 * k for k in range(72))


def test_in_spring_a_day_has_23_hours_and_a_time_that_is_skipped_is_made_up_for() -> None:
    times = FlushCron("30 2 * * *", SPRING).times(3 * DAY)
    assert [clock(SPRING, t) for t in times] == ["28 02:30 CET", "29 03:00 CEST", "30 02:30 CEST"]
    noons = FlushCron("0 12 * * *", SPRING).times(3 * DAY)
    assert [b - a for a, b in itertools.pairwise(noons)] == [23 * 3600.0, DAY]


def test_in_autumn_a_day_has_25_hours_and_a_time_that_comes_twice_counts_once() -> None:
    times = FlushCron("30 2 * * *", AUTUMN).times(3 * DAY)
    assert [clock(AUTUMN, t) for t in times] == ["24 02:30 CEST", "25 02:30 CEST", "26 02:30 CET"]
    assert [b - a for a, b in itertools.pairwise(times)] == [DAY, 25 * 3600.0]


def test_in_autumn_a_start_in_the_second_of_two_equal_hours_is_told_apart() -> None:
    first = dt.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=0)
    second = first.replace(fold=1)
    assert FlushCron("0 3 * * *", first).times(DAY) == (5400.0,)
    assert FlushCron("0 3 * * *", second).times(DAY) == (1800.0,)


@given(
    st.sampled_from(("*/7 * * * *", "13 */2 * * *", "0 2 * * *", "30 1-3 * * *", "*/20 2 * * *", "0 0 * * mon")),
    st.sampled_from((SPRING, AUTUMN)),
    st.integers(0, 2 * 86400 * 10),
)
def test_times_increase_strictly_whatever_the_clock_does(expression: str, day: dt.datetime, tenths: int) -> None:
    start = (day.astimezone(dt.UTC) + dt.timedelta(seconds=tenths / 10)).astimezone(BERLIN)
    times = FlushCron(expression, start).times(3 * DAY)
    assert list(times) == sorted(set(times))
    assert not times or (times[0] >= 0.0 and times[-1] < 3 * DAY)


@given(st.floats(0, 2 * DAY), st.just(-math.inf) | st.floats(0, 2 * DAY))
def test_it_is_due_as_flush_at_its_times_is(oldest: float, last: float) -> None:
    cron = FlushCron("*/40 6-22 * * *", SPRING)
    view = BufferView(now=oldest, size=1, nbytes=0, oldest_at=oldest, newest_at=oldest, last_flush_start=last)
    assert cron.due(view) == FlushAt(cron.times(10 * DAY)).due(view)


def test_it_finds_a_time_that_is_years_away() -> None:
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    view = BufferView(now=1.0, size=1, nbytes=0, oldest_at=1.0, newest_at=1.0)
    leap_day = dt.datetime(2028, 2, 29, tzinfo=dt.UTC) - start
    assert FlushCron("0 0 29 2 *", start).due(view) == leap_day.total_seconds()


def test_one_expression_in_two_time_zones_is_two_policies() -> None:
    start = dt.datetime(2026, 6, 1, 0, 0, tzinfo=dt.UTC)
    in_utc = FlushCron("0 9 * * *", start)
    in_tokyo = FlushCron("0 9 * * *", start.astimezone(ZoneInfo("Asia/Tokyo")))
    assert in_utc.start == in_tokyo.start  # one instant
    assert in_utc.times(DAY) == (32400.0,)
    assert in_tokyo.times(DAY) == (0.0,)
    assert in_utc != in_tokyo


def test_it_is_a_value() -> None:
    cron = FlushCron("0 9 * * *", SPRING)
    again = pickle.loads(pickle.dumps(cron))
    assert again == cron
    assert hash(again) == hash(cron)
    assert cron != FlushCron("0 8 * * *", SPRING)
    assert cron != "0 9 * * *"
    assert eval(repr(cron), {"FlushCron": FlushCron, "datetime": dt, "zoneinfo": __import__("zoneinfo")}) == cron
    with pytest.raises(FrozenInstanceError):
        cron.expression = "0 8 * * *"  # type: ignore[misc]
    assert cron.reads == {"oldest_at", "last_flush_start"}


@pytest.mark.parametrize("expression", ["* * * *", "61 * * * *", "a b c d e", "0 0 30 2 *", "@daily"])
def test_a_bad_expression_is_refused(expression: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        FlushCron(expression, SPRING)
    assert str(raised.value).startswith(f"expression must be a cron expression, got {expression!r}: ")


def test_what_is_no_text_or_empty_is_refused() -> None:
    with pytest.raises(InvalidTypeError, match="expression must be a str, got 5"):
        FlushCron(5, SPRING)  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="expression must not be empty"):
        FlushCron("", SPRING)


def test_the_start_must_know_its_time_zone() -> None:
    naive = dt.datetime(2026, 3, 28)
    with pytest.raises(InvalidValueError) as raised:
        FlushCron("0 9 * * *", naive)
    assert str(raised.value) == f"start must know its time zone, got {naive!r}; give it a tzinfo"
    with pytest.raises(InvalidTypeError, match="start must be a datetime, got '2026-03-28'"):
        FlushCron("0 9 * * *", "2026-03-28")  # type: ignore[arg-type]
