from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special

from bufsim import theory
from bufsim.errors import InvalidValueError


@given(
    high=st.floats(0.1, 50.0),
    share=st.floats(0.0, 1.0),
    mean_high=st.floats(0.01, 100.0),
    mean_low=st.floats(0.01, 100.0),
    period=st.floats(0.01, 100.0),
)
def test_the_variance_of_a_bursty_batch_integrates_the_covariance(
    high: float, share: float, mean_high: float, mean_low: float, period: float
) -> None:
    form = theory.bursty_periodic(
        high_rate=high, low_rate=share * high, mean_high=mean_high, mean_low=mean_low, period=period
    )
    switching = 1.0 / mean_high + 1.0 / mean_low
    in_high = mean_high / (mean_high + mean_low)
    scale = 2.0 * (high - share * high) ** 2 * in_high * (1.0 - in_high)
    # the covariance of the rate at distance t, over all pairs of moments of the period
    reach = min(period, 40.0 / switching)
    area, _ = integrate.quad(lambda t: (period - t) * math.exp(-switching * t), 0.0, reach, epsabs=0.0, epsrel=1e-10)
    assert form.var_batch == pytest.approx(form.mean_batch + scale * area, rel=1e-8)


@given(amplitude=st.floats(0.0, 1.0), cycle=st.floats(0.1, 100.0))
def test_the_mean_wait_under_a_sine_is_that_without_it(amplitude: float, cycle: float) -> None:
    form = theory.sinusoidal_periodic(mean_rate=1.0, amplitude=amplitude, cycle=cycle)
    quarter = cycle / 4.0
    waits = jobs = 0.0
    for k in range(4):

        def rate(t: float) -> float:
            return 1.0 + amplitude * math.sin(2.0 * math.pi * t / cycle)

        def waiting(t: float, end: float = (k + 1) * quarter) -> float:
            return (end - t) * rate(t)

        batch = integrate.quad(rate, k * quarter, (k + 1) * quarter)[0]
        assert form.quantities[f"mean_batch_q{k + 1}"] == pytest.approx(batch, rel=1e-9, abs=1e-9)
        waits += integrate.quad(waiting, k * quarter, (k + 1) * quarter)[0]
        jobs += batch
    assert form.mean_wait == pytest.approx(waits / jobs, rel=1e-9)


def test_bulks_of_one_job_reach_the_size_exactly() -> None:
    form = theory.bulks_by_size(bulk_rate=2.0, mean_bulk=1.0, size=10)
    assert (form.mean_batch, form.var_batch, form.mean_interflush) == (10.0, 0.0, 5.0)


def test_rates_bulks_and_amplitudes_are_checked() -> None:
    bursts = {"high_rate": 1.0, "low_rate": 2.0, "mean_high": 1.0, "mean_low": 1.0}
    with pytest.raises(InvalidValueError, match=r"low_rate must be <= high_rate = 1\.0, got 2\.0"):
        theory.bursty_periodic(**bursts, period=1.0)
    with pytest.raises(InvalidValueError, match=r"low_rate must be <= high_rate = 1\.0, got 2\.0"):
        theory.bursty_size_or_age(**bursts, size=5, age=1.0)
    with pytest.raises(InvalidValueError, match=r"size must be >= 2, got 1"):
        theory.bursty_size_or_age(**{**bursts, "low_rate": 0.0}, size=1, age=1.0)
    with pytest.raises(InvalidValueError, match=r"need \d+ numbers, more than 20000000; lower them, or simulate"):
        theory.bursty_size_or_age(**{**bursts, "high_rate": 1e4}, size=1000, age=100.0)
    with pytest.raises(InvalidValueError, match=r"mean_bulk must be >= 1, got 0\.5; a bulk has a job"):
        theory.bulks_by_size(bulk_rate=1.0, mean_bulk=0.5, size=2)
    with pytest.raises(InvalidValueError, match=r"amplitude must be between 0 and 1, got 1\.5"):
        theory.sinusoidal_periodic(mean_rate=1.0, amplitude=1.5, cycle=1.0)


@given(taken=st.integers(1, 40), load=st.floats(0.2, 0.9))
def test_the_leftover_is_that_of_spitzers_identity(taken: int, load: float) -> None:
    mean = load * taken
    # E[Q] is the sum over n of E[(Poisson(n·mean) − n·taken)⁺]/n: positive terms, no roots
    n = np.arange(1.0, 3000.0)
    far = n * taken - 1.0
    parts = n * mean * special.pdtrc(far - 1.0, n * mean) - n * taken * special.pdtrc(far, n * mean)
    parts[taken * n == 1.0] = mean - 1.0 + np.exp(-mean)
    form = theory.periodic_at_most(rate=mean, period=1.0, at_most=taken)
    assert form.mean_leftover == pytest.approx((parts / n).sum(), rel=1e-8, abs=1e-11)


def test_one_job_a_tick_is_the_queue_of_m_d_1() -> None:
    # Pollaczek and Khinchine: ρ²/(2(1−ρ)) wait at the starts of service, ticks included
    form = theory.periodic_at_most(rate=0.8, period=1.0, at_most=1)
    assert form.mean_leftover == pytest.approx(0.8**2 / (2.0 * 0.2), rel=1e-12)


def test_a_drain_that_cannot_keep_up_is_refused() -> None:
    with pytest.raises(
        InvalidValueError,
        match=r"the load, rate \* period / at_most, must be < 1, got 1: .*; shorten the period or raise at_most",
    ):
        theory.periodic_at_most(rate=2.0, period=5.0, at_most=10)


def test_a_buffer_without_room_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="capacity must be >= 1, got 0"):
        theory.periodic_with_capacity(rate=2.0, period=5.0, capacity=0)


def test_a_tiny_buffer_loses_nearly_all_and_drops_the_old() -> None:
    form = theory.periodic_with_capacity(rate=1000.0, period=10.0, capacity=1)
    assert form.loss_fraction == pytest.approx(1.0 - 1e-4)
    assert form.mean_wait_drop_oldest == pytest.approx(1e-3)
    assert form.mean_wait_drop_newest == pytest.approx(10.0 - 1e-3)
