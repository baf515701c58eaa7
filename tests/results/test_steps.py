from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim.results.measures import Window
from bufsim.results.steps import Steps, distribution, lasting_peak, level, presence

#: 0 on [0, 1), 2 on [1, 3), 5 for no time at 3, 1 from 3 on
STEPS = Steps(np.array([1.0, 3.0, 3.0]), np.array([2, 5, 1]))


def test_a_level_is_integrated_over_the_window():
    assert level(STEPS, Window(0.0, 10.0)).integral == 2 * 2 + 1 * 7
    assert level(STEPS, Window(2.0, 4.0)).integral == 2 * 1 + 1 * 1


def test_the_peak_of_all_values_knows_those_of_no_duration():
    assert level(STEPS, Window(0.0, 10.0)).peak == 5
    assert lasting_peak(STEPS, Window(0.0, 10.0)) == 2


def test_the_window_starts_with_the_value_before_its_events():
    assert level(STEPS, Window(3.0, 4.0)).peak == 5
    assert level(Steps(np.array([1.0, 3.0]), np.array([2, 1])), Window(3.0, 4.0)).peak == 2
    assert lasting_peak(STEPS, Window(3.0, 4.0)) == 1


def test_a_distribution_is_the_time_at_each_value():
    kept = distribution(STEPS, Window(0.0, 10.0))
    # bins of the grid: 0, then 1 and 2 at the starts of octaves of 128
    assert {i: t for i, t in enumerate(kept.time_at.counts.tolist()) if t} == {0: 1.0, 2: 7.0, 130: 2.0}
    assert (kept.integral, kept.squares) == (11.0, 15.0)


def test_a_level_without_changes_is_zero():
    kept = distribution(Steps.of_changes(), Window(2.0, 5.0))
    assert (kept.integral, kept.peak, kept.time_at.counts.tolist()) == (0.0, 0, [3.0])
    assert Steps.of_changes().last == 0


changes = st.lists(st.tuples(st.integers(0, 20), st.integers(-3, 3)))


@given(first=changes, second=changes)
def test_changes_of_several_levels_make_the_level_of_their_sum(first, second):
    arrays = []
    for change in (first, second):
        times, deltas = zip(*sorted(change), strict=True) if change else ((), ())
        arrays.append((np.array(times, float), np.array(deltas, int)))
    values, bounds = Steps.of_changes(*arrays).within(Window(0.0, 21.0))
    for low, high, value in zip(bounds[:-1], bounds[1:], values, strict=True):
        if low < high:
            assert value == sum(d for t, d in first + second if t <= low)


def test_steps_come_apart_into_their_changes():
    times, deltas = STEPS.changes()
    assert (times.tolist(), deltas.tolist()) == ([1.0, 3.0, 3.0], [2, 3, -4])


stays = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9) | st.just(None), st.integers(1, 5)))


@given(stays=stays, start=st.integers(0, 19), weighted=st.booleans())
def test_presence_is_the_level_of_what_is_there(stays, start, weighted):
    stays = sorted(stays, key=lambda stay: stay[0])
    begin = np.array([float(b) for b, _, _ in stays])
    end = np.array([np.inf if d is None else float(b + d) for b, d, _ in stays])
    weights = np.array([w if weighted else 1 for _, _, w in stays], int)
    found = presence(begin, end, Window(float(start), 21.0), weights if weighted else None)
    levels = [int(weights[(begin <= t) & (t < end)].sum()) for t in range(start, 21)]
    assert found.integral == sum(levels)
    assert found.peak == max(levels)


def test_a_stay_of_no_duration_is_nowhere():
    assert presence(np.array([2.0]), np.array([2.0]), Window(0.0, 5.0)).peak == 0


@pytest.mark.parametrize(("begin", "end", "overlap"), [(0, 1, 0), (1, 3, 1), (3, 4, 1), (4, np.nan, 2), (7, 8, 0)])
def test_an_overlap_is_the_time_in_the_window(begin, end, overlap):
    assert Window(2.0, 6.0).overlap(np.array([begin]), np.array([end])).tolist() == [overlap]


def test_a_window_holds_its_start_and_not_its_end_nor_what_is_missing():
    times = np.array([1.0, 2.0, 5.0, 6.0, np.nan])
    assert Window(2.0, 6.0).holds(times).tolist() == [False, True, True, False, False]
    assert Window(2.0, 6.0).first(times[:4]) == 1
    assert Window(2.0, 6.0).span == 4.0
