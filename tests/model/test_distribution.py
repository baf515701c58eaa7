"""Frozen scipy.stats objects as values: equal by name and parameters."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from bufsim.errors import InvalidTypeError
from bufsim.model.distributions import Scipy


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
