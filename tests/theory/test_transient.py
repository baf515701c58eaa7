from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate

from bufsim import theory
from bufsim.errors import InvalidValueError

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
