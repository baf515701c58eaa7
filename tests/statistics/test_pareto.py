from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim.errors import InvalidValueError
from bufsim.statistics import mean_interval, pareto_front

pytestmark = pytest.mark.usefixtures("no_collection")


def study(means, noise=0.1, seed=161, replications=20):
    rng = np.random.default_rng(seed)
    return {
        name: np.array(mean)[:, None] + noise * rng.normal(size=(len(mean), replications))
        for name, mean in means.items()
    }


MEANS = {"fast": (1.0, 5.0), "cheap": (5.0, 1.0), "middle": (2.0, 2.0), "bad": (6.0, 6.0), "near": (2.01, 2.01)}


def places(points):
    return {point.name: point.place for point in points}


def test_the_front_the_dominated_and_what_cannot_be_told():
    samples = study(MEANS)
    samples["near"] = samples["middle"] + 0.01 + 0.1 * np.random.default_rng(162).normal(size=(2, 20))
    made = places(pareto_front(samples))
    assert [made[name] for name in ("fast", "cheap", "middle", "bad")] == ["on the front"] * 3 + ["dominated"]
    assert made["near"] != "dominated"


def test_a_point_behind_the_front_within_the_noise_is_not_separable():
    samples = study({"a": (1.0, 1.0), "b": (9.0, 9.0)})
    samples["b"] = samples["a"] + 0.001 + study({"noise": (0.0, 0.0)})["noise"]
    samples["b"] += np.maximum(0.0, (samples["a"] - samples["b"]).mean(axis=1, keepdims=True) + 0.001)
    point = pareto_front(samples)[1]
    assert point.place == "not separable"
    assert point.dominated_by == "a"
    assert point.p_value > 0.05


def test_better_in_one_and_identical_in_the_other_dominates():
    samples = study({"a": (1.0, 1.0), "b": (2.0, 1.0)})
    samples["b"][1] = samples["a"][1]
    point = pareto_front(samples)[1]
    assert point.place == "dominated"
    assert point.dominated_by == "a"


def test_identical_points_are_both_on_the_front():
    samples = study({"a": (1.0, 1.0), "b": (1.0, 1.0)})
    samples["b"] = samples["a"].copy()
    assert set(places(pareto_front(samples)).values()) == {"on the front"}


def test_every_objective_has_its_interval():
    samples = study(MEANS)
    for point in pareto_front(samples, confidence=0.9):
        assert point.intervals == tuple(mean_interval(row, confidence=0.9) for row in samples[point.name])


def test_a_direction_may_differ_by_objective():
    samples = study(MEANS)
    flipped = {name: np.array([row[0], -row[1]]) for name, row in samples.items()}
    assert places(pareto_front(flipped, lower_is_better=[True, False])) == places(pareto_front(samples))


@given(st.integers(0, 2**32), st.permutations(range(5)))
def test_the_places_do_not_depend_on_the_order_of_listing(seed, order):
    draws = np.round(np.random.default_rng(seed).normal(size=(5, 2, 8)) + np.arange(5)[:, None, None] / 2, 1)
    there = {point.name: point for point in pareto_front({str(i): draws[i] for i in range(5)})}
    assert {point.name: point for point in pareto_front({str(i): draws[i] for i in order})} == there


@given(st.integers(0, 2**32))
def test_the_front_of_the_means_is_never_empty(seed):
    draws = np.random.default_rng(seed).normal(size=(6, 3, 5))
    assert "on the front" in places(pareto_front({str(i): row for i, row in enumerate(draws)})).values()


def test_equal_scenarios_are_wrongly_called_dominated_in_at_most_5_percent_of_studies():
    draws = np.random.default_rng(163).normal(size=(200, 5, 2, 20))
    # one objective in common, so that the other alone decides
    draws[:, :, 1] = draws[:, :1, 1]
    wrong = sum(
        "dominated" in places(pareto_front({str(i): row for i, row in enumerate(study)})).values() for study in draws
    )
    assert wrong <= 200 * 0.05 + 4 * np.sqrt(200 * 0.05 * 0.95)


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        ({"a": [[1, 2], [3, 4]]}, {}, "samples must hold at least 2 scenarios, got 1"),
        ({"a": [1, 2], "b": [1, 2]}, {}, r"a must have a row for each of at least 2 objectives .* got shape \(2,\)"),
        ({"a": [[1, 2]] * 2, "b": [[1, 2]] * 3}, {}, "samples must have the same objectives in every scenario"),
        ({"a": [[1, 2]] * 2, "b": [[1, 2]] * 2}, {"lower_is_better": [True]}, "one for each of 2 objectives"),
    ],
)
def test_what_has_no_front_is_an_error(samples, options, message):
    with pytest.raises(InvalidValueError, match=message):
        pareto_front(samples, **options)
