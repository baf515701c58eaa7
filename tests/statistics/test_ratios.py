from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim.errors import InvalidValueError
from bufsim.statistics import mean_interval, ratio_interval, ratio_values


def test_pseudo_values_by_hand():
    # without each: 50/20, 30/15, 40/15; with all: 60/25
    assert ratio_values([10.0, 30.0, 20.0], [5.0, 10.0, 10.0]) == pytest.approx(
        [3 * 2.4 - 2 * 2.5, 3 * 2.4 - 2 * 2.0, 3 * 2.4 - 2 * 40 / 15]
    )


@given(st.lists(st.floats(-100.0, 100.0), min_size=2, max_size=20), st.floats(0.1, 10.0))
def test_with_equal_denominators_it_is_the_plain_mean(numerators, denominator):
    made = ratio_interval(numerators, [denominator] * len(numerators))
    plain = mean_interval(np.array(numerators) / denominator)
    assert made.estimate == pytest.approx(plain.estimate, abs=1e-6)
    assert made.half_width == pytest.approx(plain.half_width, rel=1e-6, abs=1e-6)


def test_a_constant_ratio_has_no_width():
    assert ratio_interval([2.0, 4.0, 6.0], [1.0, 2.0, 3.0]).half_width == pytest.approx(0.0, abs=1e-12)


def size_or_age_totals(generate, rng, studies, *, n, cycles):
    """Sums of waits and counts of jobs of problem 1, in windows as long as a run; replications by rows."""
    starts, waits = generate.size_or_age_cycles(rng, 10.0, 40, 5.0, studies * n, cycles)
    held = (starts > 25.0) & (starts < 4.0 * cycles * 0.8)
    sums = np.where(held, np.nansum(waits, axis=2), 0.0).sum(axis=1).reshape(studies, n)
    jobs = np.where(held, np.isfinite(waits).sum(axis=2), 0).sum(axis=1).reshape(studies, n)
    return sums, jobs, held.sum(axis=1).reshape(studies, n)


def test_the_mean_wait_and_batch_size_of_problem_1_are_covered(generate, truth, agrees):
    sums, jobs, batches = size_or_age_totals(generate, np.random.default_rng(21), 500, n=10, cycles=60)
    waits = sum(truth(1, "mean_wait") in ratio_interval(*study) for study in zip(sums, jobs, strict=True))
    sizes = sum(truth(1, "mean_batch") in ratio_interval(*study) for study in zip(jobs, batches, strict=True))
    assert agrees(waits, 500, 0.95)
    # ten short runs of nearly constant batches are skewed: 0.93 when many are drawn
    assert agrees(sizes, 500, 0.93)


def test_under_bursts_the_jackknife_covers_and_the_mean_of_ratios_does_not(generate, truth, agrees):
    rng = np.random.default_rng(22)
    jackknife = plain = 0
    for _ in range(150):
        runs = [generate.mmpp(rng, 350.0) for _ in range(30)]
        kept = [
            generate.waits(times, *generate.flushes(times, {"size": 60, "age": 4.0}, 350.0), 100.0) for times in runs
        ]
        sums, jobs = np.array([waits.sum() for waits in kept]), np.array([waits.size for waits in kept])
        jackknife += truth(2, "mean_wait") in ratio_interval(sums, jobs)
        plain += truth(2, "mean_wait") in mean_interval(sums / jobs)
    assert agrees(jackknife, 150, 0.95)
    assert plain < 0.88 * 150


def test_a_replication_without_jobs_is_no_hindrance():
    assert np.isfinite(ratio_values([0.0, 3.0, 4.0], [0.0, 2.0, 2.0])).all()


@pytest.mark.parametrize(
    ("numerators", "denominators", "message"),
    [
        ([1.0, 2.0], [1.0, 2.0, 3.0], "denominators must be as many as numerators, got 3 and 2"),
        ([1.0, 2.0], [1.0, -2.0], "denominators must be >= 0, got -2.0"),
        ([1.0, 0.0], [1.0, 0.0], "denominators must be > 0 in at least 2 replications"),
        ([0.0, 0.0], [0.0, 0.0], "denominators must be > 0 in at least 2 replications"),
        ([1.0], [1.0], "numerators must come from at least 2 replications"),
    ],
)
def test_what_cannot_be_a_ratio_is_an_error(numerators, denominators, message):
    with pytest.raises(InvalidValueError, match=message):
        ratio_interval(numerators, denominators)
