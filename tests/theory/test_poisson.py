from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bufsim.theory import closed_form

MEANS = st.floats(1e-3, 200.0)


@given(mean=MEANS, cap=st.integers(0, 300))
def test_capped_moments_are_sums_over_the_distribution(mean: float, cap: int) -> None:
    counts = np.arange(1500)
    weights = stats.poisson.pmf(counts, mean)
    capped = np.minimum(counts, cap).astype(float)
    expected = (weights @ capped, weights @ capped**2)
    assert closed_form.capped_moments(mean, cap) == pytest.approx(expected, rel=1e-10, abs=1e-300)


@given(mean=MEANS, cap=st.integers(0, 300))
def test_excess_is_a_sum_over_the_distribution(mean: float, cap: int) -> None:
    counts = np.arange(cap, cap + 1500)
    expected = stats.poisson.pmf(counts, mean) @ (counts - cap)
    assert closed_form.excess(mean, cap) == pytest.approx(expected, rel=1e-7, abs=1e-290)


def test_excess_keeps_its_digits_far_above_the_mean() -> None:
    # P(X = 31) and little more; mean − E[min(X, 30)] would be 0
    assert closed_form.excess(1.0, 30) == pytest.approx(4.6e-35, rel=0.1)


@given(mean=st.floats(1e-3, 1e7))
def test_support_has_all_the_probability_and_the_mean(mean: float) -> None:
    counts, weights = closed_form.support(mean)
    assert weights.sum() == pytest.approx(1.0, rel=1e-12)
    assert weights @ counts == pytest.approx(mean, rel=1e-11)


def test_tails_of_counts_below_0() -> None:
    assert closed_form.at_most(-1, 3.0) == 0.0
    assert closed_form.more_than(-1, 3.0) == 1.0
