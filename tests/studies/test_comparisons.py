from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from bufsim_tests.comparing import compare
from bufsim_tests.models import by_name, drawn
from scipy import stats

from bufsim import Capacity, FlushAfterAge, FlushAtSize, FlushEvery, InvalidValueError, JobBuffer
from bufsim.statistics import Interval
from bufsim.statistics.families import holm
from bufsim.studies.comparisons import against, percent, tie_in_words
from bufsim.studies.expressions import cost, metric
from bufsim.studies.study import Study

POLICIES = {
    "size 40": FlushAtSize(40) | FlushAfterAge(5.0),
    "size 41": FlushAtSize(41) | FlushAfterAge(5.0),
    "size 80": FlushAtSize(80) | FlushAfterAge(5.0),
    "clock": FlushEvery(3.88),
    "clock again": FlushEvery(3.88) | FlushAtSize(1000),
}


def study(names=tuple(POLICIES), **options):
    return Study({name: drawn(POLICIES[name], until=200.0) for name in names}, seed=5, **options)


@pytest.fixture(scope="module")
def result():
    return study().run(12, progress=False)


def test_the_interval_that_is_printed_is_the_adjusted_one_and_agrees_with_the_verdict(result):
    compared = result.compare("mean_wait", "mean_buffer_size", "flush_rate")
    gaps = [row.comparison.difference for row in compared.rows]
    adjusted = holm([gap.p_value for gap in gaps])
    for row, gap, level, p_value in zip(compared.rows, gaps, adjusted.confidences, adjusted.p_values, strict=True):
        plain, printed = gap.interval(0.95), row.comparison.interval
        assert (printed.low, printed.high) == (gap.interval(level).low, gap.interval(level).high)
        assert gap.is_identical or printed.half_width > plain.half_width
        assert row.comparison.p_value == p_value
        shown = row.verdict not in ("not separable", "identical")
        assert (0.0 not in printed) == shown == (p_value <= 0.05)
        assert str(printed) in row.sentence() or row.verdict == "identical"
    assert len(compared.rows) == 3 * 10
    assert {row.verdict for row in compared.rows} >= {"better", "worse", "not separable", "identical", "higher"}


def test_the_verdict_does_not_depend_on_the_order_in_which_scenarios_are_listed(result):
    turned = study(tuple(reversed(POLICIES))).run(12, progress=False)
    told = {frozenset((row.first, row.second)): row for row in result.compare("mean_wait").rows}
    for row in turned.compare("mean_wait").rows:
        same = told[frozenset((row.first, row.second))]
        sign = 1.0 if same.first == row.first else -1.0
        assert row.comparison.interval.estimate == sign * same.comparison.interval.estimate
        assert row.comparison.p_value == same.comparison.p_value
        opposite = {"better": "worse", "worse": "better"}
        assert row.verdict == (same.verdict if sign > 0 else opposite.get(same.verdict, same.verdict))
    assert set(turned.best(minimise="mean_wait").tie_set) == set(result.best(minimise="mean_wait").tie_set)


def test_the_best_is_told_with_the_unit_of_what_it_is_best_in(result):
    best = result.best(minimise="mean_wait")
    assert f"{best.estimate} s; not separable" in str(best)
    assert f"{best.estimate}; not separable" in best.sentence("")
    # a sum of different units has none
    both = result.best(minimise="0.4 * flush_rate + mean_wait")
    assert both.unit == ""


def test_beside_every_difference_stand_what_pairing_gained_and_the_replications_needed(result):
    compared = result.compare("mean_wait")
    table = compared.table()
    assert (table.variance_ratio > 0).all()
    samples = result.samples("mean_wait")
    first = table.iloc[0]
    apart = samples[first["first"]], samples[first["second"]]
    ratio = sum(one.var(ddof=1) for one in apart) / (apart[0] - apart[1]).var(ddof=1)
    assert first.variance_ratio == pytest.approx(ratio)
    assert first.variance_ratio > 2.0
    same = table.verdict == "identical"
    assert table[~same].replications_needed.notna().all()
    assert table[same].replications_needed.isna().all()
    for row in compared.rows:
        assert ("replications would show" in row.sentence()) == (row.verdict != "identical")
        gains = f"{row.comparison.difference.variance_ratio:.2g}" != "1" and row.verdict != "identical"
        assert ("without pairing" in row.sentence()) == gains


def test_beside_a_difference_that_is_shown_stands_what_would_have_shown_it(result):
    (apart,) = result.compare("mean_wait", pairs=[("size 40", "size 80")]).rows
    tail = r" s \(about \d+ replications would show it, without pairing \d[\d.]* times as many\)$"
    assert re.search(tail, apart.sentence())


def test_a_metric_that_is_neither_good_nor_bad_is_higher_or_lower(result):
    (row,) = result.compare("flush_rate", pairs=[("size 40", "size 80")]).rows
    assert row.verdict == "higher"
    assert "size 40 is higher than size 80 by 0." in row.sentence()
    (row,) = result.compare(-metric("flush_rate"), pairs=[("size 40", "size 80")]).rows
    assert row.verdict == "lower"


def test_more_is_better_where_the_metric_says_so(result):
    (row,) = result.compare("throughput", pairs=[("size 40", "size 80")], confidence=0.5).rows
    assert row.verdict in ("better", "not separable")
    (row,) = result.compare(0 - metric("mean_wait"), pairs=[("size 40", "size 80")]).rows
    assert (row.verdict, row.comparison.interval.estimate > 0) == ("better", True)


def test_a_margin_makes_scenarios_equivalent(result):
    pair = [("size 40", "size 41")]
    (near,) = result.compare("mean_wait", pairs=pair, margin="20 %").rows
    assert near.verdict == "equivalent"
    assert "are equivalent within 20 %" in near.sentence()
    (far,) = result.compare("mean_wait", pairs=pair, margin="1ms").rows
    assert far.verdict != "equivalent"
    both = result.compare("mean_wait", "flush_rate", pairs=pair, margin={"mean_wait": "20 %"}).rows
    assert [row.verdict for row in both] == ["equivalent", both[1].verdict]
    assert both[1].comparison.equivalence is None
    priced = cost(per_flush=1.0)
    assert result.compare(priced, pairs=pair, margin={priced: "50 %"}).rows[0].verdict == "equivalent"


def test_comparisons_are_with_the_baseline_where_the_study_has_one():
    result = study(("size 40", "size 80", "clock"), baseline="clock").run(5, progress=False)
    assert [(row.first, row.second) for row in result.compare("mean_wait").rows] == [
        ("size 40", "clock"),
        ("size 80", "clock"),
    ]
    assert len(result.compare("mean_wait", pairs="all").rows) == 3
    assert {row.second for row in result.compare("mean_wait", baseline="size 80").rows} == {"size 80"}


def test_an_expression_is_compared_by_its_values_per_replication(result):
    priced = cost(per_flush=40.0, per_job_second=1.0)
    (row,) = result.compare(priced, pairs=[("size 40", "clock")]).rows
    values = result.samples(priced)
    assert row.comparison.interval.estimate == pytest.approx(np.mean(values["size 40"] - values["clock"]))
    assert row.sentence().startswith("cost: ")


def test_comparisons_show_themselves_in_words_and_as_a_table(result):
    compared = result.compare("mean_wait", pairs=[("size 40", "clock"), ("size 40", "size 80")])
    assert repr(compared).splitlines() == compared.sentences()
    assert "<table" in compared._repr_html_()
    assert "mean_wait_s: size 40 is better than size 80" in compared._repr_html_()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"pairs": []}, "pairs must be 'all' or a list of pairs of scenarios, got []"),
        ({"pairs": "some"}, "pairs must be 'all' or a list of pairs of scenarios, got 'some'"),
        ({"pairs": [("clock", "clock")]}, "pairs must hold pairs of two scenarios, got ('clock', 'clock')"),
        ({"pairs": [("clock", "cluck")]}, "got 'cluck'; did you mean 'clock'?"),
        ({"baseline": "cluck"}, "did you mean 'clock'?"),
        ({"margin": {"p99_wait": 1}}, "a metric in margin must be one of 'mean_wait_s', got 'p99_wait'"),
        ({"margin": "-1s"}, "margin"),
        ({"confidence": 95}, "write 0.95 for 95 %"),
    ],
)
def test_a_wrong_question_says_what_to_ask(result, asked, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        result.compare("mean_wait", **asked)


def test_one_scenario_cannot_be_compared():
    alone = study(("clock",)).run(3, progress=False)
    with pytest.raises(InvalidValueError, match="a comparison needs at least 2 finished scenarios, got 1"):
        alone.compare("mean_wait")


def interval(estimate: float, low: float, high: float) -> Interval:
    return Interval(estimate, low, high, 0.95, 10, "t")


@pytest.mark.parametrize(
    ("difference", "exact", "told"),
    [
        (interval(-3.0, -4.0, -2.0), False, "3.0 [2.0, 4.0] s less than today's size 2"),
        (interval(3.0, 2.0, 4.0), False, "3.0 [2.0, 4.0] s more than today's size 2"),
        (interval(0.5, -0.5, 1.5), False, "not separable from today's size 2 (difference 0.5 [-0.5, 1.5] s)"),
        (interval(-3.0, -3.0, -3.0), True, "3 s less than today's size 2"),
        (interval(3.0, 3.0, 3.0), True, "3 s more than today's size 2"),
        # the same in every replication, but of what is drawn at random
        (interval(3.0, 3.0, 3.0), False, "3 [3, 3] s more than today's size 2"),
        (interval(0.0, 0.0, 0.0), True, "the same as today's size 2"),
    ],
)
def test_a_difference_is_told_with_its_side(difference: Interval, exact: bool, told: str) -> None:
    assert against(difference, " s", "size 2", exact) == told


def test_a_share_is_told_in_per_cent() -> None:
    assert str(percent(interval(-0.2, -0.25, -0.15))) == "-20 [-25, -15]"


def test_a_tie_says_how_many_replications_would_part_it() -> None:
    (near,) = compare({"a": [1.0, 1.2, 0.9, 1.1], "b": [1.1, 1.0, 1.0, 0.95]})
    assert tie_in_words(near, "s").startswith("a (difference 0.04 [")
    assert tie_in_words(near, "s").endswith(" replications would be needed)")
    gap = near.difference
    (same,) = compare({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.0]})
    assert tie_in_words(same, "s") == "a (the same in every replication)"
    none = replace(near, difference=replace(gap, estimate=0.0))
    assert tie_in_words(none, "s").endswith(" s; no number of replications would show it)")
    tiny = replace(near, difference=replace(gap, estimate=1e-6))
    assert tie_in_words(tiny, "s").endswith(" s; more than a million replications would be needed)")


OF_THE_FRONT = {
    "small": FlushAtSize(20),
    "large": FlushAtSize(80),
    "large again": FlushAtSize(80) | FlushAfterAge(100.0),
    "slow clock": FlushEvery(9.0),
}


@pytest.fixture(scope="module")
def placed():
    scenarios = by_name(OF_THE_FRONT, until=200.0)
    return Study(scenarios, seed=2).run(10, progress=False)


def test_the_front_names_who_is_on_it_and_who_is_dominated(placed):
    front = placed.pareto("mean_wait", "flush_rate")
    assert front.named("on the front") == ("small", "large", "large again", "slow clock")
    behind = placed.pareto("mean_wait", "mean_buffer_size")
    assert behind.named("on the front") == ("small",)
    assert set(behind.named("dominated")) == {"large", "large again", "slow clock"}
    assert {point.dominated_by for point in behind.points if point.place == "dominated"} == {"small"}


def test_each_point_has_the_intervals_of_its_metrics(placed):
    front = placed.pareto("p99_wait", "flush_rate", confidence=0.9)
    for point in front.points:
        assert point.x == placed.interval("p99_wait", point.scenario, confidence=0.9)
        assert point.y == placed.interval("flush_rate", point.scenario, confidence=0.9)
    assert front.table().columns.tolist() == [
        *("scenario", "place", "dominated_by", "p99_wait_s", "p99_wait_s low", "p99_wait_s high"),
        *("flush_rate_per_s", "flush_rate_per_s low", "flush_rate_per_s high"),
    ]


def test_of_what_is_neither_good_nor_bad_less_counts_as_better_and_the_front_says_so(placed):
    said = placed.pareto("mean_wait", "flush_rate").sentences()
    assert said[0].startswith("On the front of mean_wait_s and flush_rate_per_s (less taken as better): small, large")
    assert said[-1] == "Dominated: 0 of 4."
    more = metric("flush_rate").named("flushes", better="higher")
    assert placed.pareto("mean_wait", more).named("on the front") == ("small",)


def test_more_work_saved_is_better(placed):
    front = placed.pareto("mean_wait", 1 - metric("flush_rate"))
    assert front.named("on the front") == placed.pareto("mean_wait", -metric("flush_rate")).named("on the front")


def test_what_is_not_separable_from_the_front_is_told():
    scenarios = {name: drawn(FlushAtSize(size), until=30.0) for name, size in (("a", 40), ("b", 41))}
    front = Study(scenarios, seed=4).run(4, progress=False).pareto("mean_wait", "mean_buffer_size")
    assert front.named("dominated") == ()
    assert any(line.startswith("Not separable from it: ") for line in front.sentences())


def test_of_losses_that_nobody_saw_the_difference_is_bounded_and_not_called_identical():
    # at most 1 - 0.025^(1/10) = 31 % of runs of each may lose jobs, and in such a run all may be lost
    def run(capacity):
        policies = {"150": FlushAtSize(150), "160": FlushAtSize(160)}
        models = {
            name: replace(drawn(rate=1.0, until=20.0), buffers=[JobBuffer("search", policy=policy, capacity=capacity)])
            for name, policy in policies.items()
        }
        return Study(models, seed=3).run(10, progress=False)

    result = run(Capacity(jobs=100))
    (row,) = result.compare("lost_share").rows
    assert row.verdict == "not separable"
    assert (row.comparison.interval.low, row.comparison.interval.high) == pytest.approx((-0.3085, 0.3085), abs=1e-4)
    assert "none of 10 replications was seen to lose jobs; 300 that do not would bound it" in row.sentence()
    # what cannot be lost is the same for certain, and so are waits that are equal
    whole = run(None)
    assert [row.verdict for row in whole.compare("lost_share", "mean_buffer_size").rows] == 2 * ["identical"]
    (row,) = result.compare("lost_share", margin=0.5).rows
    assert row.verdict == "equivalent"


def test_a_difference_of_losses_that_few_runs_saw_is_bounded_as_they_are_and_not_by_its_spread():
    # of 10 runs none and a few lose jobs: as many of all runs may as Clopper and Pearson say, and then all their jobs
    def run(small):
        model = drawn(rate=5.0, until=200.0)
        rooms = {"big": 1000, "small": small}
        buffers = {
            name: JobBuffer("search", policy=FlushEvery(10.0), capacity=Capacity(jobs=jobs))
            for name, jobs in rooms.items()
        }
        models = {name: replace(model, buffers=[buffer]) for name, buffer in buffers.items()}
        return Study(models, seed=1).run(10, progress=False)

    result = run(62)
    seen = result.values("lost_share").gt(0.0).sum().to_dict()
    assert seen["big"] == 0
    assert 0 < seen["small"] < 5
    (row,) = result.compare("lost_share", margin=0.01).rows
    interval = row.comparison.interval
    assert row.verdict == "not separable"
    most = {name: stats.beta.ppf(0.975, seen[name] + 1, 10 - seen[name]) for name in seen}
    # big may lose as much as that while small loses nothing, and the other way round
    assert (interval.low, interval.high) == pytest.approx((-most["small"], most["big"]), abs=0.005)
    assert "too few of 10 replications were seen to lose jobs" in row.sentence()
    # negative controls: within a margin beyond the bounds, and where every run loses jobs in one and none in the other
    (row,) = result.compare("lost_share", margin=0.9).rows
    assert row.verdict == "equivalent"
    (row,) = run(45).compare("lost_share", baseline="big").rows
    assert row.verdict == "worse"


def seldom_full(tight=62):
    """Of 10 runs none of "wide", and some of "tight", fill the buffer; both may."""
    model = drawn(rate=5.0, until=200.0)
    rooms = {"wide": 1000, "tight": tight}
    return {
        name: replace(model, buffers=[JobBuffer("search", policy=FlushEvery(10.0), capacity=Capacity(jobs=jobs))])
        for name, jobs in rooms.items()
    }


def test_the_best_by_a_loss_that_few_runs_saw_is_bounded_as_a_comparison_is():
    study = Study(seldom_full(), seed=1)
    result = study.run(10, progress=False)
    seen = result.values("lost_share").gt(0.0).sum().to_dict()
    assert (seen["wide"], 0 < seen["tight"] < 5) == (0, True)
    best = result.best(minimise="lost_share", allow_loss=True)
    assert (best.chosen, best.winner) == ("wide", None)
    (rival,) = best.rivals
    most = stats.beta.ppf(0.975, seen["tight"] + 1, 10 - seen["tight"])
    assert rival.interval.high == pytest.approx(most, abs=0.005)
    assert "up to 26 % of runs may lose jobs" in best.sentence()
    answer = result.recommend(minimise="lost_share", allow_loss=True, fresh=0)
    assert answer.selection.tie_set == ("wide", "tight")
    assert "Not separable from it at n = 10: tight (difference" in answer.sentence()
    assert "of 10 runs only; up to" in answer.sentence()
    until = study.run_until(minimise="lost_share", allow_loss=True, first=5, most=10, progress=False)
    assert until.selection.winner is None
    assert "of runs may lose jobs" in until.missing[0]
    # with a price so is a cost; waits alone are the same in both, but for those that one lost
    priced = result.best(minimise=metric("mean_wait") + 1e4 * metric("lost_share"))
    assert set(priced.tie_set) == {"wide", "tight"}
    # negative control: where every run of one loses jobs, and none of the other
    always = Study(seldom_full(tight=45), seed=1).run(10, progress=False)
    assert always.best(minimise="lost_share", allow_loss=True).winner == "wide"


def test_a_cost_holds_the_losses_that_no_run_saw():
    rooms = {"150": FlushAtSize(150), "160": FlushAtSize(160)}
    models = {
        name: replace(
            drawn(rate=1.0, until=20.0), buffers=[JobBuffer("search", policy=policy, capacity=Capacity(jobs=100))]
        )
        for name, policy in rooms.items()
    }
    result = Study(models, seed=3).run(10, progress=False)
    (row,) = result.compare(cost(per_job_second=1.0, per_lost_job=2.0)).rows
    # by hand: of either 1 − 0.025^(1/10) of runs may lose all that came to the busiest, at 2 each
    most = 2.0 * (1.0 - 0.025**0.1) * result.values("arrivals_jobs").max().max() / 20.0
    assert (row.comparison.interval.low, row.comparison.interval.high) == pytest.approx((-most, most))
    assert row.verdict == "not separable"
    # negative control: what is not priced is the same in both
    assert result.compare(cost(per_job_second=1.0)).rows[0].verdict == "identical"


def test_a_price_of_losses_that_no_run_saw_says_what_widens_the_differences_and_what_to_do():
    model = drawn(rate=1.0, until=20.0)
    models = {
        f"every {period} s": replace(
            model, buffers=[JobBuffer("search", policy=FlushEvery(period), capacity=Capacity(jobs=100))]
        )
        for period in (1.0, 2.0)
    }
    result = Study(models, seed=3).run(10, progress=False)
    priced, unpriced = cost(per_job_second=1.0, per_lost_job=2.0), cost(per_job_second=1.0)
    (row,) = result.compare(priced).rows
    text, out = row.sentence().split("); ")
    assert "none of 10 replications was seen to lose jobs; the interval allows for others that do" in text
    # pairing has no part in what widens it
    assert re.fullmatch(
        r"about \d+ replications may show it, or leave that out of what is compared, and bound it by a limit", out
    )
    answer = result.recommend(minimise=priced, fresh=0)
    assert answer.selection.winner is None
    allowed = f"These differences allow for runs that lose jobs, each as much as it can: {out}"
    assert f"{allowed} (lost_share <= 1 % in place of per_lost_job)." in answer.sentence()
    # both are so: without the price one is the best, and so many replications show it
    assert result.recommend(minimise=unpriced, fresh=0).selection.winner == "every 1.0 s"
    more = Study(models, seed=3).run(int(out.split()[1]) * 3 // 2, progress=False)
    assert more.recommend(minimise=priced, fresh=0).selection.winner == "every 1.0 s"
