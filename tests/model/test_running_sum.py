"""The running sum is that of exact numbers, to the rounding of its additions."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bufsim.model.arrivals import running_sum


@given(st.lists(st.floats(0.0, 100.0), min_size=2, max_size=40), st.sampled_from((0.25, 1.0, 2.0)), st.floats(0.0, 1e3))
def test_gaps_in_even_places_come_first_and_then_those_in_odd_ones(gaps, scale, now):
    gaps = gaps[: len(gaps) // 2 * 2]
    expected = accumulate((Fraction(gap) * Fraction(scale) for gap in gaps[::2] + gaps[1::2]), initial=Fraction(now))
    times = np.empty(len(gaps))
    assert running_sum(np.array(gaps), scale, now, times) == times[-1]
    np.testing.assert_allclose(times, [float(time) for time in expected][1:], rtol=1e-14, atol=1e-300)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=40))
def test_sums_of_whole_numbers_are_exact(gaps):
    gaps = gaps[: len(gaps) // 2 * 2]
    times = np.empty(len(gaps))
    running_sum(np.array(gaps, dtype=np.float64), 1.0, 7.0, times)
    assert times.tolist() == list(accumulate(gaps[::2] + gaps[1::2], initial=7))[1:]
