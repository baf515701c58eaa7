from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from bufsim import theory
from bufsim.errors import InvalidValueError


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
