from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
from bufsim_tests.policy_strategies import few, leaves, periods, times, views
from hypothesis import given
from hypothesis import strategies as st

from bufsim import (
    BufferView,
    FlushAfterAge,
    FlushAt,
    FlushAtBytes,
    FlushAtSize,
    FlushEvery,
    FlushPolicy,
    FlushWhenIdle,
    InvalidTypeError,
    InvalidValueError,
    JobBuffer,
    NeverFlush,
    Producer,
    Simulation,
    Trace,
)

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
    for field in fields(leaf):  # type: ignore[arg-type]  # every leaf is a dataclass
        with pytest.raises(FrozenInstanceError):
            setattr(leaf, field.name, 1)


def test_an_age_and_an_idle_time_of_0_are_allowed() -> None:
    assert FlushAfterAge(0).due(VIEW) == 3.0
    assert FlushWhenIdle(0).due(VIEW) == 7.0


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
        (lambda: FlushEvery(0), "period must be > 0, got 0.0"),
        (lambda: FlushEvery(-5), "period must be > 0, got -5.0"),
        (lambda: FlushEvery(math.nan), "period must be finite, got nan"),
        (lambda: FlushEvery(INF), "period must be finite, got inf"),
        (lambda: FlushEvery(1, phase=-1), "phase must be >= 0, got -1.0"),
        (
            lambda: FlushEvery(1, anchor="flush start"),
            "anchor must be one of 'clock', 'flush_start', 'flush_end', got ",
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
