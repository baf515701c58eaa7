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
def test_a_quantile_of_times_errs_by_less_than_a_thousandth(values, q):
    exact = sorted(values)[rank(q, len(values))]
    found = Histogram.of(TIMES, np.array(values)).quantile(TIMES, q)
    assert abs(found - exact) < exact / 1000


def test_the_bound_is_reached_where_a_bin_holds_values_that_differ():
    # the bin [1, 1 + 1/512), and a hair below, of which the middle is taken
    values = np.array([1.0] * 99 + [1.0 + 1.9 / 1024])
    assert Histogram.of(TIMES, values).quantile(TIMES, 0.5) == pytest.approx(1.0 + 1 / 1024, rel=1e-5)


def test_what_is_alone_in_its_bin_is_exact():
    assert Histogram.of(TIMES, np.array([1.0])).quantile(TIMES, 0.5) == 1.0
    assert Histogram.of(SIZES, np.array([301, 301, 301])).quantile(SIZES, 0.5) == 301.0
    # negative control: 300 and 301 share a bin
    assert Histogram.of(SIZES, np.array([301, 301, 300])).quantile(SIZES, 0.5) == 300.5


def test_two_ages_are_exact_though_others_lie_beside_them():
    # two buffers with ages of 3 and 5 s: nineteen of twenty waits are 3 s, up to the rounding of a clock at 1,000 s
    off = 2.0**-43
    waits = np.array([3.0 - off, 3.0, 3.0, 3.0 + off] * 5 + [5.0])
    kept = Histogram.of(TIMES, waits)
    assert kept.amounts.tolist() == [20, 1]
    assert (kept.least.tolist(), kept.most.tolist()) == ([3.0 - off, 5.0], [3.0 + off, 5.0])
    assert [kept.quantile(TIMES, q) for q in (0.5, 0.9, 0.96)] == pytest.approx([3.0, 3.0, 5.0], rel=1e-12)
    # negative control: the middle of the bin
    assert TIMES.middles[TIMES.index(waits)[0]] == pytest.approx(3.0 + 1 / 512, rel=1e-5)


near = st.one_of(times, st.just(0.0), st.floats(0.0, 1e-9), st.integers(0, 40).map(lambda ulps: 3.0 + ulps * 2.0**-21))


@given(values=st.lists(near, min_size=1, max_size=50), q=shares)
def test_the_quantile_of_a_sample_lies_between_the_ends_of_its_bin(values, q):
    kept = Histogram.of(TIMES, np.array(values))
    least, most = kept.ends(TIMES)
    exact = sorted(values)[rank(q, len(values))]
    [place] = np.flatnonzero(kept.bins == TIMES.index(np.array([exact]))[0])
    assert least[place] <= exact <= most[place]
    assert least[place] <= kept.quantile(TIMES, q) <= most[place]


@given(values=st.lists(near, min_size=1, max_size=50))
def test_the_ends_are_those_of_the_values_wherever_they_are_nearly_the_same(values):
    kept = Histogram.of(TIMES, np.array(values))
    by_bin = {}
    for value in values:
        by_bin.setdefault(bins.of_time(value), []).append(value)
    assert kept.bins.tolist() == sorted(by_bin)
    ends = zip(kept.narrow.tolist(), kept.least.tolist(), kept.most.tolist(), strict=True)
    # a double has 2^52 values an octave, and a bin 2^43
    wide = {place: np.ptp(np.array(of_it).view(np.int64)) > 2**35 for place, of_it in by_bin.items()}
    assert list(ends) == [(i, min(by_bin[i]), max(by_bin[i])) for i in sorted(by_bin) if i and not wide[i]]


@given(sizes=st.lists(st.integers(0, 255), min_size=1), q=shares)
def test_a_quantile_of_sizes_below_256_is_exact(sizes, q):
    found = Histogram.of(SIZES, np.array(sizes)).quantile(SIZES, q)
    assert found == sorted(sizes)[rank(q, len(sizes))]


@given(sizes=st.lists(st.integers(256, 2**52), min_size=1), q=shares)
def test_a_quantile_of_larger_sizes_errs_by_at_most_one_in_256(sizes, q):
    exact = sorted(sizes)[rank(q, len(sizes))]
    found = Histogram.of(SIZES, np.array(sizes)).quantile(SIZES, q)
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
    # those of durations begin a hair below
    assert TIMES.index(values * (1.0 - 1e-9)).tolist() == TIMES.index(values).tolist()
    assert (TIMES.index(values) - TIMES.index(values * (1.0 - 1e-5))).tolist() == [1] * 5


@given(values=st.lists(st.one_of(times, st.integers(0, 2**53), st.just(0.0), st.floats(0.0, 1e300)), max_size=50))
def test_bins_of_many_values_are_those_that_the_engines_find_one_by_one(values):
    numbers = np.array(values, np.float64)
    assert TIMES.index(numbers).tolist() == [bins.of_time(value) for value in values]
    assert SIZES.index(numbers).tolist() == [bins.of_size(value) for value in values]


def test_bins_of_more_values_than_are_looked_at_at_once_are_those_of_each():
    numbers = np.random.default_rng(1).exponential(1.0, 40_000)
    assert np.array_equal(TIMES.index(numbers), np.concatenate([TIMES.index(part) for part in np.split(numbers, 40)]))


def test_zeros_and_what_is_off_the_grid_are_counted():
    kept = Histogram.of(TIMES, np.array([0.0, 0.0, 1e-10, 2.0**30, 1e12]))
    assert (kept.bins.tolist(), kept.amounts.tolist()) == ([0, 1, TIMES.size - 1], [2, 1, 2])
    assert len(TIMES.edges) - 1 == TIMES.size


def test_a_quantile_of_zeros_is_zero_and_beyond_the_grid_the_largest():
    assert Histogram.of(TIMES, np.array([0.0, 0.0, 5.0])).quantile(TIMES, 0.5) == 0.0
    assert Histogram.of(TIMES, np.array([0.0, 1e11, 1e12])).quantile(TIMES, 1.0, largest=1e12) == 1e12


def test_no_quantile_is_above_the_largest_value():
    kept = Histogram.of(TIMES, np.array([5.0, 5.001]))
    assert kept.quantile(TIMES, 0.99) > 5.001
    assert kept.quantile(TIMES, 0.99, largest=5.001) == 5.001


def test_of_durations_below_a_nanosecond_that_differ_the_bin_is_known():
    kept = Histogram.of(TIMES, np.array([1e-10, 2e-10]))
    assert [ends.tolist() for ends in kept.ends(TIMES)] == [[0.0], [pytest.approx(2.0**-30, rel=1e-5)]]
    assert Histogram.of(TIMES, np.array([1e-10, 1e-10])).quantile(TIMES, 0.5) == 1e-10


def test_a_quantile_of_nothing_is_nan():
    assert math.isnan(Histogram.of(TIMES, np.array([])).quantile(TIMES, 0.5))


def test_weights_are_seconds_at_each_size():
    kept = Histogram.of(SIZES, np.array([0, 3, 3, 9]), np.array([1.0, 0.5, 2.0, 0.0]))
    assert kept.quantile(SIZES, 0.29) == 3.0
    assert kept.quantile(SIZES, 0.28) == 0.0
    # what lasts no time is not there
    assert kept.amounts.tolist() == [1.0, 2.5]


def test_an_atom_that_ends_at_the_share_asked_for_is_its_quantile():
    # 0.3 of 0.1 + 0.2 + 0.3 is a half, and a little less in floating point
    kept = Histogram.of(SIZES, np.array([0, 0, 7]), np.array([0.1, 0.2, 0.3]))
    assert kept.quantile(SIZES, 0.5) == 0.0
    assert kept.quantile(SIZES, 0.51) == 7.0


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
    found = Histogram.of(SIZES, sizes, counts * unit).quantile(SIZES, k / 100)
    # of k hundredths: no rounding
    below = {size: counts[sizes <= size].sum() for size in sizes.tolist()}
    assert found == min(size for size, count in below.items() if count * 100 >= k * counts.sum())


@given(parts=st.lists(st.lists(near, max_size=20), min_size=1, max_size=4))
def test_histograms_add_as_their_samples_do(parts):
    added = Histogram.together([Histogram.of(TIMES, np.array(part)) for part in parts])
    assert added == Histogram.of(TIMES, np.array([value for part in parts for value in part]))


def test_the_ends_of_one_histogram_do_not_hide_the_spread_of_another():
    age, others = Histogram.of(TIMES, np.array([3.0, 3.0])), Histogram.of(TIMES, np.array([3.001, 3.003]))
    assert (age + age).most.tolist() == [3.0]
    assert (age + others).narrow.tolist() == (others + age).narrow.tolist() == []


def test_equal_histograms_have_one_hash_and_others_differ():
    one, same, other = (Histogram.of(TIMES, np.array([x])) for x in (1.0, 1.0, 2.0))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != "a histogram"


@given(
    one=st.lists(st.integers(0, 200), max_size=100),
    other=st.lists(st.integers(0, 2**20), max_size=300),
)
def test_adding_histograms_adds_their_counts_though_they_are_held_narrowly(one, other):
    length = max(len(one), len(other))
    both = [np.array(counts + [0] * (length - len(counts)), np.float64) for counts in (one, other)]
    sizes = np.arange(length)
    added = Histogram.of(SIZES, sizes, both[0]) + Histogram.of(SIZES, sizes, both[1])
    whole = Histogram.of(SIZES, sizes, both[0] + both[1])
    assert (added.bins.tolist(), added.amounts.tolist()) == (whole.bins.tolist(), whole.amounts.tolist())


def test_few_counts_take_little_room():
    found = Histogram.of(TIMES, np.random.default_rng(1).exponential(1.0, 1000))
    assert found.bins.nbytes + found.amounts.nbytes <= 3 * 1000
    assert (found.bins.dtype, found.amounts.dtype) == (np.int16, np.int8)


def test_weights_of_whole_numbers_are_added_up_bin_by_bin() -> None:
    # 0 and 255 have bins of their own; above 256 two neighbours share one, such as 256 and 257
    weights = np.zeros(600)
    given = {0: 0.5, 255: 1.5, 256: 0.25, 257: 2.0, 599: 4.0}
    for value, weight in given.items():
        weights[value] = weight
    kept = Histogram.of_whole(SIZES, weights)
    assert kept.amounts.tolist() == [0.5, 1.5, 2.25, 4.0]
    assert kept.bins.tolist() == [0, *SIZES.index(np.array([255.0, 256.0, 599.0])).tolist()]
    # of the bin with two values, which are not nearly the same, the ends are not known; of that with one they are
    assert (kept.least.tolist(), kept.most.tolist()) == ([599.0], [599.0])
    assert kept == Histogram.of(SIZES, np.array([*given], np.float64), np.array([*given.values()]))
    assert Histogram.of_whole(SIZES, np.zeros(3)) == Histogram.of_whole(SIZES, np.zeros(0))
