from __future__ import annotations

import re

import numpy as np
import pytest
from bufsim_tests.studies_small import declare
from hypothesis import given
from hypothesis import strategies as st

from bufsim import Bursty, FlushAfterAge, FlushAtSize, InvalidValueError, JobBuffer, Producer, Simulation
from bufsim.results import metrics
from bufsim.results.measures import SIZES, TIMES, Histogram
from bufsim.statistics import quantile_interval_from_counts
from bufsim.studies.estimates import Measured, cumulative
from bufsim.studies.study import Study

qs = st.floats(0.01, 0.99)


@given(qs, st.integers(1, 5_000))
def test_of_whole_numbers_spread_evenly_the_quantile_is_exact(q, n):
    even = Histogram.of(SIZES.weights(np.arange(float(n)), np.ones(n)))
    points, table = cumulative([even, even], SIZES, float(n - 1), q)
    assert (np.diff(points) > 0).all()
    assert (points == np.floor(points)).all()
    # at or below a whole number x lie x + 1 of them, wherever a point stands
    np.testing.assert_allclose(table[0], points + 1.0)
    reached = points[np.argmax(table[0] >= q * n * (1 - 1e-12))]
    assert reached == np.ceil(q * n * (1 - 1e-12)) - 1


@given(qs, st.integers(0, 2**32))
def test_of_durations_the_quantile_is_as_fine_as_a_part_of_a_bin(q, seed):
    waits = np.sort(np.random.default_rng(seed).exponential(2.0, 20_000))
    points, table = cumulative([Histogram.of(TIMES.counts(waits))], TIMES, float(waits[-1]), q)
    at = np.flatnonzero(np.abs(table[0] - q * waits.size) < 200)
    below = np.searchsorted(waits, points[at], side="right")
    # spread evenly over a bin of some 40 waits
    np.testing.assert_allclose(table[0, at], below, atol=25)


def test_no_point_is_above_the_largest_value_where_everything_lies():
    waits = np.array([1.0, 5.0, 5.0, 5.0])
    points, table = cumulative([Histogram.of(TIMES.counts(waits))], TIMES, 5.0, 0.99)
    assert (points[-1], table[0, -1]) == (5.0, 4.0)
    for grid in (SIZES, TIMES):
        nothing = Histogram.of(grid.weights(np.zeros(3), np.ones(3)))
        points, table = cumulative([nothing, nothing], grid, 0.0, 0.5)
        assert (points.tolist(), table.tolist()) == ([0.0], [[3.0], [3.0]])


halves = st.integers(1, 31).map(lambda k: k / 32)
"""Shares that a double holds exactly, so that numpy finds the same rank."""
mixed = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e6)), min_size=4, max_size=64)


@given(mixed, halves)
def test_the_quantile_is_the_least_value_with_the_share_at_or_below_it_also_where_the_share_ends_a_bin(waits, q):
    samples = np.array(waits)
    histogram = Histogram.of(TIMES.counts(samples))
    exact = np.quantile(samples, q, method="inverted_cdf")
    assert histogram.quantile(TIMES, q, largest=samples.max()) == pytest.approx(exact, rel=1 / 1024, abs=0.0)
    points, table = cumulative([histogram, histogram], TIMES, samples.max(), q)
    estimate = quantile_interval_from_counts(points, table, q).estimate
    # both are in the bin of that value: at most 1/512 apart, and both are 0 if it is
    assert estimate == pytest.approx(exact, rel=1 / 512, abs=0.0)


def test_half_of_the_waits_being_0_the_median_is_0_and_a_little_more_is_not():
    # a batch of two: the second job does not wait
    waits = np.repeat([0.0, 2.0], 50)
    histogram = Histogram.of(TIMES.counts(waits))
    points, table = cumulative([histogram, histogram], TIMES, 2.0, 0.5)
    assert (points[0], table[0, 0]) == (0.0, 50.0)
    assert (table[0, points < 1.9] == 50.0).all()
    assert quantile_interval_from_counts(points, table, 0.5).estimate == 0.0
    assert quantile_interval_from_counts(points, table, 0.51).estimate == pytest.approx(2.0, rel=1 / 512)
    result = Study({"A": declare(FlushAtSize(2), until=100.0)}, seed=2).run(6, progress=False)
    median = result.interval("p50_wait", "A")
    assert (median.low, median.estimate) == (0.0, 0.0)
    assert (result.values("p50_wait")["A"] == 0.0).all()


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


def runs(simulation, n):
    return [simulation.run(2, replication=number) for number in range(n)]


def test_without_any_observation_there_is_no_quantile():
    result = Study({"A": bursty(0.5)}, seed=2).run(3, progress=False)
    message = "p99_wait_s needs observations in at least 2 replications, got none in the others; lengthen the runs"
    tallies = list(result.tallies["A"].values())
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        Measured(metrics.find("p99_wait"), None, tallies).interval()


def test_seconds_at_a_level_are_amounts_as_jobs_are():
    result = Study({"A": declare(FlushAtSize(40), until=100.0)}, seed=2).run(6, progress=False)
    for name in ("p50_buffer_size", "p99_loss_at_stop", "p95_batch_size", "p99_end_to_end", "p99_queue_wait"):
        interval = result.interval(name, "A")
        raw = result.values(name)["A"]
        assert raw.min() <= interval.estimate <= raw.max()
    level = result.interval("p50_buffer_size", "A")
    assert level.low <= 20 <= level.high


def test_a_ratio_has_the_jackknifes_interval_and_a_count_the_plain_one():
    result = Study({"A": declare(FlushAtSize(40), until=100.0)}, seed=2).run(6, progress=False)
    assert result.interval("mean_wait", "A").method == "jackknife of a ratio"
    assert result.interval("flush_count", "A").method == "t over replications"
    assert result.interval("p99_wait", "A").method == "inverted ratio test"
    tallies = list(result.tallies["A"].values())
    assert (
        Measured(metrics.find("flush_count"), None, tallies).raw().tolist()
        == result.values("flush_count")["A"].tolist()
    )
