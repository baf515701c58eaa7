from __future__ import annotations

import datetime as dt
import itertools
import math
import pickle
from dataclasses import FrozenInstanceError
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim import BufferView, FlushAt, FlushCron, InvalidTypeError, InvalidValueError

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
