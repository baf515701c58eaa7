from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bufsim.errors import InvalidValueError
from bufsim.statistics import observations_needed, order_statistic_interval


def test_a_hundred_crashes_do_not_bound_the_99_percent_quantile():
    made = order_statistic_interval(np.arange(1.0, 101.0), 0.99)
    assert made.high == math.inf
    assert made.low == 97.0
    assert made.note == "no upper bound at 95 % from 100 observations (368 needed)"


@given(st.floats(0.01, 0.99), st.sampled_from([0.9, 0.95, 0.99]))
def test_with_as_many_as_needed_both_ends_exist_and_with_one_fewer_not(q, confidence):
    needed = observations_needed(q, confidence=confidence)
    enough = order_statistic_interval(np.arange(float(max(needed, 2))), q, confidence=confidence)
    assert math.isfinite(enough.low)
    assert math.isfinite(enough.high)
    if needed > 2:
        fewer = order_statistic_interval(np.arange(float(needed - 1)), q, confidence=confidence)
        assert math.isinf(fewer.high) or math.isinf(fewer.low)
        assert f"({needed:,} needed)" in fewer.note


def test_the_ranks_are_those_of_the_binomial_distribution(problems):
    made = order_statistic_interval(np.arange(1.0, 101.0), 0.95)
    assert [made.low, made.high] == problems[9]["reference"]["order_statistics_ranks"]
    # at least 95 % of the chance lies between these ranks
    assert stats.binom.cdf(99, 100, 0.95) - stats.binom.cdf(89, 100, 0.95) >= 0.95


def test_problem_9_losses_at_a_stop(truth, agrees):
    rng = np.random.default_rng(81)
    losses = rng.poisson(30.0 * rng.uniform(0.0, 20.0, (500, 100)))
    hits = sum(truth(9, "A.loss_p95") in order_statistic_interval(study, 0.95) for study in losses)
    # order statistics are conservative: 0.95 to 0.99
    assert agrees(hits, 500, 0.97)


def test_a_bootstrap_would_promise_a_bound_that_does_not_hold(truth):
    # the negative control
    rng = np.random.default_rng(82)
    losses = rng.poisson(30.0 * rng.uniform(0.0, 20.0, (200, 100)))
    hits = 0
    for study in losses:
        quantiles = np.quantile(rng.choice(study, (200, 100)), 0.99, axis=1)
        hits += np.quantile(quantiles, 0.025) <= truth(9, "A.loss_p99") <= np.quantile(quantiles, 0.975)
    assert hits < 0.8 * 200


def test_at_an_atom_the_interval_is_that_value():
    made = order_statistic_interval(np.r_[np.zeros(5), np.full(95, 5.0)], 0.5)
    assert (made.low, made.estimate, made.high) == (5.0, 5.0, 5.0)


def test_a_low_quantile_of_few_has_no_lower_bound():
    made = order_statistic_interval(np.arange(20.0), 0.01)
    assert made.low == -math.inf
    assert "no lower bound" in made.note


def test_two_observations_bound_nothing():
    made = order_statistic_interval([1.0, 2.0], 0.5)
    assert (made.low, made.high) == (-math.inf, math.inf)
    assert "no lower and no upper bound" in made.note


def test_a_quantile_outside_0_and_1_is_an_error():
    with pytest.raises(InvalidValueError, match=r"q must be > 0 and < 1, got 99; write 0\.99 for 99 %"):
        order_statistic_interval([1.0, 2.0], 99)
