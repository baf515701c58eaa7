from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bufsim import (
    FlushAtSize,
    FlushTime,
    JobBuffer,
    Producer,
    Simulation,
    Stops,
    Storage,
    Trace,
    theory,
)
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.theory.closed_form import poisson_support

DATA = Path(__file__).parents[2] / "data" / "vendure-recorded"


@given(load=st.floats(0.01, 0.98), mean_flush_time=st.floats(0.01, 10.0))
def test_flushes_of_one_job_are_m_m_1(load: float, mean_flush_time: float) -> None:
    form = theory.bulk_service(rate=load / mean_flush_time, mean_flush_time=mean_flush_time, at_least=1, at_most=1)
    assert form.root == pytest.approx(load, rel=1e-12)
    assert form.p_busy == pytest.approx(load, rel=1e-10)
    assert form.mean_queue == pytest.approx(load**2 / (1.0 - load), rel=1e-9)


@given(meanwhile=st.floats(0.01, 20.0), at_least=st.integers(1, 20), spare=st.integers(0, 20))
def test_bulk_service_solves_its_balance_equations(meanwhile: float, at_least: int, spare: int) -> None:
    at_most = max(at_least, int(meanwhile) + 1) + spare
    form = theory.bulk_service(rate=meanwhile, mean_flush_time=1.0, at_least=at_least, at_most=at_most)
    root = form.root
    assert sum(root**i for i in range(1, at_most + 1)) == pytest.approx(meanwhile, rel=1e-9)
    assert min(at_least, meanwhile) * (1.0 - 1e-9) <= form.mean_batch <= at_most * (1.0 + 1e-12)
    assert form.mean_batch * form.p_busy == pytest.approx(meanwhile, rel=1e-12)


def test_flushes_that_cannot_keep_up_are_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"the load, rate \* per_job, must be < 1, got 1.25: .* lower rate or"):
        theory.periodic_with_flush_time(rate=5.0, period=1.0, fixed=0.0, per_job=0.25)
    with pytest.raises(
        InvalidValueError, match=r"rate \* mean_flush_time / at_most, must be < 1, got 1.5: .* raise at"
    ):
        theory.bulk_service(rate=3.0, mean_flush_time=1.0, at_least=1, at_most=2)
    with pytest.raises(InvalidValueError, match="at_most must be >= 4, got 3"):
        theory.bulk_service(rate=1.0, mean_flush_time=1.0, at_least=4, at_most=3)


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
    sizes, chances = poisson_support(rate)
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


@given(mean=st.floats(0.01, 500.0))
def test_loss_quantiles_and_moments_are_those_of_a_poisson_count_at_a_uniform_phase(mean: float) -> None:
    form = theory.stop_loss_periodic(rate=mean, period=1.0)
    counts = np.arange(1500)
    shares = stats.poisson.sf(counts, mean) / mean
    assert form.mean_loss_buffer == pytest.approx(shares @ counts, rel=1e-9)
    assert form.sd_loss_buffer**2 == pytest.approx(shares @ counts**2 - (shares @ counts) ** 2, rel=1e-7)
    below = np.concatenate([[0.0], shares.cumsum()])
    for share, quantile in ((0.95, form.loss_p95), (0.99, form.loss_p99)):
        assert below[int(quantile)] <= share + 1e-12
        assert below[int(quantile) + 1] >= share - 1e-12


@given(size=st.integers(1, 2000))
def test_loss_quantiles_of_a_size_are_those_of_a_uniform_level(size: int) -> None:
    form = theory.stop_loss_size(rate=1.0, size=size)
    levels = np.arange(size)
    assert form.mean_loss_buffer == pytest.approx(levels.mean())
    assert form.sd_loss_buffer == pytest.approx(levels.std())
    assert form.loss_second_moment == pytest.approx((levels**2).mean())
    for percent, quantile in ((95, form.loss_p95), (99, form.loss_p99)):
        assert 100 * (int(quantile) + 1) >= percent * size > 100 * int(quantile)


def test_a_stop_sees_what_the_time_average_sees() -> None:
    assert (
        theory.stop_loss_periodic(rate=3.0, period=7.0).mean_loss_buffer
        == theory.periodic(rate=3.0, period=7.0).time_avg_buffer
    )
    assert (
        theory.stop_loss_size(rate=3.0, size=7).mean_loss_buffer == theory.size_only(rate=3.0, size=7).time_avg_buffer
    )


def test_a_stop_in_a_flush_loses_the_whole_batch() -> None:
    # five jobs at 20 ms each: a stop after two of them would have saved two
    simulation = Simulation(
        producers=[Producer("jobs", Trace([1.0] * 5))],
        buffers=[JobBuffer("buffer", policy=FlushAtSize(5), flush_time=FlushTime(0.0, per_job=0.02))],
        storage=Storage(durable=True),
        stops=Stops(at=[1.05]),
        until=10.0,
    )
    assert simulation.run(seed=1).jobs["loss_cause"].tolist() == ["in_flight"] * 5


def test_flushes_longer_than_the_period_are_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"flush_time must be <= period = 5\.0, got 6\.0; flushes may not"):
        theory.stop_loss_periodic(rate=1.0, period=5.0, flush_time=6.0)


def test_retries_at_their_limits() -> None:
    never = theory.retries(p_failure=0.0, most=5, first=1.0, factor=2.0, longest=10.0)
    assert (never.p_drop, never.mean_attempts, never.mean_backoff) == (0.0, 1.0, 0.0)
    always = theory.retries(p_failure=1.0, most=2000, first=1.0, factor=2.0, longest=10.0)
    assert (always.p_drop, always.mean_attempts) == (1.0, 2001.0)
    assert always.mean_backoff == pytest.approx(1 + 2 + 4 + 8 + 10.0 * 1996)
    at_once = theory.retries(p_failure=0.5, most=2000, first=0.0, factor=2.0, longest=10.0)
    assert at_once.mean_backoff == 0.0
    assert theory.retries(p_failure=0.5, most=0, first=1.0, factor=1.0, longest=1.0).mean_backoff == 0.0
    with pytest.raises(InvalidValueError, match=r"factor must be >= 1, got 0\.5"):
        theory.retries(p_failure=0.5, most=1, first=1.0, factor=0.5, longest=1.0)
