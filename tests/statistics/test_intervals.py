from __future__ import annotations

import math
import pickle
import re
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.statistics import Interval, mean_interval, ratio_interval, ratio_values
from bufsim.statistics.intervals import (
    critical_value,
    inner_probability,
    lower_tail,
    skewness_by_chance,
    statistic,
)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999999])
@pytest.mark.parametrize("n", [2, 10, 1000])
def test_the_critical_value_is_scipys_quantile(confidence, n):
    assert critical_value(confidence, n) == pytest.approx(stats.t.isf((1 - confidence) / 2, n - 1), rel=1e-9)


def test_the_lower_tail_takes_infinite_statistics():
    assert lower_tail(-math.inf, 5) == 0.0
    assert lower_tail(math.inf, 5) == 1.0
    assert lower_tail(-2.0, 5) == pytest.approx(stats.t.cdf(-2.0, 4))


def test_without_variance_the_statistic_keeps_the_sign():
    assert [statistic(x, 0.0, 5) for x in (-1.0, 0.0, 1.0)] == [-math.inf, 0.0, math.inf]
    assert statistic(1.0, 4.0, 16) == 2.0


def test_a_percentage_for_a_share_is_an_error_that_says_what_to_write():
    with pytest.raises(InvalidValueError, match=r"confidence must be > 0 and < 1, got 95; write 0\.95 for 95 %"):
        inner_probability("confidence", 95)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, math.nan, math.inf])
def test_a_share_outside_0_and_1_is_an_error(value):
    with pytest.raises(InvalidValueError, match="q must be"):
        inner_probability("q", value)


def test_a_share_that_is_no_number_is_an_error():
    with pytest.raises(InvalidTypeError, match="q must be a number"):
        inner_probability("q", "0.95")


def interval(estimate, low, high):
    return Interval(estimate, low, high, confidence=0.95, n=30, method="t")


@pytest.mark.parametrize(
    ("numbers", "printed"),
    [
        ((1.94321, 1.93568, 1.95074), "1.943 [1.936, 1.951]"),
        ((895.2, 893.1, 897.3), "895 [893, 897]"),
        ((4312.0, 4251.0, 4373.0), "4,310 [4,250, 4,370]"),
        ((0.01, -0.02, 0.04), "0.01 [-0.02, 0.04]"),
        ((8.66, 8.51, 8.81), "8.66 [8.51, 8.81]"),
        ((608.0, 590.0, math.inf), "608 [590, inf]"),
        ((608.0, -math.inf, math.inf), "608 [-inf, inf]"),
        ((-69.0457, -math.inf, math.inf), "-69 [-inf, inf]"),
        ((12345.678, -math.inf, math.inf), "12,346 [-inf, inf]"),
        ((30.0, 30.0, 30.0), "30 [30, 30]"),
        ((4312.0, 4312.0, 4312.0), "4,312 [4,312, 4,312]"),
        ((0.1, 0.1, 0.1), "0.1 [0.1, 0.1]"),
        ((0.0, 0.0, 0.0), "0 [0, 0]"),
        # more digits than the half-width asks for, so that the estimate says something
        ((0.003, -0.022, 0.028), "0.003 [-0.022, 0.028]"),
        ((-0.0004, -0.03, 0.03), "-0.0004 [-0.0300, 0.0300]"),
        ((0.00001, -0.03, 0.03), "0.000 [-0.030, 0.030]"),
        ((0.0, -0.03, 0.03), "0.00 [-0.03, 0.03]"),
        ((2e-9, 1e-9, 3e-9), "2e-09 [1e-09, 3e-09]"),
        ((3e15, 2e15, 4e15), "3e+15 [2e+15, 4e+15]"),
        # the bound of what was not seen, of which one digit would be too low
        ((0.0, 0.0, 63.16), "0 [0, 63]"),
        ((0.0, 0.0, 0.4507), "0.00 [0.00, 0.45]"),
    ],
)
def test_the_digits_printed_follow_the_interval(numbers, printed):
    assert str(interval(*numbers)) == printed
    assert f"{interval(*numbers)}" == printed


def test_an_end_beside_0_is_not_rounded_onto_it():
    assert str(interval(0.0078, 0.0004, 0.0152)) == "0.0078 [0.0004, 0.0152]"


def test_rounding_noise_prints_as_a_zero_width():
    assert str(interval(30.0, 30.0 - 1e-13, 30.0 + 1e-13)) == "30 [30, 30]"


def test_a_format_applies_to_all_three_numbers():
    assert f"{interval(0.18, 0.17, 0.19):.1%}" == "18.0% [17.0%, 19.0%]"


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_what_is_printed_lies_within_half_of_the_half_width_of_what_is_meant(estimate, reach):
    printed = str(interval(estimate, estimate - reach, estimate + reach))
    if reach > 1e-9 * abs(estimate):
        shown = [float(part.replace(",", "")) for part in printed.replace("[", "").replace("]", "").split(" ")[0:1]]
        assert abs(shown[0] - estimate) <= reach / 2


def test_an_interval_holds_its_ends_and_what_lies_between():
    held = interval(2.0, 1.0, 3.0)
    assert 1.0 in held
    assert 3.0 in held
    assert 3.0001 not in held
    assert held.half_width == 1.0
    assert 30.0 in interval(30.0, 30.0, 30.0)


def test_an_interval_is_a_value():
    made = interval(np.float64(2.0), np.float64(1.0), 3)
    assert (
        repr(made)
        == "Interval(estimate=2.0, low=1.0, high=3.0, confidence=0.95, n=30, method='t', note='', skewness=0.0)"
    )
    assert eval(repr(made)) == made == pickle.loads(pickle.dumps(made))
    assert hash(made) == hash(interval(2.0, 1.0, 3.0))
    with pytest.raises(FrozenInstanceError):
        made.low = 0.0


def test_an_estimate_outside_its_interval_is_an_error():
    with pytest.raises(InvalidValueError, match=r"estimate must lie between low and high, got 4\.0"):
        interval(4.0, 1.0, 3.0)
    with pytest.raises(InvalidValueError, match="estimate must lie between"):
        interval(2.0, math.nan, 3.0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_mean_interval_is_scipys(values, confidence):
    made = mean_interval(values, confidence=confidence)
    if np.ptp(values) == 0.0:
        assert made.low == made.estimate == made.high == values[0]
    elif not made.skewness:
        oracle = stats.ttest_1samp(values, 0.0).confidence_interval(confidence)
        scale = np.abs(values).max()
        assert made.low == pytest.approx(oracle.low, rel=1e-9, abs=1e-9 * scale)
        assert made.high == pytest.approx(oracle.high, rel=1e-9, abs=1e-9 * scale)


def test_equal_values_give_a_zero_width_at_that_very_value():
    made = mean_interval([0.1] * 30)
    assert (made.low, made.estimate, made.high) == (0.1, 0.1, 0.1)


def test_95_of_100_intervals_hold_the_mean(agrees):
    draws = np.random.default_rng(11).normal(3.0, 2.0, (500, 30))
    assert agrees(sum(3.0 in mean_interval(row) for row in draws), 500, 0.95)


def test_jobs_taken_as_independent_do_not_cover(generate, truth):
    # the negative control: one run, its jobs as if they were replications
    rng = np.random.default_rng(12)
    hits = 0
    for _ in range(100):
        times = generate.mmpp(rng, 600.0)
        starts, sizes = generate.flushes(times, {"size": 60, "age": 4.0}, 600.0)
        hits += truth(2, "mean_wait") in mean_interval(generate.waits(times, starts, sizes, 100.0))
    assert hits < 50


@pytest.mark.parametrize("values", [[], [1.0]])
def test_fewer_than_two_replications_are_an_error_with_a_way_out(values):
    with pytest.raises(InvalidValueError, match=f"at least 2 replications, got {len(values)}; run more"):
        mean_interval(values)


def test_a_missing_value_is_an_error_that_names_the_replication():
    with pytest.raises(
        InvalidValueError, match=r"values must be finite, got nan in replication 1 \(1 of 3\).*lengthen"
    ):
        mean_interval([1.0, math.nan, 2.0])


def test_a_table_of_values_is_an_error():
    with pytest.raises(InvalidValueError, match=r"one value per replication, got an array of shape \(2, 2\)"):
        mean_interval([[1.0, 2.0], [3.0, 4.0]])


def test_pseudo_values_by_hand():
    # without each: 50/20, 30/15, 40/15; with all: 60/25
    assert ratio_values([10.0, 30.0, 20.0], [5.0, 10.0, 10.0]) == pytest.approx(
        [3 * 2.4 - 2 * 2.5, 3 * 2.4 - 2 * 2.0, 3 * 2.4 - 2 * 40 / 15]
    )


@given(st.lists(st.floats(-100.0, 100.0), min_size=2, max_size=20), st.floats(0.1, 10.0))
def test_with_equal_denominators_it_is_the_plain_mean(numerators, denominator):
    made = ratio_interval(numerators, [denominator] * len(numerators))
    plain = mean_interval(np.array(numerators) / denominator)
    assert made.estimate == pytest.approx(plain.estimate, abs=1e-6)
    assert made.half_width == pytest.approx(plain.half_width, rel=1e-6, abs=1e-6)


def test_a_constant_ratio_has_no_width():
    assert ratio_interval([2.0, 4.0, 6.0], [1.0, 2.0, 3.0]).half_width == pytest.approx(0.0, abs=1e-12)


def size_or_age_totals(generate, rng, studies, *, n, cycles):
    """Sums of waits and counts of jobs of problem 1, in windows as long as a run; replications by rows."""
    starts, waits = generate.size_or_age_cycles(rng, 10.0, 40, 5.0, studies * n, cycles)
    held = (starts > 25.0) & (starts < 4.0 * cycles * 0.8)
    sums = np.where(held, np.nansum(waits, axis=2), 0.0).sum(axis=1).reshape(studies, n)
    jobs = np.where(held, np.isfinite(waits).sum(axis=2), 0).sum(axis=1).reshape(studies, n)
    return sums, jobs, held.sum(axis=1).reshape(studies, n)


def test_the_mean_wait_and_batch_size_of_problem_1_are_covered(generate, truth, agrees):
    sums, jobs, batches = size_or_age_totals(generate, np.random.default_rng(21), 500, n=10, cycles=60)
    waits = sum(truth(1, "mean_wait") in ratio_interval(*study) for study in zip(sums, jobs, strict=True))
    sizes = sum(truth(1, "mean_batch") in ratio_interval(*study) for study in zip(jobs, batches, strict=True))
    assert agrees(waits, 500, 0.95)
    # ten short runs of nearly constant batches are skewed: 0.93 when many are drawn
    assert agrees(sizes, 500, 0.93)


def test_under_bursts_the_jackknife_covers_and_the_mean_of_ratios_does_not(bursty_waits, truth, agrees):
    jackknife = plain = 0
    for kept in bursty_waits:
        sums, jobs = np.array([waits.sum() for waits in kept]), np.array([waits.size for waits in kept])
        jackknife += truth(2, "mean_wait") in ratio_interval(sums, jobs)
        plain += truth(2, "mean_wait") in mean_interval(sums / jobs)
    assert agrees(jackknife, len(bursty_waits), 0.95)
    assert plain < 0.88 * len(bursty_waits)


def test_a_replication_without_jobs_is_no_hindrance():
    assert np.isfinite(ratio_values([0.0, 3.0, 4.0], [0.0, 2.0, 2.0])).all()


@pytest.mark.parametrize(
    ("numerators", "denominators", "message"),
    [
        ([1.0, 2.0], [1.0, 2.0, 3.0], "denominators must be as many as numerators, got 3 and 2"),
        ([1.0, 2.0], [1.0, -2.0], "denominators must be >= 0, got -2.0"),
        ([1.0, 0.0], [1.0, 0.0], "denominators must be > 0 in at least 2 replications"),
        ([0.0, 0.0], [0.0, 0.0], "denominators must be > 0 in at least 2 replications"),
        ([1.0], [1.0], "numerators must come from at least 2 replications"),
    ],
)
def test_what_cannot_be_a_ratio_is_an_error(numerators, denominators, message):
    with pytest.raises(InvalidValueError, match=message):
        ratio_interval(numerators, denominators)


def test_an_interval_holds_what_a_limit_at_its_end_allows():
    off_by_rounding = Interval(*[3.0000000000000906] * 3, 0.95, 2, "t")
    assert 3.0 in off_by_rounding
    assert -3.0 in Interval(*[-3.0000000000000906] * 3, 0.95, 2, "t")
    # negative controls: a difference that is none of rounding, and 0, beside which nothing is small
    assert 3.0001 not in off_by_rounding
    assert 0.0 not in Interval(1e-12, 1e-12, 1e-12, 0.95, 2, "t")


# skewed replications


def test_the_interval_of_skewed_values_is_willinks():
    # by hand: mean 1, error 1, skewness sqrt(20), a = 1/6
    made = mean_interval([0.0] * 19 + [20.0])
    t = stats.t.ppf(0.975, 19)
    assert made.skewness == pytest.approx(math.sqrt(20.0))
    assert (made.low, made.high) == (
        pytest.approx(4.0 - 3.0 * np.cbrt(5 / 6 + t)),
        pytest.approx(4.0 - 3.0 * np.cbrt(5 / 6 - t)),
    )
    assert str(made) == "1.0 [-0.3, 7.2]"
    assert made.method == "t over replications, corrected for skewness"
    assert made.note.startswith("the replications are skewed (4.5)")
    # a limit must lie beyond twice the long reach, on that side alone
    assert made.far_ends == (made.low, pytest.approx(1.0 + 2.0 * (made.high - 1.0)))
    mirrored = mean_interval([0.0] * 19 + [-20.0])
    assert (mirrored.low, mirrored.high) == (pytest.approx(-made.high), pytest.approx(-made.low))
    assert mirrored.far_ends == (pytest.approx(-made.far_ends[1]), pytest.approx(-made.low))


def test_few_values_and_even_ones_keep_their_t_interval():
    for values in ([0.0, 0.0, 20.0], [0.0, 0.0, 0.0, 20.0], [1.9, 2.1, 2.0, 2.2, 1.8]):
        made = mean_interval(values)
        t = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        assert (made.low, made.high) == pytest.approx(t)
        assert (made.skewness, made.note, made.far_ends) == (0.0, "", (made.low, made.high))


def test_the_estimate_lies_within_at_any_confidence():
    for confidence in (0.01, 0.5, 0.999999):
        made = mean_interval([0.0] * 19 + [20.0], confidence=confidence)
        assert made.low <= made.estimate <= made.high


def test_the_threshold_of_skewness_is_what_chance_gives_one_in_twenty_normal_samples():
    rng = np.random.default_rng(67)
    for n in (10, 20, 30):
        skewness = stats.skew(rng.normal(size=(20_000, n)), axis=1, bias=False)
        assert np.mean(np.abs(skewness) >= skewness_by_chance(n)) < 0.055
        assert np.mean(np.abs(skewness) >= skewness_by_chance(n, errors=3.0)) < 0.01


def queue_waits(rng, studies, replications, jobs):
    """The mean waits of M/G/1 at load 0.6 by Lindley's equation; log-normal service with scv 16, warmed up."""
    scale = np.log(17.0)
    wait, total = np.zeros((2, studies * replications))
    for job in range(1000 + jobs):
        total += wait if job >= 1000 else 0.0
        service = rng.lognormal(-scale / 2.0, np.sqrt(scale), wait.size)
        wait = np.maximum(wait + service - rng.exponential(1.0 / 0.6, wait.size), 0.0)
    return (total / jobs).reshape(studies, replications)


def test_a_queue_whose_service_varies_much_is_covered_and_passed_falsely_less_often():
    truth = 0.6 * 17.0 / (2.0 * 0.4)  # Pollaczek and Khinchine
    studies, n = 400, 20
    samples = queue_waits(np.random.default_rng(68), studies, n, 300)
    made = [mean_interval(sample) for sample in samples]
    reach = stats.t.ppf(0.975, n - 1) * samples.std(axis=1, ddof=1) / math.sqrt(n)
    by_t = np.abs(samples.mean(axis=1) - truth) <= reach
    covered = np.array([truth in interval for interval in made])
    passed, passed_by_t = (
        np.mean(np.array(ends) < truth) for ends in ([i.far_ends[1] for i in made], samples.mean(axis=1) + reach)
    )
    error = math.sqrt(0.1 / studies)  # of a share near 0.9 or 0.1; measured: 0.875, and 0.728 by t
    assert covered.mean() > 0.86 - 3 * error
    # measured: 0.07, and 0.27 by t, where 0.025 is right
    assert passed < 0.08 + 3 * error
    # negative control: t alone
    assert by_t.mean() < 0.76 + 3 * error
    assert passed_by_t > 0.22 - 3 * error
    # nearly every miss is too low, and the power that is left: half of the studies pass a limit of four times the truth
    assert np.mean([made[index].high < truth for index in np.flatnonzero(~covered)]) > 0.9
    assert np.mean([interval.far_ends[1] <= 4.0 * truth for interval in made]) > 0.3


@pytest.mark.parametrize(("draw", "truth", "least"), [("normal", 0.0, 0.94), ("exponential", 1.0, 0.93)])
def test_values_that_are_not_very_skewed_lose_nothing_by_it(draw, truth, least):
    samples = getattr(np.random.default_rng(69), draw)(size=(4000, 20))
    covered = np.mean([truth in mean_interval(sample) for sample in samples])
    assert least - 3 * math.sqrt(0.05 / 4000) <= covered <= 0.97


@pytest.mark.parametrize(
    ("confidence", "rest"), [(95.0, "; write 0.95 for 95 %"), (1.0, ""), (100.0, ""), (0.0, ""), (-3.0, "")]
)
def test_a_confidence_in_percent_is_told_how_to_write_it_and_no_other_is(confidence: float, rest: str) -> None:
    message = re.escape(f"confidence must be > 0 and < 1, got {confidence!r}{rest}")
    with pytest.raises(InvalidValueError, match=f"^{message}$"):
        inner_probability("confidence", confidence)
