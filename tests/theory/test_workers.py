from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from bufsim import theory
from bufsim.errors import InvalidValueError

LOADS = st.floats(0.05, 0.95)


def erlang_c_number(load: float, concurrency: int) -> float:
    """The mean number in an M/M/c queue, by Erlang's C formula."""
    offered = load * concurrency
    below = sum(offered**n / math.factorial(n) for n in range(concurrency))
    all_busy = offered**concurrency / math.factorial(concurrency) / (1.0 - load)
    return offered + all_busy / (below + all_busy) * load / (1.0 - load)


@given(load=LOADS, concurrency=st.integers(1, 12), mean_service=st.floats(0.01, 10.0))
def test_single_jobs_make_an_m_m_c_queue(load: float, concurrency: int, mean_service: float) -> None:
    rate = load * concurrency / mean_service
    number = erlang_c_number(load, concurrency)
    bulks = theory.bulks_and_workers(bulk_rate=rate, mean_bulk=1.0, mean_service=mean_service, concurrency=concurrency)
    assert bulks.mean_in_system == pytest.approx(number, rel=1e-9)
    sized = theory.size_then_workers(rate=rate, size=1, mean_service=mean_service, concurrency=concurrency)
    assert sized.mean_in_workers == pytest.approx(number, rel=1e-9)


@given(load=LOADS, mean_bulk=st.floats(1.0, 20.0))
def test_one_worker_is_the_same_by_moments_and_by_cuts(load: float, mean_bulk: float) -> None:
    by_cuts = theory.bulks_and_workers(bulk_rate=load / mean_bulk, mean_bulk=mean_bulk, mean_service=1.0, concurrency=1)
    by_moments = theory.bulks_and_one_worker(
        bulk_rate=load / mean_bulk,
        mean_bulk=mean_bulk,
        bulk_scv=1.0 - 1.0 / mean_bulk,
        mean_service=1.0,
        service_scv=1.0,
    )
    for name in ("rho", "mean_in_system", "mean_sojourn", "mean_queue_wait"):
        assert by_cuts.quantities[name] == pytest.approx(by_moments.quantities[name], rel=1e-9, abs=1e-12)
    assert by_cuts.p_empty_system == pytest.approx(1.0 - load, rel=1e-12)


@given(load=st.floats(0.05, 0.9), size=st.integers(1, 8), concurrency=st.integers(1, 6))
def test_regular_batches_wait_less_than_random_ones(load: float, size: int, concurrency: int) -> None:
    rate = load * concurrency
    regular = theory.size_then_workers(rate=rate, size=size, mean_service=1.0, concurrency=concurrency)
    # each job is served for 1 s: no fewer than the load's jobs are there, and no worker idles while one waits
    assert regular.mean_in_workers >= rate * (1.0 - 1e-12)
    if concurrency == 1:
        random = theory.bulks_and_one_worker(
            bulk_rate=rate / size, mean_bulk=size, bulk_scv=0.0, mean_service=1.0, service_scv=1.0
        )
        assert regular.mean_in_workers <= random.mean_in_system * (1.0 + 1e-9)


def test_a_worker_is_behind_as_a_limited_drain_is() -> None:
    worker = theory.periodic_then_one_worker(rate=3.0, period=2.0, served_per_period=7)
    drain = theory.periodic_at_most(rate=3.0, period=2.0, at_most=7)
    assert worker.mean_unfinished_before_flush == drain.mean_leftover


def test_workers_that_cannot_keep_up_are_refused() -> None:
    with pytest.raises(
        InvalidValueError, match=r"rate \* mean_service / concurrency, must be < 1, got 1: .* raise conc"
    ):
        theory.size_then_workers(rate=4.0, size=2, mean_service=1.0, concurrency=4)
    with pytest.raises(InvalidValueError, match=r"bulk_rate \* mean_bulk \* mean_service, must be < 1, got 2"):
        theory.bulks_and_one_worker(bulk_rate=1.0, mean_bulk=2.0, bulk_scv=0.0, mean_service=1.0, service_scv=0.0)
    with pytest.raises(InvalidValueError, match=r"mean_service / concurrency, must be < 1, got 1\.5: .* raise concurr"):
        theory.bulks_and_workers(bulk_rate=1.0, mean_bulk=3.0, mean_service=1.0, concurrency=2)
    with pytest.raises(InvalidValueError, match=r"rate \* period / served_per_period, must be < 1, got 1\.2"):
        theory.periodic_then_one_worker(rate=3.0, period=2.0, served_per_period=5)


def test_a_thousand_workers_do_not_overflow() -> None:
    form = theory.bulks_and_workers(bulk_rate=900.0, mean_bulk=1.0, mean_service=1.0, concurrency=1000)
    # hardly any job waits
    assert form.mean_in_system == pytest.approx(900.0, rel=1e-4)
    assert form.mean_in_system > 900.0


def test_batches_without_a_job_are_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"mean_bulk must be >= 1, got 0\.5; a batch has a job"):
        theory.bulks_and_workers(bulk_rate=1.0, mean_bulk=0.5, mean_service=0.1, concurrency=1)
    with pytest.raises(InvalidValueError, match=r"mean_bulk must be >= 1, got 0\.5; a batch has a job"):
        theory.bulks_and_one_worker(bulk_rate=1.0, mean_bulk=0.5, bulk_scv=0.0, mean_service=0.1, service_scv=0.0)


def test_a_chain_of_too_many_states_is_refused() -> None:
    with pytest.raises(
        InvalidValueError, match=r"need \d+ states, more than 200000; lower size or the load, or simulate"
    ):
        theory.size_then_workers(rate=0.999, size=500, mean_service=1.0, concurrency=1)


QUEUE = {"bulk_rate": 0.5, "mean_bulk": 3.0, "mean_service": 1.0, "concurrency": 2}


def test_the_curve_is_the_derivative_of_the_area() -> None:
    times = np.linspace(0.0, 40.0, 401)
    curve = theory.mean_in_system_at(times, **QUEUE)
    form = theory.bulks_and_workers_from_empty(**QUEUE, until=40.0, warm_up=10.0)
    assert form.time_avg_in_system == pytest.approx(integrate.simpson(curve[100:], x=times[100:]) / 30.0, rel=1e-7)


def test_an_empty_start_fills_up_to_the_long_run() -> None:
    steady = theory.bulks_and_workers(**QUEUE).mean_in_system
    curve = theory.mean_in_system_at([0.0, 1.0, 10.0, 100.0, 4000.0], **QUEUE)
    assert curve[0] == 0.0
    assert np.all(np.diff(curve) > 0.0)
    assert curve[-1] == pytest.approx(steady, rel=1e-9)


def test_without_service_yet_the_number_is_what_has_arrived() -> None:
    # in 1 ms, 0.5·3·0.001 jobs come and hardly any is served
    assert theory.mean_in_system_at([1e-3], **QUEUE)[0] == pytest.approx(1.5e-3, rel=1e-3)


def test_times_and_windows_are_checked() -> None:
    with pytest.raises(InvalidValueError, match=r"times must be finite and >= 0, and not empty, got \[\]"):
        theory.mean_in_system_at([], **QUEUE)
    with pytest.raises(InvalidValueError, match=r"times must be finite and >= 0, and not empty, got \[-1\.0\]"):
        theory.mean_in_system_at([-1.0], **QUEUE)
    with pytest.raises(InvalidValueError, match=r"warm_up must be < until = 5\.0, got 5\.0"):
        theory.bulks_and_workers_from_empty(**QUEUE, until=5.0, warm_up=5.0)
    with pytest.raises(InvalidValueError, match=r"until needs \d+ jumps, more than 2000000; lower until"):
        theory.bulks_and_workers_from_empty(**QUEUE, until=1e7)
    with pytest.raises(InvalidValueError, match=r"mean_service / concurrency, must be < 1, got 1\.5"):
        theory.mean_in_system_at([1.0], **{**QUEUE, "mean_bulk": 6.0})
