"""Bursty arrivals have the counts of the Markov-modulated Poisson process."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bufsim.errors import InvalidValueError
from bufsim.model.arrivals import Bursty


def counts(process: Bursty, until: float, replications: int) -> np.ndarray:
    return np.array(
        [
            len(process.all_times(np.random.Generator(np.random.SFC64(seed)), until))
            for seed in range(1000, 1000 + replications)
        ]
    )


def assert_mean(values: np.ndarray, expected: float) -> None:
    assert abs(values.mean() - expected) <= 4.0 * values.std(ddof=1) / math.sqrt(len(values))


@pytest.mark.parametrize("process", [Bursty(30.0, 3.0, 2.0, 5.0), Bursty(50.0, 0.0, 0.3, 0.9)], ids=repr)
@pytest.mark.parametrize("until", [1.0, 20.0])
def test_stationary_counts_have_the_mean_and_variance_of_the_closed_form(process, until):
    # Var N(t) = m t + 2 p q (a - b)² (r t - 1 + exp(-r t)) / r², r the sum of the switching rates (Fischer 1993)
    r = 1.0 / process.mean_high + 1.0 / process.mean_low
    p = process.mean_high / (process.mean_high + process.mean_low)
    spread = 2.0 * p * (1.0 - p) * (process.high_rate - process.low_rate) ** 2
    variance = process.mean_rate * until + spread * (r * until - 1.0 + math.exp(-r * until)) / r**2
    sizes = counts(process, until, 1500)
    assert_mean(sizes, process.mean_rate * until)
    squares = (sizes - process.mean_rate * until) ** 2
    assert_mean(squares, variance)
    # a negative control: it is no Poisson process
    assert squares.mean() - 4.0 * squares.std() / math.sqrt(len(sizes)) > process.mean_rate * until


@pytest.mark.parametrize("start", ["high", "low"])
def test_a_given_start_fades_at_the_rate_of_the_phases(start):
    process = Bursty(40.0, 4.0, 1.0, 3.0, start=start)
    r = 1.0 / process.mean_high + 1.0 / process.mean_low
    first = process.high_rate if start == "high" else process.low_rate
    expected = process.mean_rate * 2.0 + (first - process.mean_rate) * (1.0 - math.exp(-2.0 * r)) / r
    assert_mean(counts(process, 2.0, 2000), expected)


def test_nothing_arrives_in_an_off_phase():
    gaps = np.diff(Bursty(1000.0, 0.0, 1.0, 9.0).all_times(np.random.Generator(np.random.SFC64(5)), 2000.0))
    # between bursts: exponential silences of 9 s, about 200 of them
    silences = gaps[gaps > 0.1]
    assert 140 < len(silences) < 260
    assert_mean(silences, 9.0)


def test_equal_rates_are_a_poisson_process():
    sizes = counts(Bursty(5.0, 5.0, 1.0, 1.0), 10.0, 1500)
    assert_mean(sizes, 50.0)
    assert_mean((sizes - 50.0) ** 2, 50.0)


def test_scaling_keeps_the_phases():
    process = Bursty(100.0, 0.0, 1.0, 20.0, start="low")
    first = process.all_times(np.random.Generator(np.random.SFC64(5)), 500.0)[0]
    denser = process.scaled(1000.0).all_times(np.random.Generator(np.random.SFC64(5)), 500.0)[0]
    assert 0.0 < first - denser < 0.1


def test_a_very_fast_burst_is_streamed():
    blocks = Bursty(1e12, 0.0, 1e6, 1.0, start="high").blocks(np.random.Generator(np.random.SFC64(5)), 10.0)
    assert len(next(blocks)) == 8192


def test_a_run_without_a_burst_ends():
    assert len(Bursty(1.0, 0.0, 1.0, 1e6, start="low").all_times(np.random.Generator(np.random.SFC64(5)), 10.0)) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 0.0, 1.0, 1.0), r"high_rate must be > 0, got 0\.0"),
        ((1.0, -1.0, 1.0, 1.0), r"low_rate must be >= 0, got -1\.0"),
        ((1.0, 2.0, 1.0, 1.0), r"low_rate must be <= high_rate = 1\.0, got 2\.0"),
        ((1.0, 0.0, 0.0, 1.0), r"mean_high must be > 0, got 0\.0"),
        ((1.0, 0.0, 1.0, -1.0), r"mean_low must be > 0, got -1\.0"),
    ],
)
def test_a_wrong_value_is_named(arguments, message):
    with pytest.raises(InvalidValueError, match=f"^{message}$"):
        Bursty(*arguments)


def test_an_unknown_start_is_an_error_with_a_suggestion():
    with pytest.raises(
        InvalidValueError, match=r"^start must be one of 'stationary', 'high', 'low', got 'hihg'; did you"
    ):
        Bursty(1.0, 0.0, 1.0, 1.0, start="hihg")


def test_durations_may_be_text():
    assert Bursty(1.0, 0.0, "1min", "2min") == Bursty(1.0, 0.0, 60.0, 120.0)
