from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bufsim.model import rules

INF = math.inf
NASTY = (0.1, 0.3, 1 / 3, 1e-3, 0.7, math.pi, 5.0, 2.0**-20, 86400.0)
ORIGINS = (0.0, 0.0, 0.1, 1 / 3, 2.5, 1e6, 123456.789)


@st.composite
def ticks(draw: st.DrawFn) -> tuple[float, float, float, float, int]:
    """An origin, a period, and two times that lie on or within two doubles of a tick, up to 2⁵⁰ periods away."""
    origin, period = draw(st.sampled_from(ORIGINS)), draw(st.sampled_from(NASTY))

    def near() -> float:
        count = draw(st.integers(0, 50) | st.integers(0, 10**6) | st.integers(0, 2**50))
        time = origin + count * period
        for _ in range(draw(st.integers(0, 2))):
            time = math.nextafter(time, draw(st.sampled_from((-INF, INF))))
        return time

    not_before = near()
    later_than = draw(st.sampled_from((-INF, not_before))) if draw(st.booleans()) else near()
    return origin, period, not_before, later_than, draw(st.sampled_from((0, 1)))


def first_tick_by_search(origin: float, period: float, not_before: float, later_than: float, smallest: int) -> float:
    """The definition, by exact arithmetic and a search over doubles from well below."""
    reach = max(not_before, later_than)
    exact = math.floor((Fraction(reach) - Fraction(origin)) / Fraction(period))
    below = max(smallest, exact - 6)
    if below > smallest:
        tick = origin + below * period
        assert tick < not_before or tick <= later_than, "the search must start below"
    return next(
        tick
        for tick in (origin + k * period for k in range(below, below + 20))
        if tick >= not_before and tick > later_than
    )


@given(ticks())
@example((0.0, 0.1, 0.1 * 3, -INF, 0))
@example((0.0, 0.3, 0.3 * 3, 0.3 * 3, 0))
def test_the_first_tick_is_that_of_a_search_over_doubles(case: tuple[float, float, float, float, int]) -> None:
    assert rules.first_tick(*case) == first_tick_by_search(*case)


def test_ceil_alone_errs_on_tenths_and_on_three_tenths() -> None:
    # the negative control of the test above: what the definition guards against does happen
    def by_ceil(period: float, reach: float) -> float:
        return math.ceil(reach / period) * period

    wrong = [
        (period, k)
        for period in (0.1, 0.3)
        for k in range(1, 1000)
        for reach in (k * period, math.nextafter(k * period, INF))
        if by_ceil(period, reach) != rules.first_tick(0.0, period, reach, -INF, 0)
    ]
    assert {period for period, _ in wrong} == {0.1, 0.3}


@given(ticks())
def test_each_tick_starts_one_flush(case: tuple[float, float, float, float, int]) -> None:
    origin, period, not_before, _, smallest = case
    first = rules.first_tick(*case)
    second = rules.first_tick(origin, period, not_before, first, smallest)
    assert second > first
    assert second == first_tick_by_search(origin, period, not_before, first, smallest)


def test_a_thousand_ticks_of_a_tenth_are_the_products() -> None:
    tick, met = -INF, []
    for _ in range(1000):
        tick = rules.first_tick(0.0, 0.1, 0.0, tick, 0)
        met.append(tick)
    assert met == [k * 0.1 for k in range(1000)]


@pytest.mark.parametrize("reach", [3.3220935972140115e38, 1e300, 1e308, INF])
def test_past_the_doubles_that_tell_ticks_apart_nothing_is_due(reach: float) -> None:
    assert rules.first_tick(0.0, 0.3, reach, -INF, 0) == INF


def test_an_origin_far_in_the_future_is_the_first_tick() -> None:
    assert rules.first_tick(1e308, 0.01, 5.0, -INF, 0) == 1e308


# --- leaves -----------------------------------------------------------------------------------------------------------

halves = st.integers(0, 40).map(lambda k: k / 2)
past = st.just(-INF) | halves


@given(st.integers(0, 9), st.integers(1, 9))
def test_size_and_bytes_are_due_at_once_from_the_threshold_on(held: int, threshold: int) -> None:
    assert rules.at_size(held, threshold) == (-INF if held >= threshold else INF)
    assert rules.at_bytes(held, threshold) == (-INF if held >= threshold else INF)


@given(halves, past, st.integers(1, 8).map(lambda k: k / 2), halves)
def test_every_is_the_first_tick_of_the_clock(oldest: float, last: float, period: float, phase: float) -> None:
    due = rules.every(oldest, last, period, phase)
    assert due == min(t for t in (phase + k * period for k in range(100)) if t >= oldest and t > last)


@given(halves, past, past, st.integers(1, 8).map(lambda k: k / 2))
def test_every_since_counts_from_the_anchor_and_leaves_it_out(
    oldest: float, last: float, anchor: float, period: float
) -> None:
    due = rules.every_since(oldest, last, anchor, period)
    origin = 0.0 if anchor == -INF else anchor
    assert due == min(t for t in (origin + k * period for k in range(1, 100)) if t >= oldest and t > last)


@given(st.sets(halves, min_size=1), halves, past)
def test_at_times_is_the_first_of_them(times: set[float], oldest: float, last: float) -> None:
    due = rules.at_times(sorted(times), oldest, last)
    assert due == min((t for t in times if t >= oldest and t > last), default=INF)


@given(halves, st.just(-INF) | st.just(INF) | halves, past, st.integers(1, 8).map(lambda k: k / 2), halves)
def test_checked_is_the_first_tick_once_due(now: float, due: float, last: float, period: float, phase: float) -> None:
    ticks = (phase + k * period for k in range(200))
    expected = INF if due == INF else min(t for t in ticks if t >= max(now, due) and t > last)
    assert rules.checked(now, due, last, period, phase) == expected


def test_checked_lets_nan_through_for_the_engine_to_refuse() -> None:
    assert math.isnan(rules.checked(1.0, math.nan, -INF, 0.3, 0.0))


# --- ends -------------------------------------------------------------------------------------------------------------


def test_a_flush_ends_by_two_sums_in_this_order() -> None:
    start, window, fixed, per_job, jobs = 0.1, 0.2, 0.3, 0.7, 3
    assert rules.flush_end(start, window, fixed, per_job, jobs) == (start + window) + (fixed + per_job * jobs)
    # the negative control: the order of the sums can be seen in the last bit
    assert (start + window) + (fixed + per_job * jobs) != start + (window + (fixed + per_job * jobs))


def test_service_takes_so_much_more_for_each_item() -> None:
    assert rules.service_time(0.25, 0.5, 3) == 1.75


@given(st.floats(0, 100), st.integers(1, 12), st.floats(0, 10), st.floats(1, 4), st.floats(0, 1000))
def test_a_back_off_grows_by_products_up_to_the_longest(
    now: float, failed: int, first: float, factor: float, longest: float
) -> None:
    delay = first
    for _ in range(failed - 1):
        delay *= factor
    assert rules.backoff_end(now, failed, first, factor, longest) == now + min(longest, delay)


def test_a_back_off_of_many_attempts_does_not_overflow() -> None:
    assert rules.backoff_end(1.0, 10**9, 1.0, 2.0, 60.0) == 61.0


@given(halves, past, st.sampled_from((0.5, 1.0, 1.5)))
def test_the_next_poll_is_a_tick_at_or_after_now_that_has_not_been(now: float, last: float, interval: float) -> None:
    expected = min(t for t in (k * interval for k in range(200)) if t >= now and t > last)
    assert rules.next_poll(now, last, interval) == expected


@given(st.lists(st.integers(0, 6), min_size=1, max_size=8), st.integers(0, 3), st.integers(1, 9), st.integers(1, 20))
def test_a_drain_takes_the_most_that_fits_and_at_least_one(
    sizes: list[int], before: int, most_jobs: int, most_bytes: int
) -> None:
    fitting = [n for n in range(len(sizes) + 1) if n <= most_jobs and sum(sizes[:n]) <= most_bytes]
    # bytes before `first` belong to others
    taken = rules.drain_count([99] * before + sizes, before, len(sizes), most_jobs, most_bytes)
    assert taken == max(1, max(fitting))
