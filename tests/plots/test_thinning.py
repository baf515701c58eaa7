from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim.plots.style import envelope, rows_to_draw

steps = st.lists(st.tuples(st.integers(0, 40), st.integers(-9, 9)), min_size=1, max_size=60).map(
    lambda pairs: (np.array(sorted(time for time, _ in pairs)) / 4.0, np.array([level for _, level in pairs]))
)


@given(steps, st.integers(1, 7))
def test_the_rows_to_draw_keep_the_extremes_and_the_ends_of_every_column(step, columns):
    x, y = step
    kept = rows_to_draw(x, y, columns=columns)
    assert (np.diff(kept) > 0).all()
    assert len(kept) <= max(4 * columns, 4)
    column = np.searchsorted(np.linspace(x[0], x[-1], columns + 1)[:-1], x, side="right")
    for one in np.unique(column):
        inside, seen = np.flatnonzero(column == one), kept[column[kept] == one]
        assert (y[inside].min(), y[inside].max()) == (y[seen].min(), y[seen].max())
        assert (inside[0], inside[-1]) == (seen[0], seen[-1])


def test_few_rows_are_all_drawn():
    assert rows_to_draw(np.arange(8.0), np.zeros(8), columns=2).tolist() == list(range(8))


def test_a_peak_of_one_row_in_a_million_is_drawn():
    y = np.zeros(1_000_000)
    y[765_432] = 1.0
    kept = rows_to_draw(np.arange(1e6), y)
    assert 765_432 in kept
    assert len(kept) <= 8000


@given(steps, st.integers(1, 6))
def test_an_envelope_is_the_least_the_greatest_and_the_mean_of_what_holds_in_each_column(step, columns):
    times, levels = np.append(0.0, step[0]), np.append(5, step[1])
    seen = envelope(times, levels, start=0.0, end=12.0, columns=columns)
    fine = 12.0 / columns
    for column in range(columns):
        left, right = seen.edges[column], seen.edges[column + 1]
        inside = [level for time, level in zip(times, levels, strict=True) if left <= time < right]
        if left not in times:
            inside.append(levels[times < left][-1])
        bounds = np.clip(np.append(times, 12.0), left, right)
        assert (seen.low[column], seen.high[column]) == (min(inside), max(inside))
        assert seen.mean[column] == pytest.approx((levels * np.diff(bounds)).sum() / fine, abs=1e-9)


@given(steps)
def test_an_envelope_keeps_the_peak(step):
    times, levels = np.append(0.0, step[0]), np.append(0, step[1])
    assert envelope(times, levels, start=0.0, end=12.0).high.max() == levels.max()


def test_an_envelope_of_a_part_of_the_time_leaves_the_rest_out():
    seen = envelope(np.array([0.0, 1.0, 2.0, 3.0]), [9, 1, 2, 9], start=1.0, end=3.0, columns=1)
    assert (seen.low[0], seen.high[0], seen.mean[0]) == (1.0, 2.0, 1.5)
