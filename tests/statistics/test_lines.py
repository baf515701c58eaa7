from __future__ import annotations

import numpy as np
import pytest

from bufsim import InvalidValueError
from bufsim.statistics.lines import fit_line

SIZES = (1, 10, 100, 1_000, 10_000, 100_000)


def measured(fixed: float, per_job: float, seed: int, *, slow: float = 0.0) -> tuple[list[int], list[float]]:
    """Ten measurements at each size, within some 10 %; a share `slow` of them takes ten times as long."""
    generator = np.random.default_rng(seed)
    sizes = np.repeat(SIZES, 10)
    seconds = (fixed + per_job * sizes) * generator.lognormal(0.0, 0.1, len(sizes))
    return sizes.tolist(), np.where(generator.random(len(sizes)) < slow, 10.0 * seconds, seconds).tolist()


def test_a_line_without_errors_is_found_exactly() -> None:
    line = fit_line(SIZES, [0.002 + 3e-5 * size for size in SIZES])
    assert (line.fixed, line.per_job) == pytest.approx((0.002, 3e-5), rel=1e-6)
    assert line.at(1_000) == pytest.approx(0.032)


@pytest.mark.slow
def test_intervals_hold_the_line_that_was_measured() -> None:
    truth = (0.002, 3e-5)
    held = np.zeros(2)
    for seed in range(20):
        line = fit_line(*measured(*truth, seed))
        for index, (low, high) in enumerate((line.fixed_interval, line.per_job_interval)):
            held[index] += low <= truth[index] <= high
    # at a true 90 %, as resamples of ten have about, 13 of 20 or more but once in 400
    assert (held >= 13).all()


def test_a_tenth_of_slow_measurements_moves_the_line_little() -> None:
    sizes, seconds = measured(0.002, 3e-5, 5, slow=0.1)
    line = fit_line(sizes, seconds)
    assert (line.fixed, line.per_job) == pytest.approx((0.002, 3e-5), rel=0.1)
    # negative control: least squares go astray
    per_job, fixed = np.polyfit(sizes, seconds, 1)
    assert abs(fixed / 0.002 - 1.0) > 0.5 or abs(per_job / 3e-5 - 1.0) > 0.5


def test_the_same_measurements_give_the_same_intervals() -> None:
    data = measured(0.002, 3e-5, 7)
    assert fit_line(*data) == fit_line(*data)


@pytest.mark.parametrize(
    ("sizes", "seconds", "message"),
    [
        ([1, 1], [0.1, 0.2], "sizes must hold two different sizes, .* got 1 in 2 for 2 seconds; measure at more"),
        ([1, 2], [0.1], "got 2 in 2 for 1 seconds"),
        ([1, 2], [0.1, 0.0], "sizes and seconds must be > 0 and finite; leave the others out"),
        ([1, 2], [0.1, float("nan")], "must be > 0 and finite"),
        ([0, 2], [0.1, 0.2], "must be > 0 and finite"),
    ],
)
def test_what_is_no_line_is_an_error_that_says_why(sizes: list[int], seconds: list[float], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        fit_line(sizes, seconds)
