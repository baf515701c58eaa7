from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from bufsim_tests.comparing import compare
from hypothesis import given
from hypothesis import strategies as st

from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.statistics import Margin, SequentialPlan, mean_interval, paired_difference, ratio_values, too_wide


@given(st.integers(2, 50), st.integers(0, 5000), st.floats(0.5, 0.999))
def test_the_errors_of_all_looks_sum_to_that_of_the_plan(first, more, confidence):
    looks = SequentialPlan(first, first + more, confidence).looks()
    assert sum(1.0 - look.confidence for look in looks) == pytest.approx(1.0 - confidence)
    assert [look.number for look in looks] == list(range(1, len(looks) + 1))
    assert looks[-1].replications == first + more
    assert all(later.replications <= 2 * look.replications for look, later in pairwise(looks))


def test_a_single_look_has_all_of_the_error():
    [look] = SequentialPlan(first=30, most=30).looks()
    assert look.confidence == pytest.approx(0.95)


def test_looking_repeatedly_at_equal_scenarios_names_a_difference_in_at_most_5_percent():
    plan, named, naive = SequentialPlan(first=10, most=160), 0, 0
    for study in np.random.default_rng(131).normal(size=(150, 3, 160)):
        samples = dict(zip("abc", study, strict=True))
        looks = [
            (look.confidence, {name: row[: look.replications] for name, row in samples.items()})
            for look in plan.looks()
        ]
        named += any(one.verdict != "not separable" for level, seen in looks for one in compare(seen, confidence=level))
        naive += any(one.difference.p_value < 0.05 for _, seen in looks for one in compare(seen))
    assert named <= 150 * 0.05 + 4 * np.sqrt(150 * 0.05 * 0.95)
    # the negative control: the same looks, each at 0.05
    assert naive > 150 * 0.15


def test_intervals_that_stop_when_narrow_enough_cover(agrees):
    plan, hits = SequentialPlan(first=10, most=1280), 0
    for study in np.random.default_rng(132).exponential(1.0, (400, 1280)):
        for look in plan.looks():
            made = mean_interval(study[: look.replications], confidence=look.confidence)
            if not too_wide({"mean": made}, {"mean": Margin(0.2, relative=True)}):
                break
        assert made.half_width <= 0.2 * made.estimate
        hits += 1.0 in made
    assert hits >= 400 * 0.95 - 4 * np.sqrt(400 * 0.95 * 0.05)


def test_problem_6_stops_in_time(generate, problems):
    rng, stops, right = np.random.default_rng(133), [], 0
    for _ in range(40):
        totals = {size: ([], []) for size in (40, 41)}
        for look in SequentialPlan().looks():
            while len(totals[40][0]) < look.replications:
                times = generate.poisson(rng, 10.0, 110.0)
                for size, (sums, counts) in totals.items():
                    waits = generate.waits(times, *generate.flushes(times, {"size": size, "age": 5.0}, 110.0), 25.0)
                    sums.append(waits.sum())
                    counts.append(waits.size)
            gap = paired_difference(ratio_values(*totals[41]), ratio_values(*totals[40]))
            if 0.0 not in gap.interval(look.confidence):
                break
        stops.append(look.replications)
        right += gap.estimate > 0.0
    limit = 2 * problems[6]["reference"]["mean_wait"]["replications_for_80pct_power_crn"] + 5
    assert np.mean(stops) <= limit
    assert right == 40


def test_a_metric_without_a_wish_may_be_as_wide_as_it_is():
    intervals = {"wait": mean_interval([1.0, 1.1, 0.9]), "size": mean_interval([5.0, 50.0, 500.0])}
    assert too_wide(intervals, {"wait": Margin(1.0)}) == ()
    assert too_wide(intervals, {"wait": Margin(0.01), "size": Margin(1.0)}) == ("wait", "size")


def test_a_wish_for_an_unknown_metric_is_an_error():
    with pytest.raises(InvalidValueError, match="wanted names no metric 'wiat'; did you mean 'wait'"):
        too_wide({"wait": mean_interval([1.0, 1.1])}, {"wiat": Margin(1.0)})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"first": 1}, InvalidValueError, "first must be >= 2, got 1"),
        ({"first": 20, "most": 10}, InvalidValueError, "most must be >= first = 20, got 10"),
        ({"confidence": 95}, InvalidValueError, r"write 0\.95 for 95 %"),
        ({"first": 2.5}, InvalidTypeError, "first must be a whole number"),
    ],
)
def test_impossible_plans_are_errors(options, error, message):
    with pytest.raises(error, match=message):
        SequentialPlan(**options)
