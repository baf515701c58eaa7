"""Keys drawn at random: which product, user or page a job is about."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from bufsim.checks import integer, not_negative
from bufsim.errors import InvalidValueError
from bufsim.model import reprs
from bufsim.model.distribution import FloatArray

_MOST_KEYS = 2**31 - 1


class Keys(ABC):
    """A distribution over the keys 0, 1, ..., n - 1."""

    __slots__ = ()

    n: int

    @abstractmethod
    def draw(self, generator: np.random.Generator, size: int) -> npt.NDArray[np.int32]:
        """Return `size` independent keys."""


@dataclass(frozen=True, slots=True, repr=False)
class UniformKeys(Keys):
    """Every key in 0, ..., n - 1 with the same probability.

    Parameters
    ----------
    n : int
        Number of keys, >= 1.

    Examples
    --------
    >>> UniformKeys(100)
    UniformKeys(100)
    """

    n: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", _count(self.n))

    def draw(self, generator: np.random.Generator, size: int) -> npt.NDArray[np.int32]:
        """Return `size` independent keys."""
        return generator.integers(self.n, size=size, dtype=np.int32)

    __repr__ = reprs.call


@dataclass(frozen=True, slots=True, repr=False)
class Zipf(Keys):
    """Zipf's law over n keys: key k, counted from 0, has a probability proportional to (k + 1)^-exponent.

    Parameters
    ----------
    n : int
        Number of keys, >= 1.
    exponent : float
        >= 0; the larger, the more jobs go to the first keys. 0 is the uniform distribution.

    Notes
    -----
    Drawn by inversion of the distribution function, so that one uniform makes one key.

    References
    ----------
    G. K. Zipf, Human Behavior and the Principle of Least Effort (1949).

    Examples
    --------
    >>> Zipf(10_000, 1.1)
    Zipf(10000, 1.1)
    """

    n: int
    exponent: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", _count(self.n))
        object.__setattr__(self, "exponent", not_negative("exponent", self.exponent))

    def probabilities(self) -> FloatArray:
        """Return the probability of each key.

        Examples
        --------
        >>> Zipf(2, 1.0).probabilities().round(3).tolist()
        [0.667, 0.333]
        """
        weights: FloatArray = np.arange(1, self.n + 1, dtype=np.float64) ** -self.exponent
        weights /= weights.sum()
        return weights

    def draw(self, generator: np.random.Generator, size: int) -> npt.NDArray[np.int32]:
        """Return `size` independent keys."""
        found = np.searchsorted(_cumulated(self), generator.random(size), side="right")
        return found.astype(np.int32)

    __repr__ = reprs.call


@lru_cache(maxsize=32)
def _cumulated(keys: Zipf) -> FloatArray:
    """Return the distribution function at each key; the last is 1 exactly, above every uniform."""
    cumulated = np.cumsum(keys.probabilities())
    cumulated[-1] = 1.0
    return cumulated


def _count(n: object) -> int:
    """Return `n` as a number of keys."""
    count = integer("n", n, at_least=1)
    if count > _MOST_KEYS:
        raise InvalidValueError(f"n must be <= {_MOST_KEYS}, got {n!r}")
    return count
