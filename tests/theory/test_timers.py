from __future__ import annotations

import math

import numpy as np
import pytest
from bufsim_tests.theory_cases import mean_wait, waits_and_batches
from hypothesis import given
from hypothesis import strategies as st

from bufsim import theory


@pytest.mark.parametrize(("age", "tick"), [(2.5, 1.0), (0.3, 1.0), (3.0, 1.0), (1.0, 4.7)])
def test_age_checked_on_a_grid_agrees_with_a_replay(age: float, tick: float) -> None:
    rate = 1.3
    phases = np.random.default_rng(7)

    def first_tick(times: np.ndarray) -> float:
        # the buffer is empty at a tick: the first job comes after an exponential time
        phase = phases.exponential(1.0 / rate)
        return math.ceil((phase + age) / tick) * tick - phase

    totals, sizes = waits_and_batches(first_tick, rate=rate, batches=20_000, longest=age + tick)
    wait, error = mean_wait(totals, sizes)
    form = theory.age_checked_every(rate=rate, age=age, tick=tick)
    assert abs(form.mean_wait - wait) < 4.0 * error
    assert error < 0.01 * wait
    assert abs(form.mean_batch - sizes.mean()) < 4.0 * sizes.std(ddof=1) / np.sqrt(len(sizes))


@given(rate=st.floats(1e-4, 1e4), ticks=st.integers(0, 5), tick=st.floats(0.01, 10.0))
def test_age_of_whole_ticks_has_the_published_mean(rate: float, ticks: int, tick: float) -> None:
    load = rate * tick
    mean = theory.age_checked_every(rate=rate, age=ticks * tick, tick=tick).mean_first_job_wait
    published = ticks * tick + tick - 1.0 / rate + (tick / math.expm1(load) if load < 700.0 else 0.0)
    # the published difference has lost digits where 1/rate is large
    assert mean == pytest.approx(published, rel=1e-9, abs=1e-14 / rate)


@given(rate=st.floats(0.01, 20.0), until=st.floats(0.1, 50.0), size=st.integers(1, 60))
def test_an_import_flushes_or_leaves_every_job(rate: float, until: float, size: int) -> None:
    form = theory.size_until(rate=rate, size=size, until=until)
    assert form.mean_flushes * size + form.mean_left_in_buffer == pytest.approx(form.mean_jobs, rel=1e-10)
    assert form.time_avg_buffer <= size - 1.0 + 1e-12


def test_an_import_of_many_batches_comes_near_the_long_run() -> None:
    form = theory.size_until(rate=40.0, size=20, until=1e5)
    assert form.time_avg_buffer == pytest.approx(theory.size_only(rate=40.0, size=20).time_avg_buffer, rel=1e-4)


def test_a_repeating_timer_that_hardly_ever_finds_nothing_is_a_clock() -> None:
    form = theory.repeating_timer(rate=20.0, period=1.0)
    assert form.mean_wait == pytest.approx(0.5, rel=1e-7)
    assert form.mean_batch_nonempty == pytest.approx(20.0, rel=1e-7)
    rare = theory.repeating_timer(rate=1e-6, period=1.0)
    assert rare.mean_wait == pytest.approx(theory.age_only(rate=1e-6, age=1.0).mean_wait, rel=1e-5)
