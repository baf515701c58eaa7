"""Keys drawn at random: which product, user or page a job is about."""

from __future__ import annotations

import math
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
_MOST_CELLS = 2**20


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
    Drawn by inversion of the distribution function, so that one uniform makes one key; a guide table finds most of
    them without a search.

    References
    ----------
    G. K. Zipf, Human Behavior and the Principle of Least Effort (1949). H.-C. Chen and Y. Asau, On generating random
    variates from an empirical distribution, AIIE Transactions 6 (1974).

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
        cumulated, guide = _tables(self)
        uniforms = generator.random(size)
        # a power of two times a uniform is exact: no key lies below its cell's first
        keys = guide[(uniforms * len(guide)).astype(np.int32)]
        behind = np.flatnonzero(cumulated[keys] <= uniforms)
        keys[behind] = np.searchsorted(cumulated, uniforms[behind], side="right")
        return keys

    __repr__ = reprs.call


@lru_cache(maxsize=32)
def _tables(law: Zipf) -> tuple[FloatArray, npt.NDArray[np.int32]]:
    """Return the distribution function, and the first key of each of many equal cells of [0, 1) (Chen and Asau)."""
    cumulated = np.cumsum(law.probabilities())
    # above every uniform, whatever the sum was rounded to
    cumulated[-1] = 1.0
    cells = min(_MOST_CELLS, 2 ** math.ceil(math.log2(8 * law.n)))
    guide = np.searchsorted(cumulated, np.arange(cells) / cells, side="right")
    return cumulated, guide.astype(np.int32)


def _count(n: object) -> int:
    """Return `n` as a number of keys."""
    count = integer("n", n, at_least=1)
    if count > _MOST_KEYS:
        raise InvalidValueError(f"n must be <= {_MOST_KEYS}, got {n!r}")
    return count
