from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bufsim.errors import InvalidValueError
from bufsim.statistics import Margin, Sample, SequentialPlan, mean_interval, pareto_front, select_best


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
        ({"a": [[1, 2]] * 2, "b": [[1, 2]] * 2}, {"lower_is_better": [True]}, "one for each of 2 objectives, got 1"),
    ],
)
def test_what_has_no_front_is_an_error(samples, options, message):
    with pytest.raises(InvalidValueError, match=message):
        pareto_front(samples, **options)


def costs(generate, problem, rng, replications):
    """Cost per second of each policy of problem 7 or 8 under common random numbers."""
    start, end = problem["warm_up"], problem["until"]
    price = problem["cost"]
    made = {name: [] for name in problem["policies"]}
    for _ in range(replications):
        times = generate.poisson(rng, problem["arrivals"]["rate"], end)
        for name, policy in problem["policies"].items():
            starts, sizes = generate.flushes(times, policy, end)
            level = generate.mean_level(times, starts, sizes, start, end)
            rate = (starts > start).sum() / (end - start)
            made[name].append(price["per_flush"] * rate + price["per_job_second"] * level)
    return {name: np.array(row) for name, row in made.items()}


@pytest.mark.parametrize("number", [7, 8])
def test_problems_7_and_8_the_tie_set_holds_every_best_policy_and_few_more(generate, problems, number):
    problem, rng = problems[number], np.random.default_rng(140 + number)
    holds = right = wrong = 0
    sizes, stops = [], []
    for _ in range(40):
        samples = costs(generate, problem, rng, 40)
        made = select_best({name: row[:30] for name, row in samples.items()})
        holds += set(problem["best"]) <= set(made.tie_set)
        right += made.chosen in problem["within_1pct"]
        wrong += made.winner is not None and [made.winner] != problem["best"]
        sizes.append(len(made.tie_set))
        for look in SequentialPlan(most=40).looks():
            seen = {name: row[: look.replications] for name, row in samples.items()}
            made = select_best(seen, confidence=look.confidence)
            if made.is_settled(Margin(0.01, relative=True)):
                break
        stops.append(look.replications)
    reference = problem["reference"]
    assert holds >= 0.93 * 40
    assert right == 40
    assert wrong <= 1
    assert np.mean(sizes) <= 1.5 * reference["mean_subset_size"]
    assert np.mean(stops) <= 3 * reference["replications_for_95pct_against_next_crn"] + 10


def test_six_equal_scenarios_all_stay_in_at_least_95_percent_of_studies():
    draws = np.random.default_rng(143).normal(size=(400, 6, 30))
    named = sum(len(select_best(dict(zip("abcdef", study, strict=True))).tie_set) < 6 for study in draws)
    assert named <= 400 * 0.05 + 4 * np.sqrt(400 * 0.05 * 0.95)


def test_without_adjustment_a_tie_set_would_lose_equal_scenarios():
    # the negative control of the test above
    draws = np.random.default_rng(143).normal(size=(100, 6, 30))
    lost = 0
    for study in draws:
        best = study[np.argmin(study.mean(axis=1))]
        lost += any(stats.ttest_rel(row, best).pvalue < 0.05 for row in study if row is not best)
    assert lost > 20


@pytest.mark.parametrize("behind", [1, 7])
def test_a_wrong_scenario_beyond_the_indifference_is_called_settled_in_at_most_5_percent(behind):
    # one or all rivals just beyond the indifference, the rest far: for several ratios of it to the noise
    rng = np.random.default_rng(144)
    for noise in (0.9, 1.3, 2.0):
        means = np.array([10.0] + [11.0] * behind + [60.0] * (7 - behind))
        draws = rng.normal(size=(300, 8, 10)) * noise + means[:, None]
        wrong = 0
        for study in draws:
            made = select_best({str(i): row for i, row in enumerate(study)})
            wrong += made.is_settled(Margin(0.999)) and made.chosen != "0"
        assert wrong <= 300 * 0.05 + 4 * np.sqrt(300 * 0.05 * 0.95)


def test_the_regret_bound_holds(agrees):
    draws = np.random.default_rng(145).normal(size=(500, 4, 20)) + np.array([0.0, 0.1, 0.2, 0.3])[:, None]
    failures = 0
    for study in draws:
        made = select_best(dict(zip(["0.0", "0.1", "0.2", "0.3"], study, strict=True)))
        failures += float(made.chosen) > made.regret
    assert failures <= 500 * 0.05 + 4 * np.sqrt(500 * 0.05 * 0.95)


def test_an_exact_tie_ends_in_both_names():
    row = np.random.default_rng(146).normal(10.0, 1.0, 30)
    made = select_best({"twin": row, "copy": row.copy(), "worse": row + 1.0})
    assert made.tie_set == ("copy", "twin")
    assert made.winner is None
    assert [rival.verdict for rival in made.rivals] == ["identical", "worse"]
    assert made.regret == 0.0


def test_both_of_a_pair_of_twins_leave_together():
    row = np.random.default_rng(147).normal(10.0, 1.0, 30)
    assert select_best({"a": row + 1.0, "b": row + 1.0, "c": row}).winner == "c"


@given(st.integers(0, 2**32), st.permutations(range(6)), st.booleans())
def test_the_order_of_listing_does_not_matter(seed, order, lower_is_better):
    draws = np.round(np.random.default_rng(seed).normal(size=(6, 8)) + np.arange(6)[:, None] // 2, 1)
    there = select_best({str(i): draws[i] for i in range(6)}, lower_is_better=lower_is_better)
    assert select_best({str(i): draws[i] for i in order}, lower_is_better=lower_is_better) == there


@given(st.integers(0, 2**32), st.integers(1, 7))
def test_the_printed_intervals_agree_with_the_tie_set(seed, count):
    draws = np.random.default_rng(seed).normal(size=(count, 10)) + np.arange(count)[:, None]
    made = select_best({str(i): row for i, row in enumerate(draws)})
    for rival in made.rivals:
        assert (0.0 in rival.interval) == (rival.first in made.tie_set)
        assert (rival.p_value > 0.05) == (rival.first in made.tie_set)
        assert rival.second == made.chosen
    assert made.winner == (made.chosen if len(made.tie_set) == 1 else None)


def test_where_high_values_are_good_the_same_is_chosen_with_signs_changed():
    draws = np.random.default_rng(148).normal(size=(4, 20)) + np.arange(4)[:, None]
    low = select_best({str(i): row for i, row in enumerate(draws)})
    high = select_best({str(i): -row for i, row in enumerate(draws)}, lower_is_better=False)
    assert low.tie_set == high.tie_set
    assert low.regret == pytest.approx(high.regret)
    assert high.rivals[0].difference.estimate == pytest.approx(-low.rivals[0].difference.estimate)


def test_the_levels_of_the_elimination_are_those_of_all_pairs_of_what_is_left():
    # five rivals of "0", whose p-values are written down: mean = t·sd/√n, where the noise has the mean 0 and the sd 1.
    # six left: 0.05/15 = 0.0033, "1" leaves; five: 0.05/10 = 0.005, "2" leaves; four: 0.05/6 = 0.0083, "3" and "4"
    # leave; two: 0.05 over the five comparisons that are printed = 0.01, "5" stays
    n, p_values = 10, [0.002, 0.004, 0.006, 0.008, 0.02]
    noise = np.random.default_rng(150).normal(size=(6, n))
    noise = (noise - noise.mean(axis=1, keepdims=True)) / noise.std(axis=1, ddof=1, keepdims=True)
    means = [stats.t.isf(p / 2.0, n - 1) / np.sqrt(n) for p in p_values]
    samples = {"0": noise[0]} | {str(i + 1): noise[0] + noise[i + 1] + mean for i, mean in enumerate(means)}
    made = select_best(samples)
    assert made.tie_set == ("0", "5")
    levels = dict(zip("12345", [0.05 / 15, 0.05 / 10, 0.05 / 6, 0.05 / 6, 0.05 / 5], strict=True))
    for rival in made.rivals:
        half = stats.t.isf(levels[rival.first] / 2.0, n - 1) / np.sqrt(n)
        mean = means[int(rival.first) - 1]
        assert (rival.interval.low, rival.interval.high) == pytest.approx((mean - half, mean + half))
        assert rival.p_value == pytest.approx(p_values[int(rival.first) - 1] * 0.05 / levels[rival.first])


def test_one_scenario_is_its_own_winner():
    made = select_best({"only": [1.0, 2.0, 3.0]})
    assert (made.winner, made.rivals, made.regret) == ("only", (), 0.0)
    assert made.is_settled(Margin(0.01))


def test_the_number_needed_to_separate_a_rival_counts_the_selection():
    rng = np.random.default_rng(149)
    draws = {str(i): rng.normal(0.1 * i, 1.0, 30) for i in range(4)}
    made = select_best(draws)
    alone = made.rivals[0].difference.replications_to_separate()
    assert made.rivals[0].replications_needed() > alone


def test_nothing_to_select_from_is_an_error():
    with pytest.raises(InvalidValueError, match="samples must hold at least one scenario"):
        select_best({})


def test_unequal_replications_are_an_error():
    with pytest.raises(InvalidValueError, match="must have the same replications"):
        select_best({"a": [1.0, 2.0], "b": [1.0, 2.0, 3.0]})


def test_a_selection_is_told_in_a_sentence():
    low, near, high = [1.0, 1.2, 0.9, 1.1], [1.1, 1.0, 1.2, 0.95], [5.0, 5.2, 4.9, 5.1]
    tied = select_best({"low": low, "near": near, "high": high})
    assert tied.sentence("s") == f"low has the best mean, {tied.estimate} s; not separable from it: near"
    alone = select_best({"low": low, "high": high})
    assert str(alone) == f"low is the best, with {alone.estimate}"


@pytest.mark.parametrize(("lower_is_better", "nearest"), [(True, 0.1 - (0.3 + 0.1)), (False, 0.1 - (0.1 + 0.3))])
def test_the_regret_reaches_as_far_as_the_bins_of_both_let_it(lower_is_better: bool, nearest: float) -> None:
    a, b = np.array([1.0, 2.0, 3.0]), np.array([1.1, 2.3, 2.9])
    best = select_best({"a": Sample(a, 0.2, 0.1), "b": Sample(b, 0.3, 0.4)}, lower_is_better=lower_is_better)
    # by hand: b − a is 0.1; b may lie 0.3 lower and a 0.1 higher, which is the end that counts either way
    error = np.sqrt(np.array([0.1, 0.3, -0.1]).var(ddof=1) / 3)
    assert best.chosen == ("a" if lower_is_better else "b")
    assert best.regret == pytest.approx(stats.t.ppf(0.95, 2) * error - nearest)
