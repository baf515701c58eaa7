"""Distributions of non-negative times and sizes: small values of our own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bufsim.checks import Measure, finite, measure, not_negative, positive
from bufsim.errors import InvalidValueError
from bufsim.model import reprs
from bufsim.model.distribution import Distribution, FloatArray


@dataclass(frozen=True, slots=True, repr=False)
class Constant(Distribution):
    """Always the same value.

    Parameters
    ----------
    value : float, str or timedelta
        The value, >= 0; a duration or a size also as in "20ms" or "2 KiB".

    Examples
    --------
    >>> Constant(0.5)
    Constant(0.5)
    """

    value: float

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(self, value: Measure) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", not_negative("value", measure("value", self.value)))

    def draw(self, generator: np.random.Generator, size: int) -> FloatArray:
        """Return `size` copies of the value."""
        return np.full(size, self.value)

    def expected_value(self) -> float:
        """Return the value."""
        return self.value

    __repr__ = reprs.call


@dataclass(frozen=True, slots=True, repr=False)
class Exponential(Distribution):
    """The exponential distribution.

    Parameters
    ----------
    mean : float, str or timedelta
        The mean, > 0, also as in "20ms" or "2 KiB"; its inverse is the rate.

    Examples
    --------
    >>> Exponential(2)
    Exponential(2.0)
    """

    mean: float

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(self, mean: Measure) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", positive("mean", measure("mean", self.mean)))

    def draw(self, generator: np.random.Generator, size: int) -> FloatArray:
        """Return `size` independent draws."""
        draws = generator.standard_exponential(size)
        draws *= self.mean
        return draws

    def expected_value(self) -> float:
        """Return the mean."""
        return self.mean

    __repr__ = reprs.call


@dataclass(frozen=True, slots=True, repr=False)
class Uniform(Distribution):
    """The uniform distribution on [low, high).

    Parameters
    ----------
    low, high : float, str or timedelta
        The ends, 0 <= low <= high, also as in "20ms" or "2 KiB".

    Examples
    --------
    >>> Uniform(1, 3)
    Uniform(1.0, 3.0)
    """

    low: float
    high: float

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(self, low: Measure, high: Measure) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", not_negative("low", measure("low", self.low)))
        object.__setattr__(self, "high", not_negative("high", measure("high", self.high)))
        if self.high < self.low:
            raise InvalidValueError(f"high must be >= low = {self.low!r}, got {self.high!r}")

    def draw(self, generator: np.random.Generator, size: int) -> FloatArray:
        """Return `size` independent draws."""
        return generator.uniform(self.low, self.high, size)

    def expected_value(self) -> float:
        """Return the middle."""
        return 0.5 * (self.low + self.high)

    __repr__ = reprs.call


@dataclass(frozen=True, slots=True, repr=False)
class Gamma(Distribution):
    """The gamma distribution, given by its mean and squared coefficient of variation.

    Parameters
    ----------
    mean : float, str or timedelta
        The mean, > 0, also as in "20ms" or "2 KiB".
    scv : float
        Variance over squared mean, > 0: 1 is the exponential, 1/k the Erlang distribution of k stages.

    Notes
    -----
    Shape 1/scv and scale mean·scv.

    Examples
    --------
    >>> Gamma(2, 0.5)
    Gamma(2.0, 0.5)
    """

    mean: float
    scv: float

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(self, mean: Measure, scv: float) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", positive("mean", measure("mean", self.mean)))
        object.__setattr__(self, "scv", _scv(self.scv))

    def draw(self, generator: np.random.Generator, size: int) -> FloatArray:
        """Return `size` independent draws."""
        return generator.gamma(1.0 / self.scv, self.mean * self.scv, size)

    def expected_value(self) -> float:
        """Return the mean."""
        return self.mean

    __repr__ = reprs.call


@dataclass(frozen=True, slots=True, repr=False)
class LogNormal(Distribution):
    """The log-normal distribution, given by its mean and squared coefficient of variation.

    Parameters
    ----------
    mean : float, str or timedelta
        The mean of the draws (not of their logarithms), > 0, also as in "20ms" or "2 KiB".
    scv : float
        Variance over squared mean of the draws, > 0.

    Notes
    -----
    The logarithm is normal with variance σ² = ln(1 + scv) and mean ln(mean) − σ²/2.

    Examples
    --------
    >>> LogNormal(2, 4)
    LogNormal(2.0, 4.0)
    """

    mean: float
    scv: float

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(self, mean: Measure, scv: float) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", positive("mean", measure("mean", self.mean)))
        object.__setattr__(self, "scv", _scv(self.scv))

    def draw(self, generator: np.random.Generator, size: int) -> FloatArray:
        """Return `size` independent draws."""
        variance = math.log1p(self.scv)
        return generator.lognormal(math.log(self.mean) - 0.5 * variance, math.sqrt(variance), size)

    def expected_value(self) -> float:
        """Return the mean."""
        return self.mean

    __repr__ = reprs.call


@dataclass(frozen=True, slots=True, repr=False)
class Geometric(Distribution):
    """The geometric distribution on 1, 2, 3, ...: the number of trials up to the first success.

    Parameters
    ----------
    mean : float
        The mean, >= 1; the probability of success is its inverse.

    Examples
    --------
    >>> Geometric(5)
    Geometric(5.0)
    """

    mean: float

    def __post_init__(self) -> None:
        mean = finite("mean", self.mean)
        if mean < 1.0:
            raise InvalidValueError(f"mean must be >= 1, the least value of a Geometric, got {self.mean!r}")
        object.__setattr__(self, "mean", mean)

    def draw(self, generator: np.random.Generator, size: int) -> npt.NDArray[np.int64]:
        """Return `size` independent draws."""
        return generator.geometric(1.0 / self.mean, size)

    def expected_value(self) -> float:
        """Return the mean."""
        return self.mean

    __repr__ = reprs.call


def _scv(value: object) -> float:
    """Return `value` as a squared coefficient of variation."""
    scv = not_negative("scv", value)
    if scv == 0.0:
        raise InvalidValueError("scv must be > 0, got 0; without variation it is a Constant")
    return scv
