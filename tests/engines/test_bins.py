"""The count of ticks is the one of the doubles themselves."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bufsim.engines import bins
from bufsim.model import rules

periods = st.one_of(st.sampled_from((0.1, 0.3, 1 / 3, 0.7, 60.0)), st.floats(1e-6, 1e3))
origins = st.one_of(st.just(0.0), st.floats(0.0, 1e4))


@st.composite
def near_a_tick(draw: st.DrawFn) -> tuple[float, float, int, float]:
    """A rule, and a time at one of its ticks, or some doubles beside it."""
    origin, period, smallest = draw(origins), draw(periods), draw(st.integers(0, 1))
    time = origin + draw(st.integers(0, 10**9)) * period
    for _ in range(draw(st.integers(0, 2))):
        time = math.nextafter(time, draw(st.sampled_from((-math.inf, math.inf))))
    return origin, period, smallest, time


@given(near_a_tick())
def test_the_ticks_that_are_counted_stand_before_the_time_and_the_next_does_not(case):
    origin, period, smallest, time = case
    count = bins.ticks_before(origin, period, smallest, time)
    assert count == int(count) >= 0
    assert origin + (smallest + count) * period >= time
    assert count == 0 or origin + (smallest + count - 1) * period < time


@given(near_a_tick())
def test_the_first_tick_that_is_not_counted_is_the_one_that_a_policy_waits_for(case):
    origin, period, smallest, time = case
    count = bins.ticks_before(origin, period, smallest, time)
    assert origin + (smallest + count) * period == rules.first_tick(origin, period, time, -math.inf, smallest)


@given(st.lists(near_a_tick(), min_size=1, max_size=9), periods)
def test_arrays_are_counted_as_their_numbers_are(cases, period):
    origin, time = np.array([case[0] for case in cases]), np.array([case[3] for case in cases])
    one_by_one = [bins.ticks_before(*pair[:1], period, 1, *pair[1:]) for pair in zip(origin, time, strict=True)]
    assert bins.ticks_before(origin, period, 1, time).tolist() == one_by_one
