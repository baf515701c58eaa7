from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bufsim.errors import InvalidValueError
from bufsim.statistics import paired_difference, ratio_values

pairs = st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=3, max_size=30)


@given(pairs)
def test_interval_and_p_value_are_those_of_scipys_paired_t(values):
    first, second = np.array(values).T
    made = paired_difference(first, second)
    if made.variance > 1e-6:
        oracle = stats.ttest_rel(first, second)
        assert made.p_value == pytest.approx(oracle.pvalue, rel=1e-6, abs=1e-12)
        assert made.interval(0.9).low == pytest.approx(oracle.confidence_interval(0.9).low, rel=1e-6, abs=1e-6)


@given(pairs)
def test_the_other_way_round_is_the_same_with_the_sign_changed(values):
    first, second = np.array(values).T
    there, back = paired_difference(first, second), paired_difference(second, first)
    assert there.p_value == pytest.approx(back.p_value)
    assert there.estimate == pytest.approx(-back.estimate)
    assert there.variance_ratio == pytest.approx(back.variance_ratio)


def test_the_variance_ratio_is_the_unpaired_over_the_paired_variance():
    made = paired_difference([1.0, 2.0, 4.0], [1.1, 1.9, 3.8])
    unpaired = np.var([1.0, 2.0, 4.0], ddof=1) + np.var([1.1, 1.9, 3.8], ddof=1)
    assert made.variance_ratio == pytest.approx(unpaired / np.var([-0.1, 0.1, 0.2], ddof=1))


def test_equal_values_are_identical_whatever_their_spread():
    made = paired_difference([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert made.is_identical
    assert made.p_value == 1.0
    assert made.interval().half_width == 0.0
    assert made.variance_ratio == math.inf
    assert made.replications_to_separate() is None


def test_differences_of_rounding_are_none():
    values = np.random.default_rng(41).normal(5.0, 1.0, 30)
    assert paired_difference(values, values * (1.0 + 3e-16)).is_identical
    assert not paired_difference(values, values * (1.0 + 1e-9)).is_identical


def test_a_constant_difference_is_certain():
    made = paired_difference([40.0, 40.0, 40.0], [41.0, 41.0, 41.0])
    assert made.p_value == 0.0
    assert str(made.interval()) == "-1 [-1, -1]"
    assert made.variance_ratio == 1.0


@given(pairs, st.sampled_from([0.8, 0.95]))
def test_the_relative_interval_holds_exactly_what_a_t_test_accepts(values, confidence):
    first, second = np.array(values).T
    second = second + 2e3
    made = paired_difference(first, second)
    interval = made.relative_interval(confidence)
    # a constant first − second·ratio is accepted at that ratio alone
    if interval.half_width < 1e-6:
        return
    for ratio in filter(math.isfinite, (interval.low, interval.high)):
        p_value = stats.ttest_1samp(first - second - ratio * second, 0.0).pvalue
        assert p_value == pytest.approx(1 - confidence, abs=1e-4)


def test_the_relative_interval_is_of_a_share_of_the_size():
    made = paired_difference([-9.0, -9.1, -8.9], [-10.0, -10.1, -9.9])
    assert made.relative_interval().estimate == pytest.approx(0.1)
    assert made.relative_interval().low > 0.0


def test_relative_to_something_that_may_be_0_the_interval_is_open():
    made = paired_difference([1.0, 2.0, 3.0, 2.0], [-1.0, 1.0, 0.5, -0.2])
    assert math.isinf(made.relative_interval().low)
    assert math.isinf(made.relative_interval().high)


def test_problem_6_the_difference_is_covered_and_pairing_gains(generate, truth, agrees):
    rng = np.random.default_rng(42)
    hits, ratios, shown = 0, [], 0
    for _ in range(200):
        totals = {size: ([], []) for size in (40, 41)}
        for _ in range(10):
            times = generate.poisson(rng, 10.0, 110.0)
            for size, (sums, counts) in totals.items():
                waits = generate.waits(times, *generate.flushes(times, {"size": size, "age": 5.0}, 110.0), 25.0)
                sums.append(waits.sum())
                counts.append(waits.size)
        made = paired_difference(ratio_values(*totals[41]), ratio_values(*totals[40]))
        hits += truth(6, "B-A.mean_wait") in made.interval()
        shown += made.p_value < 0.05
        ratios.append(made.variance_ratio)
    assert agrees(hits, 200, 0.95)
    # the reference: power 0.51 with 10 replications, a variance ratio of 2.5
    assert agrees(shown, 200, 0.51)
    assert 2.0 < np.median(ratios) < 3.5


def test_the_number_for_a_half_width_brings_it():
    made = paired_difference(np.random.default_rng(43).normal(size=30), np.zeros(30))
    n = made.replications_for(0.1)
    assert stats.t.isf(0.025, n - 1) * made.standard_deviation / math.sqrt(n) <= 0.1


def test_different_numbers_of_replications_are_an_error():
    with pytest.raises(InvalidValueError, match="today and new must have the same replications, got 3 and 2"):
        paired_difference([1.0, 2.0, 3.0], [1.0, 2.0], names=("today", "new"))


def test_relative_to_0_is_an_error():
    with pytest.raises(InvalidValueError, match="needs a mean of 'second' other than 0"):
        paired_difference([1.0, 2.0], [0.0, 0.0]).relative_interval()
