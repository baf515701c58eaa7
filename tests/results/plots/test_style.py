from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.results.plots import style


@pytest.mark.parametrize(
    ("longest", "unit"),
    [
        (0.0, "ms"),
        (0.5, "ms"),
        (0.6, "s"),
        (600.0, "s"),
        (601.0, "min"),
        (14_400.0, "min"),
        (86_400.0, "h"),
        (1e6, "d"),
    ],
)
def test_a_time_is_written_in_the_unit_in_which_it_reads_well(longest, unit):
    assert style.time_unit(longest).name == unit


@pytest.mark.parametrize(("most", "unit"), [(0, "bytes"), (9999, "bytes"), (1e4, "kB"), (1e6, "MB"), (1e9, "GB")])
def test_bytes_are_written_in_the_unit_in_which_they_read_well(most, unit):
    assert style.byte_unit(most).name == unit


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1e6, "1,000,000"), (1999.6, "2,000"), (0.5, "0.5"), (2 / 3, "0.667"), (-3.0, "-3")]
)
def test_a_number_has_three_digits_or_is_whole(value, text):
    assert style.number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.25, "25 %"),
        (0.004, "0.4 %"),
        (0.0004, "0.04 %"),
        (0.996, "99.6 %"),
        (1e-9, "< 0.01 %"),
        (1 - 1e-9, "> 99.99 %"),
    ],
)
def test_a_share_reads_as_nothing_or_all_only_if_it_is(share, text):
    assert style.percent(share) == text


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
    for artist in (ax.get_legend(), ax._left_title, *ax.texts):
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
