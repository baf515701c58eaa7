from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bufsim.errors import InvalidValueError
from bufsim.statistics import Margin, Sample, judge, paired_difference, pareto_front, ratio_values, select_best
from bufsim.statistics.comparisons import equivalence
from bufsim.statistics.differences import least_error, paired_differences
from bufsim.statistics.quantiles import too_few
from bufsim.statistics.rare_events import FEW, RareEvents
from bufsim.statistics.samples import RareTerm

pairs = st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=3, max_size=30)


@given(pairs)
def test_interval_and_p_value_are_those_of_scipys_paired_t(values):
    first, second = np.array(values).T
    made = paired_difference(first, second)
    if made.variance > 1e-6:
        oracle = stats.ttest_rel(first, second)
        assert made.p_value == pytest.approx(oracle.pvalue, rel=1e-6, abs=1e-12)
        assert made.interval(0.9).low == pytest.approx(oracle.confidence_interval(0.9).low, rel=1e-6, abs=1e-6)


@given(pairs)
def test_the_other_way_round_is_the_same_with_the_sign_changed(values):
    first, second = np.array(values).T
    there, back = paired_difference(first, second), paired_difference(second, first)
    assert there.p_value == pytest.approx(back.p_value)
    assert there.estimate == pytest.approx(-back.estimate)
    assert there.variance_ratio == pytest.approx(back.variance_ratio)


def test_the_variance_ratio_is_the_unpaired_over_the_paired_variance():
    made = paired_difference([1.0, 2.0, 4.0], [1.1, 1.9, 3.8])
    unpaired = np.var([1.0, 2.0, 4.0], ddof=1) + np.var([1.1, 1.9, 3.8], ddof=1)
    assert made.variance_ratio == pytest.approx(unpaired / np.var([-0.1, 0.1, 0.2], ddof=1))


def test_equal_values_are_identical_whatever_their_spread():
    made = paired_difference([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert made.is_identical
    assert made.p_value == 1.0
    assert made.interval().half_width == 0.0
    assert made.variance_ratio == math.inf
    assert made.replications_to_separate() is None


def test_differences_of_rounding_are_none():
    values = np.random.default_rng(41).normal(5.0, 1.0, 30)
    assert paired_difference(values, values * (1.0 + 3e-16)).is_identical
    assert not paired_difference(values, values * (1.0 + 1e-9)).is_identical


def test_a_constant_difference_is_certain_where_nothing_is_drawn_or_in_four_replications():
    for made in (
        paired_difference([40.0] * 3, [41.0] * 3, exact=True),
        paired_difference([40.0] * 4, [41.0] * 4),
    ):
        assert made.p_value == 0.0
        assert str(made.interval()) == "-1 [-1, -1]"
        assert made.variance_ratio == 1.0


def test_a_constant_difference_in_up_to_three_replications_is_no_proof():
    made = paired_difference([40.0, 43.0, 41.0], [41.0, 44.0, 42.0], names=("a", "b"))
    assert made.p_value == 1.0
    assert str(made.interval()) == "-1.0 [-2.0, 0.0]"
    assert (made.relative_interval().low, made.relative_interval().high) == (pytest.approx(-2 / (127 / 3)), 0.0)
    assert not equivalence(made, Margin(1.5)).holds
    (verdict,) = judge([made])
    assert verdict.verdict == "not separable"
    assert verdict.sentence().endswith("the same difference in 3 replications is no proof; run more")
    # with as many as it names the difference is shown, and with one fewer it is not
    assert verdict.replications_needed() == 4
    assert judge([paired_difference([40.0] * 4, [41.0] * 4)])[0].verdict == "better"
    assert judge([paired_difference([40.0] * 3, [41.0] * 3, exact=True)])[0].replications_needed() == 2


def test_two_runs_of_whole_numbers_never_name_a_difference_that_is_not_there():
    # peaks that are 50 or 51 at random: both differences are 1, or both -1, in an eighth of all studies
    draws = np.random.default_rng(64).integers(50, 52, size=(2000, 2, 2)).astype(float)
    gaps = [paired_difference(first, second) for first, second in draws]
    assert 150 <= sum(gap.is_chance for gap in gaps) <= 350  # negative control: these were certain
    assert sum(judge([gap])[0].verdict in ("better", "worse") for gap in gaps) == 0


@given(pairs, st.sampled_from([0.8, 0.95]))
def test_the_relative_interval_holds_exactly_what_a_t_test_accepts(values, confidence):
    first, second = np.array(values).T
    second = second + 2e3
    made = paired_difference(first, second)
    interval = made.relative_interval(confidence)
    # a constant first − second·ratio is accepted at that ratio alone, and a constant difference is no t test
    if interval.half_width < 1e-6 or made.is_chance:
        return
    for ratio in filter(math.isfinite, (interval.low, interval.high)):
        p_value = stats.ttest_1samp(first - second - ratio * second, 0.0).pvalue
        assert p_value == pytest.approx(1 - confidence, abs=1e-4)


def test_the_relative_interval_is_of_a_share_of_the_size():
    made = paired_difference([-9.0, -9.1, -8.9], [-10.0, -10.1, -9.9], exact=True)
    assert made.relative_interval().estimate == pytest.approx(0.1)
    assert made.relative_interval().low > 0.0


def test_relative_to_something_that_may_be_0_the_interval_is_open():
    made = paired_difference([1.0, 2.0, 3.0, 2.0], [-1.0, 1.0, 0.5, -0.2])
    assert math.isinf(made.relative_interval().low)
    assert math.isinf(made.relative_interval().high)


def test_problem_6_the_difference_is_covered_and_pairing_gains(generate, truth, agrees):
    rng = np.random.default_rng(42)
    hits, ratios, shown = 0, [], 0
    for _ in range(100):
        totals = {size: ([], []) for size in (40, 41)}
        for _ in range(10):
            times = generate.poisson(rng, 10.0, 110.0)
            for size, (sums, counts) in totals.items():
                waits = generate.waits(times, *generate.flushes(times, {"size": size, "age": 5.0}, 110.0), 25.0)
                sums.append(waits.sum())
                counts.append(waits.size)
        made = paired_difference(ratio_values(*totals[41]), ratio_values(*totals[40]))
        hits += truth(6, "B-A.mean_wait") in made.interval()
        shown += made.p_value < 0.05
        ratios.append(made.variance_ratio)
    assert agrees(hits, 100, 0.95)
    # the reference: power 0.51 with 10 replications, a variance ratio of 2.5
    assert agrees(shown, 100, 0.51)
    assert 2.0 < np.median(ratios) < 3.5


@given(st.integers(0, 2**32), st.integers(2, 40))
def test_many_pairs_at_once_have_the_differences_of_each_by_itself(seed, n):
    rng = np.random.default_rng(seed)
    samples = {name: rng.normal(5.0, scale, n) for name, scale in [("a", 1.0), ("b", 1e-6), ("c", 1e6)]}
    samples |= {"a again": samples["a"].copy(), "a later": samples["a"] + 1.0, "a hair": samples["a"] * (1.0 + 1e-15)}
    pairs = [(first, second) for first in samples for second in samples if first != second]
    for made, (first, second) in zip(paired_differences(samples, pairs), pairs, strict=True):
        assert made == paired_difference(samples[first], samples[second], names=(first, second))
        gaps = [x - y for x, y in zip(samples[first].tolist(), samples[second].tolist(), strict=True)]
        if {first, second} <= {"b", "c"}:
            assert made.estimate == pytest.approx(statistics.fmean(gaps), rel=1e-9, abs=1e-9)
            assert made.variance == pytest.approx(statistics.variance(gaps), rel=1e-9)
            assert made.first_variance == pytest.approx(statistics.variance(samples[first].tolist()), rel=1e-6)
            assert made.second_mean == pytest.approx(statistics.fmean(samples[second].tolist()), rel=1e-9)


def test_pairs_at_once_need_the_same_replications():
    with pytest.raises(InvalidValueError, match=r"samples must have the same replications .* got {'a': 3, 'b': 2}"):
        paired_differences({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0]}, [("a", "b")])


def test_different_numbers_of_replications_are_an_error():
    with pytest.raises(InvalidValueError, match="today and new must have the same replications, got 3 and 2"):
        paired_difference([1.0, 2.0, 3.0], [1.0, 2.0], names=("today", "new"))


def test_relative_to_0_is_an_error():
    with pytest.raises(InvalidValueError, match="needs a mean of 'second' other than 0"):
        paired_difference([1.0, 2.0], [0.0, 0.0]).relative_interval()


def lost(values, *, most=1.0, factor=1.0, rest=0.0):
    """A value that is `rest`, and `factor` times a loss that few runs, or none, have seen."""
    losses = np.asarray(values, float)
    seen = int(np.count_nonzero(losses))
    total = rest + factor * losses
    if seen >= min(FEW, losses.size):
        return Sample(total)
    events = RareEvents(seen, losses.size, float(losses.mean()), most, "lose jobs")
    return Sample(total, rare={"loss": RareTerm(factor, events, factor * losses)})


def never(n, *, factor=1.0, rest=0.0):
    """The same where nothing can be lost."""
    events = RareEvents(0, n, 0.0, 0.0, "lose jobs", is_certain=True)
    return Sample(rest + np.zeros(n), rare={"loss": RareTerm(factor, events, np.zeros(n))})


def clopper_pearson(seen, runs, error):
    return stats.beta.ppf(1.0 - error, seen + 1, runs - seen)


def test_the_difference_of_two_rare_losses_reaches_as_far_as_either_may_go_alone():
    first, second = lost([0.0] * 10), lost([0.2, 0.1] + [0.0] * 8, most=0.5)
    gap = paired_difference(first, second)
    interval = gap.interval()
    ends = -0.5 * clopper_pearson(2, 10, 0.025), clopper_pearson(0, 10, 0.025)
    assert (interval.low, interval.high) == pytest.approx(ends)
    assert interval.estimate == pytest.approx(-0.03)
    assert (interval.method, gap.p_value, gap.is_identical) == ("exact bounds over runs", 1.0, False)
    assert interval.note == (
        "none seen in 10 runs; up to 31 % of runs may lose jobs; 370 runs would bound it at 1 %; "
        "seen in 2 of 10 runs only; up to 56 % of runs may lose jobs"
    )
    # negative control: by its spread it would be some sixth of that
    plain = paired_difference(first.values, second.values).interval()
    assert plain.high - plain.low < 0.2 * (interval.high - interval.low)


def test_where_one_cannot_lose_the_difference_is_what_the_other_may_lose():
    gap = paired_difference(lost([0.0] * 10), never(10))
    # one bound alone may fail
    assert (gap.interval().low, gap.interval().high) == pytest.approx((0.0, 1.0 - 0.05**0.1))
    assert judge([gap])[0].verdict == "not separable"
    assert paired_difference(never(10), never(10)).is_identical


def test_a_difference_of_costs_holds_the_losses_that_nobody_saw():
    rng = np.random.default_rng(1)
    first = lost([0.0] * 20, factor=5.0, most=3.0, rest=rng.normal(1.0, 0.1, 20))
    second = lost([0.0] * 20, factor=5.0, most=2.0, rest=rng.normal(3.0, 0.1, 20))
    gap = paired_difference(first, second)
    interval = gap.interval()
    # by hand: three statements hold together, the t interval of the rest and the bounds of either loss
    error = 0.05 / 3.0
    rest = first.values - second.values
    reach = stats.t.ppf(1.0 - error / 2.0, 19) * rest.std(ddof=1) / math.sqrt(20)
    share = 1.0 - error ** (1.0 / 20)
    assert interval.low == pytest.approx(rest.mean() - reach - 5.0 * 2.0 * share)
    assert interval.high == pytest.approx(rest.mean() + reach + 5.0 * 3.0 * share)
    assert interval.method == "paired t, and exact bounds over runs of rare events"
    assert judge([gap])[0].verdict == "not separable"
    # negative controls: a small price, and without the losses
    cheap = paired_difference(lost([0.0] * 20, rest=first.values), lost([0.0] * 20, rest=second.values))
    assert judge([cheap])[0].verdict == "better"
    assert judge([paired_difference(first.values, second.values)])[0].verdict == "better"
    assert math.isinf(gap.relative_interval().high)


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.floats(0.01, 3.0), st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_the_interval_excludes_0_just_where_the_p_value_is_below_its_error(seed, price, confidence):
    rng = np.random.default_rng(seed)
    losses = np.where(rng.random((2, 30)) < 0.05, rng.random((2, 30)), 0.0)
    rests = rng.normal([[1.0], [1.5]], 0.3, (2, 30))
    gap = paired_difference(*(lost(loss, factor=price, rest=rest) for loss, rest in zip(losses, rests, strict=True)))
    interval = gap.interval(confidence)
    assert (interval.low > 0.0 or interval.high < 0.0) == (gap.p_value <= 1.0 - confidence)
    shown = equivalence(gap, Margin(1.0), confidence=0.95)
    assert shown.holds == (shown.p_value <= 0.05)


def test_the_least_error_is_found():
    assert least_error(lambda alpha: alpha >= 3e-7) == pytest.approx(3e-7, rel=1e-9)
    assert least_error(lambda alpha: alpha >= 0.6) == 1.0
    assert least_error(lambda alpha: True) == 1e-15


def test_the_runs_that_would_show_a_difference_are_those_whose_bounds_are_close_enough():
    rest = 1.0 + 1e-6 * np.resize([-1.0, 1.0], 20)
    gap = paired_difference(lost([0.0] * 20, factor=4.0, rest=rest), lost([0.0] * 20, factor=4.0, rest=2.0 * rest))
    needed = gap.replications_to_separate()
    # by hand: 1 = 4·(1 − α^(1/n)), where α is a third of 5 %; to 1 %
    assert needed == pytest.approx(math.log(0.05 / 3.0) / math.log(0.75), rel=0.15)
    # of events that were seen: until 5 of the runs have seen one
    gap = paired_difference(lost([0.5, 0.4] + [0.0] * 18), lost([0.0] * 20))
    assert gap.replications_to_separate() >= 50
    assert gap.runs_to_bound() is None
    # of what nobody saw none would show it, but 300 bound it: ln 0.05 / ln 0.99
    gap = paired_difference(lost([0.0] * 20), lost([0.0] * 20))
    assert (gap.replications_to_separate(), gap.runs_to_bound()) == (None, 299)
    assert (
        judge([gap])[0]
        .sentence()
        .endswith("none of 20 replications was seen to lose jobs; 300 that do not would bound it at 1 % of runs")
    )


def test_a_cost_with_a_loss_that_nobody_saw_says_what_widens_its_interval_and_what_to_do():
    rest = 1.0 + 1e-6 * np.resize([-1.0, 1.0], 20)
    dear, cheap = lost([0.0] * 20, factor=4.0, rest=2.0 * rest), lost([0.0] * 20, factor=4.0, rest=rest)
    (made,) = judge([paired_difference(cheap, dear, names=("cheap", "dear"))])
    allowed = "the interval allows for others that do, each as much as it can"
    out = "about 15 replications may show it, or leave that out of what is compared, and bound it by a limit"
    few = judge([paired_difference(*(replaced(sample, 8) for sample in (cheap, dear)), names=("cheap", "dear"))])[0]
    assert made.verdict == "better"
    assert few.verdict == "not separable"
    assert few.sentence("$") == (
        f"cheap and dear are not separable: they differ by {few.interval} $; none of 8 replications was seen to lose "
        f"jobs; {allowed} (without that {few.difference.rest.interval()} $); {out}"
    )
    assert few.difference.rest == paired_difference(rest[:8], 2.0 * rest[:8], names=("cheap", "dear"))
    best = select_best({"cheap": replaced(cheap, 8), "dear": replaced(dear, 8)})
    assert best.way_out == out
    assert best.sentence().endswith(f"up to 31 % of runs may lose jobs; 300 runs would bound it at 1 %; {out}")
    # negative control: what is made of losses alone has no part that could be left out
    alone = select_best({"a": lost([0.0] * 8), "b": lost([0.0] * 8)})
    assert (alone.way_out, alone.rivals[0].difference.rest) == ("", None)


def replaced(sample, runs):
    """The first runs of a sample whose losses nobody saw, 4 each."""
    return lost([0.0] * runs, factor=4.0, rest=sample.values[:runs])


def two_that_may_lose(rng):
    """Of 6 runs, A loses everything in one of 20 (0.05 on average), B a tenth in two of five: 0.04, the best."""
    return {
        "A": np.where(rng.random(6) < 0.05, 1.0, 0.0),
        "B": np.where(rng.random(6) < 0.4, 0.1, 0.0),
    }


def test_the_best_by_a_loss_stays_in_the_tie_set_in_at_least_95_percent_of_studies():
    rng = np.random.default_rng(7)
    studies = [two_that_may_lose(rng) for _ in range(600)]
    kept = sum("B" in select_best({name: lost(row) for name, row in study.items()}).tie_set for study in studies)
    assert kept >= 0.95 * 600
    # negative control: by the spread of the runs it is left out in an eighth
    plain = sum("B" in select_best(study).tie_set for study in studies)
    assert plain < 0.9 * 600


def test_differences_of_costs_cover_their_truth_where_a_loss_is_seldom_seen():
    # A is cheaper by 1 but for a loss of 100 in 2 % of runs, which B cannot have: it costs 1 more
    rng = np.random.default_rng(8)
    covered, plain = 0, 0
    for _ in range(400):
        rest, losses = rng.normal([[1.0], [2.0]], 0.4, (2, 20)), np.where(rng.random(20) < 0.02, 1.0, 0.0)
        first, second = lost(losses, factor=100.0, rest=rest[0]), never(20, factor=100.0, rest=rest[1])
        covered += 1.0 in paired_difference(first, second).interval()
        plain += 1.0 in paired_difference(first.values, second.values).interval()
    assert covered >= 0.95 * 400
    assert plain < 0.5 * 400


def test_what_may_be_lost_unseen_makes_the_regret_as_large():
    made = select_best({"a": lost([0.0] * 10), "b": lost([0.1] + [0.0] * 9)})
    assert (made.chosen, made.tie_set) == ("a", ("a", "b"))
    # a may lose all in as many runs as 95 % of studies would show, one-sided, where b loses nothing
    assert made.regret == pytest.approx(clopper_pearson(0, 10, 0.05), rel=1e-9)
    assert made.sentence().endswith(f"; {made.open}")
    assert "up to 26 % of runs may lose jobs" in made.open
    # what is kept is the same the other way round
    gained = {"a": lost([0.0] * 10, factor=-1.0), "b": lost([0.1] + [0.0] * 9, factor=-1.0)}
    kept = select_best(gained, lower_is_better=False)
    assert (kept.chosen, kept.tie_set, kept.regret) == ("a", ("a", "b"), made.regret)


def test_where_as_many_runs_saw_nothing_more_would_bound_it_closer():
    gap = paired_difference(lost([0.0] * 299), lost([0.0] * 299))
    assert gap.runs_to_bound() is None
    assert (
        judge([gap])[0]
        .sentence()
        .endswith("none of 299 replications was seen to lose jobs; more would bound it closer")
    )
    assert paired_difference(lost([0.0] * 298), lost([0.0] * 298)).runs_to_bound() == 299


def test_rounding_is_no_part_of_a_difference_beside_its_rare_events():
    gap = paired_difference(lost([0.0] * 10, rest=0.1 + 0.2), lost([0.0] * 10, rest=0.3))
    assert (gap.rest, gap.interval().method) == (None, "exact bounds over runs")
    # seen losses are taken out of sums that were rounded with them
    seen = [0.1] + [0.0] * 9
    gap = paired_difference(lost(seen, rest=0.7), lost([0.0] * 10, rest=0.7))
    assert gap.rest is None


def test_one_side_of_a_difference_with_rare_events_has_half_its_p_value_and_the_other_none():
    rest = 1.0 + 0.1 * np.resize([-1.0, 1.0], 20)
    gap = paired_difference(lost([0.0] * 20, rest=2.0 + rest), lost([0.0] * 20, rest=rest))
    assert 0.0 < gap.p_value < 0.05
    assert (gap.tail(1.0), gap.tail(-1.0)) == (gap.p_value / 2.0, 1.0)


def test_a_front_does_not_part_what_lies_in_one_bin():
    rng = np.random.default_rng(9)
    wait, rate = rng.normal(3.0, 1e-5, 20), rng.normal(1.0, 0.01, 20)
    near = Sample(wait + 1e-3, 2e-3, 2e-3)
    made = pareto_front({"a": [Sample(wait, 2e-3, 2e-3), rate], "b": [near, rate]})
    assert [point.place for point in made] == ["on the front"] * 2
    # negative controls: the values alone, and those of another bin
    assert [point.place for point in pareto_front({"a": [wait, rate], "b": [wait + 1e-3, rate]})][1] == "dominated"
    far = Sample(wait + 1e-2, 2e-3, 2e-3)
    made = pareto_front({"a": [Sample(wait, 2e-3, 2e-3), rate], "b": [far, rate]})
    assert [point.place for point in made] == ["on the front", "dominated"]


def test_nothing_is_dominated_by_a_loss_that_few_runs_saw():
    rng = np.random.default_rng(10)
    cost = rng.normal(1.0, 0.01, 10)
    losses = np.array([0.02, 0.03, 0.02, 0.03] + [0.0] * 6)
    made = pareto_front({"a": [cost, lost([0.0] * 10)], "b": [cost + 1.0, lost(losses)]})
    assert [point.place for point in made] == ["on the front", "not separable"]
    # negative control: without that loss
    assert pareto_front({"a": [cost, cost], "b": [cost + 1.0, cost + 0.5]})[1].place == "dominated"


def test_many_pairs_at_once_have_the_rare_events_of_each():
    samples = {"a": lost([0.0] * 8), "b": never(8), "c": lost([0.5] * 8), "d": np.arange(8.0)}
    pairs = [(one, other) for one in samples for other in samples if one != other]
    for made, (one, other) in zip(paired_differences(samples, pairs), pairs, strict=True):
        assert made == paired_difference(samples[one], samples[other], names=(one, other))
        assert bool(made.rare) == ({one, other} == {"a", "b"})


def test_what_has_too_few_flushes_is_neither_different_nor_equivalent():
    other = Sample([5.0, 5.2, 5.1], few=too_few(0.99, 40))
    gap = paired_difference([1.0, 1.1, 0.9], other, names=("A", "B"))
    for interval in (gap.interval(), gap.relative_interval()):
        assert (interval.low, interval.high, interval.method) == (-math.inf, math.inf, "too few flushes")
        assert interval.note == "B has no upper bound at 95 % from 40 flushes (368 flushes needed)"
    assert gap.relative_interval().estimate == pytest.approx((1.0 - 5.1) / 5.1)
    assert (gap.p_value, gap.replications_to_separate()) == (1.0, None)
    assert not equivalence(gap, Margin(100.0)).holds
    # a few runs with the same difference are no proof, and have no bound either
    constant = paired_difference(Sample([1.0, 2.0], few=too_few(0.99, 2)), [2.0, 3.0], names=("A", "B"))
    assert (constant.interval().low, constant.interval().high) == (-math.inf, math.inf)
    # of several pairs only those are open that have such a scenario
    samples = {"A": [1.0, 1.1, 0.9], "B": other, "C": [2.0, 2.2, 2.1]}
    assert [bool(one.unbounded) for one in paired_differences(samples, [("A", "B"), ("A", "C")])] == [True, False]


def test_values_that_are_the_same_without_varying_may_differ_beyond_too_few_flushes():
    few = too_few(0.99, 40)
    atom = paired_difference(Sample([3.0] * 4, few=few), [3.0] * 4, names=("A", "B"))
    assert [one.verdict for one in judge([atom])] == ["not separable"]
    same = paired_difference(Sample([3.0, 3.1], few=few), [3.0, 3.1], names=("A", "B"))
    assert [one.verdict for one in judge([same])] == ["identical"]
