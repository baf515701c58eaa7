from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from bufsim.plots.placing import beeswarm, below, stacked


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
