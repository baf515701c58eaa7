from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim.engines import bins
from bufsim.results.measures import SIZES, TIMES, Histogram, rank

times = st.floats(min_value=2.0**-30, max_value=2.0**30, exclude_max=True)
shares = st.floats(min_value=0.001, max_value=1.0)


@given(values=st.lists(times, min_size=1), q=shares)
def test_a_quantile_of_times_errs_by_at_most_one_in_1024(values, q):
    exact = sorted(values)[rank(q, len(values))]
    found = Histogram.of(TIMES.counts(np.array(values))).quantile(TIMES, q)
    assert abs(found - exact) <= exact / 1024


def test_the_bound_is_reached():
    assert Histogram.of(TIMES.counts(np.array([1.0]))).quantile(TIMES, 0.5) == 1.0 + 1 / 1024


@given(sizes=st.lists(st.integers(0, 255), min_size=1), q=shares)
def test_a_quantile_of_sizes_below_256_is_exact(sizes, q):
    found = Histogram.of(SIZES.counts(np.array(sizes))).quantile(SIZES, q)
    assert found == sorted(sizes)[rank(q, len(sizes))]


@given(sizes=st.lists(st.integers(256, 2**52), min_size=1), q=shares)
def test_a_quantile_of_larger_sizes_errs_by_at_most_one_in_256(sizes, q):
    exact = sorted(sizes)[rank(q, len(sizes))]
    found = Histogram.of(SIZES.counts(np.array(sizes))).quantile(SIZES, q)
    assert abs(found - exact) <= exact / 256


@given(values=st.lists(st.one_of(times, st.just(0.0), st.floats(0.0, 1e-9), st.floats(2.0**30, 1e300)), min_size=1))
def test_every_value_lies_between_the_edges_of_its_bin(values):
    for value, index in zip(values, TIMES.index(np.array(values)), strict=True):
        assert TIMES.edges[index] <= value < TIMES.edges[index + 1]


def test_bins_are_the_leading_bits_of_the_double():
    values = np.array([1.0, 1.0 + 1 / 512, 1.5, 2.0, 3.0])
    assert (TIMES.index(values) - TIMES.index(values)[0]).tolist() == [0, 1, 256, 512, 768]
    bits = values.view(np.int64) >> 43
    assert (bits - bits[0]).tolist() == [0, 1, 256, 512, 768]


@given(values=st.lists(st.one_of(times, st.integers(0, 2**53), st.just(0.0), st.floats(0.0, 1e300)), max_size=50))
def test_bins_of_many_values_are_those_that_the_engines_find_one_by_one(values):
    numbers = np.array(values, np.float64)
    assert TIMES.index(numbers).tolist() == [bins.of_time(value) for value in values]
    assert SIZES.index(numbers).tolist() == [bins.of_size(value) for value in values]


def test_bins_of_more_values_than_are_looked_at_at_once_are_those_of_each():
    numbers = np.random.default_rng(1).exponential(1.0, 40_000)
    assert np.array_equal(TIMES.index(numbers), np.concatenate([TIMES.index(part) for part in np.split(numbers, 40)]))


def test_zeros_and_what_is_off_the_grid_are_counted():
    counts = TIMES.counts(np.array([0.0, 0.0, 1e-10, 2.0**30, 1e12]))
    assert (counts[0], counts[1], counts[-1], counts.sum()) == (2, 1, 2, 5)
    assert len(counts) == TIMES.size == len(TIMES.edges) - 1


def test_a_quantile_of_zeros_is_zero_and_beyond_the_grid_the_largest():
    assert TIMES.quantile(TIMES.counts(np.array([0.0, 0.0, 5.0])), 0.5) == 0.0
    assert TIMES.quantile(TIMES.counts(np.array([0.0, 1e12])), 1.0, largest=1e12) == 1e12


def test_no_quantile_is_above_the_largest_value():
    counts = TIMES.counts(np.array([5.0]))
    assert TIMES.quantile(counts, 0.99) > 5.0
    assert TIMES.quantile(counts, 0.99, largest=5.0) == 5.0


def test_a_quantile_of_nothing_is_nan():
    assert math.isnan(Histogram.of(TIMES.counts(np.array([]))).quantile(TIMES, 0.5))


def test_weights_are_seconds_at_each_size():
    weights = SIZES.weights(np.array([0, 3, 3]), np.array([1.0, 0.5, 2.0]))
    assert Histogram.of(weights).quantile(SIZES, 0.29) == 3.0
    assert Histogram.of(weights).quantile(SIZES, 0.28) == 0.0


def test_an_atom_that_ends_at_the_share_asked_for_is_its_quantile():
    # 0.3 of 0.1 + 0.2 + 0.3 is a half, and a little less in floating point
    weights = SIZES.weights(np.array([0, 0, 7]), np.array([0.1, 0.2, 0.3]))
    assert SIZES.quantile(weights, 0.5) == 0.0
    assert SIZES.quantile(weights, 0.51) == 7.0


@pytest.mark.parametrize(
    ("q", "n", "place"), [(0.99, 100, 98), (0.07, 100, 6), (0.5, 2, 0), (1.0, 3, 2), (0.001, 5, 0)]
)
def test_the_rank_is_that_of_the_inverted_distribution_function(q, n, place):
    assert rank(q, n) == place


@given(values=st.lists(times, min_size=1), q=st.sampled_from((0.1, 0.25, 0.5, 0.9, 0.95, 0.99)))
def test_the_rank_agrees_with_numpy(values, q):
    assert sorted(values)[rank(q, len(values))] == np.quantile(values, q, method="inverted_cdf")


@given(
    atoms=st.lists(st.tuples(st.integers(0, 255), st.integers(1, 50)), min_size=1, max_size=20),
    k=st.integers(1, 100),
    unit=st.sampled_from((1, 0.1, 1e-9, 3e5)),
)
def test_a_quantile_is_the_least_value_with_the_share_at_or_below_it_in_whole_numbers(atoms, k, unit):
    sizes, counts = np.array(atoms).T
    found = Histogram.of(SIZES.weights(sizes, counts * unit)).quantile(SIZES, k / 100)
    # of k hundredths: no rounding
    below = {size: counts[sizes <= size].sum() for size in sizes.tolist()}
    assert found == min(size for size, count in below.items() if count * 100 >= k * counts.sum())


@given(first=st.lists(times), second=st.lists(times))
def test_histograms_add_as_their_samples_do(first, second):
    added = Histogram.of(TIMES.counts(np.array(first))) + Histogram.of(TIMES.counts(np.array(second)))
    assert added == Histogram.of(TIMES.counts(np.array(first + second)))


def test_equal_histograms_have_one_hash_and_others_differ():
    one, same, other = (Histogram.of(TIMES.counts(np.array([x]))) for x in (1.0, 1.0, 2.0))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != "a histogram"


@given(counts=st.lists(st.one_of(st.just(0), st.integers(0, 2**40)), max_size=300))
def test_a_histogram_gives_its_counts_back_without_the_empty_ends(counts):
    found = Histogram.of(np.array(counts, np.int64))
    assert found.counts.dtype == np.int64
    assert [*[0] * found.first, *found.counts] == [*counts][: found.first + len(found.counts)]
    assert not any(counts[found.first + len(found.counts) :])


@given(weights=st.lists(st.one_of(st.just(0.0), st.floats(1e-9, 1e9)), max_size=300))
def test_so_does_one_of_weights_to_the_bit(weights):
    found = Histogram.of(np.array(weights, np.float64))
    assert found.counts.dtype == np.float64
    assert [*[0.0] * found.first, *found.counts] == [*weights][: found.first + len(found.counts)]


@given(
    one=st.lists(st.integers(0, 200), max_size=100),
    other=st.lists(st.integers(0, 2**20), max_size=300),
)
def test_adding_histograms_adds_their_counts_though_they_are_held_narrowly(one, other):
    length = max(len(one), len(other))
    dense = [np.array(counts + [0] * (length - len(counts)), np.int64) for counts in (one, other)]
    assert Histogram.of(dense[0]) + Histogram.of(dense[1]) == Histogram.of(dense[0] + dense[1])


def test_few_counts_take_little_room():
    counts = TIMES.counts(np.random.default_rng(1).exponential(1.0, 1000))
    found = Histogram.of(counts)
    assert found.bins.nbytes + found.amounts.nbytes <= 3 * 1000
    assert (found.bins.dtype, found.amounts.dtype) == (np.int16, np.int8)
