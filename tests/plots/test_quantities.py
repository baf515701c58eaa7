from __future__ import annotations

import math

import matplotlib.pyplot as plt
import pytest

from bufsim.errors import InvalidValueError
from bufsim.plots.subjects import ends, set_axis, written
from bufsim.statistics import Interval
from bufsim.studies.expressions import cost, metric
from bufsim.studies.quantities import Quantity


def interval(estimate, low, high):
    return Interval(estimate, low, high, 0.95, 30, "t")


@pytest.mark.parametrize(
    ("expression", "largest", "label"),
    [
        (metric("p99_wait"), 2.0, "p99 wait, s"),
        (metric("p99_wait"), 0.02, "p99 wait, ms"),
        (metric("mean_wait", of="search"), 7200.0, "mean wait of search, min"),
        (metric("flush_rate"), 2.0, "flush rate, per s"),
        (metric("flush_rate"), 0.01, "flush rate, per min"),
        (metric("flush_rate"), 0.0005, "flush rate, per h"),
        (metric("peak_buffer_nbytes"), 5e6, "peak buffer, MB"),
        (metric("mean_buffer_size"), 40.0, "mean buffer size, jobs"),
        (metric("work_saved"), 0.4, "work saved, %"),
        (metric("utilisation"), 0.4, "utilisation, %"),
        (metric("reduction_ratio"), 4.0, "reduction ratio"),
        (cost(per_flush=40.0), 20.0, "cost, per s"),
        (2.0 * metric("flush_rate"), 0.0, "2.0 * flush_rate_per_s, per h"),
    ],
)
def test_an_axis_says_what_it_shows_in_a_unit_that_reads_well(expression, largest, label):
    assert Quantity.of(expression, [largest]).label == label


def test_values_and_intervals_are_shown_in_that_unit():
    quantity = Quantity.of(metric("work_saved"), [0.5])
    assert quantity.scaled(0.5) == 50.0
    assert str(quantity.interval(interval(0.5, 0.4, 0.6))) == "50 [40, 60]"


def test_a_value_by_itself_has_the_unit_that_fits_it():
    quantity = Quantity.of(metric("p99_wait"), [7200.0])
    assert quantity.unit.name == "min"
    assert quantity.written(2.0) == "2 s"


def test_open_ends_are_called_open_and_do_not_count():
    half = interval(99.0, 97.0, math.inf)
    assert written(half) == "99 [97, open]"
    assert ends([half]) == [97.0, 99.0]


def test_an_axis_is_a_log_axis_where_values_span_much_and_none_is_as_good_as_0():
    quantity = Quantity.of(metric("p99_wait"), [5.0])
    for values, scale in (([0.1, 5.0], "log"), ([1.0, 5.0], "linear"), ([0.0, 5.0], "linear"), ([1e-9, 5.0], "linear")):
        _, ax = plt.subplots()
        set_axis(ax, "x", quantity, values)
        assert ax.get_xscale() == scale
        low, high = ax.get_xlim()
        assert 0.0 <= low <= values[0]
        assert high >= values[1]
        assert ax.get_xlabel() == "p99 wait, s"


def test_a_log_axis_has_no_0():
    _, ax = plt.subplots()
    with pytest.raises(InvalidValueError, match="log needs values above 0, got 0 of p99 wait; leave log out"):
        set_axis(ax, "y", Quantity.of(metric("p99_wait"), [5.0]), [0.0, 5.0], log=True)


def test_a_constant_has_an_axis_too():
    _, ax = plt.subplots()
    set_axis(ax, "y", Quantity.of(metric("p99_wait"), [5.0]), [5.0])
    assert ax.get_ylim() == pytest.approx((4.5, 5.5))
