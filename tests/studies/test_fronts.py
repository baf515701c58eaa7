from __future__ import annotations

import pytest
from bufsim_tests.studies_small import declare

from bufsim import FlushAfterAge, FlushAtSize, FlushEvery
from bufsim.studies.expressions import metric
from bufsim.studies.study import Study

POLICIES = {
    "small": FlushAtSize(20),
    "large": FlushAtSize(80),
    "large again": FlushAtSize(80) | FlushAfterAge(100.0),
    "slow clock": FlushEvery(9.0),
}


@pytest.fixture(scope="module")
def result():
    scenarios = {name: declare(policy, until=200.0) for name, policy in POLICIES.items()}
    return Study(scenarios, seed=2).run(10, progress=False)


def test_the_front_names_who_is_on_it_and_who_is_dominated(result):
    front = result.pareto("mean_wait", "flush_rate")
    assert front.named("on the front") == ("small", "large", "large again", "slow clock")
    behind = result.pareto("mean_wait", "mean_buffer_size")
    assert behind.named("on the front") == ("small",)
    assert set(behind.named("dominated")) == {"large", "large again", "slow clock"}
    assert {point.dominated_by for point in behind.points if point.place == "dominated"} == {"small"}


def test_each_point_has_the_intervals_of_its_metrics(result):
    front = result.pareto("p99_wait", "flush_rate", confidence=0.9)
    for point in front.points:
        assert point.x == result.interval("p99_wait", point.scenario, confidence=0.9)
        assert point.y == result.interval("flush_rate", point.scenario, confidence=0.9)
    assert front.table().columns.tolist() == [
        *("scenario", "place", "dominated_by", "p99_wait_s", "p99_wait_s low", "p99_wait_s high"),
        *("flush_rate_per_s", "flush_rate_per_s low", "flush_rate_per_s high"),
    ]


def test_of_what_is_neither_good_nor_bad_less_counts_as_better_and_the_front_says_so(result):
    said = result.pareto("mean_wait", "flush_rate").sentences()
    assert said[0].startswith("On the front of mean_wait_s and flush_rate_per_s (less taken as better): small, large")
    assert said[-1] == "Dominated: 0 of 4."
    more = metric("flush_rate").named("flushes", better="higher")
    assert result.pareto("mean_wait", more).named("on the front") == ("small",)


def test_more_work_saved_is_better(result):
    front = result.pareto("mean_wait", 1 - metric("flush_rate"))
    assert front.named("on the front") == result.pareto("mean_wait", -metric("flush_rate")).named("on the front")


def test_what_is_not_separable_from_the_front_is_told():
    scenarios = {name: declare(FlushAtSize(size), until=30.0) for name, size in (("a", 40), ("b", 41))}
    front = Study(scenarios, seed=4).run(4, progress=False).pareto("mean_wait", "mean_buffer_size")
    assert front.named("dominated") == ()
    assert any(line.startswith("Not separable from it: ") for line in front.sentences())
