from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim import theory
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.theory import closed_form


@given(keys=st.integers(1, 4), batch_size=st.integers(1, 5), exponent=st.floats(0.0, 3.0))
def test_distinct_keys_agree_with_the_list_of_all_batches(keys: int, batch_size: int, exponent: float) -> None:
    shares = np.arange(1.0, keys + 1.0) ** -exponent
    shares /= shares.sum()
    first = second = 0.0
    for batch in itertools.product(range(keys), repeat=batch_size):
        chance, distinct = math.prod(shares[list(batch)]), len(set(batch))
        first += chance * distinct
        second += chance * distinct**2
    form = theory.unique_keys_of_batch(batch_size=batch_size, keys=keys, exponent=exponent)
    assert form.mean_distinct == pytest.approx(first, rel=1e-12)
    assert form.var_distinct == pytest.approx(second - first**2, abs=1e-12)


@given(rate=st.floats(0.1, 20.0), keys=st.integers(1, 20), exponent=st.floats(0.0, 2.0))
def test_a_periodic_batch_is_a_mixture_of_fixed_ones(rate: float, keys: int, exponent: float) -> None:
    sizes, chances = closed_form.support(rate)
    distinct = [
        theory.unique_keys_of_batch(batch_size=int(size), keys=keys, exponent=exponent).mean_distinct
        for size in sizes[1:]
    ]
    form = theory.unique_keys_periodic(rate=rate, period=1.0, keys=keys, exponent=exponent)
    assert form.mean_distinct == pytest.approx(chances[1:] @ np.array(distinct), rel=1e-9)
    assert form.mean_distinct <= min(keys, rate) * (1.0 + 1e-12)
    assert form.saved_fraction + form.dedupe_ratio == pytest.approx(1.0)


def test_a_single_key_leaves_one_job() -> None:
    form = theory.unique_keys_of_batch(batch_size=7, keys=1, exponent=1.0)
    assert (form.mean_distinct, form.var_distinct, form.p_top_key_present) == (1.0, 0.0, 1.0)


def test_keys_and_exponents_are_checked() -> None:
    with pytest.raises(InvalidValueError, match="keys must be >= 1, got 0"):
        theory.unique_keys_periodic(rate=1.0, period=1.0, keys=0, exponent=1.0)
    with pytest.raises(InvalidValueError, match="exponent must be >= 0, got -1"):
        theory.unique_keys_of_batch(batch_size=1, keys=2, exponent=-1)
    with pytest.raises(InvalidTypeError, match=r"batch_size must be a whole number, got 1\.5"):
        theory.unique_keys_of_batch(batch_size=1.5, keys=2, exponent=1)  # type: ignore[arg-type]  # what the test is about
