from __future__ import annotations

import gc

import numpy as np
import pytest
from bufsim_tests.comparing import compare
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from bufsim.errors import InvalidValueError
from bufsim.statistics import Margin, Sample, judge, paired_difference
from bufsim.statistics.comparisons import equivalence
from bufsim.statistics.families import holm


def test_a_margin_is_absolute_or_a_share_of_the_size_beside_it():
    assert Margin(0.05).at(-10.0) == 0.05
    assert Margin(0.05, relative=True).at(-10.0) == 0.5


def test_a_margin_prints_in_its_unit():
    assert str(Margin(2)) == "2"
    assert str(Margin(0.125, relative=True)) == "12.5 %"


def test_a_margin_of_0_is_an_error():
    with pytest.raises(InvalidValueError, match="size must be > 0, got 0"):
        Margin(0)


small_pairs = st.lists(st.tuples(st.floats(-10.0, 10.0), st.floats(-10.0, 10.0)), min_size=3, max_size=30)


@given(small_pairs, st.floats(0.1, 20.0))
def test_the_p_value_is_that_of_statsmodels(values, size):
    first, second = np.array(values).T
    made = paired_difference(first, second)
    if made.variance > 1e-6:
        oracle = ttost_paired(first, second, -size, size)[0]
        assert equivalence(made, Margin(size)).p_value == pytest.approx(oracle, rel=1e-6, abs=1e-12)


@given(small_pairs, st.floats(0.001, 0.5), st.booleans())
def test_the_interval_lies_within_the_margin_exactly_when_both_tests_reject(values, size, relative):
    first, second = np.array(values).T
    made = equivalence(paired_difference(first, second + 50.0), Margin(size, relative=relative))
    if abs(made.p_value - 0.05) > 1e-6:
        assert made.holds == (made.p_value < 0.05)


@given(small_pairs, st.floats(0.01, 0.5))
def test_a_relative_margin_tests_the_difference_less_that_share(values, size):
    first, second = np.array(values).T
    second = second + 50.0
    made = paired_difference(first, second)
    below = paired_difference(first, (1.0 + size) * second)
    above = paired_difference(first, (1.0 - size) * second)
    if min(below.variance, above.variance) > 1e-6:
        tails = [
            below.p_value / 2 if below.estimate < 0 else 1 - below.p_value / 2,
            above.p_value / 2 if above.estimate > 0 else 1 - above.p_value / 2,
        ]
        assert equivalence(made, Margin(size, relative=True)).p_value == pytest.approx(max(tails), rel=1e-5, abs=1e-9)


def test_at_a_true_difference_as_large_as_the_margin_it_errs_at_its_level(agrees):
    draws = np.random.default_rng(51).normal(0.2, 1.0, (1000, 60))
    wrong = sum(equivalence(paired_difference(row, np.zeros(60)), Margin(0.2)).holds for row in draws)
    # 60 replications cannot show so narrow an equivalence: the two tests err less than 5 % together
    assert wrong <= 50
    far = sum(equivalence(paired_difference(row, np.zeros(60)), Margin(0.2)).holds for row in draws * 0.2 + 0.16)
    assert agrees(far, 1000, 0.05)


def test_identical_values_are_equivalent_within_any_margin():
    made = equivalence(paired_difference([1.0, 2.0], [1.0, 2.0]), Margin(1e-9))
    assert made.holds
    assert made.p_value == 0.0


def test_the_interval_is_at_twice_the_error():
    made = equivalence(paired_difference([1.0, 2.0, 3.0], [1.0, 2.1, 3.3]), Margin(1.0))
    assert made.interval.confidence == pytest.approx(0.9)


def test_a_confidence_that_leaves_no_interval_is_an_error():
    with pytest.raises(InvalidValueError, match="confidence must be > 0 and < 1"):
        equivalence(paired_difference([1.0, 2.0, 3.0], [1.0, 2.1, 3.3]), Margin(1.0), confidence=0.5)


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


def test_the_adjustment_is_that_of_statsmodels_to_the_last_bit(monkeypatch):
    # it collects garbage at each call, which takes seconds in a process that holds much
    monkeypatch.setattr(gc, "collect", lambda: 0)
    rng = np.random.default_rng(63)
    for count in (1, 2, 3, 8, 40):
        for _ in range(10):
            # ties, zeros and ones among them
            raw = np.round(rng.random(count) ** 3, int(rng.integers(1, 6)))
            assert holm(raw).p_values == tuple(multipletests(raw, method="holm")[1])


NOISE = np.random.default_rng(71).normal(0.0, 1.0, (4, 30))
SAMPLES = {
    "low": 10 + NOISE[0],
    "close": 10.05 + NOISE[0] + 0.2 * NOISE[1],
    "high": 15 + NOISE[2],
    "twin": 10 + NOISE[0],
}


def verdict(first, second, **options):
    [made] = compare({"a": first, "b": second}, **options)
    return made


def test_a_lower_value_is_better_unless_told_otherwise():
    assert verdict(SAMPLES["low"], SAMPLES["high"]).verdict == "better"
    assert verdict(SAMPLES["high"], SAMPLES["low"]).verdict == "worse"
    assert verdict(SAMPLES["high"], SAMPLES["low"], lower_is_better=False).verdict == "better"


def test_a_difference_in_the_noise_is_not_separable():
    assert verdict(SAMPLES["low"], SAMPLES["close"]).verdict == "not separable"


def test_equal_values_are_identical_even_within_a_margin():
    assert verdict(SAMPLES["low"], SAMPLES["twin"]).verdict == "identical"
    assert verdict(SAMPLES["low"], SAMPLES["twin"], margins=Margin(1.0)).verdict == "identical"


def test_what_does_not_matter_is_equivalent_though_it_be_shown():
    shifted = SAMPLES["low"] + 0.01 + 1e-4 * NOISE[1]
    assert verdict(SAMPLES["low"], shifted).verdict == "better"
    assert verdict(SAMPLES["low"], shifted, margins=Margin(0.5)).verdict == "equivalent"
    assert verdict(SAMPLES["low"], shifted, margins=Margin(0.01, relative=True)).verdict == "equivalent"
    assert verdict(SAMPLES["low"], shifted, margins=Margin(0.001)).verdict == "better"


@given(st.integers(0, 2**32), st.integers(2, 6), st.sampled_from([None, Margin(0.6), Margin(0.4, relative=True)]))
def test_the_printed_interval_agrees_with_the_verdict(seed, count, margin):
    draws = np.random.default_rng(seed).normal(size=(count, 12))
    samples = {str(i): 2 + 0.4 * i + row for i, row in enumerate(draws)}
    for made in compare(samples, margins=margin):
        if made.verdict in ("better", "worse"):
            assert 0.0 not in made.interval
        if made.verdict == "not separable":
            assert 0.0 in made.interval
            assert made.equivalence is None or not made.equivalence.holds
        if made.verdict == "equivalent":
            assert abs(made.equivalence.interval.low) < margin.size
            assert abs(made.equivalence.interval.high) < margin.size


@given(st.integers(0, 2**32), st.permutations(range(5)))
def test_the_verdicts_do_not_depend_on_the_order_of_listing(seed, order):
    draws = np.random.default_rng(seed).normal(size=(5, 10)) + 0.7 * np.arange(5)[:, None]
    opposite = {"better": "worse", "worse": "better"}

    def verdicts(names):
        made = {}
        for comparison in compare({str(i): draws[i] for i in names}):
            made[comparison.first, comparison.second] = comparison.verdict
            made[comparison.second, comparison.first] = opposite.get(comparison.verdict, comparison.verdict)
        return made

    assert verdicts(order) == verdicts(range(5))


def test_a_family_over_metrics_has_a_margin_and_a_direction_each():
    gaps = [
        paired_difference(SAMPLES["low"], SAMPLES["high"], names=("wait", "wait")),
        paired_difference(SAMPLES["high"], SAMPLES["low"], names=("saved", "saved")),
        paired_difference(SAMPLES["low"], SAMPLES["close"], names=("size", "size")),
    ]
    made = judge(gaps, margins=[None, None, Margin(5.0)], lower_is_better=[True, False, True])
    assert [one.verdict for one in made] == ["better", "better", "equivalent"]
    assert made[0].interval.method == "paired t, Holm over 3 comparisons"
    assert made[2].equivalence.interval.method == "two one-sided tests"
    assert made[0].interval.confidence == 0.95


def test_the_adjusted_interval_is_the_wider_one():
    alone = verdict(SAMPLES["low"], SAMPLES["high"]).interval
    among = compare(SAMPLES, [(name, "high") for name in ("low", "close", "twin")])[0].interval
    assert among.half_width > alone.half_width


def test_problem_5_six_equal_policies(generate, problems, agrees):
    rng, policies, named, equivalent = np.random.default_rng(72), problems[5]["policies"], 0, []
    for _ in range(12):
        sums = {name: [] for name in policies}
        for _ in range(30):
            times = generate.poisson(rng, 8.0, 2025.0)
            for name, policy in policies.items():
                starts, sizes = generate.flushes(times, policy, 2025.0)
                sums[name].append(generate.waits(times, starts, sizes, 25.0).mean())
        named += any(one.verdict in ("better", "worse") for one in compare(sums))
        made = compare(sums, margins=Margin(0.05, relative=True))
        equivalent.append(np.mean([one.verdict == "equivalent" for one in made]))
    # 12 studies at 0.05: at most 4 in 99.98 % of the cases
    assert named <= 4
    assert np.mean(equivalent) >= 0.95


def test_the_sentences_say_what_was_found():
    assert verdict(SAMPLES["low"], SAMPLES["high"]).sentence("s") == "a is better than b by -4.9 [-5.3, -4.5] s"
    assert verdict(SAMPLES["low"], SAMPLES["twin"]).sentence() == (
        "a and b are identical: each of 30 replications gives both the same value"
    )
    assert verdict(SAMPLES["low"], SAMPLES["close"]).sentence("s") == (
        "a and b are not separable: they differ by -0.03 [-0.09, 0.03] s; "
        "with this noise about 240 replications would show a difference of -0.03 s"
    )
    assert verdict(SAMPLES["low"], SAMPLES["close"], margins=Margin(0.2)).sentence("s") == (
        "a and b are equivalent within 0.2 s: difference -0.03 [-0.09, 0.03] s, 90 % interval inside ±0.2 s"
    )


def test_the_number_needed_counts_the_family():
    alone, among = (
        verdict(SAMPLES["low"], SAMPLES["close"]),
        compare(SAMPLES, [("low", "close"), ("low", "high")]),
    )
    assert among[0].replications_needed() > alone.replications_needed()
    assert alone.replications_needed(power=0.95) > alone.replications_needed()


def test_a_small_difference_is_told_with_the_digits_that_show_it():
    values = NOISE[0] - NOISE[0].mean()
    said = verdict(values + 0.004, np.zeros(30)).sentence("s")
    assert "they differ by 0.004 [-0.261, 0.269] s; " in said
    assert said.endswith("replications would show a difference of 0.004 s")


def test_a_tiny_difference_would_need_more_than_a_million():
    values = NOISE[0] - NOISE[0].mean()
    said = verdict(values + 1e-5, np.zeros(30)).sentence()
    assert said.endswith("more than a million replications would be needed to show a difference of 1e-05")


def test_no_number_shows_what_is_not_there():
    said = verdict([1.0, -1.0], [0.0, 0.0]).sentence()
    assert said.endswith("no number of replications would show a difference of 0")


def test_margins_and_directions_must_be_as_many_as_the_differences():
    gaps = [paired_difference([1.0, 2.0], [2.0, 4.0])]
    with pytest.raises(InvalidValueError, match="margins must be one for all, or one for each of 1 differences, got 2"):
        judge(gaps, margins=[None, None])
    with pytest.raises(InvalidValueError, match="lower_is_better must be one for all"):
        judge(gaps, lower_is_better=[])


def in_bins(gap, spread=0.0, below=0.002, above=0.002, n=10):
    """A difference of quantiles of which each is known to lie within 2 ms."""
    noise = spread * np.resize([-1.0, 1.0], n)
    return paired_difference(Sample(3.0 + gap + noise, below, above), Sample(np.full(n, 3.0), below, above))


def test_what_lies_within_one_bin_is_identical_as_far_as_it_is_known():
    [verdict] = judge([in_bins(0.003, spread=0.0005)])
    assert verdict.verdict == "identical"
    assert verdict.p_value == 1.0
    sentence = verdict.sentence("s")
    assert sentence == "first and second are identical as far as histograms tell: they differ by less than 0.007 s"
    assert verdict.replications_needed() is None


def test_beyond_the_bins_the_interval_allows_for_them():
    # by hand: t of 9 degrees of freedom is 2.262; the values are 0.0095 and 0.0105 by turns
    gap = in_bins(0.01, spread=0.0005)
    reach = 2.2622 * np.std([0.0095, 0.0105] * 5, ddof=1) / np.sqrt(10)
    interval = gap.interval()
    assert (interval.low, interval.high) == pytest.approx((0.01 - 0.004 - reach, 0.01 + 0.004 + reach), rel=1e-4)
    [verdict] = judge([gap])
    assert verdict.verdict == "worse"
    # negative control: with bins twice as wide it is not shown
    [verdict] = judge([in_bins(0.01, spread=0.0005, below=0.006, above=0.006)])
    assert verdict.verdict == "identical"
    relative = gap.relative_interval()
    assert relative.low * 3.0 == pytest.approx(0.01 - 0.004 - reach, rel=1e-3)


def test_where_there_is_more_noise_than_a_bin_is_wide_nothing_is_called_identical():
    [verdict] = judge([in_bins(0.003, spread=0.03)])
    assert verdict.verdict == "not separable"
    assert verdict.sentence("s").endswith("they lie in one bin of their histograms, in which values are not told apart")


def test_a_margin_must_hold_wherever_in_their_bins_the_values_lie():
    assert equivalence(in_bins(0.003, spread=0.0005), Margin(0.01)).holds
    assert not equivalence(in_bins(0.003, spread=0.0005), Margin(0.006)).holds
    # negative control: the mean difference alone would hold it
    assert equivalence(in_bins(0.003, spread=0.0005, below=0.0, above=0.0), Margin(0.006)).holds
    assert equivalence(in_bins(0.003, spread=0.0005), Margin(0.006)).p_value > 0.5


def test_rounding_is_no_difference():
    assert in_bins(1e-10, below=1e-10, above=1e-10).is_identical
    assert in_bins(1e-10, below=0.0, above=0.0).is_identical
    assert not in_bins(1e-7, below=0.0, above=0.0).is_identical
