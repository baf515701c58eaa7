"""Drains: how much one flush takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bufsim import checks
from bufsim.checks import NBytes
from bufsim.errors import InvalidValueError
from bufsim.model import reprs, rules


class Drain(ABC):
    """How much one flush takes."""

    __slots__ = ()

    @abstractmethod
    def count(self, nbytes: Sequence[int]) -> int:
        """Return how many of the oldest jobs a flush takes; `nbytes` are the jobs' sizes, the oldest first."""


@dataclass(frozen=True, slots=True, repr=False)
class DrainAll(Drain):
    """One flush takes all jobs.

    Examples
    --------
    >>> DrainAll().count([10, 20, 30])
    3
    """

    def count(self, nbytes: Sequence[int]) -> int:
        """Return the number of jobs."""
        return len(nbytes)

    __repr__ = reprs.call


@dataclass(frozen=True, slots=True, repr=False)
class DrainAtMost(Drain):
    """One flush takes the oldest jobs within both limits, at least one; what is left keeps its age.

    Parameters
    ----------
    n : int, optional
        The most jobs, ≥ 1.
    nbytes : int or str, optional
        The most bytes, ≥ 1; ``"1 MiB"`` is understood. ``FlushAtBytes(b)`` with ``DrainAtMost(nbytes=b)`` is the rule
        "the job that would not fit any more starts the next batch" of Kafka and Vector.

    Examples
    --------
    >>> DrainAtMost(nbytes=50).count([10, 20, 30])
    2
    """

    n: int | None = None
    nbytes: int | None = None

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(self, n: int | None = ..., nbytes: NBytes | None = ...) -> None: ...

    def __post_init__(self) -> None:
        if self.n is None and self.nbytes is None:
            raise InvalidValueError("DrainAtMost needs n or nbytes, got neither; a flush that takes all is DrainAll()")
        if self.n is not None:
            object.__setattr__(self, "n", checks.integer("n", self.n, at_least=1))
        if self.nbytes is not None:
            object.__setattr__(self, "nbytes", checks.nbytes("nbytes", self.nbytes, at_least=1))

    def count(self, nbytes: Sequence[int]) -> int:
        """Return how many of the oldest jobs fit within both limits, at least one."""
        most = len(nbytes) if self.n is None else self.n
        return rules.drain_count(nbytes, 0, len(nbytes), most, rules.NO_LIMIT if self.nbytes is None else self.nbytes)

    __repr__ = reprs.call
