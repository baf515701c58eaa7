"""Arrivals by thinning follow the rate, and a rate that breaks its bound is named with the time."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model.time_varying import ScaledRate, Sinusoid, StepRate, TimeVarying


def generator(seed: int = 5) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(seed))


def ramp(times):
    return times / 10.0


def test_a_sinusoid_has_the_integral_of_its_rate_in_every_eighth_of_a_period():
    rate = Sinusoid(500.0, 400.0, 8.0)
    times = TimeVarying(rate, 900.0).all_times(generator(), 800.0)
    counts = np.histogram(times % 8.0, bins=8, range=(0.0, 8.0))[0]
    edges = np.arange(9.0)
    integral = 500.0 * edges - 400.0 * np.cos(edges * math.pi / 4.0) * 4.0 / math.pi
    expected = 100.0 * np.diff(integral)
    assert (abs(counts - expected) <= 4.0 * np.sqrt(expected)).all()


def test_steps_have_their_rates_and_nothing_lies_outside():
    process = TimeVarying(StepRate([10.0, 20.0, 25.0], [100.0, 3000.0]), 3000.0)
    times = process.all_times(generator(), 1000.0)
    assert times[0] >= 10.0
    assert times[-1] < 25.0
    counts = np.histogram(times, bins=[10.0, 20.0, 25.0])[0]
    assert abs(counts[0] - 1000) <= 4.0 * math.sqrt(1000)
    assert abs(counts[1] - 15_000) <= 4.0 * math.sqrt(15_000)


def test_the_counts_of_a_thinned_process_are_poisson():
    sizes = np.array([len(TimeVarying(ramp, 2.0).all_times(generator(seed), 20.0)) for seed in range(1500)])
    squares = (sizes - 20.0) ** 2
    assert abs(sizes.mean() - 20.0) <= 4.0 * sizes.std() / math.sqrt(1500)
    assert abs(squares.mean() - 20.0) <= 4.0 * squares.std() / math.sqrt(1500)


def test_a_sinusoid_starts_at_its_mean_going_up():
    rates = Sinusoid(10.0, 5.0, 4.0)(np.array([0.0, 1.0, 2.0, 3.0]))
    assert rates == pytest.approx([10.0, 15.0, 10.0, 5.0], rel=1e-12)


def test_a_step_holds_from_its_edge_on():
    times = np.array([0.0, 1.0, 1.999, 2.0, 4.999, 5.0, 6.0])
    assert StepRate([1, 2, 5], [3, 4])(times).tolist() == [0.0, 3.0, 3.0, 4.0, 4.0, 0.0, 0.0]
    assert StepRate([0, 2, 5], [3, 4], repeat=True)(times).tolist() == [3.0, 3.0, 3.0, 4.0, 4.0, 3.0, 3.0]


def test_mean_rates_are_those_of_whole_periods():
    assert TimeVarying(Sinusoid(10.0, 5.0, 4.0), 15.0).mean_rate == 10.0
    assert TimeVarying(StepRate([0, 1, 4], [6.0, 2.0], repeat=True), 6.0).mean_rate == 3.0
    assert math.isnan(TimeVarying(StepRate([0, 1, 4], [6.0, 2.0]), 6.0).mean_rate)
    assert math.isnan(TimeVarying(ramp, 6.0).mean_rate)


@pytest.mark.parametrize(
    "rate",
    [Sinusoid(10.0, 5.0, 4.0), StepRate([0, 1, 4], [6, 2], repeat=True), StepRate([1, 2], [3]), ScaledRate(ramp, 2)],
)
def test_rates_are_values(rate):
    assert eval(repr(rate), {**globals(), repr(ramp): ramp}) == rate if not isinstance(rate, ScaledRate) else True
    assert pickle.loads(pickle.dumps(rate)) == rate
    assert hash(pickle.loads(pickle.dumps(rate))) == hash(rate)
    times = np.linspace(0.0, 5.0, 50)
    assert rate.scaled(3.0)(times) == pytest.approx(3.0 * rate(times))
    assert rate.scaled(3.0).mean_rate == pytest.approx(3.0 * rate.mean_rate, nan_ok=True)


def test_scaling_scales_a_function_of_ones_own():
    process = TimeVarying(ramp, 2.0).scaled(3.0)
    assert process == TimeVarying(ScaledRate(ramp, 3.0), 6.0)
    assert process.scaled(2.0) == TimeVarying(ScaledRate(ramp, 6.0), 12.0)


def test_a_function_may_return_one_rate_for_all_times():
    assert len(TimeVarying(lambda times: 5.0, 5.0).all_times(generator(), 100.0)) > 400


@pytest.mark.parametrize(
    ("rate", "value", "after"),
    [
        (lambda times: np.where(times > 7.0, 5.5, 5.0), "5.5", 7.0),
        (lambda times: np.where(times > 7.0, -0.5, 5.0), "-0.5", 7.0),
        (lambda times: np.where(times > 7.0, math.nan, 5.0), "nan", 7.0),
        (lambda times: 6.0, "6.0", 0.0),
    ],
)
def test_a_rate_outside_its_bounds_is_an_error_with_the_time(rate, value, after):
    with pytest.raises(InvalidValueError) as caught:
        TimeVarying(rate, 5.0).all_times(generator(), 100.0)
    start, _, rest = str(caught.value).partition(f", got {value} at ")
    assert start == "rate must be between 0 and max_rate = 5.0"
    time, _, way_out = rest.partition(" s; ")
    assert after < float(time) < after + 3.0
    assert way_out == "mend the function, or give a greater max_rate"


def test_a_rate_may_exceed_its_bound_by_rounding():
    assert 0.1 + 0.2 > 0.3
    assert TimeVarying(lambda times: np.full(len(times), 0.1 + 0.2), 0.3).all_times(generator(), 100.0).size


def test_a_rate_after_the_end_of_the_run_does_not_matter():
    assert TimeVarying(lambda times: np.where(times > 7.0, 99.0, 5.0), 5.0).all_times(generator(), 7.0).size


def test_a_rate_of_the_wrong_shape_is_an_error():
    with pytest.raises(
        InvalidValueError, match=r"^rate must return one value for each time, got shape \(2,\) for \(\d+,\)$"
    ):
        TimeVarying(lambda times: np.ones(2), 5.0).all_times(generator(), 100.0)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: TimeVarying(5.0, 5.0),
            InvalidTypeError,
            r"rate must be a function of an array of times, got 5\.0; for a",
        ),
        (lambda: TimeVarying(ramp, 0.0), InvalidValueError, r"max_rate must be > 0, got 0\.0$"),
        (lambda: ScaledRate(2.0, 1.0), InvalidTypeError, r"rate must be a function of an array of times, got 2\.0$"),
        (lambda: ScaledRate(ramp, 0.0), InvalidValueError, r"factor must be > 0, got 0\.0$"),
        (lambda: Sinusoid(0.0, 0.0, 1.0), InvalidValueError, r"mean must be > 0, got 0\.0$"),
        (
            lambda: Sinusoid(1.0, 2.0, 1.0),
            InvalidValueError,
            r"amplitude must be <= mean = 1\.0, so that the rate stays >= 0, got 2\.0$",
        ),
        (lambda: Sinusoid(1.0, 0.5, -1.0), InvalidValueError, r"period must be > 0, got -1\.0$"),
        (
            lambda: StepRate([], []),
            InvalidValueError,
            "edges must be one more than rates, rates at least one; got 0 edges",
        ),
        (
            lambda: StepRate([0, 1], [1, 2]),
            InvalidValueError,
            "edges must be one more than .*; got 2 edges and 2 rates$",
        ),
        (
            lambda: StepRate([0, 2, 2], [1, 2]),
            InvalidValueError,
            r"edges must increase, got edges\[2\] = 2\.0 after 2\.0$",
        ),
        (lambda: StepRate([0, 1], [-1]), InvalidValueError, r"rates\[0\] must be >= 0, got -1$"),
        (
            lambda: StepRate([1, 2], [1], repeat=True),
            InvalidValueError,
            r"edges must start at 0 when they repeat, got 1\.0$",
        ),
    ],
)
def test_a_wrong_value_is_named_when_it_is_written(make, error, message):
    with pytest.raises(error, match=f"^{message}"):
        make()


def test_durations_may_be_text():
    assert StepRate(["0s", "1h", "1d"], [1, 2]).edges == (0.0, 3600.0, 86_400.0)
    assert Sinusoid(1, 1, "1d").period == 86_400.0
