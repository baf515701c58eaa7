from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from bufsim.errors import InvalidValueError
from bufsim.statistics import replications_for_half_width
from bufsim.statistics.replications import power_of_t_test, replications_for_power


def half_width(n, spread, confidence):
    return stats.t.isf((1 - confidence) / 2, n - 1) * spread / math.sqrt(n)


@given(st.floats(0.01, 100.0), st.floats(0.01, 100.0), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_number_for_a_half_width_is_the_smallest_that_suffices(spread, wanted, confidence):
    n = replications_for_half_width(spread, wanted, confidence=confidence)
    assert half_width(n, spread, confidence) <= wanted * (1 + 1e-9)
    assert n == 2 or half_width(n - 1, spread, confidence) > wanted * (1 - 1e-9)


def test_without_noise_two_replications_suffice():
    assert replications_for_half_width(0.0, 0.1) == 2
    assert replications_for_power(1.0, 0.0) == 2


@pytest.mark.parametrize(("effect", "n"), [(0.7, 10), (0.7, 20), (0.1, 1000), (0.1, 50), (2.0, 4), (10.0, 2)])
@pytest.mark.parametrize("confidence", [0.95, 0.999])
def test_the_power_is_that_of_statsmodels(effect, n, confidence):
    assert power_of_t_test(effect, 1.0, n, confidence=confidence) == pytest.approx(
        TTestPower().power(effect, n, 1 - confidence), abs=1e-4
    )


def test_where_the_library_gives_no_number_the_power_is_still_right():
    draws = np.random.default_rng(31).normal(8.0, 1.0, (20_000, 2))
    shown = np.mean(stats.ttest_1samp(draws, 0.0, axis=1).pvalue < 0.05)
    assert power_of_t_test(8.0, 1.0, 2) == pytest.approx(shown, abs=0.015)


@pytest.mark.parametrize("effect", [0.01, 0.05, 0.3, 0.7, 1.5])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_the_number_for_power_is_that_of_statsmodels(effect, power):
    solved = TTestPower().solve_power(effect_size=effect, alpha=0.05, power=power)
    assert replications_for_power(effect, 1.0, power=power) == pytest.approx(math.ceil(solved), abs=1, rel=2e-4)


@pytest.mark.parametrize("effect", [0.21, 0.4, 0.7, 1.5, 3.0, 9.0])
@pytest.mark.parametrize(("power", "confidence"), [(0.05, 0.95), (0.8, 0.95), (0.8, 0.9999), (0.99, 0.9)])
def test_the_number_for_power_is_the_fewest_counted_up_from_two(effect, power, confidence):
    n = 2
    while power_of_t_test(effect, 1.0, n, confidence=confidence) < power:
        n += 1
    assert replications_for_power(effect, 1.0, power=power, confidence=confidence) == n


@settings(max_examples=30)
@given(st.floats(1e-9, 100.0), st.sampled_from([0.5, 0.8, 0.99]), st.sampled_from([0.9, 0.95, 0.9999]))
def test_a_larger_difference_never_needs_more(effect, power, confidence):
    more = replications_for_power(effect, 1.0, power=power, confidence=confidence)
    fewer = replications_for_power(-1.5 * effect, 1.0, power=power, confidence=confidence)
    assert 2 <= fewer <= more


def test_problem_6_needs_about_as_many_as_the_reference_says(problems):
    reference = problems[6]["reference"]["mean_wait"]
    needed = replications_for_power(
        problems[6]["quantities"]["B-A.mean_wait"]["value"], reference["sd_of_difference_crn"]
    )
    # the reference takes the normal quantile for t's
    assert needed == math.ceil(reference["replications_for_80pct_power_crn"] + 1.96**2 / 2)


def test_no_number_shows_a_difference_of_0():
    assert replications_for_power(0.0, 1.0) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: replications_for_half_width(-1.0, 1.0), "standard_deviation must be >= 0, got -1.0"),
        (lambda: replications_for_half_width(1.0, 0.0), "half_width must be > 0, got 0.0"),
        (lambda: replications_for_power(1.0, 1.0, power=80), "power must be > 0 and < 1, got 80; write 0.8"),
        (lambda: replications_for_power(math.nan, 1.0), "difference must be finite"),
    ],
)
def test_impossible_wishes_are_errors(call, message):
    with pytest.raises(InvalidValueError, match=message):
        call()
