"""Streams belong to names, and sequences of draws do not depend on how they are asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from bufsim.engines.randomness import Draws, Reader, endless, fresh_seed, stream
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model.distributions import BLOCK, Exponential

WHAT = "service times of queue 'q'"


def test_a_stream_stays_the_same_from_one_version_to_the_next():
    assert stream(1, "import", "arrivals").bit_generator.random_raw(3).tolist() == [
        3414031343674274592,
        5484760398226126872,
        11303464338579578172,
    ]
    assert stream(1, "import", "arrivals", 5).bit_generator.random_raw(1).tolist() == [18332818306226588909]


def test_streams_differ_in_every_part_of_their_name():
    keys = [
        (seed, name, purpose, replication)
        for seed in (0, 1, 2, 2**63 - 1, 2**64)
        for name in ("a", "b", "ab", "1:a", "")
        for purpose in ("arrivals", "keys", "barrivals", "service 1", "service 11")
        for replication in (0, 1, 2, 2**32 - 1)
    ]
    assert len({stream(*key).bit_generator.random_raw() for key in keys}) == len(keys)


def test_where_the_name_ends_matters():
    assert stream(1, "ab", "c").random() != stream(1, "a", "bc").random()
    assert stream(1, "1:a", "b").random() != stream(1, "a", "b").random()


def test_seeds_side_by_side_share_no_stream():
    heads = np.array(
        [stream(seed, "a", "arrivals", replication).random(200) for seed in range(10) for replication in range(10)]
    )
    assert len(np.unique(heads)) == heads.size
    correlations = np.corrcoef(heads)[np.triu_indices(100, k=1)]
    # the standard error of a correlation of n pairs is 1/sqrt(n)
    assert abs(correlations).max() < 5.0 / math.sqrt(200)
    assert abs(correlations.mean()) < 4.0 / math.sqrt(200 * len(correlations))


def test_a_name_may_hold_any_text():
    assert stream(1, "Bücher \udc80", "arrivals").random() != stream(1, "Bücher", "arrivals").random()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((-1, "a", "b"), InvalidValueError, "seed must be >= 0, got -1"),
        ((1.5, "a", "b"), InvalidTypeError, r"seed must be a whole number, got 1\.5"),
        ((1, "a", "b", -1), InvalidValueError, "replication must be >= 0, got -1"),
        ((1, "a", "b", 2**32), InvalidValueError, r"replication must be < 2\*\*32, got 4294967296"),
    ],
)
def test_a_wrong_seed_is_named(arguments, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        stream(*arguments)


def test_a_fresh_seed_is_new_and_fits_into_63_bits():
    seeds = {fresh_seed() for _ in range(100)}
    assert len(seeds) == 100
    assert all(0 <= seed < 2**63 for seed in seeds)


@given(st.lists(st.integers(0, 3 * BLOCK), min_size=1, max_size=8))
def test_draws_do_not_depend_on_how_many_are_asked_for(demands):
    draws = Draws(Exponential(2.0), stream(1, "q", "service"), WHAT)
    generator = stream(1, "q", "service")
    expected = np.concatenate([2.0 * generator.standard_exponential(BLOCK) for _ in range(4)])
    for n in demands:
        values = draws.at_least(n)
        assert len(values) >= n
        assert np.array_equal(values, expected[: len(values)])


def test_draws_that_were_handed_out_stay_as_they_were():
    draws = Draws(Exponential(2.0), stream(1, "q", "service"), WHAT)
    first = draws.at_least(10)
    copy = first.copy()
    draws.at_least(10 * BLOCK)
    assert np.array_equal(first, copy)


steps = st.lists(st.tuples(st.integers(0, 2 * BLOCK), st.integers(0, 2 * BLOCK)), min_size=1, max_size=6)


@given(steps)
def test_what_lies_between_does_not_depend_on_what_was_asked_for_before(moves):
    draws = Draws(Exponential(2.0), stream(1, "q", "service"), WHAT)
    expected = Draws(Exponential(2.0), stream(1, "q", "service"), WHAT).at_least(30 * BLOCK)
    first, given_before = 0, []
    for forward, length in moves:
        first += forward
        values = draws.between(first, first + length)
        assert len(values) >= length
        assert np.array_equal(values, expected[first : first + len(values)])
        given_before.append((first, values))
    # what was handed out stays as it was
    for place, values in given_before:
        assert np.array_equal(values, expected[place : place + len(values)])


def test_what_was_forgotten_cannot_be_asked_for_again():
    draws = Draws(Exponential(2.0), stream(1, "q", "service"), WHAT)
    for first in range(0, 10 * BLOCK, BLOCK):
        draws.between(first, first + BLOCK)
    with pytest.raises(AssertionError, match="draws that were forgotten are gone"):
        draws.at_least(1)


@given(st.integers(BLOCK // 8, BLOCK), st.integers(0, BLOCK))
@settings(max_examples=20)
def test_what_is_held_follows_what_lies_between_and_not_how_far_it_is(step, length):
    draws = Draws(Exponential(2.0), stream(1, "q", "service"), WHAT)
    for first in range(0, 40 * BLOCK, step):
        values = draws.between(first, first + length)
        held = values if values.base is None else values.base
        assert held.size <= 4 * BLOCK


@given(st.lists(st.floats(0.0, 9.0), max_size=9), st.integers(0, 9), st.integers(0, 9))
def test_of_an_array_of_ones_own_the_values_between_are_its_own(own, one, other):
    first, last = sorted((one, other))
    draws = Draws(own, None, WHAT)
    if last <= len(own):
        assert draws.between(first, last).tolist() == own[first:]
    else:
        with pytest.raises(
            InvalidValueError,
            match=f"at least {last} values for this run, got {len(own)}: row {len(own)} is missing",
        ):
            draws.between(first, last)


def test_growing_one_by_one_copies_little():
    draws = Draws(0.5, stream(1, "q", "service"), WHAT)
    buffers = {draws.at_least(n).__array_interface__["data"][0] for n in range(1, 64 * BLOCK, 1000)}
    assert len(buffers) <= 8


def test_scipy_draws_do_not_depend_on_how_many_are_asked_for():
    frozen = scipy.stats.gamma(0.5, scale=2.0)
    one = Draws(frozen, stream(1, "q", "service"), WHAT)
    one.at_least(1)
    assert np.array_equal(one.at_least(2 * BLOCK), Draws(frozen, stream(1, "q", "service"), WHAT).at_least(2 * BLOCK))


def test_without_a_distribution_draws_are_uniform():
    values = Draws(None, stream(1, "q", "failure"), "failure draws").at_least(BLOCK)
    assert scipy.stats.kstest(values, scipy.stats.uniform.cdf).pvalue > 1e-3


def test_an_array_of_ones_own_is_taken_as_it_is():
    own = np.array([0.1, 0.2])
    draws = Draws(own, None, WHAT)
    own[0] = 9.0
    assert draws.at_least(0).tolist() == [0.1, 0.2]
    assert Draws((1, 2), None, WHAT).at_least(2).dtype == np.float64


def test_an_array_that_is_too_short_says_how_many_are_needed():
    with pytest.raises(
        InvalidValueError,
        match=r"^service times of queue 'q' must be at least 3 values for this run, got 2: row 2 is missing; give .*$",
    ):
        Draws([0.1, 0.2], None, WHAT).at_least(3)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ([0.1, -1.0], InvalidValueError, r"must be finite and >= 0, got -1\.0 at position 1"),
        ([math.nan], InvalidValueError, "must be finite and >= 0, got nan at position 0"),
        ([math.inf], InvalidValueError, "must be finite and >= 0, got inf at position 0"),
        ([[1.0]], InvalidValueError, r"must be one-dimensional, got shape \(1, 1\)"),
        (["a"], InvalidTypeError, r"must be numbers, got \['a'\]"),
    ],
)
def test_a_wrong_array_is_named_by_its_position(source, error, message):
    with pytest.raises(error, match=f"^{WHAT} {message}$"):
        Draws(source, None, WHAT)


def test_a_distribution_without_a_generator_is_an_error():
    with pytest.raises(
        InvalidTypeError, match=r"^generator must be a numpy Generator to draw service times .*, got None$"
    ):
        Draws(Exponential(1.0), None, WHAT)


@given(st.lists(st.integers(0, 30), max_size=20), st.integers(1, 12))
def test_a_reader_gives_each_value_once_and_in_order(counts, size):
    total = sum(counts)
    pieces = (np.arange(i, i + size) for i in range(0, total + size, size))
    reader = Reader(pieces)
    taken = [reader.take(n) for n in counts]
    assert [len(part) for part in taken] == counts
    assert np.concatenate([np.empty(0), *taken]).tolist() == list(range(total))


def test_endless_draws_blocks_of_one_size():
    blocks = endless(np.zeros)
    assert [len(next(blocks)) for _ in range(3)] == [BLOCK] * 3
