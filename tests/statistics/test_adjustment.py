from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim.errors import InvalidValueError, MissingExtraError
from bufsim.statistics import holm, judge, paired_difference

pytestmark = pytest.mark.usefixtures("no_collection")

p_values = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12)


def by_hand(raw):
    """Holm (1979), as one writes it on a board."""
    order, adjusted, largest = sorted(range(len(raw)), key=raw.__getitem__), [0.0] * len(raw), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, raw[index] * (len(raw) - rank)))
        adjusted[index] = largest
    return adjusted


@given(p_values)
def test_p_values_are_holms(raw):
    assert holm(raw).p_values == pytest.approx(by_hand(raw), rel=1e-9)


@given(p_values, st.randoms(use_true_random=False))
def test_the_order_of_comparisons_does_not_matter(raw, random):
    order = list(range(len(raw)))
    random.shuffle(order)
    there, shuffled = holm(raw), holm([raw[i] for i in order])
    assert shuffled.p_values == pytest.approx([there.p_values[i] for i in order])
    assert shuffled.confidences == pytest.approx([there.confidences[i] for i in order])


@given(p_values)
def test_the_level_of_each_interval_agrees_with_its_verdict(raw):
    made = holm(raw)
    for p, confidence, separated in zip(raw, made.confidences, made.separated, strict=True):
        # an interval at this level excludes 0 where the raw p-value is at most 1 - level
        if abs(p - (1 - confidence)) > 1e-12:
            assert (p < 1 - confidence) == separated
        assert 1 - confidence <= 0.05 + 1e-12
        assert 1 - confidence >= 0.05 / len(raw) - 1e-12


def test_one_comparison_is_left_as_it_is():
    made = holm([0.04])
    assert made.p_values == (0.04,)
    assert made.confidences == pytest.approx((0.95,))


def test_six_equal_scenarios_differ_in_at_most_5_percent_of_studies():
    draws = np.random.default_rng(61).normal(size=(300, 6, 30))
    named = raw = 0
    for study in draws:
        gaps = [paired_difference(study[i], study[j]) for i in range(6) for j in range(i)]
        named += any(verdict.verdict != "not separable" for verdict in judge(gaps))
        raw += any(gap.p_value < 0.05 for gap in gaps)
    assert named <= 300 * 0.05 + 4 * np.sqrt(300 * 0.05 * 0.95)
    # the negative control: unadjusted, a third of the studies name one
    assert raw > 300 * 0.2


@pytest.mark.parametrize(("truths", "at_least"), [([0.0] * 6, 0.95), ([0.5] * 6, 0.95), ([0.0, 5, 5, 5, 5, 5], 0.90)])
def test_all_intervals_hold_together(truths, at_least):
    draws = np.random.default_rng(62).normal(size=(300, 30, 6)) + np.array(truths)
    together = 0
    for study in draws:
        made = judge([paired_difference(column, np.zeros(30)) for column in study.T])
        together += all(truth in verdict.interval for truth, verdict in zip(truths, made, strict=True))
    assert together >= 300 * at_least - 4 * np.sqrt(300 * at_least * (1 - at_least))


def test_no_comparison_is_an_error():
    with pytest.raises(InvalidValueError, match="p_values must not be empty"):
        holm([])


def test_a_p_value_above_1_is_an_error():
    with pytest.raises(InvalidValueError, match=r"p_values must be between 0 and 1, got 1\.5"):
        holm([1.5])


def test_without_statsmodels_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "statsmodels.stats.multitest", None)
    with pytest.raises(MissingExtraError, match=r"statsmodels; pip install 'bufsim\[studies\]'"):
        holm([0.5])
