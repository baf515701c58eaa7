from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bufsim import (
    FlushAtSize,
    FlushEvery,
    FlushTime,
    JobBuffer,
    Poisson,
    Producer,
    Simulation,
    Stops,
    Storage,
    Trace,
    theory,
)
from bufsim.engines.recording import LOSS_CAUSES
from bufsim.errors import InvalidValueError


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


@given(rate=st.floats(0.01, 100.0), period=st.floats(0.01, 100.0), share=st.floats(0.0, 0.99))
def test_what_a_race_loses_and_leaves_is_all_that_came(rate: float, period: float, share: float) -> None:
    form = theory.race_loss_periodic(rate=rate, period=period, window=share * period)
    assert form.mean_batch + form.mean_lost_per_flush == pytest.approx(rate * period, rel=1e-12)
    assert form.loss_fraction == pytest.approx(form.mean_lost_per_flush / (rate * period), rel=1e-12, abs=1e-300)


def test_a_run_loses_less_by_the_periods_that_are_empty_as_the_real_stores_do_not() -> None:
    rate, period, window, periods = 0.2, 5.0, 0.5, 10_000
    simulation = Simulation(
        producers=[Producer("jobs", Poisson(rate))],
        buffers=[JobBuffer("buffer", policy=FlushEvery(period))],
        storage=Storage(durable=True, read_delete_window=window),
        until=period * periods,
    )
    lost = simulation.run(seed=1, record="summary").tally.buffers["buffer"].lost[LOSS_CAUSES.index("race")] / periods
    form = theory.race_loss_periodic(rate=rate, period=period, window=window)
    expected = form.mean_lost_per_flush * -np.expm1(-rate * (period - window))
    assert lost == pytest.approx(expected, rel=0.1)
    # negative control: by far not what the closed form says, which counts empty reads too
    assert lost < 0.75 * form.mean_lost_per_flush


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


@given(rate=st.floats(0.01, 100.0), size=st.integers(1, 1000), window=st.floats(0.0, 10.0))
def test_a_race_by_size_loses_what_comes_in_its_window(rate: float, size: int, window: float) -> None:
    form = theory.race_loss_size(rate=rate, size=size, window=window)
    assert rate * form.mean_interflush == pytest.approx(size + form.mean_lost_per_flush, rel=1e-12)


def test_windows_and_flushes_longer_than_the_period_are_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"window must be < period = 5\.0, got 5\.0; flushes may not overlap"):
        theory.race_loss_periodic(rate=1.0, period=5.0, window=5.0)
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
