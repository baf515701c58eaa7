from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from bufsim_tests.models import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from bufsim import (
    Bursty,
    CollectQueues,
    Deterministic,
    Exponential,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    InvalidValueError,
    JobBuffer,
    NeverFlush,
    Poisson,
    Producer,
    PushWorkers,
    Simulation,
    Trace,
)
from bufsim.model.arrivals import Arrivals
from bufsim.results import metrics
from bufsim.results.measures import SIZES, TIMES, Histogram, rank
from bufsim.statistics import mean_interval, quantile_interval_from_counts
from bufsim.statistics.quantiles import quantile_interval
from bufsim.studies.estimates import Measured, UndefinedError, cumulative, is_deterministic
from bufsim.studies.expressions import cost, metric
from bufsim.studies.study import Study

qs = st.floats(0.01, 0.99)


def counted(histograms, grid, largest, q):
    """The points, and the amounts at or below each."""
    amounts = cumulative(tuple(histograms), grid, largest, q).amounts
    return amounts.values, amounts.table()


@given(qs, st.integers(1, 5_000))
def test_of_whole_numbers_spread_evenly_the_quantile_is_exact(q, n):
    even = Histogram.of(SIZES, np.arange(float(n)), np.ones(n))
    points, table = counted([even, even], SIZES, float(n - 1), q)
    assert (np.diff(points) > 0).all()
    assert (points == np.floor(points)).all()
    # at or below a whole number x lie x + 1 of them, wherever a point stands
    np.testing.assert_allclose(table[0], points + 1.0)
    reached = points[np.argmax(table[0] >= q * n * (1 - 1e-12))]
    assert reached == np.ceil(q * n * (1 - 1e-12)) - 1


@given(qs, st.integers(0, 2**32))
def test_of_durations_the_quantile_is_as_fine_as_a_part_of_a_bin(q, seed):
    waits = np.sort(np.random.default_rng(seed).exponential(2.0, 20_000))
    points, table = counted([Histogram.of(TIMES, waits)], TIMES, float(waits[-1]), q)
    at = np.flatnonzero(np.abs(table[0] - q * waits.size) < 200)
    below = np.searchsorted(waits, points[at], side="right")
    # spread evenly over a bin of some 40 waits
    np.testing.assert_allclose(table[0, at], below, atol=25)


def test_no_point_is_above_the_largest_value_where_everything_lies():
    waits = np.array([1.0, 5.0, 5.0, 5.0])
    points, table = counted([Histogram.of(TIMES, waits)], TIMES, 5.0, 0.99)
    assert (points[-1], table[0, -1]) == (5.0, 4.0)
    for grid in (SIZES, TIMES):
        nothing = Histogram.of(grid, np.zeros(3), np.ones(3))
        points, table = counted([nothing, nothing], grid, 0.0, 0.5)
        assert (points.tolist(), table.tolist()) == ([0.0], [[3.0], [3.0]])


@settings(max_examples=20)
@given(st.lists(st.lists(st.integers(0, 2000), max_size=30), min_size=2, max_size=5), qs)
def test_amounts_are_looked_up_as_counted_one_by_one_also_where_a_bin_is_empty(samples, q):
    samples[0].append(7)
    histograms = tuple(Histogram.of(SIZES, np.array(sizes, float), np.ones(len(sizes))) for sizes in samples)
    largest = float(max(size for sizes in samples for size in sizes))
    amounts = cumulative(histograms, SIZES, largest, q).amounts
    # no bin reaches beyond the largest size
    low, high = np.ceil(SIZES.edges[:-1]), np.minimum(np.ceil(SIZES.edges[1:]) - 1.0, largest)
    seen = np.unique([size for sizes in samples for size in sizes]).astype(float)
    for index in np.unique(SIZES.index(seen)):
        if (SIZES.index(seen) == index).sum() == 1:
            # alone in its bin
            low[index] = high[index] = seen[SIZES.index(seen) == index][0]
    for place, point in enumerate(amounts.values):
        (index,) = np.flatnonzero((low <= point) & (point <= high))
        share = (point - low[index] + 1.0) / (high[index] - low[index] + 1.0)
        for row, sizes in enumerate(samples):
            below, inside = (
                sum(low[index] > size for size in sizes),
                sum(low[index] <= n <= high[index] for n in sizes),
            )
            assert amounts.at(np.array([place]))[row, 0] == pytest.approx(below + inside * share)
    assert amounts.totals.tolist() == [len(sizes) for sizes in samples]


halves = st.integers(1, 31).map(lambda k: k / 32)

"""Shares that a double holds exactly, so that numpy finds the same rank."""


mixed = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e6)), min_size=4, max_size=64)


@given(mixed, halves)
def test_the_quantile_is_the_least_value_with_the_share_at_or_below_it_also_where_the_share_ends_a_bin(waits, q):
    samples = np.array(waits)
    histogram = Histogram.of(TIMES, samples)
    exact = np.quantile(samples, q, method="inverted_cdf")
    assert histogram.quantile(TIMES, q, largest=samples.max()) == pytest.approx(exact, rel=1 / 1000, abs=0.0)
    points, table = counted([histogram, histogram], TIMES, samples.max(), q)
    estimate = quantile_interval_from_counts(points, table, q).estimate
    # both are in the bin of that value: at most some 1/512 apart, and both are 0 if it is
    assert estimate == pytest.approx(exact, rel=1 / 511, abs=0.0)


def test_half_of_the_waits_being_0_the_median_is_0_and_a_little_more_is_not():
    # a batch of two: the second job does not wait
    waits = np.repeat([0.0, 2.0], 50)
    histogram = Histogram.of(TIMES, waits)
    points, table = counted([histogram, histogram], TIMES, 2.0, 0.5)
    assert (points[0], table[0, 0]) == (0.0, 50.0)
    assert (table[0, points < 1.9] == 50.0).all()
    assert quantile_interval_from_counts(points, table, 0.5).estimate == 0.0
    assert quantile_interval_from_counts(points, table, 0.51).estimate == 2.0
    result = Study({"A": drawn(FlushAtSize(2), until=100.0)}, seed=2).run(6, progress=False)
    median = result.interval("p50_wait", "A")
    assert (median.low, median.estimate) == (0.0, 0.0)
    assert (result.values("p50_wait")["A"] == 0.0).all()


def ages(*seconds, runs=10, seed=1, until=2000.0):
    """For each age two buffers: one is flushed at that age and has 19 of 20 jobs, the other at 5 s."""
    models = {}
    for age in seconds:
        producers = [Producer(name, Poisson(rate), queue=name) for name, rate in (("x", 0.1), ("y", 0.1 / 19))]
        policies = {"x": FlushAfterAge(age), "y": FlushAfterAge(5.0)}
        buffers = [JobBuffer(name, policy=policy, collect=CollectQueues([name])) for name, policy in policies.items()]
        models[f"{age!r}#{len(models)}"] = Simulation(producers=producers, buffers=buffers, until=until)
    return Study(models, seed=seed).run(runs, progress=False)


def test_two_ages_are_quantiles_without_error():
    # 1 of 1.3 jobs is the oldest of its batch and waits for 3 s, the others less; 1 of 20 waits for up to 5 s
    result = ages(3.0)
    [name] = result.scenarios
    for median in (result.interval(f"{quantile}_wait", name) for quantile in ("p50", "p90")):
        assert (median.low, median.estimate, median.high) == pytest.approx((3.0, 3.0, 3.0), rel=1e-9)
        assert str(median) == "3 [3, 3]"
    for limit, verdict in {"p90_wait <= 3s": "pass", "p90_wait <= 2.999s": "fail", "p50_wait >= 3s": "pass"}.items():
        assert result.check(limit).verdict(name) == verdict


def test_models_that_are_both_exact_are_never_called_different():
    verdicts = []
    for seed in range(10):
        compared = ages(3.0, 3.0, 3.01, seed=seed).compare("p50_wait", "p90_wait", pairs="all").table()
        verdicts += compared["verdict"].tolist()
    # negative control: 3.01 s is told apart from either
    assert verdicts == ["identical", "better", "better"] * 20
    result = ages(3.0, 3.0)
    [sentence] = result.compare("p90_wait").sentences()
    assert sentence.endswith("are identical: each of 10 replications gives both the same value")
    assert result.best(minimise="p90_wait").tie_set == tuple(result.scenarios)


def test_where_other_waits_lie_beside_an_age_the_interval_is_the_bin_and_what_lies_in_it_identical():
    # waits of 2.99 to 3.01 s, by size or age: the bin of their median has room for 3 to 3.0039 s
    wide = Histogram.of(TIMES, np.linspace(2.99, 3.013, 4000))
    made = cumulative((wide, wide), TIMES, 3.013, 0.5)
    interval = made.widened(quantile_interval(made.amounts, 0.5))
    assert interval.estimate == pytest.approx(3.0015, abs=2e-4)
    assert (interval.low, interval.high) == pytest.approx((3.0, 3.0 + 1 / 256), rel=1e-5)
    assert made.ends == (interval.low, interval.high)


def test_below_a_nanosecond_the_resolution_is_said():
    waits = Histogram.of(TIMES, np.array([1e-10, 2e-10, 3e-10] * 50))
    made = cumulative((waits, waits), TIMES, 3e-10, 0.5)
    interval = made.widened(quantile_interval(made.amounts, 0.5))
    assert (interval.low, interval.high) == (0.0, 3e-10)
    assert interval.note == "durations below 1 ns are not told apart: it is known to 1 ns"
    # negative control: above, and what is exact
    for values in ([2e-9, 3e-9, 4e-9], [1e-10] * 3):
        other = Histogram.of(TIMES, np.array(values * 50))
        made = cumulative((other, other), TIMES, max(values), 0.5)
        assert made.widened(quantile_interval(made.amounts, 0.5)).note == ""


@given(st.lists(st.lists(st.one_of(st.floats(1.0, 1.01), st.just(3.0)), min_size=8, max_size=30), min_size=2), qs)
def test_the_quantile_of_all_replications_lies_in_the_bin_that_is_named(runs, q):
    made = cumulative(tuple(Histogram.of(TIMES, np.array(run)) for run in runs), TIMES, max(map(max, runs)), q)
    waits = sorted(wait for run in runs for wait in run)
    exact = waits[rank(q, len(waits))]
    least, most = made.ends
    assert least <= exact <= most
    if exact == 3.0:
        assert least == most == 3.0


def bursty(until):
    """Long lulls: some replications have no job at all."""
    return Simulation(
        producers=[Producer("jobs", Bursty(20.0, 0.0, mean_high=2.0, mean_low=40.0, start="low"))],
        buffers=[JobBuffer("buffer", policy=FlushAtSize(5) | FlushAfterAge(1.0))],
        until=until,
    )


def test_replications_without_a_job_count_as_such():
    result = Study({"A": bursty(60.0)}, seed=2).run(20, progress=False)
    counts = result.values("arrivals_jobs")["A"]
    assert (counts == 0).any()
    quantile, mean = result.interval("p95_wait", "A"), result.interval("mean_wait", "A")
    waits = np.concatenate([(run.jobs.flushed_at - run.jobs.created_at).dropna() for run in runs(bursty(60.0), 20)])
    assert quantile.estimate == pytest.approx(np.quantile(waits, 0.95, method="inverted_cdf"), rel=0.002)
    assert quantile.n == mean.n == 20
    assert len(result.samples("p95_wait")["A"]) == 20


def runs(simulation, n, seed=2):
    return [simulation.run(seed, replication=number) for number in range(n)]


def test_without_any_observation_there_is_no_quantile():
    result = Study({"A": bursty(0.5)}, seed=2).run(3, progress=False)
    message = "p99_wait_s needs observations in at least 2 replications, got none in the others; lengthen the runs"
    tallies = list(result.tallies["A"].values())
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        Measured(metrics.find("p99_wait"), None, tallies).interval()


def test_seconds_at_a_level_are_amounts_as_jobs_are():
    result = Study({"A": drawn(FlushAtSize(40), until=100.0)}, seed=2).run(6, progress=False)
    for name in ("p50_buffer_size", "p99_loss_at_stop", "p95_batch_size", "p99_end_to_end", "p99_queue_wait"):
        interval = result.interval(name, "A")
        raw = result.values(name)["A"]
        assert raw.min() <= interval.estimate <= raw.max()
    level = result.interval("p50_buffer_size", "A")
    assert level.low <= 20 <= level.high


def test_a_ratio_has_the_jackknifes_interval_and_a_count_the_plain_one():
    result = Study({"A": drawn(FlushAtSize(40), until=100.0)}, seed=2).run(6, progress=False)
    assert result.interval("mean_wait", "A").method == "jackknife of a ratio"
    assert result.interval("flush_count", "A").method == "t over replications"
    assert result.interval("p99_wait", "A").method == "inverted ratio test"
    tallies = list(result.tallies["A"].values())
    assert (
        Measured(metrics.find("flush_count"), None, tallies).raw().tolist()
        == result.values("flush_count")["A"].tolist()
    )


# few flushes


def test_a_high_quantile_of_waits_is_refused_with_the_flushes_that_are_needed():
    # a batch of 20 comes in 20 s, so that 4 runs of 300 s have some 60 flushes
    result = Study({"A": drawn(FlushAtSize(20), rate=1.0, until=300.0)}, seed=3).run(4, progress=False)
    flushes = sum(len(run.flushes) for run in runs(drawn(FlushAtSize(20), rate=1.0, until=300.0), 4, seed=3))
    assert 50 < flushes < 72
    jobs = 20 * flushes
    # by hand: ln 0.025 / ln 0.95 = 71.9, / ln 0.99 = 367.04, / ln 0.9 = 35.01
    for q, needed in ((95, 72), (99, 368)):
        interval = result.interval(f"p{q}_wait", "A")
        assert interval.high == math.inf
        assert interval.note == (
            f"no upper bound at 95 % from {jobs:,} jobs in {flushes} flushes ({needed} flushes needed)"
        )
    assert math.isfinite(result.interval("p90_wait", "A").high)
    assert f"in {flushes} flushes (368 flushes needed)" in result.check("p99_wait <= 1min").sentences()[0]
    assert result.check("p99_wait <= 1min").verdict("A") == "undecided"
    # nor do the levels between so few flushes tell how high they may rise
    level = result.interval("p99_buffer_size", "A")
    assert (level.high, level.note) == (math.inf, f"no upper bound at 95 % from {flushes} flushes (368 flushes needed)")
    assert math.isfinite(result.interval("p90_buffer_size", "A").high)


def test_a_level_that_is_never_flushed_is_worth_as_many_as_there_were_runs():
    result = Study({"A": drawn(NeverFlush(), rate=1.0, until=30.0)}, seed=3).run(40, progress=False)
    # by hand: ln 0.025 / ln 0.9 = 35.01
    assert math.isfinite(result.interval("p90_buffer_size", "A").high)
    assert result.interval("p95_buffer_size", "A").note == "no upper bound at 95 % from 40 runs (72 runs needed)"


# A has some 15 flushes a run, B some 60: in 4 runs both are fewer than the 368 that p99 needs (ln 0.025 / ln 0.99)
FEW = {name: drawn(FlushAtSize(size), rate=1.0, until=300.0) for name, size in (("A", 20), ("B", 5))}
ENOUGH = {name: replace(simulation, until=10_000.0) for name, simulation in FEW.items()}


def test_the_difference_of_two_high_quantiles_needs_as_many_flushes_as_each():
    result = Study(FEW, seed=3).run(4, progress=False)
    flushes = sum(tally.all_buffers.flushes for tally in result.tallies["A"].values())
    why = f"A has no upper bound at 95 % from {flushes} flushes (368 flushes needed)"
    compared = result.compare("p99_wait")
    (high,) = compared.rows
    assert (high.verdict, high.comparison.p_value) == ("not separable", 1.0)
    assert (high.comparison.interval.low, high.comparison.interval.high) == (-math.inf, math.inf)
    assert (compared.table()["low"].iloc[0], compared.table()["high"].iloc[0]) == (-math.inf, math.inf)
    # B has four times as many flushes, but too few as well: the one that lacks most is named
    assert re.search(r"A and B are not separable: they differ by \S+ \[-inf, inf\] s; ", high.sentence())
    assert high.sentence().endswith(f"; {why}")
    assert math.isnan(compared.table()["replications_needed"].iloc[0])
    for margin in ("50 %", "1h"):
        assert result.compare("p99_wait", margin=margin).rows[0].verdict == "not separable"
    # a term of a sum is as open
    assert result.compare(metric("p99_wait") + metric("mean_wait")).rows[0].sentence().endswith(why)
    # negative controls: a median needs 6 flushes, and of longer runs there are enough
    assert result.compare("p50_wait").rows[0].verdict == "worse"
    (longer,) = Study(ENOUGH, seed=3).run(4, progress=False).compare("p99_wait").rows
    assert (longer.verdict, longer.comparison.difference.unbounded) == ("worse", None)
    assert math.isfinite(longer.comparison.interval.low)


def test_no_constant_difference_of_high_quantiles_is_shown_by_too_few_flushes():
    # by hand: some 60 jobs come far from each other, so that every wait is 3 s in one, and 5 s in the other
    ages = {name: drawn(FlushAfterAge(age), rate=5e-4, until=20_000.0) for name, age in (("3 s", 3.0), ("5 s", 5.0))}
    result = Study(ages, seed=1).run(6, progress=False)
    (high,), (median,) = (result.compare(name).rows for name in ("p99_wait", "p50_wait"))
    assert (high.comparison.difference.estimate, high.verdict) == (-2.0, "not separable")
    assert (median.comparison.difference.estimate, median.verdict) == (-2.0, "better")


def test_the_same_policy_twice_is_identical_however_few_flushes_it_has():
    result = Study({"A": FEW["A"], "again": FEW["A"]}, seed=3).run(4, progress=False)
    assert result.compare("p99_wait").rows[0].verdict == "identical"


def test_what_draws_nothing_needs_no_flushes():
    scenarios = {
        name: Simulation(
            producers=[Producer("edits", Deterministic("1s"))],
            buffers=[JobBuffer("search", policy=FlushAtSize(size))],
            until=60.0,
        )
        for name, size in (("A", 20), ("B", 5))
    }
    (high,) = Study(scenarios, seed=3).run(4, progress=False).compare("p99_wait").rows
    # by hand: of 20 jobs a second apart the first waits 19 s, of 5 the first 4 s
    assert (high.verdict, round(high.comparison.difference.estimate)) == ("worse", 15)


def test_nothing_is_the_best_by_a_quantile_of_too_few_flushes():
    few, enough = (Study(scenarios, seed=3, baseline="A").run(4, progress=False) for scenarios in (FEW, ENOUGH))
    best = few.best(minimise="p99_wait")
    assert (best.chosen, best.winner, best.tie_set) == ("B", None, ("B", "A"))
    assert re.search(
        "not separable from it: A; A has no upper bound at 95 % from .* [(]368 flushes needed[)]$", str(best)
    )
    assert (best.estimate.high, best.regret) == (math.inf, math.inf)
    found = few.recommend(minimise="p99_wait", fresh=4)
    assert [tie.first for tie in found.ties] == ["A"]
    assert "B is one of 2 with the lowest p99_wait_s" in found.sentence()
    assert "% less than today's" not in found.sentence()
    assert re.search(
        r"not separable from today's A \(difference \S+ \[-inf, inf\] s\), since A has no", found.sentence()
    )
    # negative control
    assert enough.best(minimise="p99_wait").winner == "B"
    sentence = enough.recommend(minimise="p99_wait", fresh=4).sentence()
    assert "B has the lowest p99_wait_s" in sentence
    assert "% less than today's A" in sentence


def test_nothing_is_dominated_in_a_quantile_of_too_few_flushes():
    few, enough = (Study(scenarios, seed=3).run(4, progress=False) for scenarios in (FEW, ENOUGH))
    front = few.pareto("p99_wait", "mean_buffer_size_jobs")
    assert [point.place for point in front.points] == ["not separable", "on the front"]
    assert re.match("Open: p99_wait_s, since A has no upper bound at 95 % from .* flushes", front.sentences()[-1])
    found = enough.pareto("p99_wait", "mean_buffer_size_jobs")
    assert [point.place for point in found.points] == ["dominated", "on the front"]
    assert not any("Open" in sentence for sentence in found.sentences())


def test_a_study_that_stops_before_a_quantile_has_its_flushes_says_how_many_it_needs():
    found = Study(FEW, seed=3).run_until(minimise="p99_wait", first=4, most=4, progress=False)
    assert re.search("B, A are not separable: A has no upper bound .* flushes needed", found.missing[0])


def test_a_sum_with_a_quantile_that_has_no_bound_has_none_either():
    result = Study({"A": drawn(FlushAtSize(20), rate=1.0, until=300.0)}, seed=3).run(4, progress=False)
    alone = result.interval("p99_wait", "A")
    more, less = (result.interval(f"p99_wait {sign} mean_wait", "A") for sign in "+-")
    for made in (more, less):
        assert (math.isfinite(made.low), made.high, made.note) == (True, math.inf, alone.note)
    turned = result.interval("mean_wait - p99_wait", "A")
    assert (turned.low, math.isfinite(turned.high)) == (-math.inf, True)
    # negative control: a median needs 6 flushes
    assert math.isfinite(result.interval("p50_wait + mean_wait", "A").high)
    assert result.check("p99_wait - mean_wait <= 1min").verdict("A") == "undecided"


def test_what_waits_in_a_queue_came_in_flushes_or_by_itself():
    served = replace(drawn(FlushAtSize(20), rate=1.0, until=300.0), workers=[PushWorkers(9, service=Exponential(0.1))])
    result = Study({"A": served}, seed=3).run(4, progress=False)
    assert result.interval("p99_end_to_end", "A").note.endswith("flushes (368 flushes needed)")
    past = Producer("past", Poisson(1.0), queue="past")
    buffer = replace(served.buffers[0], collect=served.producers[0].queue)
    both = replace(served, producers=[*served.producers, past], buffers=[buffer])
    result = Study({"A": both}, seed=3).run(4, progress=False)
    # some 1,200 jobs that no buffer collects
    assert math.isfinite(result.interval("p99_end_to_end", "A").high)
    assert result.interval("p99_wait", "A").high == math.inf


def test_where_nothing_is_drawn_a_few_flushes_tell_the_whole():
    steady = Simulation(
        producers=[Producer("jobs", Deterministic(1.0))],
        buffers=[JobBuffer("buffer", policy=FlushAtSize(20))],
        until=100.5,
    )
    result = Study({"A": steady}, seed=1).run(2, progress=False)
    # 5 flushes a run: the first of 20 jobs waits for 19 s
    interval = result.interval("p99.9_wait", "A")
    assert (interval.low, interval.high) == (19.0, 19.0)
    assert result.check("p99.9_wait <= 19s").verdict("A") == "pass"
    # the same where a service time is drawn, of which waits know nothing: the rule looks at the model
    drawing = replace(steady, workers=[PushWorkers(1, service=Exponential(0.1))])
    assert Study({"A": drawing}, seed=1).run(2, progress=False).interval("p99.9_wait", "A").high == math.inf


N = 8


POLICIES = {"size": FlushAtSize(20) | FlushAfterAge(3.0), "clock": FlushEvery(2.0)}


@pytest.fixture(scope="module")
def simulations():
    # long lulls: replications differ much in how many jobs they have, and many ticks find nothing
    bursty = [Producer("edits", Bursty(50.0, 0.1, mean_high=5.0, mean_low=50.0))]
    return {
        name: Simulation(producers=bursty, buffers=[JobBuffer("b", policy=policy)], until=300.0)
        for name, policy in POLICIES.items()
    }


@pytest.fixture(scope="module")
def lulls(simulations):
    return Study(simulations, seed=3).run(N, progress=False)


def test_the_value_of_an_expression_is_that_combination_of_the_values_of_its_metrics(lulls):
    for name in POLICIES:
        weighed = lulls.measured("0.4 * flush_rate_per_s - 2 * p95_wait_s + 0.5", name)
        rate, wait = (lulls.measured(one, name) for one in ("flush_rate", "p95_wait"))
        np.testing.assert_allclose(weighed.values(), 0.4 * rate.values() - 2 * wait.values() + 0.5)
        np.testing.assert_allclose(weighed.raw(), 0.4 * rate.raw() - 2 * wait.raw() + 0.5)
        assert weighed.interval(0.9) == mean_interval(weighed.values(), confidence=0.9)


def test_a_metric_alone_keeps_its_own_interval_also_where_it_is_scaled(lulls):
    for name in ("mean_wait_s", "p95_wait_s", "flush_count"):
        tallies = [lulls.tallies["size"][number] for number in range(N)]
        own = Measured(metrics.find(name), None, tallies).interval(0.9)
        assert lulls.interval(name, "size", confidence=0.9) == own
        turned = lulls.interval(3 - 2 * metric(name), "size", confidence=0.9)
        assert (turned.low, turned.high) == pytest.approx((3 - 2 * own.high, 3 - 2 * own.low))
        assert turned.method == own.method


def test_costs_are_weighed_again_without_another_run(lulls):
    rate, size = (lulls.values(one)["size"] for one in ("flush_rate", "mean_buffer_size"))
    for flush in (1.0, 40.0):
        weighed = lulls.values(cost(per_flush=flush, per_job_second=2.0))["size"]
        np.testing.assert_allclose(weighed, flush * rate + 2.0 * size)


def test_jobs_batches_and_ticks_are_never_averaged_together(lulls, simulations):
    """Each mean is a ratio of sums over all replications, over the jobs, the flushes or the time of its own."""
    runs = {name: [one.run(3, replication=number) for number in range(N)] for name, one in simulations.items()}
    waits = np.concatenate([(run.jobs.flushed_at - run.jobs.created_at).dropna() for run in runs["size"]])
    batches = np.concatenate([run.flushes.batch_size for run in runs["size"]])
    of_jobs, of_flushes = (lulls.interval(name, "size") for name in ("mean_wait", "mean_batch_size"))
    # the jackknife takes out the bias of order 1/n that is left in a ratio of sums
    assert of_jobs.estimate == pytest.approx(waits.mean(), rel=0.02)
    assert of_flushes.estimate == pytest.approx(batches.mean(), rel=0.02)
    # negative control: the means of each run, averaged, are other numbers here
    assert np.mean(lulls.values("mean_wait")["size"]) > 1.04 * waits.mean()
    assert np.mean(lulls.values("mean_batch_size")["size"]) < 0.96 * batches.mean()
    # ticks at 0, 2, ..., 298 s that start no flush
    empty = [150 - len(run.flushes) for run in runs["clock"]]
    assert lulls.interval("empty_tick_rate", "clock").estimate == pytest.approx(sum(empty) / (N * 300.0))


def test_tables_take_expressions_too(lulls):
    weighed = cost(per_flush=1.0)
    assert lulls.intervals(weighed, "mean_wait").metric.unique().tolist() == ["cost", "mean_wait_s"]
    tidy = lulls.metrics(weighed)
    assert tidy.columns.tolist() == ["scenario", "replication", "metric", "value", "unit"]
    assert tidy.unit.unique().tolist() == ["per s"]
    assert tidy.value.tolist() == lulls.values(weighed).to_numpy().T.ravel().tolist()


def test_a_metric_of_a_buffer_that_is_not_there_is_an_error(lulls):
    with pytest.raises(InvalidValueError, match="mean_wait_s is about a buffer, one of 'b', got of='c'"):
        lulls.interval(metric("mean_wait", of="c"), "size")
    assert lulls.interval("mean_wait", "size", of="b") == lulls.interval("mean_wait", "size")


def test_what_one_run_stays_below_is_bounded_only_by_enough_runs(lulls):
    peaks = sorted(lulls.values("peak_buffer_size")["clock"])
    median = lulls.quantile_over_runs("peak_buffer_size", "clock", 0.5)
    assert (median.low, median.estimate, median.high) == (peaks[0], peaks[3], peaks[-1])
    high = lulls.quantile_over_runs("peak_buffer_size", "clock", 0.99)
    assert high.high == np.inf
    assert high.note == "no upper bound at 95 % from 8 observations (368 needed)"


def test_a_metric_without_a_value_is_told_with_its_scenario_and_is_missing_in_the_table():
    scenarios = {"never": drawn(NeverFlush(), until=20.0), "fine": drawn(FlushAtSize(20), until=20.0)}
    lulls = Study(scenarios, seed=1).run(3, progress=False)
    for ask in (
        lambda: lulls.interval("mean_wait", "never"),
        lambda: lulls.samples("mean_wait"),
        lambda: lulls.compare("mean_wait"),
        lambda: lulls.best(minimise="0 - mean_wait_s + flush_rate_per_s"),
    ):
        with pytest.raises(UndefinedError, match=r"mean_wait_s.* of never is undefined: .*lengthen the runs"):
            ask()
    table = lulls.intervals("mean_wait").set_index("scenario")
    assert np.isnan(table.estimate["never"])
    assert table.method["never"].startswith("mean_wait_s of never is undefined")
    assert table.estimate["fine"] > 0.0
    # a wrong level is no missing value
    with pytest.raises(InvalidValueError, match=r"write 0\.95 for 95 %") as raised:
        lulls.interval("mean_wait", "never", confidence=95)
    assert not isinstance(raised.value, UndefinedError)


def replicated(arrivals: Arrivals, service: object = "10ms") -> bool:
    simulation = Simulation(
        producers=[Producer("edits", arrivals)],
        buffers=[JobBuffer("search", policy=FlushEvery("5s"))],
        workers=[PushWorkers(1, service=service)],
        until="1min",
    )
    result = Study({"today": simulation}, seed=1).run(3, progress=False)
    return is_deterministic(list(result.tallies["today"].values()))


def test_a_trace_with_constant_service_is_the_same_in_every_replication() -> None:
    assert replicated(Trace([0.5 * number for number in range(100)]))


def test_random_arrivals_service_times_or_shifts_of_a_trace_are_not() -> None:
    trace = Trace([0.5 * number for number in range(100)])
    assert not replicated(Poisson(2.0))
    assert not replicated(trace, Exponential(0.01))
    assert not replicated(trace.scaled(2.0))
