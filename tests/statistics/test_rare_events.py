from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bufsim.errors import InvalidValueError
from bufsim.statistics.rare_events import FEW, few_in_words, most_runs, runs_to_bound


def test_without_an_event_the_bound_is_the_share_that_shows_none_with_probability_alpha():
    for runs in (2, 10, 30, 300):
        assert (1.0 - most_runs(0, runs)) ** runs == pytest.approx(0.05)


def test_the_rule_of_three_is_near_it():
    for runs in (30, 100, 300, 1000):
        assert most_runs(0, runs) == pytest.approx(3.0 / runs, rel=0.06)
        assert most_runs(0, runs) < 3.0 / runs


@pytest.mark.parametrize(("events", "runs"), [(0, 10), (1, 10), (4, 30), (9, 10)])
def test_the_bound_is_clopper_and_pearsons(events, runs):
    # scipy's two-sided 90 % interval leaves 5 % above it
    exact = stats.binomtest(events, runs).proportion_ci(0.9, method="exact").high
    assert most_runs(events, runs) == pytest.approx(exact)


def test_where_every_run_saw_one_the_bound_is_all():
    assert most_runs(10, 10) == 1.0


@pytest.mark.parametrize("share", [0.001, 0.01, 0.05, 0.2, 0.5])
def test_the_bound_holds_in_95_percent_of_studies(share):
    seen = np.random.default_rng(65).binomial(10, share, size=4000)
    held = np.mean([share <= most_runs(int(events), 10) for events in seen])
    assert held >= 0.95 - 4 * np.sqrt(0.95 * 0.05 / 4000)
    # negative control: the interval of values that are all 0 is [0, 0], which holds no share at all
    if share < 0.05:
        assert np.mean(seen == 0) > 0.5


def test_with_fewer_than_five_events_the_t_interval_does_not_hold():
    rng = np.random.default_rng(66)
    runs, share = 30, 0.03
    values = (rng.random((4000, runs)) < share).astype(float)
    half = stats.t.ppf(0.975, runs - 1) * values.std(axis=1, ddof=1) / np.sqrt(runs)
    assert np.mean(np.abs(values.mean(axis=1) - share) <= half) < 0.8
    assert np.mean(values.sum(axis=1) < FEW) > 0.95


def test_runs_to_bound_are_the_fewest():
    for share in (0.3, 0.01, 0.001):
        runs = runs_to_bound(share)
        assert most_runs(0, runs) <= share < most_runs(0, runs - 1)


def test_it_is_said_in_words():
    assert few_in_words(0, 10, "lose jobs") == (
        "none seen in 10 runs; up to 26 % of runs may lose jobs; 300 runs would bound it at 1 %"
    )
    assert few_in_words(0, 500, "lose jobs") == "none seen in 500 runs; up to 0.6 % of runs may lose jobs"
    assert few_in_words(1, 20, "fail") == "seen in 1 of 20 runs only; up to 22 % of runs may fail"


def test_more_events_than_runs_are_an_error():
    with pytest.raises(InvalidValueError, match="events must be <= runs = 3, got 4"):
        most_runs(4, 3)
