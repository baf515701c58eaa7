"""Producers of jobs, and the laws of their keys: which product, user or page a job is about."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, field, replace
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from bufsim import checks
from bufsim.checks import NBytes, Seconds, integer
from bufsim.declared import NotNegative, Text, Value, Wide, default, settle, value
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.model.arrivals import Arrivals, as_arrivals
from bufsim.model.distributions import DistributionLike, FloatArray, as_distribution
from bufsim.model.recorded import recorded
from bufsim.model.traces import Keep, ScaledTrace, Trace, keeping

_MOST_KEYS = 2**31 - 1
_MOST_CELLS = 2**20


class Keys(Value, ABC):
    """A distribution over the keys 0, 1, ..., n - 1."""

    __slots__ = ()

    n: int

    @abstractmethod
    def draw(self, generator: np.random.Generator, size: int) -> npt.NDArray[np.int32]:
        """Return `size` independent keys."""


def _count(name: str, given: object) -> int:
    count = integer(name, given, at_least=1)
    if count > _MOST_KEYS:
        raise InvalidValueError(f"{name} must be <= {_MOST_KEYS}, got {quoted(given)}")
    return count


@value
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

    n: Annotated[int, _count]

    def draw(self, generator: np.random.Generator, size: int) -> npt.NDArray[np.int32]:
        """Return `size` independent keys."""
        return generator.integers(self.n, size=size, dtype=np.int32)


@value
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

    n: Annotated[int, _count]
    exponent: NotNegative

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


@lru_cache(maxsize=32)
def _tables(law: Zipf) -> tuple[FloatArray, npt.NDArray[np.int32]]:
    """Return the distribution function, and the first key of each of many equal cells of [0, 1) (Chen and Asau)."""
    cumulated = np.cumsum(law.probabilities())
    # above every uniform, whatever the sum was rounded to
    cumulated[-1] = 1.0
    cells = min(_MOST_CELLS, 2 ** math.ceil(math.log2(8 * law.n)))
    guide = np.searchsorted(cumulated, np.arange(cells) / cells, side="right")
    return cumulated, guide.astype(np.int32)


def _keys(name: str, given: object) -> Keys:
    if not isinstance(given, Keys):
        raise InvalidTypeError(
            f"{name} must be Zipf or UniformKeys, got {quoted(given)}; recorded keys go into a Trace"
        )
    return given


@value
class Producer(Value):
    """A source of jobs over time: an arrival process and the jobs' attributes.

    Parameters
    ----------
    name : str
        The producer's name; its random draws depend on it, and on nothing else in the model.
    arrivals : Arrivals
        When jobs are created.
    queue : str, optional
        The job queue for which the jobs are meant; by default what the trace says, else "default".
    keys : Keys, optional
        `Zipf` or `UniformKeys`; by default what the trace says, else jobs have no keys.
    nbytes : int, str, Distribution or frozen scipy.stats distribution, optional
        Size of a job in bytes, >= 0, also as in "2 KiB"; draws are rounded to whole numbers. By default what the trace
        says, else 0.
    data : callable or sequence, optional
        The jobs' payload: a function of the job's number within the producer, from 0, or one value a job (with a trace:
        a row of the trace). By default what the trace says, else None.

    Examples
    --------
    >>> from bufsim.model.arrivals import Poisson
    >>> from bufsim.model.producers import Zipf
    >>> Producer("edits", Poisson(10), keys=Zipf(9000, 0.9)).queues
    ('default',)
    """

    name: Text
    arrivals: Annotated[Arrivals, as_arrivals]
    _: KW_ONLY
    queue: Text | None = None
    keys: Annotated[Keys, _keys] | None = None
    nbytes: Wide[NBytes | DistributionLike | None, int | DistributionLike | None] = default(None)
    data: Callable[[int], Any] | Sequence[Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        trace = self.trace
        settle(self, queue=self._queue(trace), nbytes=self._nbytes(trace), data=self._data(trace))

    @property
    def trace(self) -> Trace | None:
        """The trace from which the jobs come, if they do."""
        if isinstance(self.arrivals, ScaledTrace):
            return self.arrivals.trace
        return self.arrivals if isinstance(self.arrivals, Trace) else None

    @property
    def queues(self) -> tuple[str, ...]:
        """The names of the queues for which jobs are meant, in order of first appearance."""
        if self.queue is not None:
            return (self.queue,)
        trace = self.trace
        return () if trace is None else tuple(map(str, recorded(trace).queues.values))

    def scaled(self, factor: float, *, keep: Keep | None = None, shift: Seconds | None = None) -> Producer:
        """The producer with `factor` times as many jobs.

        Parameters
        ----------
        factor : float
            > 0.
        keep, shift : optional
            In place of those of the trace, where the arrivals are recorded; see `bufsim.Trace`.
        """
        return replace(self, arrivals=keeping(self.arrivals, keep, shift).scaled(factor))

    def _queue(self, trace: Trace | None) -> str | None:
        if self.queue is not None:
            return self.queue
        return None if trace is not None and trace.queues is not None else "default"

    def _nbytes(self, trace: Trace | None) -> int | DistributionLike | None:
        if self.nbytes is None:
            return None if trace is not None and trace.nbytes is not None else 0
        given: object = self.nbytes
        if isinstance(given, int | np.integer | str):
            return checks.nbytes("nbytes", given, at_least=0)
        return as_distribution("nbytes", given)

    def _data(self, trace: Trace | None) -> Callable[[int], Any] | tuple[Any, ...] | None:
        if self.data is None or callable(self.data):
            return self.data
        if isinstance(self.data, str | bytes) or not isinstance(self.data, Sequence):
            raise InvalidTypeError(
                f"data must be a function of the job's number or a sequence, got {quoted(self.data)}"
            )
        if trace is not None and len(self.data) != len(trace):
            raise InvalidValueError(f"data must have one value a row of the trace = {len(trace)}, got {len(self.data)}")
        return tuple(self.data)
