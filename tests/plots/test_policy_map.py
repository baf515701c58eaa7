"""A job every second, at 1, 2, ..., 40 s, under sizes 2, 4 and 8 and ages 2.5 and 20 s: every flush is known.

An age of 2.5 s takes the three jobs at 0, 1 and 2 s after the first, at 3.5, 6.5, ..., 39.5 s: 13 flushes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bufsim_tests import models

from bufsim import Capacity, Deterministic, FlushAfterAge, FlushAtSize
from bufsim.studies.scenarios import policy_grid

TODAY = FlushAtSize(4) | FlushAfterAge(20.0)
MAX_WAIT = {(2, 2.5): 1.0, (4, 2.5): 2.5, (8, 2.5): 2.5, (2, 20.0): 1.0, (4, 20.0): 3.0, (8, 20.0): 7.0}
FLUSHES = {(2, 2.5): 20, (4, 2.5): 13, (8, 2.5): 13, (2, 20.0): 20, (4, 20.0): 10, (8, 20.0): 5}


@pytest.fixture(scope="module")
def result():
    policies = policy_grid(size=[2, 4, 8], age=[2.5, 20.0])
    return models.studied(models.edits(Deterministic(1.0)), policy=policies, baseline=TODAY)


def cells(frame, column):
    return {(row.size, row.age): getattr(row, column) for row in frame.itertuples(index=False)}


def test_each_cell_has_the_values_of_its_policy(result):
    frame = result.plot.policy_map.frame("max_wait")
    assert cells(frame, "estimate") == cells(frame, "low") == cells(frame, "high") == MAX_WAIT
    assert cells(frame, "flush_rate") == pytest.approx({key: count / 41.0 for key, count in FLUSHES.items()})


def test_what_comes_first_is_the_size_where_so_many_jobs_arrive_within_the_age(result):
    frame = result.plot.policy_map.frame("max_wait")
    assert cells(frame, "first") == {key: "size" if key[0] - 1 < key[1] else "age" for key in MAX_WAIT}
    # and so it was: nothing waits as long as the age where the size comes first
    assert all((MAX_WAIT[key] < key[1]) == (first == "size") for key, first in cells(frame, "first").items())


def test_limits_are_kept_by_those_whose_values_keep_them(result):
    frame = result.plot.policy_map.frame("max_wait", limits=["max_wait <= 2.7s", "flush_rate <= 0.4"])
    kept = {key: MAX_WAIT[key] <= 2.7 and FLUSHES[key] / 41.0 <= 0.4 for key in MAX_WAIT}
    assert {key: verdict == "pass" for key, verdict in cells(frame, "limits").items()} == kept
    assert set(frame["limits"]) == {"pass", "fail"}


def test_a_cross_is_on_those_that_lose_jobs(result):
    # room for 3: of size 2 there are never more, and an age of 2.5 s takes the three that have come; the others fill it
    loses = {key: key[0] > 2 and key[1] > 2.5 for key in MAX_WAIT}
    model = models.edits(Deterministic(1.0))
    small = replace(model, buffers=[replace(model.buffers[0], capacity=Capacity(jobs=3))])
    plot = models.studied(small, policy=policy_grid(size=[2, 4, 8], age=[2.5, 20.0]), baseline=TODAY).plot.policy_map
    assert cells(plot.frame("max_wait"), "loses") == loses
    (crosses,) = [line for line in plot("max_wait").lines if line.get_label() == "loses jobs"]
    places = zip(crosses.get_xdata().tolist(), np.round(crosses.get_ydata()).tolist(), strict=True)
    assert set(places) == {(1.0, 1.0), (2.0, 1.0)}
    assert not any(cells(result.plot.policy_map.frame("max_wait"), "loses").values())
    assert all(line.get_label() != "loses jobs" for line in result.plot.policy_map("max_wait").lines)


def test_the_heat_is_the_frame_a_row_an_age_and_a_column_a_size(result):
    ax = result.plot.policy_map("max_wait")
    [mesh] = [one for one in ax.collections if hasattr(one, "get_coordinates")]
    heat = np.asarray(mesh.get_array())
    assert heat.tolist() == [[MAX_WAIT[size, age] for size in (2, 4, 8)] for age in (2.5, 20.0)]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["2", "4", "8"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["2.5 s", "20 s"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("size, jobs", "age")
    assert "max wait, s" in {other.get_ylabel() for other in ax.figure.axes}


def test_the_numbers_in_the_cells_are_those_values(result):
    ax = result.plot.policy_map("max_wait")
    written = {(round(text.get_position()[0]), round(text.get_position()[1] + 0.25)): text for text in ax.texts[-99:]}
    for row, age in enumerate((2.5, 20.0)):
        for column, size in enumerate((2, 4, 8)):
            assert float(written[column, row].get_text()) == MAX_WAIT[size, age]


def test_the_dashed_line_is_where_the_last_of_a_batch_arrives_as_its_first_reaches_the_age(result):
    ax = result.plot.policy_map("max_wait")
    [line] = [line for line in ax.lines if line.get_linestyle() == "--"]
    # columns are sizes 2, 4, 8 and rows ages 2.5 and 20 s, both on log scales between
    size = 2.0 ** (1.0 + line.get_xdata())
    age = 2.5 * 8.0 ** line.get_ydata()
    np.testing.assert_allclose(age, size - 1.0, rtol=1e-2)


def test_the_star_and_the_circle_stand_in_their_cells(result):
    ax = result.plot.policy_map("max_wait", choice=FlushAtSize(8) | FlushAfterAge(2.5))
    at = {
        line.get_marker(): (line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines if len(line.get_xdata()) == 1
    }
    assert [round(number) for number in at["*"]] == [1, 1]
    assert [round(number) for number in at["o"]] == [2, 0]


def test_sizes_and_ages_that_are_asked_for_are_shown_only(result):
    frame = result.plot.policy_map.frame("max_wait", size=[2, 8], age=["2.5s"])
    assert cells(frame, "estimate") == {key: MAX_WAIT[key] for key in ((2, 2.5), (8, 2.5))}


@pytest.mark.parametrize(
    ("limit", "title"),
    [
        ("max_wait <= 2s", "2 of 6 policies keep max wait ≤ 2 s"),
        ("max_wait >= 5s", "1 of 6 policies keeps max wait ≥ 5 s"),
        ("max_wait >= 9s", "0 of 6 policies keep max wait ≥ 9 s"),
    ],
)
def test_its_title_says_how_many_policies_keep_the_limits(result, limit, title):
    ax = result.plot.policy_map("max_wait", limits=[limit])
    assert title in " ".join(ax.get_title(loc="left").split())
