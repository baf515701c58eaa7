from __future__ import annotations

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

from bufsim.plots.placing import Spot, beeswarm, below, stacked, write


def boxes(ax):
    """Return where the letters of the labels stand, in pixels."""
    ax.figure.canvas.draw()
    # of an annotation, the extent has its line too
    return [Text.get_window_extent(text) for text in ax.texts]


@pytest.fixture
def ax():
    _, axes = plt.subplots(figsize=(6.0, 4.0), layout="constrained")
    axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0))
    return axes


def test_twenty_labels_of_points_that_lie_anyhow_do_not_hide_each_other(ax):
    points = np.random.default_rng(1).random((20, 2))
    write(ax, [Spot(f"size {number} | age 1 s", *point) for number, point in enumerate(points)], size=7.0)
    for one, other in itertools.combinations(boxes(ax), 2):
        assert not one.overlaps(other)


def test_labels_hide_no_point(ax):
    points = np.random.default_rng(2).random((20, 2))
    write(ax, [Spot(f"size {number}", *point) for number, point in enumerate(points)])
    pixels = ax.transData.transform(points)
    for box in boxes(ax):
        assert not any(box.contains(*pixel) for pixel in pixels)


def test_labels_at_the_edges_stay_in_the_plot(ax):
    corners = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)]
    write(ax, [Spot("a label with some length", *corner) for corner in corners])
    for box in boxes(ax):
        assert box.x0 >= ax.bbox.x0 - 2.0
        assert box.x1 <= ax.bbox.x1 + 2.0
        assert box.y0 >= ax.bbox.y0 - 2.0
        assert box.y1 <= ax.bbox.y1 + 2.0


def test_a_label_avoids_a_line(ax):
    write(ax, [Spot("a label", 0.5, 0.5)], lines=[(0.5, 0.5, 1.0, 0.5)])
    [box] = boxes(ax)
    y = ax.transData.transform((0.5, 0.5))[1]
    assert not box.y0 < y < box.y1 or box.x1 < ax.transData.transform((0.5, 0.5))[0]


def test_a_label_by_itself_stands_at_its_point_without_a_line_to_it(ax):
    write(ax, [Spot("a label", 0.5, 0.5)])
    assert ax.texts[0].arrow_patch is None
    x = ax.transData.transform((0.5, 0.5))[0]
    assert 0.0 < boxes(ax)[0].x0 - x < 20.0


def test_labels_that_had_to_go_far_have_a_line_to_their_point(ax):
    write(ax, [Spot(f"label {number}", 0.5, 0.5) for number in range(12)])
    assert any(text.arrow_patch is not None for text in ax.texts)


def test_no_label_is_no_work(ax):
    write(ax, [])
    assert len(ax.texts) == 0


def test_a_label_avoids_what_is_written_already(ax):
    taken = ax.text(0.5, 0.5, "what is written already", ha="left", va="bottom")
    write(ax, [Spot("a label", 0.5, 0.5)], texts=[taken])
    written, label = boxes(ax)
    assert not label.overlaps(written)


def test_dots_of_one_row_do_not_touch():
    x = np.sort(np.random.default_rng(1).random(100) * 100.0)
    rows = stacked(x, 4.0)
    for row in np.unique(rows):
        assert (np.diff(x[rows == row]) >= 4.0).all()


def test_dots_with_room_lie_in_the_middle():
    assert stacked(np.array([0.0, 10.0, 20.0]), 4.0).tolist() == [0.0, 0.0, 0.0]


def test_equal_dots_are_stacked_round_the_middle():
    assert sorted(stacked(np.zeros(5), 4.0)) == [-2.0, -1.0, 0.0, 1.0, 2.0]


def test_the_farthest_of_those_that_are_named_have_names():
    _, ax = plt.subplots()
    values = [float(value) for value in range(20)]
    beeswarm(ax, values, names=[str(value) for value in range(20)], named=np.arange(20) >= 10)
    assert sorted(text.get_text() for text in ax.texts) == sorted(f"#{value}" for value in range(12, 20))


def test_values_that_differ_by_rounding_are_one():
    _, ax = plt.subplots()
    beeswarm(ax, [1.0, 1.0 + 1e-13], names=["0", "1"], named=np.zeros(2, dtype=bool))
    assert np.diff(ax.get_xlim()).item() > 0.1


def test_new_axes_take_the_lower_part_of_the_room():
    for layout in (None, "constrained"):
        figure, ax = plt.subplots(layout=layout)
        lower = below(ax)
        figure.canvas.draw()
        assert lower.get_position().y1 <= ax.get_position().y0
    figure = plt.figure()
    ax = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    assert below(ax).get_position().y1 < ax.get_position().y0
