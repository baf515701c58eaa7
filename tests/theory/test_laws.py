"""Laws that hold whatever the policy, and one policy as the limit of another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim import theory

RATES = st.floats(0.01, 100.0)
TIMES = st.floats(0.01, 20.0)
SIZES = st.integers(1, 300)
FAR = 10**9


def policies(rate: float, time: float, size: int) -> list[theory.ClosedForm]:
    """Every closed form of a policy under Poisson arrivals that loses nothing."""
    return [
        theory.periodic(rate=rate, period=time),
        theory.periodic_with_jitter(rate=rate, period=time, jitter=time / 3.0),
        theory.random_flush(rate=rate, flush_rate=1.0 / time),
        theory.size_only(rate=rate, size=size),
        theory.age_only(rate=rate, age=time),
        theory.idle_only(rate=rate, idle=min(time, 5.0 / rate)),
        theory.idle_or_age(rate=rate, idle=min(time / 3.0, 2.0 / rate), age=min(time, 50.0 / rate)),
        theory.size_or_age(rate=rate, size=size, age=time),
        theory.size_or_timer(rate=rate, size=size, period=time),
        theory.size_or_clock(rate=rate, size=size, period=time),
        theory.min_and_max(rate=rate, min_size=size, min_age=time / 2.0, max_size=2 * size, max_age=time),
        theory.age_checked_every(rate=rate, age=time, tick=time / 2.7),
        theory.periodic_at_most(rate=rate, period=time, at_most=int(rate * time) + size),
        theory.periodic_with_flush_time(rate=rate, period=time, fixed=time, per_job=0.5 / rate),
        theory.flush_when_free(rate=rate, flush_time=time),
        theory.group_commit(rate=rate, flush_time=time, delay=time / 4.0),
    ]


@given(rate=RATES, time=TIMES, size=SIZES)
def test_little_the_buffer_is_the_rate_times_the_wait(rate: float, time: float, size: int) -> None:
    for form in policies(rate, time, size):
        assert form.time_avg_buffer == pytest.approx(rate * form.mean_wait, rel=1e-9, abs=1e-14), form


@given(rate=RATES, time=TIMES, size=SIZES)
def test_wald_the_batch_is_the_rate_times_the_time_between_flushes(rate: float, time: float, size: int) -> None:
    checked = 0
    for form in policies(rate, time, size):
        known = form.quantities
        if "mean_interflush" in known:
            assert form.mean_batch == pytest.approx(rate * form.mean_interflush, rel=1e-12), form
            checked += 1
        if "flush_rate" in known and "mean_batch" in known:
            assert form.mean_batch * form.flush_rate == pytest.approx(rate, rel=1e-12), form
            checked += 1
    assert checked >= 18


@given(rate=RATES, time=TIMES, size=SIZES)
def test_a_job_sees_a_batch_no_smaller_than_the_mean_batch(rate: float, time: float, size: int) -> None:
    for form in policies(rate, time, size):
        if "job_seen_batch" in form.quantities:
            assert form.job_seen_batch >= form.mean_batch * (1.0 - 1e-12), form


@given(rate=RATES, time=TIMES, size=SIZES)
def test_wait_percentiles_are_in_order_and_within_the_age(rate: float, time: float, size: int) -> None:
    form = theory.size_or_age(rate=rate, size=size, age=time)
    assert 0.0 <= form.wait_p95 <= form.wait_p99 <= time


def agree(one: theory.ClosedForm, other: theory.ClosedForm, *names: str, rel: float = 1e-9) -> None:
    for name in names:
        assert one.quantities[name] == pytest.approx(other.quantities[name], rel=rel, abs=1e-13), name


@given(rate=RATES, time=TIMES)
def test_without_a_size_only_the_age_is_left(rate: float, time: float) -> None:
    form = theory.size_or_age(rate=rate, size=FAR, age=time)
    names = ("mean_batch", "mean_wait", "mean_interflush", "job_seen_batch", "p_batch_1", "time_avg_buffer")
    agree(form, theory.age_only(rate=rate, age=time), *names)
    assert form.p_size_trigger == 0.0


@given(rate=RATES, size=SIZES)
def test_without_an_age_only_the_size_is_left(rate: float, size: int) -> None:
    form = theory.size_or_age(rate=rate, size=size, age=1e6)
    agree(form, theory.size_only(rate=rate, size=size), "mean_batch", "mean_wait", "wait_p95", "wait_p99")


@given(rate=RATES, time=TIMES)
def test_without_a_size_only_the_timer_is_left(rate: float, time: float) -> None:
    clock = theory.periodic(rate=rate, period=time)
    names = ("mean_wait", "time_avg_buffer", "mean_batch_nonempty", "nonempty_flush_rate")
    agree(theory.size_or_timer(rate=rate, size=FAR, period=time), clock, *names, "mean_batch", "p_empty")
    agree(theory.size_or_clock(rate=rate, size=FAR, period=time), clock, *names)
    agree(theory.periodic_with_jitter(rate=rate, period=time, jitter=0.0), clock, "mean_wait", "var_batch")
    agree(theory.periodic_with_flush_time(rate=rate, period=time, fixed=0.0, per_job=0.0), clock, "mean_wait")


@given(rate=RATES, size=SIZES)
def test_poisson_arrivals_are_renewals_with_scv_1(rate: float, size: int) -> None:
    poisson = theory.size_only(rate=rate, size=size)
    agree(theory.size_only_renewal(rate=rate, size=size, scv=1.0), poisson, "mean_wait", "var_interflush")


@given(rate=RATES, time=TIMES, size=SIZES)
def test_lower_limits_that_never_bind_leave_size_or_age(rate: float, time: float, size: int) -> None:
    names = ("mean_batch", "mean_wait", "time_avg_buffer", "mean_interflush")
    plain = theory.size_or_age(rate=rate, size=size, age=time)
    same_size = theory.min_and_max(rate=rate, min_size=size, min_age=time / 3.0, max_size=size, max_age=time)
    no_min_age = theory.min_and_max(rate=rate, min_size=size, min_age=0.0, max_size=size + 7, max_age=time)
    agree(same_size, plain, *names)
    agree(no_min_age, plain, *names)


@given(rate=st.floats(0.1, 5.0), time=st.floats(0.1, 2.0))
def test_idle_or_age_is_between_idle_and_age(rate: float, time: float) -> None:
    names = ("mean_batch", "mean_wait", "mean_interflush")
    long_idle = theory.idle_or_age(rate=rate, idle=2.0 * time, age=time)
    agree(long_idle, theory.age_only(rate=rate, age=time), *names)
    assert long_idle.p_max_trigger == 1.0
    gap = min(time, 1.0 / rate)
    long_age = theory.idle_or_age(rate=rate, idle=gap, age=60.0 * (gap + 1.0 / rate))
    agree(long_age, theory.idle_only(rate=rate, idle=gap), *names, rel=1e-6)


@given(rate=RATES, time=TIMES)
def test_a_fine_grid_leaves_the_age(rate: float, time: float) -> None:
    fine = theory.age_checked_every(rate=rate, age=time, tick=time * 1e-9)
    agree(fine, theory.age_only(rate=rate, age=time), "mean_batch", "mean_wait", "mean_interflush", rel=1e-7)


@given(rate=st.floats(0.1, 5.0), ticks=st.integers(1, 40))
def test_an_age_of_whole_ticks_does_not_notice_its_rounding(rate: float, ticks: int) -> None:
    # 3 * 0.1 is above 0.3: the remainder is 0 or nearly a tick, and the wait is the same
    below, above = (theory.age_checked_every(rate=rate, age=0.1 * ticks + shift, tick=0.1) for shift in (-1e-12, 1e-12))
    assert below.mean_wait == pytest.approx(above.mean_wait, rel=1e-9)


@given(rate=RATES, time=TIMES)
def test_a_limit_that_never_binds_leaves_the_period(rate: float, time: float) -> None:
    clock = theory.periodic(rate=rate, period=time)
    large = 10 * int(rate * time) + 100
    capped = theory.periodic_with_capacity(rate=rate, period=time, capacity=large)
    assert capped.loss_fraction == pytest.approx(0.0, abs=1e-15)
    assert capped.mean_wait_drop_oldest == pytest.approx(clock.mean_wait, rel=1e-9)
    assert capped.mean_wait_drop_newest == pytest.approx(clock.mean_wait, rel=1e-9)
    drained = theory.periodic_at_most(rate=rate, period=time, at_most=large)
    agree(drained, clock, "mean_wait", "time_avg_buffer", rel=1e-6)


@given(rate=RATES, time=TIMES, capacity=SIZES)
def test_what_a_full_buffer_keeps_and_loses_adds_up(rate: float, time: float, capacity: int) -> None:
    form = theory.periodic_with_capacity(rate=rate, period=time, capacity=capacity)
    kept = form.mean_delivered_batch / (rate * time)
    assert kept + form.loss_fraction == pytest.approx(1.0, rel=1e-12)


@given(rate=RATES, time=TIMES)
def test_a_group_commit_without_delay_is_natural_batching(rate: float, time: float) -> None:
    names = ("mean_batch", "mean_wait", "mean_interflush", "busy_fraction")
    agree(
        theory.group_commit(rate=rate, flush_time=time, delay=0.0),
        theory.flush_when_free(rate=rate, flush_time=time),
        *names,
    )


@given(rate=st.floats(0.1, 20.0), time=st.floats(0.05, 2.0), size=st.integers(2, 30))
def test_bursts_of_equal_rates_are_poisson(rate: float, time: float, size: int) -> None:
    flat = {"high_rate": rate, "low_rate": rate, "mean_high": 0.7, "mean_low": 1.9}
    names = ("mean_batch", "mean_wait", "wait_p95", "wait_p99", "p_wait_is_age", "p_size_trigger", "flush_rate")
    agree(
        theory.bursty_size_or_age(**flat, size=size, age=time),
        theory.size_or_age(rate=rate, size=size, age=time),
        *names,
    )
    clock = theory.periodic(rate=rate, period=time)
    agree(theory.bursty_periodic(**flat, period=time), clock, "mean_batch", "var_batch", "mean_wait", "flush_rate")


@given(rate=st.floats(0.1, 20.0), time=st.floats(0.05, 2.0), size=st.integers(2, 30))
def test_bursts_keep_littles_and_walds_laws(rate: float, time: float, size: int) -> None:
    form = theory.bursty_size_or_age(high_rate=rate, low_rate=0.0, mean_high=1.0, mean_low=3.0, size=size, age=time)
    assert form.time_avg_buffer == pytest.approx(rate / 4.0 * form.mean_wait, rel=1e-12)
    assert form.mean_batch * form.flush_rate == pytest.approx(rate / 4.0, rel=1e-12)
    assert 1.0 <= form.mean_batch <= size
    assert form.wait_p95 <= form.wait_p99 <= time
