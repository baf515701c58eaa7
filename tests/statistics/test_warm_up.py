from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim.errors import InvalidValueError
from bufsim.statistics import check_warm_up
from bufsim.statistics.warm_up import mser


def by_definition(series, batch):
    """White, Cobb and Spratt (2000), written out."""
    batches = [np.mean(series[i : i + batch]) for i in range(0, len(series) - batch + 1, batch)]
    return [
        sum((y - np.mean(batches[cut:])) ** 2 for y in batches[cut:]) / (len(batches) - cut) ** 2
        for cut in range(len(batches) - 5)
    ]


@given(st.lists(st.integers(-50, 50), min_size=50, max_size=80), st.sampled_from([1, 5]))
def test_the_cut_is_where_the_definition_is_smallest(series, batch):
    made, errors = mser(series, batch=batch), by_definition(series, batch)
    assert errors[made.cut // batch] == pytest.approx(min(errors), abs=1e-9)
    assert made.is_reliable == (made.cut // batch <= len(series) // batch // 2)


def test_a_flat_series_is_not_cut():
    assert mser([3.0] * 50).cut == 0


def test_nor_is_one_that_is_flat_but_for_rounding():
    rounding = np.random.default_rng(120).choice([0.0, 2.0**-50], 128)
    assert mser(1.5 + rounding).cut == 0
    # negative control: more than rounding counts
    assert mser(1.5 + 1e6 * rounding * (np.arange(128) < 20)).cut > 0


def test_a_series_that_climbs_to_its_end_is_too_short():
    assert not mser(np.arange(100.0)).is_reliable


def test_a_known_transient_is_cut_about_where_it_ends():
    rng = np.random.default_rng(121)
    series = 10.0 - 10.0 * np.exp(-np.arange(1000) / 20.0) + rng.normal(0.0, 0.3, 1000)
    assert 40 <= mser(series).cut <= 150


def test_a_series_too_short_for_the_rule_is_an_error():
    with pytest.raises(InvalidValueError, match=r"series must be at least 50 finite observations, got shape \(49,\)"):
        mser(np.arange(49.0))
    assert mser(np.arange(49.0), batch=1).cut >= 0


def test_problem_4_the_short_run_from_empty_is_warned_of(generate, problems):
    levels = generate.bulk_queue(np.random.default_rng(122), 60 * 30, 700.0, 70).reshape(60, 30, 70)
    made = [check_warm_up(study, 0.0, 700.0) for study in levels]
    assert np.mean([bool(check.warning) for check in made]) >= 0.8
    assert all("start below the level" in check.warning or "rising" in check.warning for check in made if check.warning)
    # the true bias is more than what the run itself can show of it
    shown, true = np.mean([check.relative_bias for check in made]), problems[4]["transient"]["relative_bias_short"]
    assert true < shown < 0.4 * true


def test_problem_4_a_stationary_start_is_hardly_ever_warned_of(generate):
    # starts drawn from the queue itself, 1,500 s after empty: its transient lasts about 115 s
    rng = np.random.default_rng(123)
    levels = generate.bulk_queue(rng, 60 * 30, 2900.0, 145).reshape(60, 30, 145)[:, :, 75:]
    assert sum(bool(check_warm_up(study, 1500.0, 2900.0).warning) for study in levels) <= 3


@pytest.mark.parametrize(
    ("source", "policy", "start", "end"),
    [
        ("poisson", {"size": 40, "age": 5.0}, 125.0, 1200.0),
        ("poisson", {"size": 40, "age": 5.0}, 0.0, 1200.0),
        ("poisson", {"period": 10.0}, 0.0, 1203.0),
        ("mmpp", {"size": 60, "age": 4.0}, 100.0, 1200.0),
    ],
)
def test_problems_1_to_3_are_not_warned_of(generate, source, policy, start, end):
    rng, warned = np.random.default_rng(124), 0
    for _ in range(10):
        rows = []
        for _ in range(30):
            times = generate.poisson(rng, 10.0, end) if source == "poisson" else generate.mmpp(rng, end)
            rows.append(generate.binned_level(times, *generate.flushes(times, policy, end), start, end, 60))
        warned += bool(check_warm_up(rows, start, end).warning)
    assert warned <= 1


def rows(curve, seed=125, replications=20, bins=100):
    noise = np.random.default_rng(seed).normal(0.0, 1.0, (replications, bins))
    return curve(np.linspace(0.0, 1.0, bins)) + noise


def test_the_warning_names_where_to_cut():
    made = check_warm_up(rows(lambda x: 20.0 - 15.0 * (x < 0.1)), 100.0, 600.0)
    assert made.warm_up == pytest.approx(150.0)
    assert made.warning == (
        "the runs start below the level that they reach, so that its mean is at least 7.64 % too low: "
        "set `warm_up` to 150 s or more, or lengthen `until`"
    )


def test_a_level_that_never_settles_is_said_to_rise():
    made = check_warm_up(rows(lambda x: 20.0 * x), 0.0, 100.0)
    assert made.warning.startswith("the level was still rising when the run ended, so that its mean is at least ")
    assert " % too low: " in made.warning
    assert made.warning.endswith("lengthen `until`")


def test_a_start_that_is_too_high_is_said_to_be():
    made = check_warm_up(rows(lambda x: 20.0 + 30.0 * (x < 0.1)), 0.0, 100.0)
    assert "start above the level" in made.warning
    assert " % too high: " in made.warning
    assert made.relative_bias > 0.1
    assert "still falling" in check_warm_up(rows(lambda x: 40.0 - 20.0 * x), 0.0, 100.0).warning


def test_a_bias_that_contradicts_the_last_move_is_not_told():
    # up from far below, then down: the mean is too low, though the level falls at the end
    made = check_warm_up(rows(lambda x: np.where(x < 0.3, 5.0, 45.0 - 20.0 * x)), 0.0, 100.0)
    assert made.relative_bias < 0.0
    assert made.warning == "the level was still falling when the run ended: lengthen `until`"


def test_a_level_of_0_throughout_is_no_cause_for_a_warning():
    made = check_warm_up(np.zeros((3, 60)), 0.0, 60.0)
    assert (made.warm_up, made.relative_bias, made.warning) == (0.0, 0.0, "")


@pytest.mark.parametrize(
    ("levels", "end", "message"),
    [
        (np.zeros((1, 60)), 60.0, r"at least 2 replications and 60 bins, got shape \(1, 60\)"),
        (np.zeros((3, 59)), 60.0, r"got shape \(3, 59\); run more replications, or use narrower bins"),
        (np.full((3, 60), np.nan), 60.0, "levels must be finite"),
        (np.zeros((3, 60)), 0.0, r"end must be > start, got 0\.0 and 0\.0"),
    ],
)
def test_levels_that_cannot_be_judged_are_errors(levels, end, message):
    with pytest.raises(InvalidValueError, match=message):
        check_warm_up(levels, 0.0, end)
