from __future__ import annotations

import math

import pytest

from bufsim.plots.load_ramp import crossings
from bufsim.statistics import Interval

LOADS = [1.0, 10.0, 100.0]


def curve(*values, low=1.0, high=1.0):
    """Return intervals from low·y to high·y."""
    return [Interval(y, low * y, high * y, 0.95, 30, "t") for y in values]


def test_a_curve_crosses_where_it_is_straight_on_log_axes():
    [crossing] = crossings(LOADS, curve(1.0, 100.0, 100.0), 10.0)
    assert crossing.at.estimate == pytest.approx(math.sqrt(10.0))
    assert crossing.is_rising


def test_a_curve_crosses_where_it_is_straight_on_a_log_axis_and_a_plain_one():
    [crossing] = crossings(LOADS, curve(0.0, 2.0, 2.0), 1.0, log=False)
    assert crossing.at.estimate == pytest.approx(math.sqrt(10.0))


def test_the_ends_are_where_the_band_no_longer_holds_the_limit():
    [crossing] = crossings(LOADS, curve(1.0, 10.0, 100.0, low=0.5, high=2.0), 10.0)
    assert (crossing.at.low, crossing.at.high) == pytest.approx((5.0, 20.0))
    assert (crossing.at.confidence, crossing.at.n) == (0.95, 30)


def test_a_falling_curve_crosses_too():
    [crossing] = crossings(LOADS, curve(100.0, 10.0, 1.0, low=0.5, high=2.0), 10.0)
    assert not crossing.is_rising
    assert (crossing.at.estimate, crossing.at.low, crossing.at.high) == pytest.approx((10.0, 5.0, 20.0))


def test_an_end_is_open_where_the_band_holds_the_limit_to_the_last_load():
    [crossing] = crossings(LOADS, curve(1.0, 5.0, 11.0, low=0.5, high=2.0), 10.0)
    assert crossing.at.high == math.inf
    assert 10.0 < crossing.at.low < crossing.at.estimate < 100.0


def test_a_band_that_is_open_widens_the_stretch_to_the_next_load():
    values = [*curve(1.0), Interval(4.0, 3.0, math.inf, 0.95, 30, "t"), *curve(100.0)]
    [crossing] = crossings(LOADS, values, 10.0)
    assert crossing.at.low == pytest.approx(1.0)
    assert crossing.at.estimate > 10.0


def test_a_curve_that_stays_on_one_side_does_not_cross():
    assert crossings(LOADS, curve(1.0, 2.0, 3.0), 10.0) == []
    assert crossings(LOADS, curve(20.0, 30.0, 40.0), 10.0) == []


def test_a_curve_may_cross_there_and_back():
    found = crossings([1.0, 10.0, 100.0, 1000.0], curve(1.0, 100.0, 1.0, 1.0), 10.0)
    assert [crossing.is_rising for crossing in found] == [True, False]


def test_a_point_on_the_limit_is_one_crossing():
    [crossing] = crossings(LOADS, curve(1.0, 10.0, 100.0), 10.0)
    assert (crossing.at.low, crossing.at.estimate, crossing.at.high) == pytest.approx((10.0, 10.0, 10.0))


def test_a_curve_that_lies_on_the_limit_does_not_cross_it():
    assert crossings(LOADS, curve(10.0, 10.0, 10.0), 10.0) == []
