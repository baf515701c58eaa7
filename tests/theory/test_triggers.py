from __future__ import annotations

import numpy as np
import pytest
from bufsim_tests.theory_cases import mean_wait, waits_and_batches

from bufsim import theory
from bufsim.errors import InvalidValueError


def first_gap(times: np.ndarray, idle: float, age: float) -> float:
    gaps = np.diff(times, append=np.inf)
    return min(times[np.argmax(gaps >= idle)] + idle, age)


def test_mean_wait_of_idle_or_age_agrees_with_a_replay() -> None:
    totals, sizes = waits_and_batches(lambda times: first_gap(times, 0.8, 4.0), rate=2.0, batches=20_000, longest=4.0)
    wait, error = mean_wait(totals, sizes)
    form = theory.idle_or_age(rate=2.0, idle=0.8, age=4.0)
    assert abs(form.mean_wait - wait) < 4.0 * error
    assert error < 0.01 * wait
    assert abs(form.mean_batch - sizes.mean()) < 4.0 * sizes.std(ddof=1) / np.sqrt(len(sizes))


def test_the_alternating_series_keeps_its_digits_where_doubles_would_not() -> None:
    # terms of 1e26 cancel; a batch can only end by age: a gap of 0.5 s has the chance 2e-22
    form = theory.idle_or_age(rate=100.0, idle=0.5, age=1.0)
    by_age = theory.age_only(rate=100.0, age=1.0)
    assert form.p_max_trigger == pytest.approx(1.0, rel=1e-15)
    assert form.mean_wait == pytest.approx(by_age.mean_wait, rel=1e-12)
    tight = theory.idle_or_age(rate=50.0, idle=0.06, age=5.0)
    assert tight.mean_wait < theory.idle_only(rate=50.0, idle=0.06).mean_wait
    assert 0.0 < tight.p_max_trigger < 1e-3


def test_a_long_series_ends_when_nothing_is_left_to_add() -> None:
    form = theory.idle_or_age(rate=1.0, idle=1e-5, age=1.0)
    assert form.mean_first_job_wait == pytest.approx(1e-5, rel=1e-4)


def test_the_limits_of_min_and_max_are_checked_against_each_other() -> None:
    with pytest.raises(InvalidValueError, match=r"min_size must be <= max_size = 3, got 4"):
        theory.min_and_max(rate=1.0, min_size=4, min_age=1.0, max_size=3, max_age=2.0)
    with pytest.raises(InvalidValueError, match=r"min_age must be <= max_age = 2.0, got 3.0"):
        theory.min_and_max(rate=1.0, min_size=2, min_age=3.0, max_size=3, max_age=2.0)


def test_a_buffer_that_never_pauses_is_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"rate \* idle must be <= 300, got 1000: .* with idle_or_age"):
        theory.idle_only(rate=100.0, idle=10.0)
    with pytest.raises(InvalidValueError, match=r"rate \* age must be <= 2233, got 10000; lower age, or simulate"):
        theory.idle_or_age(rate=100.0, idle=1.0, age=100.0)


def test_age_0_flushes_each_job_at_once() -> None:
    form = theory.idle_or_age(rate=2.0, idle=1.0, age=0.0)
    assert (form.mean_batch, form.mean_wait) == (1.0, 0.0)
    assert theory.idle_only(rate=2.0, idle=0.0).mean_batch == 1.0
