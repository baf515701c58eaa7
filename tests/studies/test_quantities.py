from __future__ import annotations

import pytest

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
