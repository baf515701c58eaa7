"""Distributions to draw from, with their means; frozen scipy.stats objects are wrapped to be values."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from numbers import Real
from typing import Annotated, Any, Protocol

import numpy as np
import numpy.typing as npt

from bufsim.checks import Seconds, Written, finite, not_negative, positive, seconds
from bufsim.declared import NotNegativeMeasure, Positive, PositiveMeasure, Value, Wide, value
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted

FloatArray = npt.NDArray[np.float64]

BLOCK = 8192
"""Draws in one block: streams extend by whole blocks, so that values do not depend on how many are asked for."""


class FrozenScipy(Protocol):
    """The part that is used of a frozen scipy.stats distribution."""

    dist: Any
    args: tuple[Any, ...]
    kwds: dict[str, Any]

    def rvs(self, size: Any = ..., random_state: Any = ...) -> Any:
        """Return draws."""

    def mean(self) -> Any:
        """Return the mean."""


class Distribution(Value, ABC):
    """A distribution of non-negative numbers; a subclass says how to draw, and what is expected.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from bufsim import PushWorkers
    >>> @dataclass(frozen=True)
    ... class OneOrTen(Distribution):
    ...     def draw(self, generator, size):
    ...         return generator.choice([1.0, 10.0], size)
    ...
    ...     def expected_value(self):
    ...         return 5.5
    >>> PushWorkers(service=OneOrTen()).service
    OneOrTen()
    """

    __slots__ = ()

    @abstractmethod
    def draw(self, generator: np.random.Generator, size: int) -> npt.NDArray[Any]:
        """Return `size` independent draws."""

    @abstractmethod
    def expected_value(self) -> float:
        """Return the mean."""


DistributionLike = Distribution | FrozenScipy | float


class Scipy(Distribution):
    """A frozen scipy.stats distribution as a value: equal, hashed and written by its name and parameters.

    Parameters
    ----------
    frozen : scipy.stats frozen distribution
        For example ``scipy.stats.gamma(2.0, scale=0.5)``. Its parameters are plain numbers.

    Notes
    -----
    You need not write this: wherever a distribution is due, the frozen object itself will do.
    """

    __slots__ = ("frozen",)

    frozen: Any

    def __init__(self, frozen: Any) -> None:
        parameters = [*frozen.args, *frozen.kwds.values()]
        if not all(isinstance(value, Real) for value in parameters):
            raise InvalidTypeError(
                f"the parameters of {_written(frozen)} must be plain numbers, one distribution at a time"
            )
        object.__setattr__(self, "frozen", frozen)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot assign to {name!r}: a distribution is a value")

    def __reduce__(self) -> tuple[type[Scipy], tuple[Any]]:
        return Scipy, (self.frozen,)

    def __repr__(self) -> str:
        return _written(self.frozen)

    def __eq__(self, other: object) -> bool:
        return self._identity() == other._identity() if isinstance(other, Scipy) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        """The identity that equal distributions share; one that scipy does not name is equal to itself only."""
        name = _name(self.frozen.dist)
        return (name or id(self.frozen), self.frozen.args, tuple(sorted(self.frozen.kwds.items())))

    def draw(self, generator: np.random.Generator, size: int) -> npt.NDArray[Any]:
        """Return `size` independent draws."""
        return np.asarray(self.frozen.rvs(size=size, random_state=generator))

    def expected_value(self) -> float:
        """Return the mean; inf or nan where the distribution has none."""
        return float(self.frozen.mean())


def _written(frozen: Any) -> str:
    """Return a frozen scipy.stats distribution as code."""
    parts = [repr(_plain(value)) for value in frozen.args]
    parts += [f"{name}={_plain(value)!r}" for name, value in frozen.kwds.items()]
    name = _name(frozen.dist)
    return f"{f'scipy.stats.{name}' if name else type(frozen.dist).__name__}({', '.join(parts)})"


def _name(kind: Any) -> str | None:
    """The name of a distribution in scipy.stats; None if it has none there, as a histogram."""
    named = type(kind).__module__.startswith("scipy.") and kind.name != "Distribution"
    return str(kind.name) if named and kind.name else None


def _plain(value: object) -> object:
    """Return a numpy scalar as Python's own number, whose repr is code."""
    return value.item() if isinstance(value, np.generic) else value


@value
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

    value: NotNegativeMeasure

    def draw(self, generator: np.random.Generator, size: int) -> FloatArray:
        """Return `size` copies of the value."""
        return np.full(size, self.value)

    def expected_value(self) -> float:
        """Return the value."""
        return self.value


@value
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

    mean: PositiveMeasure

    def draw(self, generator: np.random.Generator, size: int) -> FloatArray:
        """Return `size` independent draws."""
        draws = generator.standard_exponential(size)
        draws *= self.mean
        return draws

    def expected_value(self) -> float:
        """Return the mean."""
        return self.mean


@value
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

    low: NotNegativeMeasure
    high: NotNegativeMeasure

    def __post_init__(self) -> None:
        if self.high < self.low:
            raise InvalidValueError(f"high must be >= low = {self.low!r}, got {quoted(self.high)}")

    def draw(self, generator: np.random.Generator, size: int) -> FloatArray:
        """Return `size` independent draws."""
        return generator.uniform(self.low, self.high, size)

    def expected_value(self) -> float:
        """Return the middle."""
        return 0.5 * (self.low + self.high)


def _scv(name: str, given: object) -> float:
    """A squared coefficient of variation, checked."""
    scv = not_negative(name, given)
    if scv == 0.0:
        raise InvalidValueError(f"{name} must be > 0, got 0; without variation it is a Constant")
    return scv


@value
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

    mean: PositiveMeasure
    scv: Annotated[float, _scv]

    def draw(self, generator: np.random.Generator, size: int) -> FloatArray:
        """Return `size` independent draws."""
        return generator.gamma(1.0 / self.scv, self.mean * self.scv, size)

    def expected_value(self) -> float:
        """Return the mean."""
        return self.mean


@value
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

    mean: PositiveMeasure
    scv: Annotated[float, _scv]

    def draw(self, generator: np.random.Generator, size: int) -> FloatArray:
        """Return `size` independent draws."""
        variance = math.log1p(self.scv)
        return generator.lognormal(math.log(self.mean) - 0.5 * variance, math.sqrt(variance), size)

    def expected_value(self) -> float:
        """Return the mean."""
        return self.mean


def _at_least_one(name: str, given: object) -> float:
    number = finite(name, given)
    if number < 1.0:
        raise InvalidValueError(f"{name} must be >= 1, the least value of a Geometric, got {quoted(given)}")
    return number


@value
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

    mean: Annotated[float, _at_least_one]

    def draw(self, generator: np.random.Generator, size: int) -> npt.NDArray[np.int64]:
        """Return `size` independent draws."""
        return generator.geometric(1.0 / self.mean, size)

    def expected_value(self) -> float:
        """Return the mean."""
        return self.mean


_CHOICES = (
    "a number, Constant, Exponential, Uniform, Gamma, LogNormal, Geometric, "
    "or a frozen scipy.stats distribution such as scipy.stats.gamma(2.0, scale=0.5)"
)


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
        raise InvalidTypeError(f"{name} must be {_CHOICES}, got {quoted(value)}")
    if isinstance(value, Real):
        return Constant(not_negative(name, value))
    # known by its attributes: an import of scipy would cost more than the rest of bufsim
    if all(hasattr(value, attribute) for attribute in ("rvs", "mean", "dist")):
        return Scipy(value)
    hint = "; give it its parameters" if hasattr(value, "rvs") and callable(value) else ""
    raise InvalidTypeError(f"{name} must be {_CHOICES}, got {quoted(value)}{hint}")


AnyDistribution = Annotated[Wide[DistributionLike, Distribution], as_distribution]
"""A field that takes a number, a distribution or a frozen one of scipy.stats, and holds a distribution."""


def _times(name: str, given: object) -> Distribution:
    return as_distribution(name, seconds(name, given) if isinstance(given, Written) else given)


AnyTime = Annotated[Wide[DistributionLike | Seconds, Distribution], _times]
"""The same for durations, which are also taken as people write them."""


@value
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

    distribution: AnyDistribution
    factor: Positive

    def draw(self, generator: np.random.Generator, size: int) -> FloatArray:
        """Return `size` independent draws."""
        return np.multiply(sample(self.distribution, generator, size), self.factor, dtype=np.float64)

    def expected_value(self) -> float:
        """Return the mean."""
        return mean(self.distribution) * self.factor


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
        raise InvalidValueError(
            f"draws of {known!r} must be finite and >= 0, got {quoted(float(wrong))}; truncate it at 0"
        )
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
