from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.weightstats import ttost_paired

from bufsim.errors import InvalidValueError
from bufsim.statistics import Margin, comparisons, paired_difference

pairs = st.lists(st.tuples(st.floats(-10.0, 10.0), st.floats(-10.0, 10.0)), min_size=3, max_size=30)


@given(pairs, st.floats(0.1, 20.0))
def test_the_p_value_is_that_of_statsmodels(values, size):
    first, second = np.array(values).T
    made = paired_difference(first, second)
    if made.variance > 1e-6:
        oracle = ttost_paired(first, second, -size, size)[0]
        assert comparisons(made, Margin(size)).p_value == pytest.approx(oracle, rel=1e-6, abs=1e-12)


@given(pairs, st.floats(0.001, 0.5), st.booleans())
def test_the_interval_lies_within_the_margin_exactly_when_both_tests_reject(values, size, relative):
    first, second = np.array(values).T
    made = comparisons(paired_difference(first, second + 50.0), Margin(size, relative=relative))
    if abs(made.p_value - 0.05) > 1e-6:
        assert made.holds == (made.p_value < 0.05)


@given(pairs, st.floats(0.01, 0.5))
def test_a_relative_margin_tests_the_difference_less_that_share(values, size):
    first, second = np.array(values).T
    second = second + 50.0
    made = paired_difference(first, second)
    below = paired_difference(first, (1.0 + size) * second)
    above = paired_difference(first, (1.0 - size) * second)
    if min(below.variance, above.variance) > 1e-6:
        tails = [
            below.p_value / 2 if below.estimate < 0 else 1 - below.p_value / 2,
            above.p_value / 2 if above.estimate > 0 else 1 - above.p_value / 2,
        ]
        assert comparisons(made, Margin(size, relative=True)).p_value == pytest.approx(max(tails), rel=1e-5, abs=1e-9)


def test_at_a_true_difference_as_large_as_the_margin_it_errs_at_its_level(agrees):
    draws = np.random.default_rng(51).normal(0.2, 1.0, (1000, 60))
    wrong = sum(comparisons(paired_difference(row, np.zeros(60)), Margin(0.2)).holds for row in draws)
    # 60 replications cannot show so narrow an equivalence: the two tests err less than 5 % together
    assert wrong <= 50
    far = sum(comparisons(paired_difference(row, np.zeros(60)), Margin(0.2)).holds for row in draws * 0.2 + 0.16)
    assert agrees(far, 1000, 0.05)


def test_identical_values_are_equivalent_within_any_margin():
    made = comparisons(paired_difference([1.0, 2.0], [1.0, 2.0]), Margin(1e-9))
    assert made.holds
    assert made.p_value == 0.0


def test_the_interval_is_at_twice_the_error():
    made = comparisons(paired_difference([1.0, 2.0, 3.0], [1.0, 2.1, 3.3]), Margin(1.0))
    assert made.interval.confidence == pytest.approx(0.9)


def test_a_confidence_that_leaves_no_interval_is_an_error():
    with pytest.raises(InvalidValueError, match="confidence must be > 0 and < 1"):
        comparisons(paired_difference([1.0, 2.0, 3.0], [1.0, 2.1, 3.3]), Margin(1.0), confidence=0.5)
