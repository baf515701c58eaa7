"""What a user gives as a distribution, and what is asked of it: draws, the mean, the same on another scale."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

from bufsim.checks import not_negative, positive
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model import reprs
from bufsim.model.distribution import Distribution, DistributionLike, FloatArray, Scipy
from bufsim.model.distributions import Constant, Exponential, Gamma, LogNormal, Uniform

_CHOICES = (
    "a number, Constant, Exponential, Uniform, Gamma, LogNormal, Geometric, "
    "or a frozen scipy.stats distribution such as scipy.stats.gamma(2.0, scale=0.5)"
)


@dataclass(frozen=True, slots=True, repr=False)
class Scaled(Distribution):
    """Another distribution's draws, each multiplied by a factor.

    Parameters
    ----------
    distribution : number, Distribution or frozen scipy.stats distribution
        What is drawn.
    factor : float
        What each draw is multiplied by, > 0.

    Examples
    --------
    >>> from bufsim import Geometric
    >>> Scaled(Geometric(5), 0.1)
    Scaled(Geometric(5.0), 0.1)
    """

    distribution: DistributionLike
    factor: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "distribution", as_distribution("distribution", self.distribution))
        object.__setattr__(self, "factor", positive("factor", self.factor))

    def draw(self, generator: np.random.Generator, size: int) -> FloatArray:
        """Return `size` independent draws."""
        return np.multiply(sample(self.distribution, generator, size), self.factor, dtype=np.float64)

    def expected_value(self) -> float:
        """Return the mean."""
        return mean(self.distribution) * self.factor

    __repr__ = reprs.call


def as_distribution(name: str, value: object) -> Distribution:
    """Return `value` as a distribution; a number becomes a `Constant`.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : number, Distribution or frozen scipy.stats distribution
        What the user gave.

    Raises
    ------
    InvalidTypeError
        If it is none of these.
    InvalidValueError
        If it is a negative or not finite number.
    """
    if isinstance(value, Distribution):
        return value
    if isinstance(value, bool):
        raise InvalidTypeError(f"{name} must be {_CHOICES}, got {value!r}")
    if isinstance(value, Real):
        return Constant(not_negative(name, value))
    # told by its attributes: an import of scipy would cost more than the rest of bufsim
    if all(hasattr(value, attribute) for attribute in ("rvs", "mean", "dist")):
        return Scipy(value)
    hint = "; give it its parameters" if hasattr(value, "rvs") and callable(value) else ""
    raise InvalidTypeError(f"{name} must be {_CHOICES}, got {value!r}{hint}")


def sample(distribution: DistributionLike, generator: np.random.Generator, size: int) -> FloatArray:
    """Return `size` independent draws as float64, all finite and >= 0.

    Raises
    ------
    InvalidValueError
        If a draw is negative or not finite; the message names the distribution.
    """
    known = as_distribution("distribution", distribution)
    draws = np.asarray(known.draw(generator, size), dtype=np.float64)
    if draws.shape != (size,):
        raise InvalidValueError(f"{known!r} must draw an array of shape ({size},), got {draws.shape}")
    # NaN fails both comparisons
    if size and not (draws.min() >= 0.0 and draws.max() < math.inf):
        wrong = draws[~((draws >= 0.0) & (draws < math.inf))][0]
        raise InvalidValueError(f"draws of {known!r} must be finite and >= 0, got {float(wrong)!r}; truncate it at 0")
    return draws


def mean(distribution: DistributionLike) -> float:
    """Return the distribution's mean.

    Examples
    --------
    >>> mean(Gamma(3, 2))
    3.0
    """
    return as_distribution("distribution", distribution).expected_value()


def scaled(distribution: DistributionLike, factor: float) -> Distribution:
    """Return the distribution of `factor` times the draws.

    Examples
    --------
    >>> from bufsim import Geometric
    >>> scaled(Gamma(3, 2), 0.5)
    Gamma(1.5, 2.0)
    >>> scaled(Geometric(3), 0.5)
    Scaled(Geometric(3.0), 0.5)
    """
    known = as_distribution("distribution", distribution)
    factor = positive("factor", factor)
    if isinstance(known, Constant):
        return Constant(known.value * factor)
    if isinstance(known, Exponential | Gamma | LogNormal):
        return replace(known, mean=known.mean * factor)
    if isinstance(known, Uniform):
        return Uniform(known.low * factor, known.high * factor)
    if isinstance(known, Scaled):
        return Scaled(known.distribution, known.factor * factor)
    return Scaled(known, factor)
