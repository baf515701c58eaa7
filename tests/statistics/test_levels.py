from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim.errors import InvalidValueError
from bufsim.statistics import level_distribution, level_mean_interval, level_quantile_interval

steps = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=30)


@given(steps, st.integers(0, 20), st.integers(1, 20))
def test_it_is_the_level_counted_in_every_quarter_of_a_second(moves, start, length):
    times = np.cumsum([0, *(gap for gap, _ in moves)]) / 4.0
    sizes = np.array([0, *(size for _, size in moves)])
    made = level_distribution(times, sizes, start / 4.0, (start + length) / 4.0)
    levels = [sizes[np.searchsorted(times, tick / 4.0, "right") - 1] for tick in range(start, start + length)]
    assert made.seconds.sum() == pytest.approx(length / 4.0)
    assert made.mean == pytest.approx(np.mean(levels))
    assert made.quantile(0.9) == np.quantile(levels, 0.9, method="inverted_cdf")
    assert made.beyond(1) == pytest.approx(np.mean(np.array(levels) > 1))


def test_of_equal_times_the_last_counts():
    made = level_distribution([0.0, 1.0, 1.0, 1.0], [0, 1, 2, 5], 0.0, 2.0)
    assert made.values.tolist() == [0.0, 5.0]


def saw_teeth(rng, period, rate, runs):
    """Problem 9's level under a periodic policy: one window of a period per run."""
    for _ in range(runs):
        times = np.sort(rng.uniform(0.0, period, rng.poisson(rate * period)))
        yield level_distribution(np.r_[0.0, times], np.arange(times.size + 1), 0.0, period)


def test_the_99_percent_loss_follows_from_the_level_where_crashes_do_not_give_it(truth, agrees):
    rng, hits, means = np.random.default_rng(111), 0, 0
    for _ in range(150):
        rows = list(saw_teeth(rng, 20.0, 30.0, 30))
        made = level_quantile_interval(rows, 0.99)
        assert np.isfinite(made.high)
        hits += truth(9, "A.loss_p99") in made
        means += truth(9, "A.loss_mean") in level_mean_interval(rows)
    # the level is a whole number: intervals reach out to the next one
    assert hits >= 150 * 0.95 - 4 * np.sqrt(150 * 0.95 * 0.05)
    assert agrees(means, 150, 0.95)


def test_a_level_that_never_moves_has_no_width():
    rows = [level_distribution([0.0], [3.0], 0.0, 10.0)] * 3
    assert str(level_quantile_interval(rows, 0.99)) == "3 [3, 3]"
    assert str(level_mean_interval(rows)) == "3 [3, 3]"


def test_a_few_short_windows_do_not_bound_a_high_quantile():
    rows = [level_distribution([0.0], [float(size)], 0.0, 10.0) for size in (1, 2, 3, 4, 5)]
    made = level_quantile_interval(rows, 0.99)
    assert np.isinf(made.high)
    assert made.note.startswith("no upper bound at 95 % from levels worth ")


@pytest.mark.parametrize(
    ("times", "sizes", "start", "end", "message"),
    [
        ([0.0], [1.0], 2.0, 2.0, r"end must be > start, got 2\.0 and 2\.0"),
        ([0.0, 1.0], [1.0], 0.0, 2.0, r"times and sizes must be as many, got shapes \(2,\) and \(1,\)"),
        ([0.0, 2.0, 1.0], [0, 1, 2], 0.0, 2.0, "times must not descend"),
        ([1.0], [0.0], 0.0, 2.0, r"must begin at or before start = 0\.0"),
        ([], [], 0.0, 2.0, "times and sizes must be as many"),
    ],
)
def test_what_is_no_step_function_is_an_error(times, sizes, start, end, message):
    with pytest.raises(InvalidValueError, match=message):
        level_distribution(times, sizes, start, end)
