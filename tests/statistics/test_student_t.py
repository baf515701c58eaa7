from __future__ import annotations

import math

import pytest
from scipy import stats

from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.statistics.intervals import critical_value, inner_probability, lower_tail, statistic


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999999])
@pytest.mark.parametrize("n", [2, 10, 1000])
def test_the_critical_value_is_scipys_quantile(confidence, n):
    assert critical_value(confidence, n) == pytest.approx(stats.t.isf((1 - confidence) / 2, n - 1), rel=1e-9)


def test_the_lower_tail_takes_infinite_statistics():
    assert lower_tail(-math.inf, 5) == 0.0
    assert lower_tail(math.inf, 5) == 1.0
    assert lower_tail(-2.0, 5) == pytest.approx(stats.t.cdf(-2.0, 4))


def test_without_variance_the_statistic_keeps_the_sign():
    assert [statistic(x, 0.0, 5) for x in (-1.0, 0.0, 1.0)] == [-math.inf, 0.0, math.inf]
    assert statistic(1.0, 4.0, 16) == 2.0


def test_a_percentage_for_a_share_is_an_error_that_says_what_to_write():
    with pytest.raises(InvalidValueError, match=r"confidence must be > 0 and < 1, got 95; write 0\.95 for 95 %"):
        inner_probability("confidence", 95)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, math.nan, math.inf])
def test_a_share_outside_0_and_1_is_an_error(value):
    with pytest.raises(InvalidValueError, match="q must be"):
        inner_probability("q", value)


def test_a_share_that_is_no_number_is_an_error():
    with pytest.raises(InvalidTypeError, match="q must be a number"):
        inner_probability("q", "0.95")
