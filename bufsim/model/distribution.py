"""What a distribution is: something to draw from, and a mean. Frozen scipy.stats objects are wrapped to be values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from numbers import Real
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bufsim.errors import InvalidTypeError

FloatArray = npt.NDArray[np.float64]

BLOCK = 8192
"""Draws in one block: streams extend by whole blocks, so that values do not depend on how many are asked for."""


class FrozenScipy(Protocol):
    """What is used of a frozen scipy.stats distribution."""

    dist: Any
    args: tuple[Any, ...]
    kwds: dict[str, Any]

    def rvs(self, size: Any = ..., random_state: Any = ...) -> Any:
        """Return draws."""

    def mean(self) -> Any:
        """Return the mean."""


class Distribution(ABC):
    """A distribution of non-negative numbers; a subclass says how to draw, and what is expected."""

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
        """Return what two equal distributions share; one that scipy does not name is equal to itself only."""
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
    """Return what scipy.stats calls a distribution; None if it has no name there, as a histogram."""
    named = type(kind).__module__.startswith("scipy.") and kind.name != "Distribution"
    return str(kind.name) if named and kind.name else None


def _plain(value: object) -> object:
    """Return a numpy scalar as Python's own number, whose repr is code."""
    return value.item() if isinstance(value, np.generic) else value
