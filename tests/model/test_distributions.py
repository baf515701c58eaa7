"""Distributions have the means and variances of the textbooks, print as code, and reject what is no time."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import scipy.stats

from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model.distributions import (
    Constant,
    Distribution,
    Exponential,
    Gamma,
    Geometric,
    LogNormal,
    Scaled,
    Scipy,
    Uniform,
    as_distribution,
    mean,
    sample,
    scaled,
)

# distribution, mean, variance
CLOSED_FORMS = [
    (Constant(0.5), 0.5, 0.0),
    (Exponential(2.0), 2.0, 4.0),
    (Uniform(1.0, 4.0), 2.5, 0.75),
    (Gamma(3.0, 0.25), 3.0, 2.25),
    (Gamma(0.5, 4.0), 0.5, 1.0),
    (LogNormal(2.0, 0.5), 2.0, 2.0),
    (Geometric(5.0), 5.0, 20.0),
    (Scaled(Geometric(5.0), 0.5), 2.5, 5.0),
    (as_distribution("service", scipy.stats.gamma(2.0, scale=0.5)), 1.0, 0.5),
    (as_distribution("service", scipy.stats.randint(1, 4)), 2.0, 2.0 / 3.0),
]
VALUES = [distribution for distribution, _, _ in CLOSED_FORMS]


def generator() -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(5))


@pytest.mark.parametrize(("distribution", "expected", "variance"), CLOSED_FORMS)
def test_draws_have_the_mean_and_variance_of_the_closed_form(distribution, expected, variance):
    draws = sample(distribution, generator(), 200_000)
    assert mean(distribution) == pytest.approx(expected, rel=1e-14)
    assert abs(draws.mean() - expected) <= 4.0 * math.sqrt(variance / len(draws))
    squares = (draws - expected) ** 2
    assert abs(squares.mean() - variance) <= 4.0 * squares.std() / math.sqrt(len(draws)) + 1e-12


@pytest.mark.parametrize(
    ("distribution", "reference"),
    [
        (Exponential(2.0), scipy.stats.expon(scale=2.0)),
        (Uniform(1.0, 4.0), scipy.stats.uniform(1.0, 3.0)),
        (Gamma(3.0, 0.25), scipy.stats.gamma(4.0, scale=0.75)),
        (LogNormal(2.0, 0.5), scipy.stats.lognorm(math.sqrt(math.log(1.5)), scale=2.0 / math.sqrt(1.5))),
    ],
)
def test_draws_follow_the_distribution_function(distribution, reference):
    draws = sample(distribution, generator(), 20_000)
    assert scipy.stats.kstest(draws, reference.cdf).pvalue > 1e-3
    # a negative control: 5 % off is seen
    assert scipy.stats.kstest(1.05 * draws, reference.cdf).pvalue < 1e-3


def test_geometric_draws_are_whole_numbers_from_1():
    draws = sample(Geometric(3.0), generator(), 100_000)
    assert set(np.unique(draws)[:3]) == {1.0, 2.0, 3.0}
    share = np.mean(draws == 1.0)
    assert abs(share - 1.0 / 3.0) <= 4.0 * math.sqrt(2.0 / 9.0 / len(draws))
    assert (sample(Geometric(1), generator(), 10) == 1.0).all()


@pytest.mark.parametrize("distribution", VALUES, ids=repr)
def test_a_distribution_is_a_value(distribution):
    again = eval(repr(distribution), {**globals(), "scipy": scipy})
    assert as_distribution("again", again) == distribution
    assert pickle.loads(pickle.dumps(distribution)) == distribution
    assert hash(pickle.loads(pickle.dumps(distribution))) == hash(distribution)
    with pytest.raises(AttributeError):
        setattr(distribution, type(distribution).__slots__[0], 1.0)


@pytest.mark.parametrize("distribution", VALUES, ids=repr)
def test_scaling_multiplies_every_draw(distribution):
    whole = sample(distribution, generator(), 1000)
    half = sample(scaled(distribution, 0.5), generator(), 1000)
    assert half == pytest.approx(0.5 * whole, rel=1e-12)
    assert mean(scaled(scaled(distribution, 0.5), 4.0)) == pytest.approx(2.0 * mean(distribution), rel=1e-14)


def test_a_scaled_distribution_stays_one_of_its_kind():
    assert scaled(Exponential(2.0), 0.5) == Exponential(1.0)
    assert scaled(Uniform(1.0, 2.0), 2.0) == Uniform(2.0, 4.0)
    assert scaled(Scaled(Geometric(2.0), 0.5), 0.5) == Scaled(Geometric(2.0), 0.25)


def test_a_number_becomes_a_constant():
    assert as_distribution("service", 2) == Constant(2.0)
    assert as_distribution("service", np.float32(0.5)) == Constant(0.5)
    assert sample(3, generator(), 2).tolist() == [3.0, 3.0]


def test_a_distribution_of_ones_own_is_a_subclass():
    class Coin(Distribution):
        def draw(self, generator, size):
            return generator.integers(2, size=size)

        def expected_value(self):
            return 0.5

    assert set(sample(Coin(), generator(), 100)) == {0.0, 1.0}
    assert mean(Coin()) == 0.5


def test_distributions_of_scipy_print_as_code():
    assert repr(as_distribution("service", scipy.stats.gamma(2.0, scale=0.5))) == "scipy.stats.gamma(2.0, scale=0.5)"
    frozen = scipy.stats.gamma(np.float64(2.0), scale=0.5)
    assert repr(as_distribution("service", frozen)) == "scipy.stats.gamma(2.0, scale=0.5)"
    assert repr(as_distribution("service", Gamma(2, 0.5))) == "Gamma(2.0, 0.5)"
    assert repr(as_distribution("service", 3)) == "Constant(3.0)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(-1), "value must be >= 0, got -1"),
        (lambda: Constant(math.inf), "value must be finite, got inf"),
        (lambda: Exponential(0), "mean must be > 0, got 0"),
        (lambda: Uniform(-1, 2), "low must be >= 0, got -1"),
        (lambda: Uniform(2, 1), r"high must be >= low = 2\.0, got 1\.0"),
        (lambda: Gamma(1, 0), "scv must be > 0, got 0; without variation it is a Constant"),
        (lambda: LogNormal(1, -2), "scv must be >= 0, got -2"),
        (lambda: LogNormal(math.nan, 2), "mean must be finite, got nan"),
        (lambda: Geometric(0.5), r"mean must be >= 1, the least value of a Geometric, got 0\.5"),
        (lambda: Scaled(1.0, 0.0), r"factor must be > 0, got 0\.0"),
        (lambda: scaled(Constant(1.0), -1.0), r"factor must be > 0, got -1\.0"),
        (lambda: as_distribution("service", -0.5), r"service must be >= 0, got -0\.5"),
    ],
)
def test_a_wrong_value_is_named_when_it_is_written(make, message):
    with pytest.raises(InvalidValueError, match=f"^{message}$"):
        make()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("fast", r"^service must be a number, Constant, .* scipy.stats.gamma\(2.0, scale=0.5\), got 'fast'$"),
        (True, "got True$"),
        (None, "got None$"),
        ([1.0, 2.0], r"got \[1.0, 2.0\]$"),
        (scipy.stats.gamma, "got <.*>; give it its parameters$"),
    ],
)
def test_what_is_no_distribution_is_named_with_its_argument(value, message):
    with pytest.raises(InvalidTypeError, match=message):
        as_distribution("service", value)


def test_a_negative_draw_names_the_distribution():
    with pytest.raises(
        InvalidValueError,
        match=r"^draws of scipy.stats.norm\(0.0, 1.0\) must be finite and >= 0, got -\d.*; truncate it at 0$",
    ):
        sample(scipy.stats.norm(0.0, 1.0), generator(), 100)


class Broken(Distribution):
    def __init__(self, *values):
        self.values = values

    def draw(self, generator, size):
        return np.array(self.values)

    def expected_value(self):
        return 1.0

    def __repr__(self):
        return "Broken()"


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1.0])
def test_a_draw_that_is_no_time_is_an_error_wherever_it_stands(wrong):
    for values in ((wrong, 1.0), (1.0, wrong)):
        with pytest.raises(InvalidValueError, match=rf"^draws of Broken\(\) must be finite and >= 0, got {wrong!r};"):
            sample(Broken(*values), generator(), 2)


def test_a_draw_of_the_wrong_shape_is_an_error():
    with pytest.raises(InvalidValueError, match=r"^Broken\(\) must draw an array of shape \(3,\), got \(1,\)$"):
        sample(Broken(1.0), generator(), 3)


def test_two_are_equal_if_their_names_and_parameters_are():
    value = Scipy(scipy.stats.gamma(2.0, scale=0.5))
    assert value == Scipy(scipy.stats.gamma(2.0, scale=0.5))
    assert hash(value) == hash(Scipy(scipy.stats.gamma(2.0, scale=0.5)))
    assert value != Scipy(scipy.stats.gamma(2.0, scale=0.6))
    assert value != Scipy(scipy.stats.lognorm(2.0, scale=0.5))
    assert value != 0.5


def test_draws_come_from_the_generator_that_is_given():
    value = Scipy(scipy.stats.expon(scale=3.0))
    draws = [value.draw(np.random.default_rng(seed), 3).tolist() for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_a_distribution_of_the_users_own_is_equal_to_itself_only():
    class Triangle(scipy.stats.rv_continuous):
        def _pdf(self, x):
            return 2.0 * x

    first, second = Triangle(a=0.0, b=1.0, name="gamma"), Triangle(a=0.0, b=1.0, name="gamma")
    frozen = first()
    assert Scipy(frozen) == Scipy(frozen)
    assert Scipy(frozen) != Scipy(second())
    assert repr(Scipy(frozen)) == "Triangle()"


def test_parameters_that_are_arrays_are_an_error():
    with pytest.raises(
        InvalidTypeError,
        match=r"^the parameters of scipy.stats.expon\(.*\) must be plain numbers, one distribution at a",
    ):
        Scipy(scipy.stats.expon(scale=np.array([1.0, 2.0])))
