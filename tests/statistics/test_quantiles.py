from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bufsim.errors import InvalidValueError
from bufsim.statistics import mean_interval, order_statistic_interval, quantile_interval, quantile_interval_from_counts

samples_of_runs = st.lists(st.lists(st.integers(0, 8), max_size=30), min_size=2, max_size=8).filter(
    lambda runs: sum(map(bool, runs)) > 1 and any(len(run) > 1 for run in runs)
)


def shown(samples, x, q):
    """Whether F(x) is shown to be below q (-1) or above it (1), or neither (0), by the definition."""
    excess = np.array([sum(value <= x for value in run) - q * len(run) for run in samples])
    if np.ptp(excess) <= 1e-9:
        return 0 if abs(excess[0]) <= 1e-9 else int(np.sign(excess[0]))
    t = excess.mean() / (excess.std(ddof=1) / math.sqrt(len(samples)))
    return int(np.sign(t)) if abs(t) > stats.t.isf(0.025, len(samples) - 1) else 0


@given(samples_of_runs, st.sampled_from([0.25, 0.5, 0.75]))
def test_the_ends_are_those_of_the_definition_tried_one_by_one(samples, q):
    made = quantile_interval(samples, q)
    observed = sorted({value for run in samples for value in run})
    assert made.estimate == np.quantile(np.concatenate(samples), q, method="inverted_cdf")
    if math.isfinite(made.low):
        assert made.low == next(x for x in observed if x == made.estimate or shown(samples, x, q) >= 0)
    if math.isfinite(made.high):
        kept = [x for x in observed if x >= made.estimate and shown(samples, x, q) <= 0]
        assert made.high == next(x for x in observed if x >= made.estimate and (not kept or x > kept[-1]))


@given(samples_of_runs, st.floats(0.05, 0.95))
def test_cumulative_counts_give_the_same_as_the_samples(samples, q):
    grid = np.arange(9)
    counts = [[sum(value <= x for value in run) for x in grid] for run in samples]
    raw, counted = quantile_interval(samples, q), quantile_interval_from_counts(grid, counts, q)
    if any(len(run) != 1 for run in samples):
        assert (raw.low, raw.high, raw.estimate) == (counted.low, counted.high, counted.estimate)


def test_one_observation_per_replication_is_left_to_order_statistics():
    losses = np.random.default_rng(91).poisson(300.0, 100).astype(float)
    assert quantile_interval(losses[:, None], 0.99) == order_statistic_interval(losses, 0.99)


def test_problem_1_the_99_percent_wait_is_covered(generate, truth, agrees):
    rng, hits = np.random.default_rng(92), 0
    for _ in range(200):
        starts, waits = generate.size_or_age_cycles(rng, 10.0, 40, 5.0, 15, 60)
        flat = waits.reshape(15, -1)
        samples = [row[np.isfinite(row)] for row in flat]
        assert starts.shape == (15, 60)
        hits += truth(1, "wait_p99") in quantile_interval(samples, 0.99)
    assert agrees(hits, 200, 0.95)


def test_problem_2_under_bursts_the_inversion_covers_and_a_mean_of_quantiles_does_not(generate, truth, agrees):
    rng, inverted, plain = np.random.default_rng(93), 0, 0
    for _ in range(150):
        samples = []
        for _ in range(30):
            times = generate.mmpp(rng, 350.0)
            samples.append(generate.waits(times, *generate.flushes(times, {"size": 60, "age": 4.0}, 350.0), 100.0))
        inverted += truth(2, "wait_p95") in quantile_interval(samples, 0.95)
        plain += truth(2, "wait_p95") in mean_interval([np.quantile(waits, 0.95) for waits in samples])
    assert agrees(inverted, 150, 0.95)
    assert plain < 0.88 * 150


def test_at_an_atom_the_interval_is_that_value_and_does_not_crash():
    # most waits are exactly the age limit
    rng = np.random.default_rng(94)
    samples = [np.minimum(rng.exponential(20.0, 500), 5.0) for _ in range(10)]
    made = quantile_interval(samples, 0.99)
    assert (made.low, made.estimate, made.high) == (5.0, 5.0, 5.0)
    assert str(made) == "5 [5, 5]"


def test_equal_observations_everywhere_give_no_width():
    assert str(quantile_interval([[3.0] * 50, [3.0] * 49, [3.0] * 51], 0.5)) == "3 [3, 3]"


def test_a_replication_without_jobs_is_no_hindrance():
    made = quantile_interval([[], [1.0, 2.0, 3.0] * 10, [2.0, 3.0, 4.0] * 10], 0.5)
    assert made.n == 3


def test_fewer_jobs_than_needed_open_the_upper_end():
    made = quantile_interval([np.arange(10.0)] * 3, 0.99)
    assert made.high == math.inf
    assert made.note == "no upper bound at 95 % from 30 jobs (368 needed)"


def test_jobs_that_depend_on_each_other_are_worth_fewer():
    # each replication is one value, many times: 40 observations, not 40,000
    values = np.random.default_rng(95).exponential(1.0, 40)
    made = quantile_interval([np.full(1000, value) for value in values], 0.99)
    assert made.high == math.inf
    assert made.note.startswith("no upper bound at 95 % from 40,000 jobs worth ")


def test_a_histogram_reaches_down_to_the_grid_value_below():
    rng = np.random.default_rng(96)
    samples = [rng.exponential(1.0, 400) for _ in range(20)]
    grid = np.linspace(0.0, 4.0, 401)
    counts = [np.searchsorted(np.sort(run), grid, "right") for run in samples]
    totals = [run.size for run in samples]
    raw = quantile_interval(samples, 0.9)
    binned = quantile_interval_from_counts(grid, counts, 0.9, totals=totals, between=True)
    assert binned.low <= raw.low
    assert binned.high >= raw.high
    assert binned.half_width <= raw.half_width + 0.0101
    plain = quantile_interval_from_counts(grid, counts, 0.9, totals=totals)
    assert plain.low == pytest.approx(binned.low + 0.01)


def test_two_replications_of_unlike_size_bound_nothing():
    made = quantile_interval([[1.0, 2.0] * 50, [1.0, 2.0] * 20], 0.5)
    assert (made.low, made.high) == (-math.inf, math.inf)
    assert made.note == "no lower and no upper bound at 95 %: the replications differ too much in size; run more"


def test_millions_of_jobs_take_no_grid(monkeypatch):
    # the ends found by narrowing down are those found by trying every job
    rng = np.random.default_rng(98)
    samples = [rng.exponential(1.0, 3000) for _ in range(10)]
    narrowed = quantile_interval(samples, 0.9)
    monkeypatch.setattr("bufsim.statistics.quantiles.WIDTH", 100_000)
    assert quantile_interval(samples, 0.9) == narrowed


def test_an_end_beyond_the_grid_is_open():
    rng = np.random.default_rng(97)
    samples = [rng.exponential(1.0, 100) for _ in range(10)]
    edge = np.quantile(np.concatenate(samples), 0.9) + 1e-9
    counts = [[(run <= 1.0).sum(), (run <= edge).sum()] for run in samples]
    made = quantile_interval_from_counts([1.0, edge], counts, 0.9, totals=[100] * 10)
    assert made.high == math.inf
    assert "beyond the grid" in made.note


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([[1.0]], "samples must come from at least 2 replications, got 1; run more"),
        ([[], []], "samples must hold at least one observation; lengthen the runs"),
        ([[1.0, math.nan], [1.0]], "samples must be finite, got another value in replication 0"),
        ([[[1.0]], [[2.0]]], r"one array of observations per replication, got shape \(1, 1\) in replication 0"),
    ],
)
def test_samples_that_are_none_are_errors(samples, message):
    with pytest.raises(InvalidValueError, match=message):
        quantile_interval(samples, 0.5)


@pytest.mark.parametrize(
    ("grid", "counts", "options", "message"),
    [
        ([1, 1], [[1, 2], [1, 2]], {}, "values must be a finite grid that ascends strictly"),
        ([1, 2], [[1, 2]], {}, r"at least 2 replications and a column for each of 2 values, got shape \(1, 2\)"),
        ([1, 2], [[2, 1], [1, 2]], {}, "cumulative must not decrease along a row"),
        ([1, 2], [[1, 2], [1, 2]], {"totals": [1, 2]}, "each at least the last cumulative amount"),
        ([1, 2], [[0, 0], [0, 0]], {}, "totals must not all be 0; lengthen the runs"),
        ([1, 2], [[1, 2], [1, 2]], {"totals": [9, 9]}, "values must reach the 0.5 quantile, got a grid that ends at 2"),
    ],
)
def test_counts_that_do_not_fit_are_errors(grid, counts, options, message):
    with pytest.raises(InvalidValueError, match=message):
        quantile_interval_from_counts(grid, counts, 0.5, **options)
