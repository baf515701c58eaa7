from __future__ import annotations

import numpy as np
import pytest

from bufsim.errors import InvalidValueError
from bufsim.statistics import (
    mean_interval,
    paired_difference,
    quantile_interval,
    quantile_values_from_counts,
    quantiles,
)


def exponentials(seed, count=30, jobs=400):
    rng = np.random.default_rng(seed)
    return [rng.exponential(1.0, jobs) for _ in range(count)]


def test_their_mean_and_half_width_are_those_of_the_quantile():
    samples = exponentials(101)
    values, direct = mean_interval(quantiles(samples, 0.9)), quantile_interval(samples, 0.9)
    assert values.estimate == pytest.approx(direct.estimate, abs=0.05 * direct.half_width)
    assert values.half_width == pytest.approx(direct.half_width, rel=0.2)


def test_they_cover_the_true_quantile(agrees):
    draws = np.random.default_rng(102).exponential(1.0, (400, 20, 200))
    hits = sum(np.log(10.0) in mean_interval(quantiles(study, 0.9)) for study in draws)
    assert agrees(hits, 400, 0.95)


def test_a_difference_under_common_random_numbers_is_covered(agrees):
    # first = exp, second = 1.1 exp of the same draws: the 90 % quantiles differ by 0.1 log 10
    draws = np.random.default_rng(103).exponential(1.0, (300, 20, 200))
    hits, ratios = 0, []
    for study in draws:
        made = paired_difference(quantiles(1.1 * study, 0.9), quantiles(study, 0.9))
        hits += 0.1 * np.log(10.0) in made.interval()
        ratios.append(made.variance_ratio)
    assert agrees(hits, 300, 0.95)
    assert np.median(ratios) > 50


def test_at_an_atom_every_replication_has_that_value():
    samples = [np.minimum(run, 1.0) for run in exponentials(104)]
    assert (quantiles(samples, 0.95) == 1.0).all()


def test_the_same_samples_are_identical():
    assert paired_difference(*[quantiles(exponentials(105), 0.9)] * 2).is_identical


def test_a_grid_gives_nearly_the_same():
    samples = exponentials(106)
    grid = np.linspace(0.0, 15.0, 3001)
    counts = [np.searchsorted(np.sort(run), grid, "right") for run in samples]
    raw = mean_interval(quantiles(samples, 0.9))
    binned = mean_interval(quantile_values_from_counts(grid, counts, 0.9))
    assert binned.estimate == pytest.approx(raw.estimate, abs=0.01)
    assert binned.half_width == pytest.approx(raw.half_width, rel=0.1)


def test_a_grid_that_ends_below_the_quantile_is_an_error():
    with pytest.raises(InvalidValueError, match=r"values must reach the 0\.9 quantile"):
        quantile_values_from_counts([1.0, 2.0], [[1, 2], [1, 2]], 0.9, totals=[9, 9])
