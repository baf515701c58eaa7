from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim.errors import InvalidValueError
from bufsim.statistics import Margin, compare, judge, paired_difference

pytestmark = pytest.mark.usefixtures("no_collection")

NOISE = np.random.default_rng(71).normal(0.0, 1.0, (4, 30))
SAMPLES = {
    "low": 10 + NOISE[0],
    "close": 10.05 + NOISE[0] + 0.2 * NOISE[1],
    "high": 15 + NOISE[2],
    "twin": 10 + NOISE[0],
}


def verdict(first, second, **options):
    [made] = compare({"a": first, "b": second}, pairs=[("a", "b")], **options)
    return made


def test_a_lower_value_is_better_unless_told_otherwise():
    assert verdict(SAMPLES["low"], SAMPLES["high"]).verdict == "better"
    assert verdict(SAMPLES["high"], SAMPLES["low"]).verdict == "worse"
    assert verdict(SAMPLES["high"], SAMPLES["low"], lower_is_better=False).verdict == "better"


def test_a_difference_in_the_noise_is_not_separable():
    assert verdict(SAMPLES["low"], SAMPLES["close"]).verdict == "not separable"


def test_equal_values_are_identical_even_within_a_margin():
    assert verdict(SAMPLES["low"], SAMPLES["twin"]).verdict == "identical"
    assert verdict(SAMPLES["low"], SAMPLES["twin"], margin=Margin(1.0)).verdict == "identical"


def test_what_does_not_matter_is_equivalent_though_it_be_shown():
    shifted = SAMPLES["low"] + 0.01 + 1e-4 * NOISE[1]
    assert verdict(SAMPLES["low"], shifted).verdict == "better"
    assert verdict(SAMPLES["low"], shifted, margin=Margin(0.5)).verdict == "equivalent"
    assert verdict(SAMPLES["low"], shifted, margin=Margin(0.01, relative=True)).verdict == "equivalent"
    assert verdict(SAMPLES["low"], shifted, margin=Margin(0.001)).verdict == "better"


@given(st.integers(0, 2**32), st.integers(2, 6), st.sampled_from([None, Margin(0.6), Margin(0.4, relative=True)]))
def test_the_printed_interval_agrees_with_the_verdict(seed, count, margin):
    draws = np.random.default_rng(seed).normal(size=(count, 12))
    samples = {str(i): 2 + 0.4 * i + row for i, row in enumerate(draws)}
    for made in compare(samples, margin=margin):
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
    among = compare(SAMPLES, baseline="high")[0].interval
    assert among.half_width > alone.half_width


def test_a_baseline_is_compared_with_every_other():
    made = compare(SAMPLES, baseline="high")
    assert [(one.first, one.second) for one in made] == [("low", "high"), ("close", "high"), ("twin", "high")]
    assert all(one.family == 3 for one in made)


def test_problem_5_six_equal_policies(generate, problems, agrees):
    rng, policies, named, equivalent = np.random.default_rng(72), problems[5]["policies"], 0, []
    for _ in range(20):
        sums = {name: [] for name in policies}
        for _ in range(30):
            times = generate.poisson(rng, 8.0, 2025.0)
            for name, policy in policies.items():
                starts, sizes = generate.flushes(times, policy, 2025.0)
                sums[name].append(generate.waits(times, starts, sizes, 25.0).mean())
        named += any(one.verdict in ("better", "worse") for one in compare(sums))
        made = compare(sums, margin=Margin(0.05, relative=True))
        equivalent.append(np.mean([one.verdict == "equivalent" for one in made]))
    # 20 studies at 0.05: at most 5 in 99.97 % of the cases
    assert named <= 5
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
    assert verdict(SAMPLES["low"], SAMPLES["close"], margin=Margin(0.2)).sentence("s") == (
        "a and b are equivalent within 0.2 s: difference -0.03 [-0.09, 0.03] s, 90 % interval inside ±0.2 s"
    )


def test_the_number_needed_counts_the_family():
    alone, among = (
        verdict(SAMPLES["low"], SAMPLES["close"]),
        compare(SAMPLES, pairs=[("low", "close"), ("low", "high")]),
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baseline": "hihg"}, "samples has no scenario 'hihg'; did you mean 'high'"),
        ({"pairs": [("low", "hihg")]}, "samples has no scenario 'hihg'"),
        ({"pairs": [("low", "high")], "baseline": "low"}, "give either baseline or pairs, not both"),
    ],
)
def test_what_cannot_be_compared_is_an_error(options, message):
    with pytest.raises(InvalidValueError, match=message):
        compare(SAMPLES, **options)


def test_one_scenario_is_nothing_to_compare():
    with pytest.raises(InvalidValueError, match="at least 2 scenarios, got 1"):
        compare({"only": [1.0, 2.0]})


def test_margins_and_directions_must_be_as_many_as_the_differences():
    gaps = [paired_difference([1.0, 2.0], [2.0, 4.0])]
    with pytest.raises(InvalidValueError, match="margins must be one for all, or one for each of 1 differences, got 2"):
        judge(gaps, margins=[None, None])
    with pytest.raises(InvalidValueError, match="lower_is_better must be one for all"):
        judge(gaps, lower_is_better=[])
