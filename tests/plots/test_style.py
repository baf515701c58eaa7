from __future__ import annotations

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text

from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.plots import style
from bufsim.plots.style import envelope, rows_to_draw


def test_one_ax_is_not_enough_for_two_panels():
    _, ax = plt.subplots()
    with pytest.raises(InvalidValueError, match="ax must hold 2 Axes, one for each panel, got 1; leave ax out"):
        style.axes(ax, 2)


def test_ax_must_be_axes():
    with pytest.raises(InvalidTypeError, match="ax must be matplotlib Axes, got 3; take them from"):
        style.axes(3, 1)


def test_the_axes_of_a_grid_are_taken_in_order():
    _, grid = plt.subplots(2, 2)
    assert style.axes(grid, 4) == [grid[0, 0], grid[0, 1], grid[1, 0], grid[1, 1]]


def test_a_limit_out_of_sight_is_named_and_does_not_stretch_the_plot():
    _, ax = plt.subplots()
    ax.set_ylim(0.0, 10.0)
    style.limit(ax, 500.0, "capacity 500 jobs")
    assert ax.get_ylim() == (0.0, 10.0)
    assert [text.get_text() for text in ax.texts] == ["↑ capacity 500 jobs"]


def test_the_key_lies_above_the_plot():
    figure, ax = plt.subplots(figsize=(6.0, 4.0), layout="constrained")
    (line,) = ax.plot([0.0, 1.0], label="a level with a long name")
    style.head(ax, "A title", subtitle="said in short", key=[line])
    figure.canvas.draw()
    assert ax.get_legend().get_window_extent().y0 >= ax.bbox.y1
    assert ax.get_title(loc="left") == "A title"


def test_heads_stay_in_the_figure():
    figure, ax = plt.subplots(figsize=(6.0, 4.0), layout="constrained")
    lines = [ax.plot([0.0, 1.0], label=f"FlushAtSize({number}0000000): 100")[0] for number in range(7)]
    style.head(ax, "A title that goes on and on " * 3, subtitle="a policy | " * 20, key=lines)
    figure.canvas.draw()
    [title] = [text for text in ax.findobj(Text) if text.get_text() == ax.get_title(loc="left")]
    for artist in (ax.get_legend(), title, *ax.texts):
        extent = artist.get_window_extent()
        assert extent.x1 <= figure.bbox.x1
        assert extent.y1 <= figure.bbox.y1


def test_a_title_does_not_tear_a_number_from_its_name_or_its_unit():
    _, ax = plt.subplots(figsize=(6.0, 4.0))
    for length in range(30, 60):
        style.head(ax, f"{'x' * length}: mean 36.4, p95 97 jobs, 17 % busy")
        lines = ax.get_title(loc="left").split("\n")
        assert not any(line.endswith(("mean", "p95", "97", "17")) for line in lines)
        assert "\u00a0" not in ax.get_title(loc="left")


def test_a_subtitle_has_all_its_lines_and_none_begins_with_a_dot():
    _, ax = plt.subplots(figsize=(4.0, 4.0), layout="constrained")
    parts = [f"what is said in part {number}" for number in range(12)]
    style.head(ax, "A title", subtitle=" · ".join(parts))
    lines = [note.get_text() for note in reversed(ax.texts)]
    assert len(lines) > 3
    assert " ".join(lines) == " · ".join(parts)
    assert not any(line.startswith("·") for line in lines)


def test_lines_of_a_head_are_as_long_as_the_share_of_the_figure_that_they_may_have():
    counts = []
    for share in (0.3, 0.9):
        _, ax = plt.subplots(layout="constrained")
        style.head(ax, "A title", subtitle="a policy in few words, " * 12, share=share)
        counts.append(len(ax.texts))
    assert counts[0] > 2 * counts[1]


def test_a_key_has_as_many_columns_as_fit():
    rows = []
    for label in ("short", "a label that is much longer than all of the others beside it are"):
        _, ax = plt.subplots(figsize=(6.0, 4.0), layout="constrained")
        key = [ax.plot([0, 1], label=text)[0] for text in ("short", "short", "short", label)]
        style.head(ax, "A title", key=key)
        ax.figure.draw_without_rendering()
        rows.append(len({round(text.get_window_extent().y0) for text in ax.get_legend().get_texts()}))
        assert ax.get_legend().get_window_extent().x1 < ax.figure.bbox.x1
    assert rows == [1, 2]


WITHOUT_MATPLOTLIB = """
import sys
sys.modules["matplotlib"] = None
import bufsim, bufsim.cli
simulation = bufsim.Simulation(
    producers=[bufsim.Producer("edits", bufsim.Poisson(10.0))],
    buffers=[bufsim.JobBuffer("search", policy=bufsim.FlushAtSize(20))],
    until=10.0,
)
result = simulation.run(seed=1)
try:
    result.plot.buffer_size()
except bufsim.MissingExtraError as error:
    print(error)
sys.exit(bufsim.cli.main([
    "run", "--arrivals", "poisson:10", "--policy", "size(20)", "--until", "10s", "--quiet", "--out", sys.argv[1]
]))
"""


def test_without_matplotlib_all_runs_but_pictures_and_they_say_how_to_get_it(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_MATPLOTLIB, str(tmp_path)], capture_output=True, text=True, check=False
    )
    sentence = "pictures need matplotlib: install it with pip install matplotlib"
    assert (ended.stdout, ended.stderr) == (f"{sentence}\n", f"bufsim: error: {sentence}\n")
    assert ended.returncode == 2


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
